/* The KV cache as the kernels lay it out (shaders/include/kv.glsl), on the host. */
#ifndef REFERENCE_KV_H
#define REFERENCE_KV_H

#include "gguf/types.h"

#include <stddef.h>

/// One slice's K or V. type: TENSOR_F16 or TENSOR_Q8_0.
typedef struct reference_kv {
    tensor_type type;
    void *bytes;
    size_t n_heads, n_ctx, head_dim;
} reference_kv;

/// The value at one place; whatever the bytes there are taken to say, where nothing was stored.
float reference_kv_value(const reference_kv *kv, size_t head, size_t position, size_t d);
/// Stores one position of one head, values [head_dim], as rope_store does.
void reference_kv_store(const reference_kv *kv, size_t head, size_t position, const float *values);
/// By how much a stored value may be off: of q8_0 half a step of its 32 neighbours, and what rounding the scale takes from the
/// largest. values [head_dim].
double reference_kv_step(tensor_type type, const double *values, size_t d);

#endif
