#include "ops/ops.h"

#include "../../shaders/include/rope_store_push.h"

#include <assert.h>

enum { GROUP_SIZE = 64 }; // of rope_store.comp

void op_rope_store(op_frame *f, const op_rope *rope, op_rows q, op_rows k, op_rows v, uint32_t n_past, const op_kv *kv) {
    uint32_t n_tokens = q.n_rows, pairs = kv->head_dim / 2;
    assert(k.n_rows == n_tokens && v.n_rows == n_tokens && n_past + n_tokens <= kv->n_ctx);
    assert(kv->head_dim % 8 == 0 && rope->n_rot % 2 == 0 && rope->n_rot <= kv->head_dim);
    assert(k.n_cols == kv->n_head_kv * kv->head_dim && v.n_cols == k.n_cols && q.n_cols % kv->head_dim == 0);
    op_kernels *kernels = op_frame_kernels(f);
    op_kernel_params params = {.n_bindings = 6, .push_bytes = sizeof(struct rope_store_push)};
    const op_kernel *kernel;
    pum_error error;
    pum_status status = op_kernel_get(kernels, op_variant_choose(kernels, "rope_store"), &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "rope_store: %s", error.message);

    for (uint32_t s = 0; s < kv->n_slices; s++) {
        uint32_t first_head = s * kv->heads_per_slice, n_heads = kv->n_head_kv - first_head;
        if (n_heads > kv->heads_per_slice) n_heads = kv->heads_per_slice;
        uint32_t n_head = s == 0 ? q.n_cols / kv->head_dim : 0;
        uint32_t n_pairs = (n_head + 2 * n_heads) * pairs;
        struct rope_store_push push = {
            .n_head = n_head,
            .n_head_kv = kv->n_head_kv,
            .first_head = first_head,
            .n_heads = n_heads,
            .head_dim = kv->head_dim,
            .n_rot = rope->n_rot,
            .n_ctx = kv->n_ctx,
            .n_past = n_past,
            .q_first_row = q.first_row,
            .k_first_row = k.first_row,
            .v_first_row = v.first_row,
        };
        op_frame_dispatch(f, &(op_dispatch){
                                 .kernel = kernel,
                                 .spans = {q.span, k.span, v.span, rope->table, kv->k[s], kv->v[s]},
                                 .writes = 1 << 0 | 1 << 4 | 1 << 5,
                                 .push = &push,
                                 .push_bytes = sizeof push,
                                 .groups = {n_tokens ? (n_pairs + GROUP_SIZE - 1) / GROUP_SIZE : 0, n_tokens},
                                 .cost_flop = 4.0 * n_tokens * n_pairs,
                                 .cost_bytes = 12.0 * n_tokens * n_pairs,
                             });
    }
}
