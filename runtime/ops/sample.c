#include "ops/sample.h"

#include "ops/ops.h"

#include "../../shaders/include/sample_push.h"

#include <assert.h>
#include <float.h>
#include <math.h>

/* Logits that are worth a workgroup of their own, at most SAMPLE_MAX_SLICE. */
enum { MIN_SLICE = 1024, MIN_SLICE_CPU = 8192 };

static uint32_t div_up(uint32_t a, uint32_t b) { return (a + b - 1) / b; }
static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* ---- the state and the ring, as the host sees them */

static bool has_penalties(const pum_sampler_params *p) {
    return (p->repeat_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0) && p->penalty_last_n != 0;
}

static uint32_t n_kept(const pum_sampler_params *p) { return p->temp == 0 ? 1 : (uint32_t)p->top_k; }

bool op_sample_same(const pum_sampler_params *a, const pum_sampler_params *b) {
    return n_kept(a) == n_kept(b) && has_penalties(a) == has_penalties(b);
}

bool op_sample_supported(const pum_sampler_params *params, uint32_t n_vocab, uint32_t n_stop_ids) {
    if (params->temp != 0 && (params->top_k < 1 || params->top_k > STEP_MAX_TOP_K)) return false;
    if (has_penalties(params) && (params->penalty_last_n < 0 || params->penalty_last_n > STEP_MAX_WINDOW)) return false;
    return n_vocab >= 1 && n_vocab <= 1u << STEP_TOKEN_BITS && n_stop_ids <= STEP_MAX_STOP_IDS;
}

void op_step_fill(struct step_state *state, const op_step_start *start) {
    const pum_sampler_params *p = start->params;
    assert(op_sample_supported(p, 1, start->n_stop_ids));
    *state = (struct step_state){
        .token = (uint32_t)start->token,
        .n_past = start->n_past,
        .n_end = start->n_end,
        .seed = {(uint32_t)p->seed, (uint32_t)(p->seed >> 32)},
        .n_draws = {(uint32_t)start->n_draws, (uint32_t)(start->n_draws >> 32)},
        .inverse_temp = p->temp == 0 ? 0 : fminf(1 / p->temp, FLT_MAX),
        .top_p = p->top_p,
        .log_min_p = fmaxf(logf(p->min_p), -FLT_MAX),
        .repeat = p->repeat_penalty,
        .inverse_repeat = 1 / p->repeat_penalty,
        .presence = p->presence_penalty,
        .frequency = p->frequency_penalty,
        .n_stop_ids = start->n_stop_ids,
        .n_window = has_penalties(p) ? (uint32_t)p->penalty_last_n : 0,
    };
    for (uint32_t i = 0; i < start->n_stop_ids; i++) state->stop_ids[i] = (uint32_t)start->stop_ids[i];
    for (uint32_t i = 0; i < STEP_MAX_WINDOW; i++) state->window[i] = UINT32_MAX;
    if (state->n_window == 0) return;
    // A window that is full goes round: the next token takes the place of the oldest.
    size_t n = start->n_history < state->n_window ? start->n_history : state->n_window;
    for (size_t i = 0; i < n; i++) state->window[i] = (uint32_t)start->history[start->n_history - n + i];
    state->window_at = (uint32_t)n % state->n_window;
}

bool op_step_read(const volatile uint32_t *ring, uint32_t n_ring, uint32_t n_made, op_step_record *record) {
    uint32_t word = ring[n_made % n_ring];
    uint32_t token = word & ((1u << STEP_TOKEN_BITS) - 1), stopped = word >> STEP_TOKEN_BITS & ((1u << STEP_STOPPED_BITS) - 1);
    if (word != STEP_RECORD(n_made + 1, stopped, token)) return false;
    *record = (op_step_record){stopped, (int32_t)token};
    return true;
}

/* ---- recording */

/* On a CPU driver a workgroup is one subgroup where that has eight lanes: barriers cost little then. llvmpipe ends every loop
 * after 65535 turns of all loops of an invocation together, of which eight lanes take 50,000 at most, whatever the logits are. */
static uint32_t group_size(const vk_caps *caps) { return caps->type == PUM_DEVICE_CPU ? min_u32(max_u32(caps->subgroup_size, 8), 128) : 128; }

static const op_kernel *get_kernel(op_frame *f, const char *op, bool penalties) {
    op_kernels *kernels = op_frame_kernels(f);
    uint32_t constants[] = {group_size(&op_kernels_device(kernels)->caps), penalties};
    op_kernel_params params = {
        .n_bindings = 3, .push_bytes = sizeof(struct sample_push), .constants = constants, .n_constants = 2};
    const op_kernel *kernel;
    pum_error error;
    pum_status status = op_kernel_get(kernels, op_variant_choose(kernels, op, OP_ONE, NULL, NULL), &params, &kernel, &error);
    if (status != PUM_OK) op_frame_fail(f, status, "sampling: %s", error.message);
    return kernel;
}

void op_sample(op_frame *f, const pum_sampler_params *params, op_rows logits, vk_span state, vk_span ring, op_rows scratch) {
    uint32_t n_vocab = logits.n_cols, n_ring = (uint32_t)(ring.n_bytes / sizeof(uint32_t)), top_k = n_kept(params);
    assert(op_sample_supported(params, n_vocab, 0) && logits.n_rows == 1);
    assert(state.n_bytes == sizeof(struct step_state) && n_ring >= 1 && n_ring < 1u << STEP_NUMBER_BITS);
    assert(scratch.first_row == 0 && scratch.span.n_bytes >= OP_SAMPLE_SCRATCH_BYTES);
    bool cpu = op_kernels_device(op_frame_kernels(f))->caps.type == PUM_DEVICE_CPU;
    uint32_t n_slices = min_u32(div_up(n_vocab, cpu ? MIN_SLICE_CPU : MIN_SLICE), SAMPLE_MAX_CANDIDATES / top_k);
    struct sample_push push = {
        .n_vocab = n_vocab,
        .first_logit = logits.first_row * n_vocab,
        .n_slice = div_up(n_vocab, n_slices),
        .top_k = top_k,
        .n_ring = n_ring,
    };
    n_slices = div_up(n_vocab, push.n_slice);
    push.n_candidates = n_slices * top_k;
    assert(push.n_slice <= SAMPLE_MAX_SLICE);
    vk_span candidates = {scratch.span.buffer, scratch.span.offset, OP_SAMPLE_SCRATCH_BYTES};
    op_frame_dispatch(f, &(op_dispatch){
                             .kernel = get_kernel(f, "sample_top", has_penalties(params)),
                             .spans = {logits.span, state, candidates},
                             .writes = 1 << 2,
                             .push = &push,
                             .push_bytes = sizeof push,
                             .groups = {n_slices},
                             .cost_bytes = 8.0 * n_vocab,
                         });
    op_frame_dispatch(f, &(op_dispatch){
                             .kernel = get_kernel(f, "sample_choose", false),
                             .spans = {candidates, state, ring},
                             .writes = 1 << 1 | 1 << 2,
                             .push = &push,
                             .push_bytes = sizeof push,
                             .groups = {1},
                             .cost_bytes = 8.0 * push.n_candidates,
                         });
}
