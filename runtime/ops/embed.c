#include "ops/matmul.h"

#include "../../shaders/include/matmul_push.h"

#include <assert.h>

enum { COLS_PER_GROUP = 64 * 16 };

void op_embed(op_frame *f, const op_tensor *w, vk_span tokens, op_rows x) {
    assert(x.n_cols == w->n_cols && tokens.n_bytes == x.n_rows * sizeof(int32_t));
    if (x.n_rows == 0) return;
    op_kernels *kernels = op_frame_kernels(f);
    op_kernel_params params = {.n_bindings = 3, .push_bytes = sizeof(struct embed_push)};
    const op_kernel *kernel;
    pum_error error;
    pum_status status = op_kernel_get(
        kernels, op_variant_choose(kernels, op_name_for("embed_", w->type).text, OP_MANY, NULL, NULL), &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "embedding: %s", error.message);
    // A token's row is in one slice; the others leave it alone.
    for (uint32_t i = 0; i < w->n_slices; i++) {
        const op_slice *s = &w->slices[i];
        struct embed_push push = {
            .first_row = s->first_row,
            .n_rows = s->n_rows,
            .n_cols = w->n_cols,
            .n_tokens = x.n_rows,
            .plane1 = s->plane_offset[1] / 4,
            .plane2 = s->plane_offset[2] / 4,
            .plane3 = s->plane_offset[3] / 4,
            .x_offset = x.first_row * x.n_cols,
        };
        op_frame_dispatch(f, &(op_dispatch){
                                 .kernel = kernel,
                                 .spans = {s->span, tokens, x.span},
                                 .writes = 1 << 2,
                                 .push = &push,
                                 .push_bytes = sizeof push,
                                 .groups = {(w->n_cols + COLS_PER_GROUP - 1) / COLS_PER_GROUP, x.n_rows},
                                 .cost_bytes = 8.0 * x.n_rows * x.n_cols,
                             });
    }
}
