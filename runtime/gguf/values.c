/* Values of GGUF keys: typed, and as text for people. Ranges were checked when the file was opened; what a value means is checked
 * here, when somebody asks for it. */
#include "base/utf8.h"
#include "gguf/gguf.h"
#include "gguf/layout.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[GGUF_N_VALUE_TYPES] = {
    "an 8-bit number",  "an 8-bit integer", "a 16-bit number", "a 16-bit integer", "a 32-bit number",
    "a 32-bit integer", "a float",          "true or false",   "a string",         "an array",
    "a 64-bit number",  "a 64-bit integer", "a double",
};

/// "PATH: key 'K': expected …, got …". The key's name is shortened in messages.
static pum_status unexpected(const gguf *file, const gguf_key *key, pum_error *err, const char *expected, const char *got) {
    return pum_fail(err, PUM_ERR_FORMAT,
                    "%s: key '%.100s': expected %s, got %s; get the file from another source or convert it again",
                    gguf_path(file), key->name, expected, got);
}

/* ------------------------------------------------------------------ numbers */

static bool is_integer(gguf_value_type type) { return type <= GGUF_I32 || type == GGUF_U64 || type == GGUF_I64; }

static bool is_signed(gguf_value_type type) {
    return type == GGUF_I8 || type == GGUF_I16 || type == GGUF_I32 || type == GGUF_I64;
}

/// The bits of item `index`, those of signed types with their sign spread over all 64.
static uint64_t bits_at(const gguf_key *key, uint64_t index) {
    int n_bytes = gguf_value_bytes(key->item_type);
    assert(n_bytes > 0 && index < key->n_items);
    uint64_t bits = gguf_load(key->value + index * (uint64_t)n_bytes, n_bytes);
    uint64_t sign = (uint64_t)1 << (8 * n_bytes - 1);
    return is_signed(key->item_type) ? (bits ^ sign) - sign : bits;
}

double gguf_number_at(const gguf_key *key, uint64_t index) {
    uint64_t bits = bits_at(key, index);
    if (key->item_type == GGUF_F32) {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return (double)f;
    }
    if (key->item_type == GGUF_F64) {
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    return is_signed(key->item_type) ? (double)(int64_t)bits : (double)bits;
}

int64_t gguf_int_at(const gguf_key *key, uint64_t index) {
    if (key->item_type == GGUF_F32 || key->item_type == GGUF_F64) {
        // A conversion outside the range is undefined, so the ends are taken.
        double d = gguf_number_at(key, index);
        return d >= 0x1p63 ? INT64_MAX : d < -0x1p63 ? INT64_MIN : isnan(d) ? 0 : (int64_t)d;
    }
    uint64_t bits = bits_at(key, index);
    if (key->item_type == GGUF_U64 && bits > INT64_MAX) return INT64_MAX;
    return (int64_t)bits;
}

pum_status gguf_get_int(const gguf *file, const char *name, int64_t min, int64_t max, int64_t *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (!is_integer(key->type)) return unexpected(file, key, err, "an integer", type_names[key->type]);
    int64_t got = gguf_int_at(key, 0);
    if (got < min || got > max) {
        char expected[64], text[32];
        snprintf(expected, sizeof expected, "%" PRId64 " to %" PRId64, min, max);
        gguf_value_text(file, key, text, sizeof text);
        return unexpected(file, key, err, expected, text);
    }
    *value = got;
    return PUM_OK;
}

pum_status gguf_get_float(const gguf *file, const char *name, double *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (key->type != GGUF_F32 && key->type != GGUF_F64 && !is_integer(key->type))
        return unexpected(file, key, err, "a number", type_names[key->type]);
    double got = gguf_number_at(key, 0);
    if (!isfinite(got)) return unexpected(file, key, err, "a finite number", isnan(got) ? "NaN" : "infinity");
    *value = got;
    return PUM_OK;
}

pum_status gguf_get_bool(const gguf *file, const char *name, bool *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (key->type != GGUF_BOOL) return unexpected(file, key, err, "true or false", type_names[key->type]);
    if (key->value[0] > 1) return unexpected(file, key, err, "true or false, as 1 or 0", "another byte");
    *value = key->value[0] == 1;
    return PUM_OK;
}

/* ------------------------------------------------------------------ strings */

gguf_string gguf_next_string(const gguf *file, const uint8_t **cursor) {
    int n = gguf_count_bytes(gguf_version(file));
    gguf_string s = {.bytes = (const char *)*cursor + n, .n_bytes = gguf_load(*cursor, n)};
    *cursor = (const uint8_t *)s.bytes + s.n_bytes;
    return s;
}

pum_status gguf_get_string(const gguf *file, const char *name, gguf_string *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (key->type != GGUF_STRING) return unexpected(file, key, err, "a string", type_names[key->type]);
    const uint8_t *cursor = key->value;
    *value = gguf_next_string(file, &cursor);
    return PUM_OK;
}

/* ------------------------------------------------------------------ text for people */

enum { ITEMS_SHOWN = 8, ITEM_BYTES_SHOWN = 48 };

/// Writes what fits of a text and counts all of it, as snprintf does.
typedef struct printer {
    char *text;
    size_t capacity, length;
} printer;

static void put(printer *p, const char *bytes, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i++, p->length++)
        if (p->length + 1 < p->capacity) p->text[p->length] = bytes[i];
}

static void put_format(printer *p, const char *format, ...) BASE_PRINTF(2, 3);
static void put_format(printer *p, const char *format, ...) {
    char text[64];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0) put(p, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/// Control characters as escapes and broken bytes as U+FFFD: the text may go to a terminal.
static void put_string(printer *p, gguf_string s, uint64_t n_shown) {
    uint64_t at = 0;
    while (at < s.n_bytes && at < n_shown) {
        uint32_t code = 0;
        int n = utf8_decode(s.bytes + at, (size_t)(s.n_bytes - at), &code);
        if (n <= 0)
            put(p, "\xEF\xBF\xBD", 3);
        else if (code == '\n')
            put(p, "\\n", 2);
        else if (code == '\t')
            put(p, "\\t", 2);
        else if (code < 0x20 || (code >= 0x7F && code < 0xA0))
            put_format(p, "\\x%02x", (unsigned)code);
        else
            put(p, s.bytes + at, (size_t)n);
        at += n > 0 ? (uint64_t)n : 1;
    }
    if (at < s.n_bytes) put(p, "…", strlen("…"));
}

static void put_number(printer *p, const gguf_key *key, uint64_t index) {
    if (key->item_type == GGUF_BOOL)
        put_format(p, "%s", bits_at(key, index) ? "true" : "false");
    else if (key->item_type == GGUF_F32)
        put_format(p, "%.7g", gguf_number_at(key, index));
    else if (key->item_type == GGUF_F64)
        put_format(p, "%.15g", gguf_number_at(key, index));
    else if (key->item_type == GGUF_U64)
        put_format(p, "%" PRIu64, bits_at(key, index));
    else
        put_format(p, "%" PRId64, gguf_int_at(key, index));
}

static void put_array(printer *p, const gguf *file, const gguf_key *key) {
    const uint8_t *cursor = key->value;
    uint64_t n_shown = key->n_items < ITEMS_SHOWN ? key->n_items : ITEMS_SHOWN;
    put(p, "[", 1);
    for (uint64_t i = 0; i < n_shown; i++) {
        if (i) put(p, ", ", 2);
        if (key->item_type == GGUF_STRING) {
            put(p, "\"", 1);
            put_string(p, gguf_next_string(file, &cursor), ITEM_BYTES_SHOWN);
            put(p, "\"", 1);
        } else {
            put_number(p, key, i);
        }
    }
    if (n_shown < key->n_items)
        put_format(p, ", …] (%" PRIu64 " items)", key->n_items);
    else
        put(p, "]", 1);
}

int gguf_value_text(const gguf *file, const gguf_key *key, char *text, size_t text_bytes) {
    printer p = {.text = text, .capacity = text_bytes};
    const uint8_t *cursor = key->value;
    if (key->type == GGUF_ARRAY)
        put_array(&p, file, key);
    else if (key->type == GGUF_STRING)
        put_string(&p, gguf_next_string(file, &cursor), UINT64_MAX);
    else
        put_number(&p, key, 0);
    if (text_bytes) text[p.length < text_bytes ? p.length : text_bytes - 1] = 0;
    return p.length > INT32_MAX ? INT32_MAX : (int)p.length;
}
