/* Windows takes names in UTF-16 and speaks of errors by number; we have UTF-8 and sentences. Only the files for Windows include
 * this. */
#ifndef BASE_WIDE_H
#define BASE_WIDE_H

#include "base/files.h"

#include <stdint.h>
#include <wchar.h>

/// path as Windows wants it, wide [FILES_MAX_PATH]. False, with errno, where it is no UTF-8 or too long.
bool wide_path(const char *path, wchar_t *wide);
/// What a number of GetLastError means, as a sentence without a newline: text [n_bytes].
const char *wide_reason(uint32_t number, char *text, size_t n_bytes);
/// The errno that is closest to it.
int wide_errno(uint32_t number);

#endif
