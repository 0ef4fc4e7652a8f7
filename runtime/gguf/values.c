/* Typed access to the values of keys, and their text for people. */
#include "gguf/gguf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const type_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};

static bool is_int(gguf_value_type t) { return t <= GGUF_I32 || t == GGUF_U64 || t == GGUF_I64; }
static bool is_float(gguf_value_type t) { return t == GGUF_F32 || t == GGUF_F64; }

static pum_status wrong_type(const gguf *file, const gguf_key *key, const char *expected, pum_error *err) {
    return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected %s, got %s", gguf_path(file), key->name, expected,
                    type_names[key->type]);
}

static uint64_t bits_at(const gguf_key *key, uint64_t index, unsigned n_bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < n_bytes; i++) value |= (uint64_t)key->value[index * n_bytes + i] << 8 * i;
    return value;
}

int64_t gguf_int_at(const gguf_key *key, uint64_t index) {
    switch (key->item_type) {
    case GGUF_U8:
    case GGUF_BOOL:
        return (int64_t)bits_at(key, index, 1);
    case GGUF_I8:
        return (int8_t)bits_at(key, index, 1);
    case GGUF_U16:
        return (int64_t)bits_at(key, index, 2);
    case GGUF_I16:
        return (int16_t)bits_at(key, index, 2);
    case GGUF_U32:
        return (int64_t)bits_at(key, index, 4);
    case GGUF_I32:
        return (int32_t)bits_at(key, index, 4);
    case GGUF_U64: { // what does not fit is outside every range that is asked for
        uint64_t value = bits_at(key, index, 8);
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    }
    case GGUF_I64:
        return (int64_t)bits_at(key, index, 8);
    case GGUF_F32:
    case GGUF_F64: {
        double value = gguf_number_at(key, index);
        return value > -9e18 && value < 9e18 ? (int64_t)value : 0;
    }
    default:
        return 0;
    }
}

double gguf_number_at(const gguf_key *key, uint64_t index) {
    if (key->item_type == GGUF_F32) {
        uint32_t bits = (uint32_t)bits_at(key, index, 4);
        float value;
        memcpy(&value, &bits, sizeof value);
        return (double)value;
    }
    if (key->item_type == GGUF_F64) {
        uint64_t bits = bits_at(key, index, 8);
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return (double)gguf_int_at(key, index);
}

pum_status gguf_get_int(const gguf *file, const char *name, int64_t min, int64_t max, int64_t *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (!is_int(key->type)) return wrong_type(file, key, "an integer", err);
    int64_t got = gguf_int_at(key, 0);
    if (got < min || got > max)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected %" PRId64 " to %" PRId64 ", got %" PRId64, gguf_path(file), name,
                        min, max, got);
    *value = got;
    return PUM_OK;
}

pum_status gguf_get_float(const gguf *file, const char *name, double *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (!is_int(key->type) && !is_float(key->type)) return wrong_type(file, key, "a number", err);
    double got = gguf_number_at(key, 0);
    if (!isfinite(got))
        return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected a finite number, got %g", gguf_path(file), name, got);
    *value = got;
    return PUM_OK;
}

pum_status gguf_get_bool(const gguf *file, const char *name, bool *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (key->type != GGUF_BOOL) return wrong_type(file, key, "true or false", err);
    *value = key->value[0] != 0;
    return PUM_OK;
}

pum_status gguf_get_string(const gguf *file, const char *name, gguf_string *value, pum_error *err) {
    const gguf_key *key = gguf_find_key(file, name);
    if (!key) return PUM_OK;
    if (key->type != GGUF_STRING) return wrong_type(file, key, "a string", err);
    const uint8_t *cursor = key->value;
    *value = gguf_next_string(file, &cursor);
    return PUM_OK;
}

/* ---- text */

/* Collects text like snprintf: counts what does not fit. */
typedef struct writer {
    char *text;
    size_t n_bytes, used;
} writer;

static void put(writer *w, const char *text) {
    for (; *text; text++, w->used++)
        if (w->used + 1 < w->n_bytes) w->text[w->used] = *text;
}

static void put_string(writer *w, gguf_string s) {
    for (uint64_t i = 0; i < s.n_bytes; i++) {
        char c[3] = {s.bytes[i], 0, 0};
        if (c[0] == '\n') memcpy(c, "\\n", 2);
        if (c[0] == 0) c[0] = '?';
        put(w, c);
    }
}

static void put_number(writer *w, const gguf_key *key, uint64_t index) {
    char text[40];
    if (key->item_type == GGUF_BOOL)
        snprintf(text, sizeof text, "%s", gguf_int_at(key, index) ? "true" : "false");
    else if (is_float(key->item_type))
        snprintf(text, sizeof text, "%g", gguf_number_at(key, index));
    else if (key->item_type == GGUF_U64)
        snprintf(text, sizeof text, "%" PRIu64, bits_at(key, index, 8));
    else
        snprintf(text, sizeof text, "%" PRId64, gguf_int_at(key, index));
    put(w, text);
}

int gguf_value_text(const gguf *file, const gguf_key *key, char *text, size_t text_bytes) {
    enum { SHOWN = 5 };
    writer w = {text, text_bytes, 0};
    const uint8_t *cursor = key->value;
    bool array = key->type == GGUF_ARRAY;
    uint64_t n = key->n_items < SHOWN ? key->n_items : SHOWN;
    if (array) put(&w, "[");
    for (uint64_t i = 0; i < n; i++) {
        if (i) put(&w, ", ");
        if (key->item_type == GGUF_STRING)
            put_string(&w, gguf_next_string(file, &cursor));
        else
            put_number(&w, key, i);
    }
    if (array && key->n_items > SHOWN) {
        char more[48];
        snprintf(more, sizeof more, ", … %" PRIu64 " in all", key->n_items);
        put(&w, more);
    }
    if (array) put(&w, "]");
    if (text_bytes) text[w.used < text_bytes ? w.used : text_bytes - 1] = 0;
    return (int)w.used;
}
