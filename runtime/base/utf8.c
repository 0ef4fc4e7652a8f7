#include "base/utf8.h"

#include <string.h>

int utf8_decode(const char *bytes, size_t n_bytes, uint32_t *code) {
    if (n_bytes == 0) return 0;
    const uint8_t *b = (const uint8_t *)bytes;
    if (b[0] < 0x80) {
        *code = b[0];
        return 1;
    }
    int length = b[0] >= 0xC2 && b[0] < 0xE0 ? 2 : b[0] >= 0xE0 && b[0] < 0xF0 ? 3 : b[0] >= 0xF0 && b[0] < 0xF5 ? 4 : -1;
    if (length < 0) return -1;
    uint32_t c = b[0] & (0x7Fu >> length);
    for (int i = 1; i < length; i++) {
        if ((size_t)i >= n_bytes) return 0;
        if ((b[i] & 0xC0) != 0x80) return -1;
        // The second byte decides about overlong forms, surrogates and the end of Unicode.
        if (i == 1 && ((b[0] == 0xE0 && b[1] < 0xA0) || (b[0] == 0xED && b[1] > 0x9F) || (b[0] == 0xF0 && b[1] < 0x90) ||
                       (b[0] == 0xF4 && b[1] > 0x8F)))
            return -1;
        c = c << 6 | (b[i] & 0x3Fu);
    }
    *code = c;
    return length;
}

int utf8_encode(uint32_t code, char bytes[4]) {
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(code | (0xF00u >> length & 0xFF));
    return length;
}

void utf8_make_clean(char *text) {
    uint32_t code;
    for (size_t at = 0, length = strlen(text); at < length;) {
        int n = utf8_decode(text + at, length - at, &code);
        if (n == 0) {
            text[at] = 0;
            return;
        }
        size_t step = n > 0 ? (size_t)n : 1;
        if (n < 0 || code < 0x20 || (code >= 0x7F && code < 0xA0)) memset(text + at, '?', step);
        at += step;
    }
}
