#include "unit/gguf_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                                                       \
    do {                                                                                                                         \
        if (!(condition)) {                                                                                                      \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                                       \
            abort();                                                                                                             \
        }                                                                                                                        \
    } while (0)

/* ------------------------------------------------------------------ making */

static void put_bytes(gguf_bytes *b, const void *from, size_t n) {
    REQUIRE(n <= sizeof b->at - b->n);
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

static void put_number(gguf_bytes *b, size_t n_bytes, uint64_t value) {
    uint8_t stored[8];
    for (size_t i = 0; i < n_bytes; i++) stored[i] = (uint8_t)(value >> 8 * i);
    put_bytes(b, stored, n_bytes);
}

void put_u32(gguf_bytes *b, uint32_t value) { put_number(b, 4, value); }
void put_u64(gguf_bytes *b, uint64_t value) { put_number(b, 8, value); }
void put_count(gguf_bytes *b, uint64_t value) { put_number(b, b->version == 1 ? 4 : 8, value); }

void put_text(gguf_bytes *b, const char *text) {
    put_count(b, strlen(text));
    put_bytes(b, text, strlen(text));
}

void put_padding(gguf_bytes *b, size_t alignment) {
    while (b->n % alignment) put_number(b, 1, 0);
}

void put_head(gguf_bytes *b, uint32_t version, uint64_t n_tensors, uint64_t n_keys) {
    *b = (gguf_bytes){.version = version};
    put_bytes(b, "GGUF", 4);
    put_u32(b, version);
    put_count(b, n_tensors);
    put_count(b, n_keys);
}

void put_key(gguf_bytes *b, const char *name, gguf_value_type type) {
    put_text(b, name);
    put_u32(b, (uint32_t)type);
}

void put_tensor(gguf_bytes *b, const char *name, int n_dims, const uint64_t *dims, uint32_t type, uint64_t offset) {
    put_text(b, name);
    put_u32(b, (uint32_t)n_dims);
    for (int i = 0; i < n_dims; i++) put_count(b, dims[i]);
    put_u32(b, type);
    put_u64(b, offset);
}

static void put_scalars(gguf_bytes *b) {
    static const struct {
        const char *name;
        gguf_value_type type;
        size_t n_bytes;
        uint64_t bits;
    } scalars[] = {
        {"k.u8", GGUF_U8, 1, 200},
        {"k.i8", GGUF_I8, 1, (uint64_t)-7},
        {"k.u16", GGUF_U16, 2, 60000},
        {"k.i16", GGUF_I16, 2, (uint64_t)-30000},
        {"k.u32", GGUF_U32, 4, 4000000000u},
        {"k.i32", GGUF_I32, 4, (uint64_t)-2000000000},
        {"k.f32", GGUF_F32, 4, 0x3FC00000u}, // 1.5
        {"k.bool", GGUF_BOOL, 1, 1},
        {"k.u64", GGUF_U64, 8, UINT64_MAX},
        {"k.i64", GGUF_I64, 8, (uint64_t)INT64_MIN},
        {"k.f64", GGUF_F64, 8, 0xC004000000000000u}, // -2.5
    };
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        put_key(b, scalars[i].name, scalars[i].type);
        put_number(b, scalars[i].n_bytes, scalars[i].bits);
    }
}

static void put_arrays(gguf_bytes *b) {
    static const char *const words[] = {"one", "", "zwei\n", "셋"};
    put_key(b, "k.strings", GGUF_ARRAY);
    put_u32(b, GGUF_STRING);
    put_count(b, 4);
    for (int i = 0; i < 4; i++) put_text(b, words[i]);
    put_key(b, "k.floats", GGUF_ARRAY);
    put_u32(b, GGUF_F32);
    put_count(b, 2);
    put_u32(b, 0x3F800000u); // 1
    put_u32(b, 0xC0000000u); // -2
    put_key(b, "k.ints", GGUF_ARRAY);
    put_u32(b, GGUF_I16);
    put_count(b, 10);
    for (int i = 0; i < 10; i++) put_number(b, 2, (uint64_t)(-i));
}

void put_small_file(gguf_bytes *b, uint32_t version) {
    put_head(b, version, 2, SMALL_FILE_KEYS);
    put_key(b, "general.architecture", GGUF_STRING);
    put_text(b, "llama");
    put_scalars(b);
    put_arrays(b);
    put_tensor(b, "a.weight", 2, (const uint64_t[]){3, 2}, TENSOR_F32, 0);
    put_tensor(b, "b.weight", 1, (const uint64_t[]){32}, TENSOR_Q8_0, 32);
    put_padding(b, 32);
    for (int i = 0; i < 6; i++) {
        float value = (float)i;
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        put_u32(b, bits);
    }
    put_padding(b, 32);
    put_number(b, 2, 0x3C00); // 1
    for (uint64_t i = 0; i < 32; i++) put_number(b, 1, i);
}

/* ------------------------------------------------------------------ looking at everything */

/// Reads every byte of [from, from + n), so that a range outside the file is caught by a sanitizer or the system.
static unsigned touch(const void *from, uint64_t n) {
    unsigned sum = 0;
    for (uint64_t i = 0; i < n; i++) sum += ((const uint8_t *)from)[i];
    return sum;
}

static void walk_text(const gguf *file, const gguf_key *key) {
    char text[300], all[4096];
    memset(text, 'x', sizeof text);
    int n = gguf_value_text(file, key, text, 200);
    REQUIRE(n >= 0 && strlen(text) == (size_t)(n < 200 ? n : 199));
    REQUIRE(text[200] == 'x');
    REQUIRE(gguf_value_text(file, key, NULL, 0) == n);
    REQUIRE(gguf_value_text(file, key, all, sizeof all) == n);
    for (const char *c = all; *c; c++) REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7F);
}

static void walk_key(const gguf *file, const gguf_key *key) {
    REQUIRE(gguf_find_key(file, key->name) == key);
    REQUIRE(key->type == GGUF_ARRAY || (key->item_type == key->type && key->n_items == 1));
    const uint8_t *cursor = key->value;
    for (uint64_t i = 0; i < key->n_items; i++) {
        if (key->item_type == GGUF_STRING) {
            gguf_string s = gguf_next_string(file, &cursor);
            touch(s.bytes, s.n_bytes);
        } else {
            double number = gguf_number_at(key, i);
            int64_t integer = gguf_int_at(key, i);
            touch(&number, sizeof number);
            touch(&integer, sizeof integer);
        }
    }
    walk_text(file, key);
    int64_t integer = 5;
    double number = 5;
    bool truth = false;
    gguf_string string = {0};
    REQUIRE(gguf_get_int(file, key->name, 0, 10, &integer, NULL) != PUM_OK || (integer >= 0 && integer <= 10));
    REQUIRE(gguf_get_float(file, key->name, &number, NULL) != PUM_OK || number - number == 0);
    (void)gguf_get_bool(file, key->name, &truth, NULL);
    if (gguf_get_string(file, key->name, &string, NULL) == PUM_OK) touch(string.bytes, string.n_bytes);
}

static void walk_tensor(const gguf *file, const gguf_tensor *t, size_t n) {
    REQUIRE(gguf_find_tensor(file, t->name) == t);
    REQUIRE(t->type && t->n_dims >= 1 && t->n_dims <= 4);
    uint64_t n_values = 1;
    for (int i = 0; i < 4; i++) {
        REQUIRE(t->dims[i] >= 1);
        n_values *= t->dims[i];
    }
    REQUIRE(t->dims[0] % t->type->block_values == 0);
    REQUIRE(t->n_bytes == n_values / t->type->block_values * t->type->block_bytes);
    REQUIRE(t->n_bytes <= n && t->offset <= n - t->n_bytes);
    uint8_t *data = malloc(t->n_bytes);
    REQUIRE(data && gguf_read(file, t, 0, t->n_bytes, data, NULL) == PUM_OK);
    if (t->type->expand) {
        float values[256];
        uint64_t last = n_values / t->type->block_values - 1;
        t->type->expand(data + last * t->type->block_bytes, 1, values);
    }
    free(data);
    gguf_will_need(file, t, 0, t->n_bytes);
}

static void check_refusal(pum_status status, const pum_error *err) {
    REQUIRE(err->status == status);
    REQUIRE(strncmp(err->message, "test.gguf: ", 11) == 0 && strlen(err->message) > 40);
    for (const char *c = err->message; *c; c++) REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7F);
}

pum_status walk_gguf(const uint8_t *bytes, size_t n, pum_error *err) {
    uint8_t *copy = malloc(n ? n : 1);
    REQUIRE(copy);
    if (n) memcpy(copy, bytes, n);
    gguf *file = NULL;
    *err = (pum_error){0};
    pum_status status = gguf_open_memory("test.gguf", copy, n, &file, err);
    if (status != PUM_OK) {
        REQUIRE(!file);
        check_refusal(status, err);
    } else {
        REQUIRE(gguf_version(file) >= 1 && gguf_version(file) <= 3 && gguf_file_bytes(file) == n);
        for (int i = 0; i < gguf_n_keys(file); i++) walk_key(file, gguf_key_at(file, i));
        for (int i = 0; i < gguf_n_tensors(file); i++) walk_tensor(file, gguf_tensor_at(file, i), n);
        REQUIRE(!gguf_find_key(file, "") && !gguf_find_tensor(file, "no such tensor in any file"));
    }
    gguf_close(&file);
    free(copy);
    return status;
}
