/* What each tensor type means, stated plainly: these functions are the reference for kernels, not the fast path. Blocks may lie
 * at any address and are little-endian whatever the host is. Nibbles are stored as the low halves first: byte j of 16 holds
 * values j and j + 16. */
#include "gguf/types.h"

#include <stddef.h>
#include <string.h>

/* ------------------------------------------------------------------ 16-bit floats */

static float float_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float half_to_float(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = half >> 10 & 31u, mantissa = half & 0x3FFu;
    if (exponent == 31) return float_of_bits(sign | 0x7F800000u | mantissa << 13);
    if (exponent) return float_of_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    // Zero and subnormals: mantissa / 2^24, exact in float.
    float magnitude = (float)mantissa * 0x1p-24f;
    return sign ? -magnitude : magnitude;
}

/// value / 2^shift, to nearest even.
static uint32_t shift_to_even(uint32_t value, uint32_t shift) {
    uint32_t half = 1u << (shift - 1), odd = value >> shift & 1u;
    return (value + half - 1 + odd) >> shift;
}

uint16_t float_to_half(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    uint32_t magnitude = bits & 0x7FFFFFFFu;
    if (magnitude > 0x7F800000u) return (uint16_t)(sign | 0x7E00u | (magnitude >> 13 & 0x3FFu)); // NaN, made quiet
    if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u);                             // 65520 and more: infinity
    // From the smallest normal half on, rounding may carry into the exponent, which is what it should do.
    if (magnitude >= 0x38800000u) return (uint16_t)(sign | shift_to_even(magnitude - 0x38000000u, 13));
    if (magnitude < 0x33000000u) return sign; // under half of the smallest subnormal
    uint32_t mantissa = (magnitude & 0x7FFFFFu) | 0x800000u;
    return (uint16_t)(sign | shift_to_even(mantissa, 126 - (magnitude >> 23)));
}

/* ------------------------------------------------------------------ reading */

static uint16_t u16_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t u32_at(const uint8_t *p) { return (uint32_t)u16_at(p) | (uint32_t)u16_at(p + 2) << 16; }
static float half_at(const uint8_t *p) { return half_to_float(u16_at(p)); }

/* ------------------------------------------------------------------ plain numbers */

static void expand_f32(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (uint64_t i = 0; i < n_blocks; i++) values[i] = float_of_bits(u32_at(b + 4 * i));
}

static void expand_f16(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (uint64_t i = 0; i < n_blocks; i++) values[i] = half_at(b + 2 * i);
}

static void expand_bf16(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (uint64_t i = 0; i < n_blocks; i++) values[i] = float_of_bits((uint32_t)u16_at(b + 2 * i) << 16);
}

/* ------------------------------------------------------------------ blocks of 32: a scale, perhaps a minimum, then quants */

/// { half d; u8 nibbles[16] }: d (q - 8)
static void expand_q4_0(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 18, values += 32) {
        float d = half_at(b);
        for (int j = 0; j < 16; j++) {
            values[j] = d * (float)((b[2 + j] & 15) - 8);
            values[j + 16] = d * (float)((b[2 + j] >> 4) - 8);
        }
    }
}

/// { half d, m; u8 nibbles[16] }: d q + m
static void expand_q4_1(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 20, values += 32) {
        float d = half_at(b), m = half_at(b + 2);
        for (int j = 0; j < 16; j++) {
            values[j] = d * (float)(b[4 + j] & 15) + m;
            values[j + 16] = d * (float)(b[4 + j] >> 4) + m;
        }
    }
}

/// The five-bit quant j of 32: a nibble and bit j of `high`.
static int quant5(const uint8_t *nibbles, uint32_t high, int j) {
    return (nibbles[j & 15] >> (j < 16 ? 0 : 4) & 15) | (int)(high >> j & 1u) << 4;
}

/// { half d; u32 high; u8 nibbles[16] }: d (q - 16)
static void expand_q5_0(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 22, values += 32) {
        float d = half_at(b);
        for (int j = 0; j < 32; j++) values[j] = d * (float)(quant5(b + 6, u32_at(b + 2), j) - 16);
    }
}

/// { half d, m; u32 high; u8 nibbles[16] }: d q + m
static void expand_q5_1(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 24, values += 32) {
        float d = half_at(b), m = half_at(b + 2);
        for (int j = 0; j < 32; j++) values[j] = d * (float)quant5(b + 8, u32_at(b + 4), j) + m;
    }
}

/// { half d; i8 q[32] }: d q
static void expand_q8_0(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 34, values += 32) {
        float d = half_at(b);
        for (int j = 0; j < 32; j++) values[j] = d * (float)(int8_t)b[2 + j];
    }
}

/* ------------------------------------------------------------------ blocks of 256: scales of parts are themselves quantized */

/// { u8 scales[16]; u8 q[64]; half d, dmin }: parts of 16; d (scale & 15) q - dmin (scale >> 4).
/// Each half of the block takes 32 bytes; two bits of byte l hold value l of rows 0 to 3.
static void expand_q2_k(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 84, values += 256) {
        float d = half_at(b + 80), dmin = half_at(b + 82);
        for (int i = 0; i < 256; i++) {
            int row = i / 32 % 4, scale = b[i / 16];
            int q = b[16 + i / 128 * 32 + i % 32] >> 2 * row & 3;
            values[i] = d * (float)(scale & 15) * (float)q - dmin * (float)(scale >> 4);
        }
    }
}

/// { u8 high[32]; u8 q[64]; u8 scales[12]; half d }: parts of 16; d (scale - 32) (q - 4).
/// Quants as in Q2_K with a third bit: bit i / 32 of high[i % 32]. Scale j of 16 has four bits in bytes 0 to 7 (low halves
/// first) and two in bytes 8 to 11.
static void expand_q3_k(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 110, values += 256) {
        const uint8_t *scales = b + 96;
        float d = half_at(b + 108);
        for (int i = 0; i < 256; i++) {
            int part = i / 16, row = i / 32 % 4;
            int scale = (scales[part % 8] >> (part < 8 ? 0 : 4) & 15) | (scales[8 + part % 4] >> 2 * (part / 4) & 3) << 4;
            int q = (b[32 + i / 128 * 32 + i % 32] >> 2 * row & 3) | (b[i % 32] >> (i / 32) & 1) << 2;
            values[i] = d * (float)(scale - 32) * (float)(q - 4);
        }
    }
}

/// Scale and minimum of part j of 8 in Q4_K and Q5_K, six bits each in 12 bytes: parts 0 to 3 lie whole in bytes 0 to 3 and 4 to
/// 7; parts 4 to 7 have their low four bits in bytes 8 to 11 and their high two in the top of bytes 0 to 7.
static void scale_and_min(const uint8_t *packed, int j, float *scale, float *min) {
    if (j < 4) {
        *scale = (float)(packed[j] & 63);
        *min = (float)(packed[j + 4] & 63);
    } else {
        *scale = (float)((packed[j + 4] & 15) | packed[j - 4] >> 6 << 4);
        *min = (float)(packed[j + 4] >> 4 | packed[j] >> 6 << 4);
    }
}

/// { half d, dmin; u8 scales[12]; u8 nibbles[128] }: parts of 32; d scale q - dmin min. Two parts share 32 bytes, low halves
/// first.
static void expand_q4_k(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 144, values += 256) {
        float d = half_at(b), dmin = half_at(b + 2);
        for (int part = 0; part < 8; part++) {
            const uint8_t *nibbles = b + 16 + part / 2 * 32;
            float scale, min;
            scale_and_min(b + 4, part, &scale, &min);
            for (int l = 0; l < 32; l++)
                values[32 * part + l] = d * scale * (float)(nibbles[l] >> 4 * (part & 1) & 15) - dmin * min;
        }
    }
}

/// { half d, dmin; u8 scales[12]; u8 high[32]; u8 nibbles[128] }: as Q4_K with a fifth bit, bit `part` of high[l].
static void expand_q5_k(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 176, values += 256) {
        float d = half_at(b), dmin = half_at(b + 2);
        for (int part = 0; part < 8; part++) {
            const uint8_t *nibbles = b + 48 + part / 2 * 32, *high = b + 16;
            float scale, min;
            scale_and_min(b + 4, part, &scale, &min);
            for (int l = 0; l < 32; l++) {
                int q = (nibbles[l] >> 4 * (part & 1) & 15) | (high[l] >> part & 1) << 4;
                values[32 * part + l] = d * scale * (float)q - dmin * min;
            }
        }
    }
}

/// { u8 low[128]; u8 high[64]; i8 scales[16]; half d }: parts of 16; d scale (q - 32).
/// Each half of the block has four rows of 32: the low four bits of rows 0 and 1 are the low halves of its 64 bytes, those of
/// rows 2 and 3 the high halves; the high two bits of value l of row r are bits 2r and 2r + 1 of high[l].
static void expand_q6_k(const void *blocks, uint64_t n_blocks, float *values) {
    const uint8_t *b = blocks;
    for (; n_blocks; n_blocks--, b += 210, values += 256) {
        float d = half_at(b + 208);
        for (int i = 0; i < 256; i++) {
            int half = i / 128, row = i / 32 % 4, l = i % 32;
            int low = b[64 * half + 32 * (row & 1) + l] >> 4 * (row >> 1) & 15;
            int high = b[128 + 32 * half + l] >> 2 * row & 3;
            values[i] = d * (float)(int8_t)b[192 + i / 16] * (float)((low | high << 4) - 32);
        }
    }
}

/* ------------------------------------------------------------------ the table */

static const tensor_type_info table[] = {
    {TENSOR_F32, "F32", 1, 4, expand_f32},
    {TENSOR_F16, "F16", 1, 2, expand_f16},
    {TENSOR_BF16, "BF16", 1, 2, expand_bf16},
    {TENSOR_Q4_0, "Q4_0", 32, 18, expand_q4_0},
    {TENSOR_Q4_1, "Q4_1", 32, 20, expand_q4_1},
    {TENSOR_Q8_0, "Q8_0", 32, 34, expand_q8_0},
    {TENSOR_Q4_K, "Q4_K", 256, 144, expand_q4_k},
    {TENSOR_Q6_K, "Q6_K", 256, 210, expand_q6_k},
    {(tensor_type)6, "Q5_0", 32, 22, expand_q5_0},
    {(tensor_type)7, "Q5_1", 32, 24, expand_q5_1},
    {(tensor_type)10, "Q2_K", 256, 84, expand_q2_k},
    {(tensor_type)11, "Q3_K", 256, 110, expand_q3_k},
    {(tensor_type)13, "Q5_K", 256, 176, expand_q5_k},
    // Named only, so that a file that holds them can be listed and refused by name.
    {(tensor_type)9, "Q8_1", 32, 36, NULL},
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
    {(tensor_type)40, "NVFP4", 64, 36, NULL},
    {(tensor_type)41, "Q1_0", 128, 18, NULL},
};

enum { N_TYPES = sizeof table / sizeof table[0] };

const tensor_type_info *tensor_type_find(uint32_t type) {
    for (int i = 0; i < N_TYPES; i++)
        if ((uint32_t)table[i].type == type) return &table[i];
    return NULL;
}

static char upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c; }

const tensor_type_info *tensor_type_by_name(const char *name) {
    for (int i = 0; i < N_TYPES; i++) {
        size_t at = 0;
        while (name[at] && upper(name[at]) == table[i].name[at]) at++;
        if (!name[at] && !table[i].name[at]) return &table[i];
    }
    return NULL;
}
