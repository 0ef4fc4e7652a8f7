#include "ops/matmul.h"

#include "../../shaders/include/matmul_push.h"

#include <assert.h>

enum { THREADS = 64, MAX_GROUPS = 32768 };

static void join(op_frame *f, op_rows up, op_rows h) {
    struct swiglu_push push = {
        .n_values = h.n_rows * h.n_cols,
        .up_offset = up.first_row * up.n_cols,
        .h_offset = h.first_row * h.n_cols,
    };
    op_kernel_params params = {.n_bindings = 2, .push_bytes = sizeof push};
    const op_kernel *kernel;
    pum_error error;
    op_kernels *kernels = op_frame_kernels(f);
    pum_status status =
        op_kernel_get(kernels, op_variant_choose(kernels, "swiglu", OP_MANY, NULL, NULL), &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "SwiGLU: %s", error.message);
    uint32_t n_groups = (push.n_values + THREADS - 1) / THREADS, n_lines = (n_groups + MAX_GROUPS - 1) / MAX_GROUPS;
    op_frame_dispatch(f, &(op_dispatch){
                             .kernel = kernel,
                             .spans = {up.span, h.span},
                             .writes = 1 << 1,
                             .push = &push,
                             .push_bytes = sizeof push,
                             .groups = {n_groups < MAX_GROUPS ? n_groups : MAX_GROUPS, n_lines},
                             .cost_flop = 5.0 * push.n_values,
                             .cost_bytes = 12.0 * push.n_values,
                         });
}

void op_matmul_swiglu(op_frame *f, const op_tensor *gate, const op_tensor *up, op_rows x, op_rows h, op_rows scratch) {
    assert(gate->n_rows == up->n_rows && gate->n_cols == up->n_cols);
    if (gate->type == up->type) {
        op_product(f, gate, up, x, h, 0, false);
        return;
    }
    op_matmul(f, gate, x, h);
    op_matmul(f, up, x, scratch);
    join(f, scratch, h);
}

void op_norm_swiglu(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *gate, const op_tensor *up,
                    op_rows h, op_rows n, op_rows scratch) {
    assert(gate->n_rows == up->n_rows && gate->n_cols == up->n_cols);
    if (gate->type == up->type) {
        op_norm_product(f, x, norm, eps, gate, 1, up, h, n);
        return;
    }
    op_rmsnorm(f, x, norm, eps, n);
    op_matmul_swiglu(f, gate, up, n, h, scratch);
}
