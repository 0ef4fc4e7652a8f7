#include "ops/ops.h"

#include "../../shaders/include/rmsnorm_push.h"

#include <assert.h>

/* A workgroup per row: one subgroup where its variant wants that, else as many threads as the baseline allows. */
static uint32_t group_size(const vk_caps *caps, const shader_variant *variant) {
    bool one_subgroup = variant && op_needs_met(caps, variant->needs) && variant->needs[0] != '-';
    return one_subgroup ? caps->subgroup_size : 128;
}

void op_rmsnorm(op_frame *f, op_rows x, const op_tensor *w, float eps, op_rows y) {
    assert(w->type == TENSOR_F32 && w->n_slices == 1 && w->n_cols == x.n_cols && y.n_cols == x.n_cols && y.n_rows == x.n_rows);
    op_kernels *kernels = op_frame_kernels(f);
    const shader_variant *variant = op_variant_choose(kernels, "rmsnorm", OP_MANY, NULL, NULL);
    uint32_t constants[] = {group_size(&op_kernels_device(kernels)->caps, variant)};
    struct rmsnorm_push push = {
        .n_cols = x.n_cols,
        .x_offset = x.first_row * x.n_cols,
        .w_offset = w->slices[0].plane_offset[0] / sizeof(float),
        .y_offset = y.first_row * y.n_cols,
        .eps = eps,
    };
    op_kernel_params params = {.n_bindings = 3, .push_bytes = sizeof push, .constants = constants, .n_constants = 1};
    const op_kernel *kernel;
    pum_error error;
    pum_status status = op_kernel_get(kernels, variant, &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "rmsnorm: %s", error.message);
    op_frame_dispatch(f, &(op_dispatch){
                             .kernel = kernel,
                             .spans = {x.span, w->slices[0].span, y.span},
                             .writes = 1 << 2,
                             .push = &push,
                             .push_bytes = sizeof push,
                             .groups = {x.n_rows},
                             .cost_flop = 5.0 * x.n_rows * x.n_cols,
                             .cost_bytes = 8.0 * x.n_rows * x.n_cols,
                         });
}
