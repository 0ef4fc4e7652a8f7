#include "check/reference/kv.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { BLOCK = 32 };

static size_t row_of(const reference_kv *kv, size_t head, size_t position) { return head * kv->n_ctx + position; }

/* Where the scale of a value of q8_0 stands, in float16: behind the plane of values, those of a position in whole words. */
static size_t scale_at(const reference_kv *kv, size_t row, size_t d) {
    size_t scales_per_row = (kv->head_dim + 2 * BLOCK - 1) / (2 * BLOCK) * 2;
    return kv->n_heads * kv->n_ctx * kv->head_dim / sizeof(uint16_t) + row * scales_per_row + d / BLOCK;
}

float reference_kv_value(const reference_kv *kv, size_t head, size_t position, size_t d) {
    size_t row = row_of(kv, head, position);
    const uint16_t *halves = kv->bytes;
    if (kv->type == TENSOR_F16) return half_to_float(halves[row * kv->head_dim + d]);
    return (float)((const int8_t *)kv->bytes)[row * kv->head_dim + d] * half_to_float(halves[scale_at(kv, row, d)]);
}

static void store_block(const reference_kv *kv, size_t row, size_t d0, const float *values) {
    float largest = 0;
    for (size_t i = 0; i < BLOCK; i++) largest = fmaxf(largest, fabsf(values[i]));
    uint16_t scale = float_to_half(largest / 127);
    ((uint16_t *)kv->bytes)[scale_at(kv, row, d0)] = scale;
    for (size_t i = 0; i < BLOCK; i++) {
        float step = half_to_float(scale), steps = step > 0 ? rintf(values[i] / step) : 0;
        ((int8_t *)kv->bytes)[row * kv->head_dim + d0 + i] = (int8_t)fmaxf(-127, fminf(127, steps));
    }
}

void reference_kv_store(const reference_kv *kv, size_t head, size_t position, const float *values) {
    size_t row = row_of(kv, head, position);
    if (kv->type == TENSOR_F16)
        for (size_t d = 0; d < kv->head_dim; d++) ((uint16_t *)kv->bytes)[row * kv->head_dim + d] = float_to_half(values[d]);
    else
        for (size_t d = 0; d < kv->head_dim; d += BLOCK) store_block(kv, row, d, values + d);
}

double reference_kv_step(tensor_type type, const double *values, size_t d) {
    int exponent;
    if (type == TENSOR_F16) {
        frexp(values[d], &exponent);
        return ldexp(0.5, exponent - 11 > -24 ? exponent - 11 : -24);
    }
    double largest = 0;
    for (size_t i = 0; i < BLOCK; i++) largest = fmax(largest, fabs(values[d / BLOCK * BLOCK + i]));
    return largest * (0.5 / 127 + 0x1p-11) * 1.001 + 127 * 0x1p-24;
}
