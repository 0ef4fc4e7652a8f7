#include "ops/ops.h"

#include "../../shaders/include/rope_store_push.h"

#include <assert.h>

enum { GROUP_SIZE = 64 }; // of rope_store.comp

void op_rope_store(op_frame *f, const op_rope *rope, op_rows qkv, op_position position, const op_kv *kv) {
    uint32_t n_tokens = qkv.n_rows, pairs = kv->head_dim / 2, n_head_all = qkv.n_cols / kv->head_dim;
    uint32_t n_head = n_head_all - 2 * kv->n_head_kv;
    assert(kv->head_dim % 8 == 0 && qkv.n_cols % kv->head_dim == 0 && n_head_all > 2 * kv->n_head_kv);
    assert(rope->n_rot % 2 == 0 && rope->n_rot <= kv->head_dim && position.most + n_tokens <= kv->n_ctx);
    assert(kv->type == TENSOR_F16 || kv->head_dim % 32 == 0);
    bool q8_0 = kv->type == TENSOR_Q8_0;
    op_kernels *kernels = op_frame_kernels(f);
    op_kernel_params params = {.n_bindings = 5, .push_bytes = sizeof(struct rope_store_push)};
    const op_kernel *kernel;
    pum_error error;
    const shader_variant *variant = op_variant_choose(kernels, q8_0 ? "rope_store_q8_0" : "rope_store", OP_MANY, NULL, NULL);
    pum_status status = op_kernel_get(kernels, variant, &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "rope_store: %s", error.message);

    for (uint32_t s = 0; s < kv->n_slices; s++) {
        uint32_t first_head = s * kv->heads_per_slice, n_heads = kv->n_head_kv - first_head;
        if (n_heads > kv->heads_per_slice) n_heads = kv->heads_per_slice;
        uint32_t n_all = (s == 0 ? n_head : 0) + 2 * n_heads, n_pairs = n_all * pairs;
        struct rope_store_push push = {
            .n_head = s == 0 ? n_head : 0,
            .first_k = n_head + first_head,
            .first_v = n_head + kv->n_head_kv + first_head,
            .n_head_all = n_head_all,
            .n_heads = n_heads,
            .head_dim = kv->head_dim,
            .n_rot = rope->n_rot,
            .n_ctx = kv->n_ctx,
            .first_row = qkv.first_row,
        };
        // All is read, with the table once for all heads; q goes back to where it was, K and V into the cache.
        double bytes_per_token = 8.0 * n_pairs + 4.0 * rope->n_rot + 8.0 * push.n_head * pairs +
                                 2.0 * n_heads * (double)op_kv_position_bytes(kv->type, kv->head_dim);
        // Only the first one writes q. The layer takes every kernel for one that writes what it could, and says
        // SYNC-HAZARD-WRITE-AFTER-WRITE of the others among themselves: none of them writes it.
        op_frame_dispatch(f, &(op_dispatch){
                                 .kernel = kernel,
                                 .spans = {qkv.span, position.n_past, rope->table, kv->k[s], kv->v[s]},
                                 .writes = (s == 0) << 0 | 1 << 3 | 1 << 4,
                                 .push = &push,
                                 .push_bytes = sizeof push,
                                 .groups = {n_tokens == 0 ? 0
                                            : q8_0        ? n_all
                                                          : (n_pairs + GROUP_SIZE - 1) / GROUP_SIZE,
                                            n_tokens},
                                 .cost_flop = 4.0 * n_tokens * n_pairs,
                                 .cost_bytes = n_tokens * bytes_per_token,
                             });
    }
}
