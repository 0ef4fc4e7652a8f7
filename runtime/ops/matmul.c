#include "ops/matmul.h"

#include "../../shaders/include/matmul_push.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { FEW_TOKENS = 8 }; ///< up to which the matvec, which reads the weights once for a few tokens, beats the tiles
/* A dispatch cannot be interrupted: longer ones are cut by tokens. */
static const double MAX_FLOP = 4e9;

static uint32_t div_up(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

op_type_name op_name_for(const char *prefix, tensor_type type) {
    op_type_name name;
    snprintf(name.text, sizeof name.text, "%s%s", prefix, tensor_type_find(type)->name);
    for (char *c = name.text; *c; c++) *c = (char)tolower((unsigned char)*c);
    return name;
}

/* How a variant is laid over the work. */
typedef struct shape {
    uint32_t rows, tokens; ///< of one workgroup
    uint32_t constants[3], n_constants;
} shape;

/* Lanes hold rows: more of them share a load of x, until the registers are out. */
static shape shape_of_lanes(const vk_caps *caps, uint32_t n_tokens, uint32_t n_mats) {
    uint32_t tokens = n_tokens == 1 ? 1 : n_tokens <= 4 ? 4 : 16;
    uint32_t rows = (tokens == 1 ? 4 : 2) / n_mats;
    return (shape){caps->subgroup_size * rows, tokens, {caps->subgroup_size, rows, tokens}, 3};
}

static shape shape_of(const shader_variant *v, const vk_caps *caps, uint32_t n_tokens, uint32_t n_mats) {
    if (strstr(v->name, "_lanes")) return shape_of_lanes(caps, n_tokens, n_mats);
    if (strstr(v->name, "_tile")) return (shape){64 / n_mats, 32, {0}, 0};
    uint32_t rows = 4 / n_mats, tokens = min_u32(n_tokens, 4);
    return (shape){rows, tokens, {rows, tokens}, 2};
}

static const shader_variant *choose_variant(op_kernels *kernels, const op_tensor *w, bool swiglu, uint32_t n_tokens) {
    op_type_name many = op_name_for(swiglu ? "matmul_swiglu_" : "matmul_", w->type);
    op_type_name few = op_name_for(swiglu ? "matvec_swiglu_" : "matvec_", w->type);
    const shader_variant *variant = op_variant_choose(kernels, many.text);
    bool tile = variant && strstr(variant->name, "_tile");
    bool cannot = variant && strstr(variant->name, "_lanes") && w->n_cols % 4 != 0; // it loads x in fours
    return (tile && n_tokens <= FEW_TOKENS) || cannot ? op_variant_choose(kernels, few.text) : variant;
}

static void multiply_slice(op_frame *f, const op_kernel *kernel, const shape *s, const op_tensor *w, const op_tensor *w1,
                           uint32_t slice, op_rows x, op_rows y, uint32_t first_col, bool add) {
    const op_slice *ws = &w->slices[slice];
    struct matmul_push push = {
        .n_rows = ws->n_rows,
        .n_cols = w->n_cols,
        .n_tokens = x.n_rows,
        .plane1 = ws->plane_offset[1] / 4,
        .plane2 = ws->plane_offset[2] / 4,
        .plane3 = ws->plane_offset[3] / 4,
        .x_offset = x.first_row * x.n_cols,
        .y_offset = y.first_row * y.n_cols + first_col + ws->first_row,
        .y_stride = y.n_cols,
        .add = add,
    };
    uint32_t n_mats = w1 ? 2 : 1;
    op_frame_dispatch(f, &(op_dispatch){
                             .kernel = kernel,
                             .spans = {ws->span, w1 ? w1->slices[slice].span : (vk_span){0}, x.span, y.span},
                             .writes = 1 << 3,
                             .push = &push,
                             .push_bytes = sizeof push,
                             .groups = {div_up(ws->n_rows, s->rows), div_up(x.n_rows, s->tokens)},
                             .cost_flop = 2.0 * n_mats * ws->n_rows * w->n_cols * x.n_rows,
                             .cost_bytes = (double)n_mats * (double)ws->span.n_bytes,
                         });
}

void op_product(op_frame *f, const op_tensor *w, const op_tensor *w1, op_rows x, op_rows y, uint32_t first_col, bool add) {
    assert(x.n_cols == w->n_cols && first_col + w->n_rows <= y.n_cols && x.n_rows == y.n_rows);
    if (x.n_rows == 0) return;
    op_kernels *kernels = op_frame_kernels(f);
    const shader_variant *variant = choose_variant(kernels, w, w1 != NULL, x.n_rows);
    pum_error error;
    if (!variant) {
        op_frame_fail(f, PUM_ERR_UNSUPPORTED, "matrix product: no kernel of this build for %s runs on %s",
                      tensor_type_find(w->type)->name, op_kernels_device(kernels)->caps.name);
        return;
    }
    shape s = shape_of(variant, &op_kernels_device(kernels)->caps, x.n_rows, w1 ? 2 : 1);
    op_kernel_params params = {
        .n_bindings = 4, .push_bytes = sizeof(struct matmul_push), .constants = s.constants, .n_constants = s.n_constants};
    const op_kernel *kernel;
    pum_status status = op_kernel_get(kernels, variant, &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "matrix product: %s", error.message);

    double flop_per_token = 2.0 * (w1 ? 2 : 1) * w->n_rows * w->n_cols;
    uint32_t most = flop_per_token * s.tokens > MAX_FLOP ? s.tokens : (uint32_t)(MAX_FLOP / flop_per_token) / s.tokens * s.tokens;
    for (uint32_t t = 0; t < x.n_rows; t += most) {
        uint32_t n = min_u32(most, x.n_rows - t);
        op_rows part_x = x, part_y = y;
        part_x.first_row += t;
        part_y.first_row += t;
        part_x.n_rows = part_y.n_rows = n;
        for (uint32_t i = 0; i < w->n_slices; i++) multiply_slice(f, kernel, &s, w, w1, i, part_x, part_y, first_col, add);
    }
}

void op_matmul(op_frame *f, const op_tensor *w, op_rows x, op_rows y) { op_product(f, w, NULL, x, y, 0, false); }
void op_matmul_add(op_frame *f, const op_tensor *w, op_rows x, op_rows y) { op_product(f, w, NULL, x, y, 0, true); }

void op_matmul_stack(op_frame *f, const op_stack *w, op_rows x, op_rows y) {
    for (uint32_t i = 0, first_col = 0; i < w->n_parts; first_col += w->parts[i++].n_rows)
        op_product(f, &w->parts[i], NULL, x, y, first_col, false);
}
