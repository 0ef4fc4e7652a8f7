#include "gguf/types.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

/* ---- half precision */

float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3FF, bits;
    if (exponent == 31) {
        bits = sign | 0x7F800000 | mantissa << 13;
    } else if (exponent) {
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    } else {
        float small = (float)mantissa * 0x1p-24f; // zero and subnormal numbers
        memcpy(&bits, &small, sizeof bits);
        bits |= sign;
    }
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t float_to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000) return sign | 0x7E00;  // not a number
    if (magnitude >= 0x477FF000) return sign | 0x7C00; // 65520 and more round to infinity
    int exponent = (int)(magnitude >> 23) - 112;
    uint32_t mantissa = (magnitude & 0x7FFFFF) | 0x800000;
    int shift = exponent > 0 ? 13 : 14 - exponent; // subnormal results lose more bits
    if (shift > 24) return sign;
    uint32_t kept = mantissa >> shift, lost = mantissa & ((1u << shift) - 1), half = 1u << (shift - 1);
    if (lost > half || (lost == half && (kept & 1))) kept++;
    if (exponent > 0)
        kept += (uint32_t)(exponent - 1) << 10; // the hidden bit adds the last one; a carry goes into the exponent rightly
    return sign | (uint16_t)kept;
}

/* ---- what the types mean. Blocks are little-endian and not aligned. */

static float half_at(const uint8_t *at) {
    uint16_t half;
    memcpy(&half, at, sizeof half);
    return half_to_float(half);
}

static void expand_f32(const void *blocks, uint64_t n, float *values) { memcpy(values, blocks, n * sizeof *values); }

static void expand_f16(const void *blocks, uint64_t n, float *values) {
    const uint8_t *at = blocks;
    for (uint64_t i = 0; i < n; i++) values[i] = half_at(at + 2 * i);
}

static void expand_bf16(const void *blocks, uint64_t n, float *values) {
    const uint8_t *at = blocks;
    for (uint64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)at[2 * i] << 16 | (uint32_t)at[2 * i + 1] << 24;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

/* d * (q - 8); value j and j + 16 share a byte */
static void expand_q4_0(const void *blocks, uint64_t n, float *values) {
    const uint8_t *b = blocks;
    for (; n--; b += 18, values += 32)
        for (int j = 0; j < 16; j++) {
            values[j] = half_at(b) * (float)((b[2 + j] & 15) - 8);
            values[j + 16] = half_at(b) * (float)((b[2 + j] >> 4) - 8);
        }
}

/* d * q + m */
static void expand_q4_1(const void *blocks, uint64_t n, float *values) {
    const uint8_t *b = blocks;
    for (; n--; b += 20, values += 32)
        for (int j = 0; j < 16; j++) {
            values[j] = half_at(b) * (float)(b[4 + j] & 15) + half_at(b + 2);
            values[j + 16] = half_at(b) * (float)(b[4 + j] >> 4) + half_at(b + 2);
        }
}

static void expand_q8_0(const void *blocks, uint64_t n, float *values) {
    const uint8_t *b = blocks;
    for (; n--; b += 34, values += 32)
        for (int j = 0; j < 32; j++) values[j] = half_at(b) * (float)(int8_t)b[2 + j];
}

/* The 6-bit scale and minimum of the j-th 32 values of a K-quant block, packed in 12 bytes. */
static void scale_and_min(const uint8_t *packed, int j, float *scale, float *minimum) {
    if (j < 4) {
        *scale = (float)(packed[j] & 63);
        *minimum = (float)(packed[j + 4] & 63);
    } else {
        *scale = (float)((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        *minimum = (float)((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

/* d * scale * q - dmin * minimum, 8 groups of 32; groups 2i and 2i+1 share 32 bytes */
static void expand_q4_k(const void *blocks, uint64_t n, float *values) {
    const uint8_t *b = blocks;
    for (; n--; b += 144)
        for (int group = 0; group < 8; group++, values += 32) {
            float scale, minimum;
            scale_and_min(b + 4, group, &scale, &minimum);
            const uint8_t *q = b + 16 + group / 2 * 32;
            for (int j = 0; j < 32; j++)
                values[j] = half_at(b) * scale * (float)(group % 2 ? q[j] >> 4 : q[j] & 15) - half_at(b + 2) * minimum;
        }
}

/* d * scale * (q - 32), 16 groups of 16; 128 bytes of low nibbles, 64 bytes of high pairs, 16 scales, d */
static void expand_q6_k(const void *blocks, uint64_t n, float *values) {
    const uint8_t *b = blocks;
    for (; n--; b += 210, values += 256)
        for (int i = 0; i < 256; i++) {
            int half = i / 128, in_half = i % 128, quarter = in_half / 32, j = in_half % 32;
            int low = b[half * 64 + quarter % 2 * 32 + j] >> (quarter / 2 * 4) & 15;
            int high = b[128 + half * 32 + j] >> (quarter * 2) & 3;
            values[i] = half_at(b + 208) * (float)(int8_t)b[192 + i / 16] * (float)((low | high << 4) - 32);
        }
}

static const tensor_type_info types[] = {
    {TENSOR_F32, "F32", 1, 4, expand_f32},
    {TENSOR_F16, "F16", 1, 2, expand_f16},
    {TENSOR_BF16, "BF16", 1, 2, expand_bf16},
    {TENSOR_Q4_0, "Q4_0", 32, 18, expand_q4_0},
    {TENSOR_Q4_1, "Q4_1", 32, 20, expand_q4_1},
    {TENSOR_Q8_0, "Q8_0", 32, 34, expand_q8_0},
    {TENSOR_Q4_K, "Q4_K", 256, 144, expand_q4_k},
    {TENSOR_Q6_K, "Q6_K", 256, 210, expand_q6_k},
    // Known by name and size, so that files of any type can be looked at.
    {(tensor_type)6, "Q5_0", 32, 22, NULL},
    {(tensor_type)7, "Q5_1", 32, 24, NULL},
    {(tensor_type)9, "Q8_1", 32, 36, NULL},
    {(tensor_type)10, "Q2_K", 256, 84, NULL},
    {(tensor_type)11, "Q3_K", 256, 110, NULL},
    {(tensor_type)13, "Q5_K", 256, 176, NULL},
    {(tensor_type)15, "Q8_K", 256, 292, NULL},
    {(tensor_type)16, "IQ2_XXS", 256, 66, NULL},
    {(tensor_type)17, "IQ2_XS", 256, 74, NULL},
    {(tensor_type)18, "IQ3_XXS", 256, 98, NULL},
    {(tensor_type)19, "IQ1_S", 256, 50, NULL},
    {(tensor_type)20, "IQ4_NL", 32, 18, NULL},
    {(tensor_type)21, "IQ3_S", 256, 110, NULL},
    {(tensor_type)22, "IQ2_S", 256, 82, NULL},
    {(tensor_type)23, "IQ4_XS", 256, 136, NULL},
    {(tensor_type)24, "I8", 1, 1, NULL},
    {(tensor_type)25, "I16", 1, 2, NULL},
    {(tensor_type)26, "I32", 1, 4, NULL},
    {(tensor_type)27, "I64", 1, 8, NULL},
    {(tensor_type)28, "F64", 1, 8, NULL},
    {(tensor_type)29, "IQ1_M", 256, 56, NULL},
    {(tensor_type)34, "TQ1_0", 256, 54, NULL},
    {(tensor_type)35, "TQ2_0", 256, 66, NULL},
    {(tensor_type)39, "MXFP4", 32, 17, NULL},
};
enum { N_TYPES = sizeof types / sizeof *types };

const tensor_type_info *tensor_type_find(uint32_t type) {
    for (int i = 0; i < N_TYPES; i++)
        if ((uint32_t)types[i].type == type) return &types[i];
    return NULL;
}

const tensor_type_info *tensor_type_by_name(const char *name) {
    for (int i = 0; i < N_TYPES; i++) {
        const char *a = types[i].name, *b = name;
        while (*a && toupper((unsigned char)*b) == *a) a++, b++;
        if (!*a && !*b) return &types[i];
    }
    return NULL;
}
