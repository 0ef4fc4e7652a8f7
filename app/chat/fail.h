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

#endif
