/* Weights on the device in our own layout, and rows of activations. */
#ifndef OPS_TENSOR_H
#define OPS_TENSOR_H

#include "gguf/types.h"
#include "vk/upload.h"

/// Activations: n_rows rows of n_cols float32, row-major, one per token. The buffer belongs to whoever made it.
typedef struct op_rows {
    vk_span span;       ///< of the whole buffer
    uint32_t first_row; ///< where this view begins, in rows of n_cols
    uint32_t n_rows, n_cols;
} op_rows;

enum { OP_MAX_PLANES = 4 };

/// A run of rows of a tensor that one binding can cover. Planes (quants, scales, …) follow each other in the span, each aligned
/// to 256.
typedef struct op_slice {
    vk_span span;
    uint32_t first_row, n_rows;
    uint32_t plane_offset[OP_MAX_PLANES]; ///< in bytes from the start of the span
} op_slice;

/// A weight matrix [n_rows, n_cols]: y = W x takes n_cols values and gives n_rows. Immutable once loaded.
typedef struct op_tensor {
    tensor_type type;
    uint32_t n_rows, n_cols;
    uint32_t n_slices;
    op_slice *slices; ///< [n_slices], in an arena of the owner
} op_tensor;

/// Matrices that multiply the same x, one above the other: the rows of a part follow those of the part before in y.
/// Parts are of different types; what is of one type is one part.
typedef struct op_stack {
    uint32_t n_parts;
    op_tensor parts[3];
} op_stack;

#endif
