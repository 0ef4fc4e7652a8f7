/* The device layout of each tensor type: the blocks of the file, which are misaligned (18 bytes for Q4_0), taken apart into
 * planes that kernels read in 16-byte pieces. One row of a table per type; shaders/include/ has the reading side with the same
 * names. */
#ifndef OPS_LAYOUT_H
#define OPS_LAYOUT_H

#include "ops/tensor.h"

/// Whether tensors of this type can be used on the device.
bool op_layout_supports(tensor_type type);
/// Bytes on the device of a matrix, all slices together. max_range: caps.max_storage_range.
uint64_t op_layout_bytes(tensor_type type, uint32_t n_rows, uint32_t n_cols, uint64_t max_range);
/// Bytes of weights that y = W x reads (without padding).
uint64_t op_layout_read_bytes(tensor_type type, uint32_t n_rows, uint32_t n_cols);

struct arena;
/// Takes memory for a matrix from the pool and fills in type, shape and slices (allocated in the arena).
/// Errors: PUM_ERR_UNSUPPORTED (type; n_cols no multiple of the type's block; one row larger than max_range),
/// PUM_ERR_DEVICE_MEMORY.
pum_status op_tensor_create(vk_pool *pool, struct arena *arena, uint64_t max_range, tensor_type type, uint32_t n_rows,
                            uint32_t n_cols, op_tensor *tensor, pum_error *err);
/// Repacks rows [first_row, first_row + n_rows) from the file's blocks and sends them in small pieces. first_row and n_rows are
/// multiples of OP_LAYOUT_ROWS (at the end of the matrix n_rows may be another). Threads may send different rows of a matrix at
/// the same time, each through an upload of its own.
pum_status op_tensor_upload(const op_tensor *tensor, vk_upload *upload, uint32_t first_row, uint32_t n_rows, const void *blocks,
                            pum_error *err);
/// Rows are packed in groups of this many.
enum { OP_LAYOUT_ROWS = 32 };

#endif
