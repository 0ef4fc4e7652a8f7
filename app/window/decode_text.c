#include "decode_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Of Windows' code page 1252 where it is not Latin-1; 0: nothing has that place. */
static const uint16_t CP1252[32] = {0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
                                    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
                                    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

/* Room for everything that may come was made before. */
typedef struct output {
    char *text;
    size_t n;
    bool after_return;
} output;

static void put(output *o, utf8proc_int32_t code) {
    bool second = o->after_return && code == '\n';
    o->after_return = code == '\r';
    if (!second) o->n += (size_t)utf8proc_encode_char(code == '\r' ? '\n' : code, (utf8proc_uint8_t *)o->text + o->n);
}

static bool begin(output *o, size_t most) {
    *o = (output){.text = malloc(most + 1)};
    return o->text;
}

static char *finish(output *o) {
    o->text[o->n] = 0;
    char *fitting = realloc(o->text, o->n + 1);
    return fitting ? fitting : o->text;
}

/* ---- UTF-8 */

/* How many characters of several bytes are whole, and in how many places there are bytes that belong to none. */
static void count(const uint8_t *bytes, size_t n_bytes, size_t *n_whole, size_t *n_broken) {
    *n_whole = *n_broken = 0;
    bool broken = false;
    for (size_t at = 0; at < n_bytes;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate(bytes + at, (utf8proc_ssize_t)(n_bytes - at), &code);
        *n_whole += n > 1;
        *n_broken += n <= 0 && !broken;
        broken = n <= 0;
        at += n > 0 ? (size_t)n : 1;
    }
}

static char *from_utf8(const uint8_t *bytes, size_t n_bytes) {
    output o;
    if (n_bytes > SIZE_MAX / 3 - 1 || !begin(&o, 3 * n_bytes)) return NULL; // U+FFFD takes three
    for (size_t at = 0; at < n_bytes;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate(bytes + at, (utf8proc_ssize_t)(n_bytes - at), &code);
        put(&o, n > 0 ? code : 0xFFFD);
        at += n > 0 ? (size_t)n : 1;
    }
    return finish(&o);
}

/* ---- UTF-16 */

static decoded from_utf16(const uint8_t *bytes, size_t n_bytes, bool big_endian, char **text) {
    output o;
    if (n_bytes > SIZE_MAX / 2 - 4 || !begin(&o, 2 * n_bytes + 3)) return DECODED_MEMORY;
    utf8proc_int32_t high = 0;
    for (size_t i = 0; i + 1 < n_bytes; i += 2) {
        utf8proc_int32_t unit = bytes[i + !big_endian] << 8 | bytes[i + big_endian];
        if (unit == 0) {
            free(o.text);
            return DECODED_BINARY;
        }
        bool is_low = unit >= 0xDC00 && unit <= 0xDFFF;
        if (high && !is_low) put(&o, 0xFFFD);
        if (unit >= 0xD800 && unit <= 0xDBFF)
            high = unit;
        else {
            put(&o, !is_low ? unit : high ? 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00) : 0xFFFD);
            high = 0;
        }
    }
    if (high || n_bytes % 2) put(&o, 0xFFFD); // it was cut
    *text = finish(&o);
    return DECODED;
}

/* ---- Latin-1 */

static bool is_control(uint8_t byte) { return byte == 0x7F || (byte < ' ' && !(byte >= '\t' && byte <= '\r') && byte != 0x1B); }

static decoded from_latin1(const uint8_t *bytes, size_t n_bytes, char **text) {
    size_t n_high = 0;
    bool foreign = false;
    for (size_t i = 0; i < n_bytes; i++) {
        if (is_control(bytes[i])) return DECODED_BINARY;
        n_high += bytes[i] >= 0x80;
        foreign = foreign || (bytes[i] >= 0x80 && bytes[i] < 0xA0 && !CP1252[bytes[i] - 0x80]);
    }
    // Languages that are written in it need few such letters; Korean, Japanese, Chinese, Russian or Greek consist of them.
    if (foreign || (n_high >= 8 && n_high > n_bytes / 4)) return DECODED_FOREIGN;
    output o;
    if (n_bytes > SIZE_MAX / 3 - 1 || !begin(&o, 3 * n_bytes)) return DECODED_MEMORY;
    for (size_t i = 0; i < n_bytes; i++) put(&o, bytes[i] >= 0x80 && bytes[i] < 0xA0 ? CP1252[bytes[i] - 0x80] : bytes[i]);
    *text = finish(&o);
    return DECODED;
}

decoded decode_text(const void *data, size_t n_bytes, char **text) {
    const uint8_t *bytes = data;
    *text = NULL;
    if (n_bytes >= 2 && bytes[0] == 0xFF && bytes[1] == 0xFE) return from_utf16(bytes + 2, n_bytes - 2, false, text);
    if (n_bytes >= 2 && bytes[0] == 0xFE && bytes[1] == 0xFF) return from_utf16(bytes + 2, n_bytes - 2, true, text);
    if (n_bytes > 0 && memchr(bytes, 0, n_bytes)) return DECODED_BINARY;
    bool marked = n_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
    size_t n_whole, n_broken;
    count(bytes, n_bytes, &n_whole, &n_broken);
    if (n_broken > n_whole / 8 && !marked) return from_latin1(bytes, n_bytes, text);
    *text = marked ? from_utf8(bytes + 3, n_bytes - 3) : from_utf8(bytes, n_bytes);
    return *text ? DECODED : DECODED_MEMORY;
}

char *decode_string(const char *text) { return from_utf8((const uint8_t *)text, strlen(text)); }
