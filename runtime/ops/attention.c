#include "ops/ops.h"

#include "../../shaders/include/attention_push.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    FEW_ROWS = 16,      ///< queries of a KV head up to which the context is cut instead of the queries
    DEEP = 1024,        ///< positions
    MIN_CHUNK = 128,    ///< positions that are worth a workgroup of their own
    N_WORKGROUPS = 512, ///< that fill a GPU
    N_WORKGROUPS_CPU = 12,
    COOP_ROWS = 64,                 ///< of a workgroup with cooperative matrices
    PIECE = 32,                     ///< tokens, of which a dispatch has a multiple
    MAX_RECORDS = ATTENTION_BLOCKS, ///< of partial results; as many as blocks, since a block that is cut leaves several
};
/* A dispatch cannot be interrupted: longer ones are cut by tokens. */
static const double MAX_FLOP = 2e9;

static uint32_t div_up(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* How a variant is laid over the work. */
typedef struct shape {
    uint32_t block_rows;    ///< rows of one workgroup
    uint32_t constants[7];  ///< workgroup size, HEAD_DIM, and what the form has besides
    uint32_t n_workgroups;  ///< wanted
    uint32_t subgroup_size; ///< that it must have; 0: any
} shape;

static shape shape_of_lanes(const vk_caps *caps, uint32_t head_dim, uint32_t n_rows, uint32_t n_kv) {
    uint32_t size = caps->subgroup_size, lanes = 1, step = 1;
    while (lanes < n_rows && lanes < size) lanes *= 2;
    // Two rows a lane are half as much again faster in a deep context, and take twice as long to compile.
    uint32_t rows = n_rows > FEW_ROWS && n_kv > DEEP ? 2 : 1;
    // Whole loads, and enough positions at a time that scaling the sums costs little.
    while (step * head_dim / 8 % lanes != 0 || step * head_dim < 256) step *= 2;
    return (shape){lanes * rows, {size, head_dim, rows, step, lanes}, N_WORKGROUPS_CPU};
}

/* More rows and longer heads run out of registers, and of patience with the compiler. */
static bool can_uniform(uint32_t head_dim) { return head_dim <= 128; }
static shape shape_of_uniform(uint32_t head_dim, uint32_t n_rows) {
    uint32_t rows = min_u32(n_rows, head_dim <= 64 ? 4 : 2);
    return (shape){rows, {8, head_dim, rows}, N_WORKGROUPS_CPU};
}

/* Each subgroup has rows of its own, at least those of one matrix. */
static shape shape_of_coop(const vk_caps *caps, uint32_t head_dim) {
    const vk_coopmat_shape m = caps->coopmat_f16;
    uint32_t lanes = caps->subgroup_size, n_subgroups = min_u32(128 / lanes, COOP_ROWS / m.m);
    return (shape){COOP_ROWS, {n_subgroups * lanes, head_dim, lanes, m.m, m.n, m.k, COOP_ROWS}, N_WORKGROUPS, lanes};
}

/* Whole matrices, so few that code and registers do for them all, a lane at least for each row of a subgroup, and room for a tile
 * of K, V, scores and factors. */
static bool can_coop(const vk_caps *caps, uint32_t head_dim) {
    const vk_coopmat_shape m = caps->coopmat_f16;
    if (head_dim % m.n != 0 || head_dim % m.k != 0 || head_dim > 128 || 2 * 32 * head_dim / (m.n * m.k) > 64) return false;
    uint32_t n_subgroups = shape_of_coop(caps, head_dim).constants[0] / caps->subgroup_size;
    uint32_t n_bytes = 2 * 32 * (head_dim * 2 + 16) + COOP_ROWS * (32 * 4 + 16) + m.n * COOP_ROWS * 4;
    return COOP_ROWS / n_subgroups <= caps->subgroup_size && n_bytes <= caps->max_shared_bytes;
}

/* Forms that read another type of cache have its name at the end. */
static bool is_form(const shader_variant *v, const char *form) { return strncmp(v->name, form, strlen(form)) == 0; }

static shape shape_of(const shader_variant *v, const vk_caps *caps, uint32_t head_dim, uint32_t n_rows, uint32_t n_kv) {
    if (is_form(v, "attention_uniform")) return shape_of_uniform(head_dim, n_rows);
    if (is_form(v, "attention_lanes")) return shape_of_lanes(caps, head_dim, n_rows, n_kv);
    if (is_form(v, "attention_coop")) return shape_of_coop(caps, head_dim);
    uint32_t rows = 4; // of a thread, as far as its registers go
    if (is_form(v, "attention_split")) {
        rows = min_u32(min_u32(n_rows, rows), caps->registers / 16);
        return (shape){rows, {128, head_dim, rows}, N_WORKGROUPS};
    }
    while (rows > 1 && rows * head_dim / 8 > caps->registers / 2) rows /= 2; // a row's sums are those of 8 threads
    return (shape){16 * rows, {128, head_dim, rows}, N_WORKGROUPS};
}

typedef struct job {
    const vk_caps *caps;
    uint32_t head_dim;
} job;

static bool can_attend(const shader_variant *v, const void *user) {
    const job *j = user;
    if (is_form(v, "attention_uniform")) return can_uniform(j->head_dim);
    return !is_form(v, "attention_coop") || can_coop(j->caps, j->head_dim);
}

/* Forms that cut the context for few rows, and forms that cut the rows. */
static const shader_variant *choose_variant(op_kernels *kernels, const op_kv *kv, uint32_t n_rows) {
    const job j = {&op_kernels_device(kernels)->caps, kv->head_dim};
    bool few = n_rows <= FEW_ROWS, q8_0 = kv->type == TENSOR_Q8_0;
    const char *op = few ? (q8_0 ? "attention_split_q8_0" : "attention_split") : (q8_0 ? "attention_q8_0" : "attention");
    return op_variant_choose(kernels, op, few ? OP_FEW : OP_MANY, can_attend, &j);
}

static const op_kernel *get_kernel(op_frame *f, const shader_variant *variant, const op_kernel_params *params) {
    const op_kernel *kernel;
    pum_error error;
    pum_status status = op_kernel_get(op_frame_kernels(f), variant, params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "attention: %s", error.message);
    return kernel;
}

/* In how many chunks the context is cut so that the device is filled. */
static uint32_t choose_chunks(const shape *s, uint32_t n_kv, uint32_t n_groups, uint32_t n_records) {
    uint32_t n = min_u32(s->n_workgroups / n_groups, n_kv / MIN_CHUNK);
    n = min_u32(n, MAX_RECORDS / n_records);
    return n > 1 ? n : 1;
}

/* Tokens [t0, t0 + n_tokens) of qkv, in one dispatch per slice. */
static void attend(op_frame *f, op_rows qkv, const op_kv *kv, op_position position, op_rows a, op_rows scratch, uint32_t t0,
                   uint32_t n_tokens) {
    uint32_t n_head_all = qkv.n_cols / kv->head_dim, n_head = n_head_all - 2 * kv->n_head_kv, group = n_head / kv->n_head_kv;
    uint32_t n_rows = n_tokens * group, n_kv = position.most + t0 + n_tokens;
    op_kernels *kernels = op_frame_kernels(f);
    const shader_variant *variant = choose_variant(kernels, kv, n_rows);
    if (!variant) {
        op_frame_fail(f, PUM_ERR_UNSUPPORTED, "attention: no kernel of this build runs on %s",
                      op_kernels_device(kernels)->caps.name);
        return;
    }
    shape s = shape_of(variant, &op_kernels_device(kernels)->caps, kv->head_dim, n_rows, n_kv);
    uint32_t n_blocks = div_up(n_rows, s.block_rows), n_chunks = 1;
    if (n_rows <= FEW_ROWS) n_chunks = choose_chunks(&s, n_kv, n_blocks * kv->n_head_kv, n_tokens * n_head);
    struct attention_push push = {
        .n_rows = n_rows,
        .group = group,
        .n_head = n_head,
        .n_head_all = n_head_all,
        .first_token = t0,
        .n_ctx = kv->n_ctx,
        .q_first_row = qkv.first_row + t0,
        .a_first_row = a.first_row + t0,
        .chunk = div_up(div_up(n_kv, n_chunks), 64) * 64, // a multiple of every variant's step
        .scale = (float)(1 / sqrt(kv->head_dim)),
    };
    push.n_chunks = div_up(n_kv, push.chunk);
    op_kernel_params params = {.n_bindings = 6,
                               .push_bytes = sizeof push,
                               .constants = s.constants,
                               .n_constants = s.subgroup_size ? 7 : 5,
                               .require_subgroup_size = s.subgroup_size};
    const op_kernel *kernel = get_kernel(f, variant, &params);
    for (uint32_t slice = 0; slice < kv->n_slices; slice++) {
        push.first_head = slice * kv->heads_per_slice;
        uint32_t n_heads = min_u32(kv->heads_per_slice, kv->n_head_kv - push.first_head);
        // A row sees what stands before it, half of the pass on the average.
        double n_seen = (double)n_heads * (position.depth + t0 + (n_tokens + 1) / 2.0);
        uint64_t k = vk_span_address(kv->k[slice]), v = vk_span_address(kv->v[slice]);
        push.k_low = (uint32_t)k;
        push.k_high = (uint32_t)(k >> 32);
        push.v_low = (uint32_t)v;
        push.v_high = (uint32_t)(v >> 32);
        bool partial = push.n_chunks > 1;
        op_frame_dispatch(f, &(op_dispatch){
                                 .kernel = kernel,
                                 .spans = {qkv.span, kv->k[slice], kv->v[slice], a.span, partial ? scratch.span : (vk_span){0},
                                           position.n_past},
                                 .writes = 1 << 3 | 1 << 4,
                                 .push = &push,
                                 .push_bytes = sizeof push,
                                 .groups = {n_blocks, n_heads, push.n_chunks},
                                 .cost_flop = 4 * n_rows * n_seen * kv->head_dim,
                                 .cost_bytes = 2 * n_seen * (double)op_kv_position_bytes(kv->type, kv->head_dim),
                             });
    }
}

uint32_t op_attention_scratch_floats(uint32_t head_dim) { return ATTENTION_BLOCKS + MAX_RECORDS * (head_dim + 4); }

void op_attention_begin(op_frame *f, op_rows scratch) {
    op_frame_fill(f, (vk_span){scratch.span.buffer, scratch.span.offset, ATTENTION_BLOCKS * sizeof(uint32_t)}, 0);
}

void op_attention(op_frame *f, op_rows qkv, const op_kv *kv, op_position position, op_rows a, op_rows scratch) {
    uint32_t n_tokens = qkv.n_rows;
    assert(kv->head_dim % 8 == 0 && kv->head_dim <= 256 && qkv.n_cols % kv->head_dim == 0);
    assert(a.n_rows == n_tokens && a.n_cols + 2 * kv->n_head_kv * kv->head_dim == qkv.n_cols);
    assert(a.n_cols % (kv->n_head_kv * kv->head_dim) == 0 && position.most + n_tokens <= kv->n_ctx);
    assert(scratch.n_cols >= op_attention_scratch_floats(kv->head_dim) && scratch.first_row == 0);
    double flop_per_token = 4.0 * a.n_cols * (position.most + n_tokens);
    double most_flop = fmin(op_frame_most_flop(f), MAX_FLOP);
    uint32_t at_once = flop_per_token * n_tokens > most_flop ? (uint32_t)(most_flop / flop_per_token) / PIECE * PIECE : n_tokens;
    if (at_once < PIECE) at_once = PIECE;
    for (uint32_t t = 0, n; t < n_tokens; t += n) {
        // Few rows have kernels of their own, with other roundings: a rest goes with the piece before it, wherever that was cut.
        n = n_tokens - t < at_once + PIECE ? n_tokens - t : at_once;
        attend(f, qkv, kv, position, a, scratch, t, n);
    }
}
