#include "ops/matmul.h"

#include "../../shaders/include/matmul_push.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
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

/* What a shape depends on. */
typedef struct job {
    const vk_caps *caps;
    const op_tensor *w;
    uint32_t n_tokens, n_mats;
    bool norm;
} job;

/* How a form of the kernel is laid over the work. */
typedef struct shape {
    uint32_t rows, tokens; ///< of one workgroup
    uint32_t constants[8], n_constants;
    uint32_t subgroup_size; ///< that it must have; 0: any
} shape;

/* Blocks of eight rows: more of them share what is done to x, until the registers are out. */
static shape shape_of_uniform(const job *j) {
    uint32_t tokens = j->n_tokens <= 2 ? j->n_tokens : j->n_tokens <= FEW_TOKENS ? 4 : 12;
    uint32_t blocks = (tokens <= 4 ? 4 : 2) / j->n_mats;
    return (shape){8 * blocks, tokens, {blocks, tokens, j->norm}, 3, 0};
}

/* Lanes hold rows: more of them share a load of x, until the registers are out. */
static shape shape_of_lanes(const job *j) {
    uint32_t tokens = j->n_tokens == 1 ? 1 : j->n_tokens <= 4 ? 4 : 16;
    uint32_t rows = (tokens == 1 ? 4 : 2) / j->n_mats, lanes = j->caps->subgroup_size;
    return (shape){lanes * rows, tokens, {lanes, rows, tokens, j->norm}, 4, 0};
}

static shape shape_of_tile(const job *j) { return (shape){64 / j->n_mats, 32, {0}, 0, 0}; }

static shape shape_of_matvec(const job *j) {
    uint32_t rows = 4 / j->n_mats, tokens = min_u32(j->n_tokens, 4);
    return (shape){rows, tokens, {rows, tokens}, 2, 0};
}

/* So many threads that each has two eights of columns at least: what is in flight at once keeps the memory busy. Where there are
 * many rows two blocks share x. */
static shape shape_of_blocks_with(const job *j, uint32_t lanes, uint32_t most_tokens) {
    uint32_t threads = 128;
    while (threads > 32 && threads > lanes && threads > j->w->n_cols / 8) threads /= 2;
    bool few_registers = j->caps->registers < VK_USUAL_REGISTERS;
    if (few_registers) most_tokens = min_u32(most_tokens, 4 / j->n_mats);
    uint32_t most_shared = few_registers ? 1 : 2; // tokens for which two blocks have registers
    uint32_t blocks = j->n_mats == 1 && j->n_tokens <= most_shared && j->w->n_rows >= 2048 ? 2 : 1, tokens = 1;
    while (tokens < j->n_tokens && tokens < most_tokens) tokens *= 2;
    // A slot of `lanes` threads shares eight sums for each matrix, block and token, and a sum of squares for each token.
    uint32_t slot_bytes = j->n_mats * blocks * tokens * 32 + tokens * 4;
    while (threads > lanes && threads / lanes * slot_bytes > j->caps->max_shared_bytes) threads /= 2;
    return (shape){8 * blocks, tokens, {threads, blocks, tokens, j->norm, threads / lanes}, 5, 0};
}
static shape shape_of_blocks(const job *j) { return shape_of_blocks_with(j, 2, 4); }
static shape shape_of_subgroup(const job *j) {
    shape s = shape_of_blocks_with(j, j->caps->subgroup_size, 8 / j->n_mats); // more tokens run out of registers on Adreno
    if (j->caps->subgroup_max) s.subgroup_size = j->caps->subgroup_size;
    return s;
}

/* More blocks share the planes of x, which are made in as much shared memory as many workgroups can have. */
static shape shape_of_matvec_dot(const job *j) {
    shape s = shape_of_subgroup(j);
    uint32_t threads = 128, lanes = j->caps->subgroup_size;
    bool few_registers = j->caps->registers < VK_USUAL_REGISTERS;
    uint32_t tokens = few_registers ? 1 : min_u32(s.tokens, lanes);
    bool many_rows = j->n_mats == 1 && tokens <= 2 && j->w->n_rows >= 4096;
    uint32_t blocks = many_rows && !few_registers ? 4 / tokens : 1;
    uint32_t chunk = (j->caps->max_shared_bytes >= 32768 ? 4096 : 2048) / tokens;
    return (shape){8 * blocks, tokens, {threads, blocks, tokens, j->norm, threads / lanes, chunk}, 6, s.subgroup_size};
}

static bool fits_grid(const vk_coopmat_shape *m, uint32_t slots, uint32_t tokens, uint32_t n_subgroups, uint32_t grid) {
    return grid <= n_subgroups && slots / grid >= m->m && tokens / (n_subgroups / grid) >= m->n;
}

/* A tile for the shared memory that the device has, and a grid of its subgroups that is as square as their matrices allow. */
static shape shape_of_coop(const job *j) {
    const vk_coopmat_shape m = j->caps->coopmat_f16;
    bool small =
        j->n_tokens <= 32 || j->caps->max_shared_bytes < 2 * (128 + 64) * 80; // halves, lines and bytes of the kernel's tile
    uint32_t slots = small ? 64 : 128, tokens = small ? 32 : 64, lanes = j->caps->subgroup_size;
    uint32_t n_subgroups = min_u32(128 / lanes, slots / m.m * (tokens / m.n)), grid = 1;
    while (grid < n_subgroups && (grid * grid < n_subgroups || !fits_grid(&m, slots, tokens, n_subgroups, grid))) grid *= 2;
    return (shape){slots / j->n_mats, tokens, {n_subgroups * lanes, lanes, m.m, m.n, m.k, slots, tokens, grid}, 8, lanes};
}

/* The largest tile that shared memory holds, with at most 64 sums for an invocation. The workgroup's matrices are one part; those
 * of subgroups a grid that is as square as their steps allow. */
static shape shape_of_coop2(const job *j) {
    enum { SCOPE_WORKGROUP = 2, SCOPE_SUBGROUP = 3, BYTES_OF_LINES = 2 * 80 }; // the last: of the kernel's tile
    static const struct { uint32_t slots, tokens; } tiles[] = {{128, 128}, {128, 64}, {64, 32}};
    const vk_flexible_coopmat m = j->caps->coopmat2_f16;
    uint32_t threads = m.invocations ? m.invocations : 128, lanes = j->caps->subgroup_size, i = j->n_tokens <= 32 ? 2 : 0;
    while (i < 2 && ((tiles[i].slots + tiles[i].tokens) * BYTES_OF_LINES > m.shared_bytes ||
                     tiles[i].slots * tiles[i].tokens > 64 * threads))
        i++;
    uint32_t slots = tiles[i].slots, tokens = tiles[i].tokens, rows = slots / j->n_mats, grid_rows = 1, grid_tokens = 1;
    if (m.invocations) return (shape){rows, tokens, {threads, SCOPE_WORKGROUP, slots, tokens, 1, 1}, 6, 0};
    while (grid_rows * grid_tokens < threads / lanes) {
        bool more_rows = rows / grid_rows >= 2 * m.m, more_tokens = tokens / grid_tokens >= 2 * m.n;
        if (more_rows && (rows / grid_rows >= tokens / grid_tokens || !more_tokens))
            grid_rows *= 2;
        else if (more_tokens)
            grid_tokens *= 2;
        else
            break;
    }
    return (shape){
        rows, tokens, {grid_rows * grid_tokens * lanes, SCOPE_SUBGROUP, slots, tokens, grid_rows, grid_tokens}, 6, lanes};
}

/* Fewer than eight rows are not interleaved in eights. */
static bool blocks_only(const op_tensor *w) { return w->n_cols % 32 == 0 && w->slices[w->n_slices - 1].n_rows >= 8; }
static bool fours_only(const op_tensor *w) { return w->n_cols % 4 == 0; }
static bool anything(const op_tensor *w) { return w->n_rows > 0; }

/* The forms, by a part of the names of their variants. */
typedef struct kernel_form {
    const char *part_of_name;
    shape (*shape_of)(const job *j);
    bool (*can)(const op_tensor *w);
    bool norms; ///< can apply the norm to few tokens
} kernel_form;
static const kernel_form forms[] = {
    {"_uniform_", shape_of_uniform, blocks_only, true},
    {"_lanes_", shape_of_lanes, fours_only, true},
    {"_coop_", shape_of_coop, anything, false},
    {"_coop2_", shape_of_coop2, anything, false},
    {"matvec_dot_", shape_of_matvec_dot, blocks_only, true},
    {"_dot_", shape_of_tile, blocks_only, false},
    {"_tile_", shape_of_tile, anything, false},
    {"_subgroup_", shape_of_subgroup, blocks_only, true},
    {"_blocks_", shape_of_blocks, blocks_only, true},
    {"matvec_", shape_of_matvec, anything, false},
};

static const kernel_form *form_of(const shader_variant *v) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strstr(v->name, forms[i].part_of_name)) return &forms[i];
    assert(!"a variant of a matrix product has the name of its form");
    return NULL;
}

static bool can_multiply(const shader_variant *variant, const void *w) { return form_of(variant)->can(w); }

/* There are forms for few tokens and forms for many. Where none of them is left those of the other kind do. */
static const shader_variant *choose_variant(op_kernels *kernels, const op_tensor *w, bool swiglu, uint32_t n_tokens) {
    op_size size = n_tokens == 1 ? OP_ONE : n_tokens <= FEW_TOKENS ? OP_FEW : OP_MANY;
    const char *const few = swiglu ? "matvec_swiglu_" : "matvec_", *const many = swiglu ? "matmul_swiglu_" : "matmul_";
    const char *first = size == OP_MANY ? many : few, *second = size == OP_MANY ? few : many;
    const shader_variant *v = op_variant_choose(kernels, op_name_for(first, w->type).text, size, can_multiply, w);
    return v ? v : op_variant_choose(kernels, op_name_for(second, w->type).text, size, can_multiply, w);
}

/* One dispatch after the other of the same product. */
typedef struct product {
    const op_kernel *kernel;
    shape shape;
    const op_tensor *w, *w1, *norm; ///< w1 and norm may be NULL
    float eps;
    uint32_t first_col; ///< of y
    bool add;
} product;

static vk_span slice_span(const op_tensor *w, uint32_t slice) { return w ? w->slices[slice].span : (vk_span){0}; }
static uint32_t low(uint64_t address) { return (uint32_t)address; }
static uint32_t high(uint64_t address) { return (uint32_t)(address >> 32); }

static void multiply_slice(op_frame *f, const product *p, uint32_t slice, op_rows x, op_rows y) {
    const op_slice *ws = &p->w->slices[slice];
    vk_span spans[] = {ws->span, slice_span(p->w1, slice), x.span, y.span, slice_span(p->norm, 0)};
    uint64_t w0 = vk_span_address(spans[0]), w1 = vk_span_address(spans[1]), norm = vk_span_address(spans[4]);
    uint64_t x0 = vk_span_address(x.span) + (uint64_t)x.first_row * x.n_cols * sizeof(float);
    struct matmul_push push = {
        .n_rows = ws->n_rows,
        .n_cols = p->w->n_cols,
        .n_tokens = x.n_rows,
        .plane1 = ws->plane_offset[1] / 4,
        .plane2 = ws->plane_offset[2] / 4,
        .plane3 = ws->plane_offset[3] / 4,
        .x_offset = x.first_row * x.n_cols,
        .y_offset = y.first_row * y.n_cols + p->first_col + ws->first_row,
        .y_stride = y.n_cols,
        .add = p->add,
        .eps = p->eps,
        .w0_low = low(w0),
        .w0_high = high(w0),
        .w1_low = low(w1),
        .w1_high = high(w1),
        .x_low = low(x0),
        .x_high = high(x0),
        .norm_low = low(norm),
        .norm_high = high(norm),
    };
    uint32_t n_mats = p->w1 ? 2 : 1;
    op_dispatch dispatch = {
        .kernel = p->kernel,
        .writes = 1 << 3,
        .push = &push,
        .push_bytes = sizeof push,
        .groups = {div_up(ws->n_rows, p->shape.rows), div_up(x.n_rows, p->shape.tokens)},
        .cost_flop = 2.0 * n_mats * ws->n_rows * p->w->n_cols * x.n_rows,
        .cost_bytes = (double)n_mats * (double)ws->span.n_bytes + 4.0 * x.n_rows * (p->w->n_cols + ws->n_rows),
    };
    memcpy(dispatch.spans, spans, sizeof spans);
    op_frame_dispatch(f, &dispatch);
}

/* Makes the kernel and cuts the work by slices, and by tokens where one dispatch would take too long. */
static void multiply(op_frame *f, const shader_variant *variant, product *p, op_rows x, op_rows y) {
    op_kernels *kernels = op_frame_kernels(f);
    p->shape = form_of(variant)->shape_of(&(job){.caps = &op_kernels_device(kernels)->caps,
                                                 .w = p->w,
                                                 .n_tokens = x.n_rows,
                                                 .n_mats = p->w1 ? 2 : 1,
                                                 .norm = p->norm != NULL});
    op_kernel_params params = {.n_bindings = 5,
                               .push_bytes = sizeof(struct matmul_push),
                               .constants = p->shape.constants,
                               .n_constants = p->shape.n_constants,
                               .require_subgroup_size = p->shape.subgroup_size};
    pum_error error;
    pum_status status = op_kernel_get(kernels, variant, &params, &p->kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "matrix product: %s", error.message);

    double flop_per_token = 2.0 * (p->w1 ? 2 : 1) * p->w->n_rows * p->w->n_cols;
    double most_flop = fmin(op_frame_most_flop(f), MAX_FLOP);
    uint32_t tokens = p->shape.tokens;
    uint32_t most = flop_per_token * tokens > most_flop ? tokens : (uint32_t)(most_flop / flop_per_token) / tokens * tokens;
    for (uint32_t t = 0; t < x.n_rows; t += most) {
        uint32_t n = min_u32(most, x.n_rows - t);
        op_rows part_x = x, part_y = y;
        part_x.first_row += t;
        part_y.first_row += t;
        part_x.n_rows = part_y.n_rows = n;
        for (uint32_t i = 0; i < p->w->n_slices; i++) multiply_slice(f, p, i, part_x, part_y);
    }
}

/* The variant that serves a product, or a failure of the frame. */
static const shader_variant *need_variant(op_frame *f, const op_tensor *w, bool swiglu, uint32_t n_tokens) {
    op_kernels *kernels = op_frame_kernels(f);
    const shader_variant *variant = choose_variant(kernels, w, swiglu, n_tokens);
    if (!variant)
        op_frame_fail(f, PUM_ERR_UNSUPPORTED, "matrix product: no kernel of this build for %s runs on %s",
                      tensor_type_find(w->type)->name, op_kernels_device(kernels)->caps.name);
    return variant;
}

void op_product(op_frame *f, const op_tensor *w, const op_tensor *w1, op_rows x, op_rows y, uint32_t first_col, bool add) {
    assert(x.n_cols == w->n_cols && first_col + w->n_rows <= y.n_cols && x.n_rows == y.n_rows);
    if (x.n_rows == 0) return;
    const shader_variant *variant = need_variant(f, w, w1 != NULL, x.n_rows);
    if (variant) multiply(f, variant, &(product){.w = w, .w1 = w1, .first_col = first_col, .add = add}, x, y);
}

static bool applies_norm(op_frame *f, const op_tensor *w, bool swiglu, uint32_t n_tokens) {
    const shader_variant *variant = choose_variant(op_frame_kernels(f), w, swiglu, n_tokens);
    return n_tokens <= FEW_TOKENS && variant && form_of(variant)->norms;
}

void op_norm_product(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *parts, uint32_t n_parts,
                     const op_tensor *w1, op_rows y, op_rows n) {
    assert(norm->type == TENSOR_F32 && norm->n_slices == 1 && norm->n_rows == 1 && norm->n_cols == x.n_cols);
    bool apart = false; // one that cannot is enough: then the others need not
    for (uint32_t i = 0; i < n_parts; i++) apart = apart || !applies_norm(f, &parts[i], w1 != NULL, x.n_rows);
    if (apart) op_rmsnorm(f, x, norm, eps, n);
    for (uint32_t i = 0, first_col = 0; i < n_parts && x.n_rows; first_col += parts[i++].n_rows) {
        assert(x.n_cols == parts[i].n_cols && first_col + parts[i].n_rows <= y.n_cols && x.n_rows == y.n_rows);
        const shader_variant *variant = need_variant(f, &parts[i], w1 != NULL, x.n_rows);
        product p = {.w = &parts[i], .w1 = w1, .norm = apart ? NULL : norm, .eps = eps, .first_col = first_col};
        if (variant) multiply(f, variant, &p, apart ? n : x, y);
    }
}

void op_matmul(op_frame *f, const op_tensor *w, op_rows x, op_rows y) { op_product(f, w, NULL, x, y, 0, false); }
void op_matmul_add(op_frame *f, const op_tensor *w, op_rows x, op_rows y) { op_product(f, w, NULL, x, y, 0, true); }

void op_matmul_stack(op_frame *f, const op_stack *w, op_rows x, op_rows y) {
    for (uint32_t i = 0, first_col = 0; i < w->n_parts; first_col += w->parts[i++].n_rows)
        op_product(f, &w->parts[i], NULL, x, y, first_col, false);
}

void op_norm_matmul(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_tensor *w, op_rows y, op_rows n) {
    op_norm_product(f, x, norm, eps, w, 1, NULL, y, n);
}

void op_norm_matmul_stack(op_frame *f, op_rows x, const op_tensor *norm, float eps, const op_stack *w, op_rows y, op_rows n) {
    op_norm_product(f, x, norm, eps, w->parts, w->n_parts, NULL, y, n);
}
