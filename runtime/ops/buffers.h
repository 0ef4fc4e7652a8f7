/* Device memory as the model sees it: rows, KV cache, rope table, and host-visible buffers to talk through. One owner (a model or
 * a session) has one op_memory, and everything goes with it. */
#ifndef OPS_BUFFERS_H
#define OPS_BUFFERS_H

#include "base/arena.h"
#include "ops/layout.h"
#include "ops/ops.h"

/// One thread at a time, op_memory_send apart.
typedef struct op_memory op_memory;

/// total_bytes: what the owner plans to take (a sum of the op_*_bytes below), so that the blocks fit.
pum_status op_memory_create(op_kernels *kernels, uint64_t total_bytes, const char *what, op_memory **memory, pum_error *err);
void op_memory_destroy(op_memory **memory);
/// Room in the host's memory that the device reads, for what the device's own has none: as total_bytes of op_memory_create.
pum_status op_memory_add_host(op_memory *memory, uint64_t total_bytes, pum_error *err);
/// Whether what is taken from now on is of the host's memory; false at the start.
void op_memory_in_host(op_memory *memory, bool in_host);

/// Room for a matrix; its weights come through op_memory_send.
pum_status op_memory_tensor(op_memory *memory, tensor_type type, uint32_t n_rows, uint32_t n_cols, op_tensor *tensor,
                            pum_error *err);
/// Ways to send weights, each with staging buffers of its own: one thread at a time each, any of them at the same time.
enum { OP_MEMORY_LANES = 4 };
/// Repacks and sends rows of a matrix through a lane; see op_tensor_upload.
pum_status op_memory_send(op_memory *memory, int lane, const op_tensor *tensor, uint32_t first_row, uint32_t n_rows,
                          const void *blocks, pum_error *err);
/// Blocks until everything that was sent through any lane has arrived, and gives the staging buffers back.
pum_status op_memory_sent(op_memory *memory, pum_error *err);
/// Host memory that staging holds now.
uint64_t op_memory_host_bytes(const op_memory *memory);

pum_status op_memory_rows(op_memory *memory, uint32_t n_rows, uint32_t n_cols, op_rows *rows, pum_error *err);
/// type: of K and V, see op_kv.
pum_status op_memory_kv(op_memory *memory, tensor_type type, uint32_t n_head_kv, uint32_t n_ctx, uint32_t head_dim, op_kv *kv,
                        pum_error *err);
/// frequencies [n_rot / 2] radians per position. Errors also PUM_ERR_UNSUPPORTED when the table exceeds what one binding can
/// cover.
pum_status op_memory_rope(op_memory *memory, uint32_t n_ctx, uint32_t n_rot, const double *frequencies, op_rope *rope,
                          pum_error *err);

/* What the above take, each part aligned as it will be. */
uint64_t op_rows_bytes(uint32_t n_rows, uint32_t n_cols);
uint64_t op_kv_bytes(const vk_caps *caps, tensor_type type, uint32_t n_head_kv, uint32_t n_ctx, uint32_t head_dim);
/// Of one slice's K or V with so many heads.
uint64_t op_kv_slice_bytes(tensor_type type, uint32_t n_heads, uint32_t n_ctx, uint32_t head_dim);
uint64_t op_rope_bytes(uint32_t n_ctx, uint32_t n_rot);

/// Mapped memory that both sides see. Belongs to whoever made it.
typedef struct op_host {
    vk_buffer buffer;
} op_host;
typedef enum op_host_use { OP_HOST_WRITES, OP_HOST_READS } op_host_use;
pum_status op_host_create(op_kernels *kernels, uint64_t n_bytes, op_host_use use, const char *what, op_host *host,
                          pum_error *err);
void op_host_destroy(op_kernels *kernels, op_host *host);
vk_span op_host_span(const op_host *host, uint64_t offset, uint64_t n_bytes);

/// Copies rows to host-visible memory, starting at its first byte.
void op_read(op_frame *f, op_rows rows, const op_host *host);

/// The other way.
void op_write(op_frame *f, const op_host *host, op_rows rows);

/// Whether a part of it is in the host's memory, by plan or because the device gave none.
bool op_tensor_in_host(const op_tensor *tensor);
bool op_kv_in_host(const op_kv *kv);

/// A view of some rows.
op_rows op_rows_view(op_rows rows, uint32_t first_row, uint32_t n_rows);

#endif
