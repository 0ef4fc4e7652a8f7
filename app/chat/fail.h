/* Failures of what the window keeps: a status, and a sentence with what, expected, got, and what to do. */
#ifndef CHAT_FAIL_H
#define CHAT_FAIL_H

#include "pumice.h"

/// Writes the sentence, if err is not NULL, and returns the status.
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
pum_status
fail_with(pum_error *err, pum_status status, const char *format, ...);
pum_status fail_memory(pum_error *err);
/// A text that jansson does not take: where, and what it expected, without the bytes that it quotes, which may be any.
/// begin    what the sentence begins with, "" or up to ": "
struct json_error_t;
pum_status fail_json(pum_error *err, const char *begin, const struct json_error_t *why);
/// A value for a sentence that says what was got: ASCII that may be cut anywhere; to be freed with free(). NULL when the heap is
/// out.
struct json_t;
char *fail_got(const struct json_t *value);

#endif
