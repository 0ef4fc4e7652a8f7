/* UTF-8, one character at a time. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/// Reads one character of [bytes, bytes + n_bytes).
/// Returns its length in bytes with *code set; 0 when the bytes are a correct beginning that is not finished (or n_bytes is 0);
/// -1 when they can never become a character (also overlong forms, surrogates, over U+10FFFF).
int utf8_decode(const char *bytes, size_t n_bytes, uint32_t *code);
/// Writes a character, 1 to 4 bytes, no zero behind; returns its length. code <= U+10FFFF.
int utf8_encode(uint32_t code, char bytes[4]);
/// Makes a text fit for a terminal, in its place: control characters and broken bytes become '?', a character that was cut off at
/// the end goes.
void utf8_make_clean(char *text);

#endif
