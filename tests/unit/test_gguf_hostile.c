/* Files that are wrong: each is refused with a sentence that says what, and nothing crashes. Run under the sanitizers too. */
#include "unit/gguf_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t row32[] = {32};

/// Opens b; it must be refused with this status, and the sentence must hold both words.
static void refused(const gguf_bytes *b, pum_status status, const char *word, const char *other) {
    pum_error err;
    pum_status got = walk_gguf(b->at, b->n, &err);
    if (got != status || !strstr(err.message, word) || !strstr(err.message, other))
        fail_msg("expected %s with '%s' and '%s', got %s: %s", pum_status_name(status), word, other, pum_status_name(got),
                 err.message);
}

/* ------------------------------------------------------------------ the head */

static void not_gguf(const char *start, const char *word) {
    gguf_bytes b = {0};
    b.n = strlen(start);
    memcpy(b.at, start, b.n);
    refused(&b, PUM_ERR_FORMAT, word, "expected a GGUF file");
}

static void test_magic(void **state) {
    (void)state;
    not_gguf("", "0 bytes");
    not_gguf("GGU", "3 bytes");
    not_gguf("GGUE\x03", "47 47 55 45");
    not_gguf("tjgg\x03", "GGJT");
    not_gguf("<!DOCTYPE html>", "web page");
    not_gguf("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer");
}

static void test_version(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 4, 0, 0);
    refused(&b, PUM_ERR_UNSUPPORTED, "version 1, 2 or 3, got 4", "newer");
    put_head(&b, 0, 0, 0);
    refused(&b, PUM_ERR_FORMAT, "version", "got 0");
    put_head(&b, 0x03000000, 0, 0);
    refused(&b, PUM_ERR_UNSUPPORTED, "big-endian", "convert");
    b.n = 6;
    refused(&b, PUM_ERR_FORMAT, "version", "truncated download");
}

static void test_counts(void **state) {
    (void)state;
    static const uint64_t counts[] = {2, 1000, INT32_MAX, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (uint32_t version = 1; version <= 3; version++) {
            gguf_bytes b;
            put_head(&b, version, counts[i], 0);
            refused(&b, PUM_ERR_FORMAT, "number of tensors", "at most 0");
            put_head(&b, version, 0, counts[i]);
            refused(&b, PUM_ERR_FORMAT, "number of keys", "at most 0");
        }
    }
}

/* ------------------------------------------------------------------ keys */

static void test_key_names(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, 0, 1);
    put_key(&b, "", GGUF_U64);
    put_u64(&b, 1);
    refused(&b, PUM_ERR_FORMAT, "name of key 0", "1 to 65535 bytes, got 0");
    put_head(&b, 3, 0, 1);
    put_key(&b, "esc\x1b[2J", GGUF_U64);
    put_u64(&b, 1);
    refused(&b, PUM_ERR_FORMAT, "name of key 0", "control characters");
    put_head(&b, 3, 0, 1);
    put_key(&b, "broken\xC3", GGUF_U64);
    put_u64(&b, 1);
    refused(&b, PUM_ERR_FORMAT, "name of key 0", "UTF-8");
    put_head(&b, 3, 0, 1);
    put_count(&b, UINT64_MAX - 3);
    put_u64(&b, 0);
    refused(&b, PUM_ERR_FORMAT, "name of key 0", "truncated download");
}

static void test_key_types(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, 0, 1);
    put_key(&b, "strange", (gguf_value_type)13);
    put_u64(&b, 1);
    refused(&b, PUM_ERR_FORMAT, "key 'strange'", "a value type from 0 to 12, got 13");
    put_head(&b, 3, 0, 1);
    put_key(&b, "nested", GGUF_ARRAY);
    put_u32(&b, GGUF_ARRAY);
    put_count(&b, 0);
    refused(&b, PUM_ERR_UNSUPPORTED, "key 'nested'", "an array of arrays");
}

static void test_arrays(void **state) {
    (void)state;
    static const struct {
        gguf_value_type type;
        uint64_t n;
    } arrays[] = {{GGUF_U8, 9},
                  {GGUF_U64, 2},
                  {GGUF_U64, UINT64_MAX / 8 + 2},
                  {GGUF_F32, (uint64_t)1 << 62},
                  {GGUF_STRING, 2},
                  {GGUF_STRING, UINT64_MAX}};
    for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++) {
        gguf_bytes b;
        put_head(&b, 3, 0, 1);
        put_key(&b, "big", GGUF_ARRAY);
        put_u32(&b, (uint32_t)arrays[i].type);
        put_count(&b, arrays[i].n);
        put_u64(&b, 0); // eight bytes of values, or one empty string
        refused(&b, PUM_ERR_FORMAT, "key 'big'", "at most");
    }
    gguf_bytes b;
    put_head(&b, 3, 0, 1);
    put_key(&b, "texts", GGUF_ARRAY);
    put_u32(&b, GGUF_STRING);
    put_count(&b, 2);
    put_text(&b, "fine");
    put_count(&b, 100);
    refused(&b, PUM_ERR_FORMAT, "key 'texts'", "expected 100 bytes");
}

static void test_duplicate_key(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 2, 0, 3);
    for (int i = 0; i < 3; i++) {
        put_key(&b, i == 1 ? "other" : "same", GGUF_U32);
        put_u32(&b, 1);
    }
    refused(&b, PUM_ERR_FORMAT, "key 'same'", "number 0 and 2");
}

static void test_alignment(void **state) {
    (void)state;
    static const uint32_t wrong[] = {0, 1, 24, 33, UINT32_MAX, 1u << 31};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        gguf_bytes b;
        put_head(&b, 3, 0, 1);
        put_key(&b, "general.alignment", GGUF_U32);
        put_u32(&b, wrong[i]);
        refused(&b, PUM_ERR_FORMAT, "key 'general.alignment'", "expected");
    }
    gguf_bytes b;
    put_head(&b, 3, 0, 1);
    put_key(&b, "general.alignment", GGUF_STRING);
    put_text(&b, "64");
    refused(&b, PUM_ERR_FORMAT, "general.alignment", "got a string");
}

/* ------------------------------------------------------------------ tensors */

/// One tensor of 34 bytes of data behind its description.
static void one_tensor(gguf_bytes *b, const char *name, int n_dims, const uint64_t *dims, uint32_t type, uint64_t offset) {
    put_head(b, 3, 1, 0);
    put_tensor(b, name, n_dims, dims, type, offset);
    put_padding(b, 32);
    for (int i = 0; i < 8; i++) put_u32(b, 0);
    b->n += 2;
}

static void test_tensor_shapes(void **state) {
    (void)state;
    gguf_bytes b;
    one_tensor(&b, "w", 0, NULL, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "1 to 4 dimensions, got 0");
    one_tensor(&b, "w", 5, (const uint64_t[]){1, 1, 1, 1, 1}, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "got 5");
    one_tensor(&b, "w", 2, (const uint64_t[]){4, 0}, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "0 as dimension 1");
    one_tensor(&b, "w", 2, (const uint64_t[]){(uint64_t)1 << 40, (uint64_t)1 << 40}, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "63 bits");
    one_tensor(&b, "w", 1, (const uint64_t[]){UINT64_MAX}, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "63 bits");
    one_tensor(&b, "w", 1, (const uint64_t[]){(uint64_t)1 << 61}, TENSOR_F32, 0);
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "63 bits");
    one_tensor(&b, "w", 1, (const uint64_t[]){31}, TENSOR_Q8_0, 0);
    refused(&b, PUM_ERR_FORMAT, "a multiple of 32 (Q8_0)", "got 31");
    one_tensor(&b, "w", 1, row32, TENSOR_Q8_0, 0);
    pum_error err;
    assert_int_equal(walk_gguf(b.at, b.n, &err), PUM_OK);
}

static void test_tensor_type(void **state) {
    (void)state;
    static const uint32_t unknown[] = {4, 5, 31, 33, 36, 38, 1000, UINT32_MAX};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        gguf_bytes b;
        char number[32];
        snprintf(number, sizeof number, "got number %u", unknown[i]);
        one_tensor(&b, "w", 1, row32, unknown[i], 0);
        refused(&b, PUM_ERR_UNSUPPORTED, "tensor 'w'", number);
    }
}

static void test_tensor_place(void **state) {
    (void)state;
    static const uint64_t unaligned[] = {1, 16, UINT64_MAX}, outside[] = {32, 1 << 20, UINT64_MAX - 31};
    gguf_bytes b;
    for (int i = 0; i < 3; i++) {
        one_tensor(&b, "w", 1, row32, TENSOR_Q8_0, unaligned[i]);
        refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "a multiple of 32");
        one_tensor(&b, "w", 1, row32, TENSOR_Q8_0, outside[i]);
        refused(&b, PUM_ERR_FORMAT, "expected 34 bytes at offset", "truncated download");
    }
    one_tensor(&b, "w", 1, (const uint64_t[]){64}, TENSOR_Q8_0, 0);
    refused(&b, PUM_ERR_FORMAT, "expected 68 bytes", "truncated download");
    // Alignment moves the data; the same file with 64 has two bytes too few.
    put_head(&b, 3, 1, 1);
    put_key(&b, "general.alignment", GGUF_U32);
    put_u32(&b, 64);
    put_tensor(&b, "w", 1, (const uint64_t[]){4}, TENSOR_F32, 32);
    put_padding(&b, 64);
    b.n += 64;
    refused(&b, PUM_ERR_FORMAT, "tensor 'w'", "a multiple of 64, got offset 32");
}

static void test_tensor_names(void **state) {
    (void)state;
    char name[300];
    memset(name, 'n', sizeof name);
    name[256] = 0;
    gguf_bytes b;
    one_tensor(&b, name, 1, row32, TENSOR_Q8_0, 0);
    refused(&b, PUM_ERR_FORMAT, "name of tensor 0", "1 to 255 bytes, got 256");
    one_tensor(&b, "\xff", 1, row32, TENSOR_Q8_0, 0);
    refused(&b, PUM_ERR_FORMAT, "name of tensor 0", "UTF-8");
    put_head(&b, 3, 2, 0);
    put_tensor(&b, "same", 1, row32, TENSOR_F32, 0);
    put_tensor(&b, "same", 1, row32, TENSOR_F32, 128);
    put_padding(&b, 32);
    b.n += 256;
    refused(&b, PUM_ERR_FORMAT, "tensor 'same'", "number 0 and 1");
}

static void test_tensor_overlap(void **state) {
    (void)state;
    for (int shared = 0; shared < 2; shared++) {
        gguf_bytes b;
        put_head(&b, 3, 2, 0);
        put_tensor(&b, "second", 1, row32, TENSOR_F32, shared ? 96 : 128);
        put_tensor(&b, "first", 1, row32, TENSOR_F32, 0);
        put_padding(&b, 32);
        b.n += 256;
        pum_error err;
        if (shared)
            refused(&b, PUM_ERR_FORMAT, "tensor 'second'", "'first' (128 bytes) also holds");
        else
            assert_int_equal(walk_gguf(b.at, b.n, &err), PUM_OK);
    }
}

/* ------------------------------------------------------------------ every byte */

static void test_truncation(void **state) {
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        pum_error err;
        put_small_file(&b, version);
        assert_int_equal(walk_gguf(b.at, b.n, &err), PUM_OK);
        for (size_t n = 0; n < b.n; n++) {
            pum_status status = walk_gguf(b.at, n, &err);
            if (status != PUM_ERR_FORMAT)
                fail_msg("version %u cut to %zu of %zu bytes: expected a refusal, got %s", version, n, b.n,
                         pum_status_name(status));
        }
    }
}

static void test_flips(void **state) {
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        put_small_file(&b, version);
        int n_refused = 0;
        for (size_t i = 0; i < b.n; i++) {
            for (int bit = 0; bit < 8; bit++) {
                pum_error err;
                b.at[i] ^= (uint8_t)(1 << bit);
                n_refused += walk_gguf(b.at, b.n, &err) != PUM_OK;
                b.at[i] ^= (uint8_t)(1 << bit);
            }
        }
        print_message("version %u: %d of %zu single bits refused\n", version, n_refused, 8 * b.n);
        assert_true(n_refused > 500);
    }
}

/// Every four bytes by every number that is likely to break a sum or product.
static void test_extremes(void **state) {
    (void)state;
    static const uint32_t extremes[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFE0, 0x3FFFFFFF};
    gguf_bytes good;
    put_small_file(&good, 3);
    for (size_t at = 0; at + 8 <= good.n; at++) {
        for (size_t i = 0; i < sizeof extremes / sizeof extremes[0]; i++) {
            for (int wide = 0; wide < 2; wide++) {
                gguf_bytes b = good;
                pum_error err;
                b.n = at;
                put_u32(&b, extremes[i]);
                if (wide) put_u32(&b, extremes[i]);
                b.n = good.n;
                walk_gguf(b.at, b.n, &err);
            }
        }
    }
}

/* ------------------------------------------------------------------ files */

static void test_paths(void **state) {
    (void)state;
    pum_error err = {0};
    gguf *file = (gguf *)&err;
    assert_int_equal(gguf_open("/nowhere/model.gguf", &file, &err), PUM_ERR_IO);
    assert_null(file);
    assert_non_null(strstr(err.message, "/nowhere/model.gguf: cannot be opened: No such file"));
    assert_int_equal(gguf_open("/", &file, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, "folder"));
    assert_int_equal(gguf_open("/dev/null", &file, &err), PUM_ERR_IO);
    assert_int_equal(gguf_open("/nowhere/model.gguf", &file, NULL), PUM_ERR_IO);
    gguf_close(&file);
    gguf_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_magic),          cmocka_unit_test(test_version),      cmocka_unit_test(test_counts),
        cmocka_unit_test(test_key_names),      cmocka_unit_test(test_key_types),    cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_duplicate_key),  cmocka_unit_test(test_alignment),    cmocka_unit_test(test_tensor_shapes),
        cmocka_unit_test(test_tensor_type),    cmocka_unit_test(test_tensor_place), cmocka_unit_test(test_tensor_names),
        cmocka_unit_test(test_tensor_overlap), cmocka_unit_test(test_truncation),   cmocka_unit_test(test_flips),
        cmocka_unit_test(test_extremes),       cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
