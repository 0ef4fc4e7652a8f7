/* The matrix products, as op_matmul, op_matmul_add and op_matmul_swiglu share them. */
#ifndef OPS_MATMUL_H
#define OPS_MATMUL_H

#include "ops/ops.h"

/// The name of an op for a tensor type, as in shaders/variants.txt: "matmul_" → "matmul_q4_1".
typedef struct op_type_name {
    char text[48];
} op_type_name;
op_type_name op_name_for(const char *prefix, tensor_type type);

/// y = W x, y += W x (add), or with w1 y = silu(W x) * (W1 x), both of one type and shape. The results stand in the columns of y
/// from first_col on.
void op_product(op_frame *f, const op_tensor *w, const op_tensor *w1, op_rows x, op_rows y, uint32_t first_col, bool add);

/// The same for rmsnorm(x) instead of x, and for parts [n_parts] one above the other. w1 only with one part. n: scratch rows of
/// x's shape.
void op_norm_product(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *parts, uint32_t n_parts,
                     const op_tensor *w1, op_rows y, op_rows n);

#endif
