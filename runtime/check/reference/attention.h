#ifndef REFERENCE_ATTENTION_H
#define REFERENCE_ATTENTION_H
#include <stddef.h>
#include <stdint.h>

/// a[t,h,:] = softmax(q[t,h,:] K[h']^T / sqrt(head_dim)) V[h'] over positions 0 … n_past + t, h' = h / (n_head / n_head_kv).
/// q, a [n_tokens, n_head, head_dim]; k, v [n_head_kv, n_ctx, head_dim].
/// magnitude: as a; sum of |weight * v| times 1 + the largest sum of |q * k| / sqrt(head_dim), because an error in a score
/// becomes a relative error of its weight.
void reference_attention(const float *q, const float *k, const float *v, size_t n_tokens, size_t n_head, size_t n_head_kv,
                         size_t head_dim, size_t n_ctx, size_t n_past, double *a, double *magnitude);

#endif
