#ifndef SHADERS_MATMUL_PUSH_H
#define SHADERS_MATMUL_PUSH_H
#include "push.h"

// One slice of a weight matrix times rows of activations. Offsets of planes in words from the start of the binding, those of x
// and y in floats. With two matrices (SwiGLU) both have this layout.
struct matmul_push {
    PUSH_UINT n_rows, n_cols, n_tokens;
    PUSH_UINT plane1, plane2, plane3;
    PUSH_UINT x_offset, y_offset;
    PUSH_UINT y_stride; // floats from one token's row of y to the next
    PUSH_UINT add;      // 1: y += W x
    PUSH_FLOAT eps;     // of the norm
    PUSH_ADDRESS(w0) PUSH_ADDRESS(w1) PUSH_ADDRESS(x) PUSH_ADDRESS(norm) // of the slice, of the first row, for kernels that use them
};
PUSH_BYTES(matmul_push, 76)

// Rows of a slice that tokens ask for.
struct embed_push {
    PUSH_UINT first_row, n_rows, n_cols, n_tokens;
    PUSH_UINT plane1, plane2, plane3;
    PUSH_UINT x_offset;
};
PUSH_BYTES(embed_push, 32)

struct swiglu_push {
    PUSH_UINT n_values, up_offset, h_offset;
};
PUSH_BYTES(swiglu_push, 12)

#endif
