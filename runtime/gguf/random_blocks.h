/* Seeded random numbers in the blocks of a tensor type: weights for measuring. */
#ifndef GGUF_RANDOM_BLOCKS_H
#define GGUF_RANDOM_BLOCKS_H

#include "gguf/types.h"

/// Fills n_blocks blocks so that their values have about the standard deviation sigma. *state is the seed at first; the same
/// state gives the same bytes. Types that tensor_type_info can expand.
void gguf_random_blocks(const tensor_type_info *type, double sigma, uint64_t *state, uint8_t *blocks, uint64_t n_blocks);

/// Weights of n_cols columns such that nothing overflows on the way through a model: 0.6 / sqrt(n_cols).
double gguf_random_sigma(uint32_t n_cols);

/// The type itself, or F16 for rows that none of its blocks divides, as converters make them.
const tensor_type_info *gguf_type_for_rows(const tensor_type_info *type, uint32_t n_cols);

#endif
