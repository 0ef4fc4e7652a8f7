/* What a file of text holds, as UTF-8, whatever it was written as. */
#ifndef WINDOW_DECODE_TEXT_H
#define WINDOW_DECODE_TEXT_H

#include <stddef.h>

typedef enum decoded {
    DECODED,
    DECODED_BINARY,  ///< no text: zero bytes, or control characters among bytes that are no UTF-8
    DECODED_FOREIGN, ///< a text, but neither UTF-8 nor Latin-1 by the looks of it
    DECODED_MEMORY,  ///< the heap is out
} decoded;

/// bytes [n_bytes] are UTF-8 (with a mark or without; a few broken bytes become U+FFFD), UTF-16 with a byte-order mark, or
/// Latin-1 as Windows has it (code page 1252). *text: UTF-8 without the mark and without zero bytes, each line ended by \n; to be
/// freed with free(), NULL unless DECODED is returned.
decoded decode_text(const void *bytes, size_t n_bytes, char **text);
/// The same of a string that should be UTF-8: nothing is refused. NULL when the heap is out.
char *decode_string(const char *text);

#endif
