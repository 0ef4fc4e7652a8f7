#include "gguf/random_blocks.h"

#include <math.h>
#include <string.h>

static uint64_t random_next(uint64_t *state) { // splitmix64
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void put_half(uint8_t *at, double value) {
    uint16_t h = float_to_half((float)value);
    memcpy(at, &h, sizeof h);
}

/* Random bits are quants that are evenly distributed: the scales are put so that the values have the standard deviation sigma. */
static void scale_block(tensor_type type, double sigma, uint8_t *block) {
    const double nibble = 4.6, byte = 73.9, six_bits = 18.5; // standard deviations of evenly distributed 4, 8 and 6 bits
    switch (type) {
    case TENSOR_Q4_0:
        put_half(block, sigma / nibble);
        break;
    case TENSOR_Q4_1:
        put_half(block, sigma / nibble);
        put_half(block + 2, -7.5 * sigma / nibble);
        break;
    case TENSOR_Q8_0:
        put_half(block, sigma / byte);
        break;
    case TENSOR_Q4_K: // d, dmin; the 6-bit scales and minima are 31.5 in the mean
        put_half(block, sigma / nibble / 31.5);
        put_half(block + 2, 7.5 * sigma / nibble / 31.5);
        break;
    case TENSOR_Q6_K:
        put_half(block + 208, sigma / six_bits / byte);
        break;
    default:
        break;
    }
}

static void fill_floats(tensor_type type, double sigma, uint64_t *state, uint8_t *at, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        float value = (float)(((double)(random_next(state) >> 11) * 0x1p-53 - 0.5) * sqrt(12.0) * sigma);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        uint16_t half = type == TENSOR_F16 ? float_to_half(value) : (uint16_t)(bits >> 16);
        if (type == TENSOR_F32)
            memcpy(at + 4 * i, &value, 4);
        else
            memcpy(at + 2 * i, &half, 2);
    }
}

void gguf_random_blocks(const tensor_type_info *type, double sigma, uint64_t *state, uint8_t *blocks, uint64_t n_blocks) {
    if (type->block_values == 1) {
        fill_floats(type->type, sigma, state, blocks, n_blocks);
        return;
    }
    uint64_t n_bytes = n_blocks * type->block_bytes;
    for (uint64_t i = 0; i < n_bytes; i += 8) {
        uint64_t bits = random_next(state);
        memcpy(blocks + i, &bits, n_bytes - i < 8 ? n_bytes - i : 8);
    }
    for (uint64_t b = 0; b < n_blocks; b++) scale_block(type->type, sigma, blocks + b * type->block_bytes);
}

double gguf_random_sigma(uint32_t n_cols) { return 0.6 / sqrt(n_cols); }

const tensor_type_info *gguf_type_for_rows(const tensor_type_info *type, uint32_t n_cols) {
    return n_cols % type->block_values == 0 ? type : tensor_type_find(TENSOR_F16);
}
