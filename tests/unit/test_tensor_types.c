/* The table of tensor types against expectations written out by hand, and 16-bit floats over their whole range.
 * check_tensor_types.py compares random blocks with another implementation. */
#include "gguf/types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void same(const char *what, int i, float got, double expected) {
    if (bits_of(got) != bits_of((float)expected)) fail_msg("%s [%d]: expected %.9g, got %.9g", what, i, expected, (double)got);
}

/* ------------------------------------------------------------------ the table */

static void test_table(void **state) {
    (void)state;
    static const tensor_type ours[] = {TENSOR_F32,  TENSOR_F16,  TENSOR_BF16, TENSOR_Q4_0,
                                       TENSOR_Q4_1, TENSOR_Q8_0, TENSOR_Q4_K, TENSOR_Q6_K};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        const tensor_type_info *info = tensor_type_find(ours[i]);
        assert_true(info && info->expand && info->type == ours[i]);
    }
    int n_types = 0;
    for (uint32_t type = 0; type < 100; type++) {
        const tensor_type_info *info = tensor_type_find(type);
        if (!info) continue;
        n_types++;
        assert_true((uint32_t)info->type == type && info->block_values >= 1 && info->block_bytes >= 1);
        assert_ptr_equal(tensor_type_by_name(info->name), info);
        char lower[32];
        for (size_t k = 0; k < sizeof lower; k++) {
            char c = info->name[k];
            lower[k] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
            if (!c) break;
        }
        assert_ptr_equal(tensor_type_by_name(lower), info);
    }
    assert_int_equal(n_types, 34);
    static const uint32_t removed[] = {4, 5, 31, 32, 33, 36, 37, 38, 99, UINT32_MAX};
    for (size_t i = 0; i < sizeof removed / sizeof removed[0]; i++) assert_null(tensor_type_find(removed[i]));
    assert_null(tensor_type_by_name(""));
    assert_null(tensor_type_by_name("Q4"));
    assert_null(tensor_type_by_name("Q4_0 "));
}

/* ------------------------------------------------------------------ 16-bit floats */

/// The value of a half by its definition.
static double half_value(uint16_t half) {
    int exponent = half >> 10 & 31, mantissa = half & 0x3FF;
    double magnitude = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

static void test_every_half(void **state) {
    (void)state;
    for (uint32_t half = 0; half <= 0xFFFF; half++) {
        float value = half_to_float((uint16_t)half);
        if ((half & 0x7C00) == 0x7C00) {
            bool nan = (half & 0x3FF) != 0;
            assert_true(nan ? isnan(value) : isinf(value) && (signbit(value) != 0) == (half >> 15 != 0));
            uint16_t back = float_to_half(value);
            assert_true(nan ? (back & 0x7C00) == 0x7C00 && (back & 0x3FF) && (back >> 15) == (half >> 15) : back == half);
            continue;
        }
        same("half_to_float", (int)half, value, half_value((uint16_t)half));
        if (float_to_half(value) != half) fail_msg("float_to_half: expected %04x, got %04x", half, float_to_half(value));
    }
}

/// Between two neighbours: below the middle down, above it up, in the middle to the even one.
static void test_half_rounding(void **state) {
    (void)state;
    for (uint32_t half = 0; half < 0x7BFF; half++) {
        uint16_t low = (uint16_t)half, high = (uint16_t)(half + 1);
        float middle = (float)((half_value(low) + half_value(high)) / 2);
        uint16_t even = low & 1 ? high : low;
        uint32_t bits = bits_of(middle);
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            float s = sign ? -1.0f : 1.0f;
            if (float_to_half(s * middle) != (even | sign) || float_to_half(s * float_of(bits - 1)) != (low | sign) ||
                float_to_half(s * float_of(bits + 1)) != (high | sign))
                fail_msg("around %.9g: got %04x %04x %04x", (double)(s * middle), float_to_half(s * float_of(bits - 1)),
                         float_to_half(s * middle), float_to_half(s * float_of(bits + 1)));
        }
    }
    assert_int_equal(float_to_half(65519.996f), 0x7BFF);
    assert_int_equal(float_to_half(65520.0f), 0x7C00);
    assert_int_equal(float_to_half(-1e38f), 0xFC00);
    assert_int_equal(float_to_half(float_of(1)), 0);
    assert_int_equal(float_to_half(-float_of(1)), 0x8000);
}

/* ------------------------------------------------------------------ blocks, with odd addresses */

/// Expands one block that lies at an odd address.
static void expand(tensor_type type, const uint8_t *block, float *values) {
    uint8_t odd[512];
    const tensor_type_info *info = tensor_type_find(type);
    memcpy(odd + 1, block, info->block_bytes);
    for (uint32_t i = 0; i < info->block_values; i++) values[i] = NAN;
    info->expand(odd + 1, 1, values);
}

static void put_half(uint8_t *at, uint16_t half) {
    at[0] = (uint8_t)half;
    at[1] = (uint8_t)(half >> 8);
}

enum { ONE = 0x3C00, HALF = 0x3800, MINUS_TWO = 0xC000, QUARTER = 0x3400 };

static void test_plain(void **state) {
    (void)state;
    float value;
    expand(TENSOR_F32, (const uint8_t[]){0, 0, 0x20, 0xC1}, &value);
    same("F32", 0, value, -10);
    expand(TENSOR_F16, (const uint8_t[]){0x00, 0xC0}, &value);
    same("F16", 0, value, -2);
    expand(TENSOR_BF16, (const uint8_t[]){0xC0, 0x3F}, &value);
    same("BF16", 0, value, 1.5);
    uint8_t three[6] = {0, 0x3C, 0, 0x40, 0, 0x44};
    float values[4] = {0, 0, 0, 77};
    tensor_type_find(TENSOR_F16)->expand(three, 3, values);
    for (int i = 0; i < 3; i++) same("F16 row", i, values[i], i == 2 ? 4 : i + 1);
    tensor_type_find(TENSOR_F16)->expand(three, 0, values + 3);
    same("nothing", 3, values[3], 77);
}

static void test_q4(void **state) {
    (void)state;
    uint8_t block[20] = {0};
    float values[32];
    put_half(block, HALF);
    for (int j = 0; j < 16; j++) block[2 + j] = (uint8_t)(j | (15 - j) << 4);
    expand(TENSOR_Q4_0, block, values);
    for (int j = 0; j < 16; j++) {
        same("Q4_0", j, values[j], 0.5 * (j - 8));
        same("Q4_0", j + 16, values[j + 16], 0.5 * (7 - j));
    }
    memmove(block + 4, block + 2, 16);
    put_half(block + 2, MINUS_TWO);
    expand(TENSOR_Q4_1, block, values);
    for (int j = 0; j < 16; j++) {
        same("Q4_1", j, values[j], 0.5 * j - 2);
        same("Q4_1", j + 16, values[j + 16], 0.5 * (15 - j) - 2);
    }
}

static void test_q8_0(void **state) {
    (void)state;
    uint8_t block[34];
    float values[32];
    put_half(block, QUARTER);
    for (int j = 0; j < 32; j++) block[2 + j] = (uint8_t)(8 * j - 128);
    expand(TENSOR_Q8_0, block, values);
    for (int j = 0; j < 32; j++) same("Q8_0", j, values[j], 0.25 * (8 * j - 128));
}

/// Scales 1 to 8 and minima 63 down to 56 with bits in all of their twelve bytes; the quant of value i is 7 i mod 16.
static void test_q4_k(void **state) {
    (void)state;
    static const int scales[8] = {1, 2, 3, 4, 37, 38, 39, 40}, mins[8] = {63, 62, 61, 60, 27, 58, 25, 56};
    uint8_t block[144] = {0};
    float values[256];
    put_half(block, HALF);
    put_half(block + 2, QUARTER);
    for (int j = 0; j < 4; j++) {
        block[4 + j] = (uint8_t)(scales[j] | scales[j + 4] >> 4 << 6);
        block[8 + j] = (uint8_t)(mins[j] | mins[j + 4] >> 4 << 6);
        block[12 + j] = (uint8_t)((scales[j + 4] & 15) | (mins[j + 4] & 15) << 4);
    }
    for (int i = 0; i < 256; i++) block[16 + i / 64 * 32 + i % 32] |= (uint8_t)((7 * i % 16) << (i / 32 % 2 ? 4 : 0));
    expand(TENSOR_Q4_K, block, values);
    for (int i = 0; i < 256; i++) same("Q4_K", i, values[i], 0.5 * scales[i / 32] * (7 * i % 16) - 0.25 * mins[i / 32]);
}

static void test_q6_k(void **state) {
    (void)state;
    uint8_t block[210] = {0};
    float values[256];
    for (int i = 0; i < 256; i++) {
        int q = 11 * i % 64, half = i / 128, row = i / 32 % 4, l = i % 32;
        block[64 * half + 32 * (row % 2) + l] |= (uint8_t)((q & 15) << (row / 2 ? 4 : 0));
        block[128 + 32 * half + l] |= (uint8_t)((q >> 4) << 2 * row);
    }
    for (int j = 0; j < 16; j++) block[192 + j] = (uint8_t)(9 * j - 70);
    put_half(block + 208, HALF);
    expand(TENSOR_Q6_K, block, values);
    for (int i = 0; i < 256; i++) same("Q6_K", i, values[i], 0.5 * (9 * (i / 16) - 70) * (11 * i % 64 - 32));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table), cmocka_unit_test(test_every_half), cmocka_unit_test(test_half_rounding),
        cmocka_unit_test(test_plain), cmocka_unit_test(test_q4),         cmocka_unit_test(test_q8_0),
        cmocka_unit_test(test_q4_k),  cmocka_unit_test(test_q6_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
