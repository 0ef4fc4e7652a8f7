#ifndef REFERENCE_ROPE_H
#define REFERENCE_ROPE_H
#include <stddef.h>

/// Rotates pairs (2j, 2j+1), j < n_rot/2, of every head by position * freq_base^(-2j/n_rot). arXiv:2104.09864.
/// x, y [n_tokens, n_head, head_dim]; token t stands at position n_past + t.
void reference_rope(const float *x, size_t n_tokens, size_t n_head, size_t head_dim, size_t n_rot, double freq_base,
                    size_t n_past, double *y);

#endif
