/* How failures travel: a status, and a sentence in the caller's pum_error. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "pumice.h"

#if defined(__MINGW32__) // whose printf would else mean that of Windows
#define BASE_PRINTF(fmt, args) __attribute__((format(gnu_printf, fmt, args)))
#elif defined(__GNUC__)
#define BASE_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define BASE_PRINTF(fmt, args)
#endif

/// Fills err (may be NULL) with status and a formatted sentence, and returns status, so that a failure is one line:
/// `return pum_fail(err, PUM_ERR_FORMAT, "%s: expected …, got …", …);`
pum_status pum_fail(pum_error *err, pum_status status, const char *format, ...) BASE_PRINTF(3, 4);

/// The same for host memory, which needs no other words than what it was for.
pum_status pum_fail_memory(pum_error *err, const char *what, uint64_t n_bytes);

/// Puts "what: " before a message that was made deeper down. Returns its status.
pum_status pum_fail_in(pum_error *err, pum_status status, const char *format, ...) BASE_PRINTF(3, 4);

#endif
