#include "llama/context.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEFAULT_CHUNK = 512,
    N_PAST = offsetof(struct step_state, n_past), ///< in the state and in the host's copy of it
    TOKENS = 2048,                                ///< in the host's buffer, behind the state: aligned as any device wants it
    LOGIT_ROWS = 32,                              ///< rows of logits computed at once when those of every token are wanted
};

uint32_t llama_default_chunk(uint32_t n_ctx) { return n_ctx < DEFAULT_CHUNK ? n_ctx : DEFAULT_CHUNK; }
static uint32_t logit_rows(uint32_t n_chunk) { return n_chunk < LOGIT_ROWS ? n_chunk : LOGIT_ROWS; }
static uint64_t pass_bytes(uint32_t n_chunk) { return TOKENS + n_chunk * sizeof(int32_t); }
static bool has_head(const llama_config *g, const llama_stage_place *s) { return s->first_layer + s->n_layer == g->n_layer; }
static uint64_t answer_bytes(const llama_config *g, uint32_t n_chunk) {
    return (uint64_t)logit_rows(n_chunk) * g->n_vocab * sizeof(float);
}
/* What the host talks through, which the device sees too. */
static uint64_t host_bytes(const llama_config *g, const llama_stage_place *s, uint32_t n_chunk) {
    uint64_t crossing = (uint64_t)n_chunk * g->n_embd * sizeof(float), n_bytes = pass_bytes(n_chunk);
    n_bytes += s->first_layer > 0 ? crossing : 0;
    return n_bytes + (has_head(g, s) ? LLAMA_RING * sizeof(uint32_t) + answer_bytes(g, n_chunk) : crossing);
}

_Static_assert(sizeof(struct step_state) <= TOKENS, "the tokens follow the state");

/* The activations: one row each, so that planning and taking cannot differ. */
typedef struct rows_slot {
    op_rows *rows;
    uint32_t n_rows, n_cols;
} rows_slot;
enum { N_ROWS_SLOTS = 10 };

/* Slots without rows take nothing: only the last stage has a head. */
static void rows_slots(llama_context *c, const llama_config *g, uint32_t n_chunk, bool head, rows_slot slots[N_ROWS_SLOTS]) {
    const rows_slot all[N_ROWS_SLOTS] = {
        {&c->x, n_chunk, g->n_embd},
        {&c->n, n_chunk, g->n_embd},
        {&c->qkv, n_chunk, (g->n_head + 2 * g->n_head_kv) * g->head_dim},
        {&c->a, n_chunk, g->n_head * g->head_dim},
        {&c->h, n_chunk, g->n_ff},
        {&c->h2, n_chunk, g->n_ff},
        {&c->partial, 1, op_attention_scratch_floats(g->head_dim)},
        {&c->state, 1, sizeof(struct step_state) / sizeof(float)},
        {&c->candidates, head ? 1 : 0, OP_SAMPLE_SCRATCH_BYTES / sizeof(float)},
        {&c->logits, head ? logit_rows(n_chunk) : 0, g->n_vocab},
    };
    memcpy(slots, all, sizeof all);
}

void llama_context_shapes(llama_context *c) {
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(c, &c->weights->config, c->n_chunk, true, slots);
    for (int i = 0; i < N_ROWS_SLOTS; i++) {
        uint32_t n_rows = slots[i].n_rows, n_cols = slots[i].n_cols;
        *slots[i].rows = (op_rows){.span.n_bytes = sizeof(float) * n_rows * n_cols, .n_rows = n_rows, .n_cols = n_cols};
    }
}

llama_context_plan llama_plan_context(const vk_caps *caps, const llama_config *config, llama_context_shape shape,
                                      const llama_stage_place *stage) {
    llama_context unused;
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(&unused, config, shape.n_chunk, has_head(config, stage), slots);
    llama_context_plan plan = {
        .kv_bytes = stage->n_layer * op_kv_bytes(caps, shape.kv_type, config->n_head_kv, shape.n_ctx, config->head_dim),
        .scratch_bytes = op_rope_bytes(shape.n_ctx, config->n_rot),
    };
    for (int i = 0; i < N_ROWS_SLOTS; i++) plan.scratch_bytes += op_rows_bytes(slots[i].n_rows, slots[i].n_cols);
    plan.scratch_bytes += host_bytes(config, stage, shape.n_chunk);
    return plan;
}

uint32_t llama_most_ctx(const vk_caps *caps, const llama_config *config, tensor_type kv_type) {
    uint64_t of_kv = op_kv_position_bytes(kv_type, config->head_dim), of_table = op_rope_position_bytes(config->n_rot);
    uint64_t most = caps->max_storage_range / (of_kv > of_table ? of_kv : of_table);
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

/* KV cache, activations and rope table of a stage, each part where it is planned. */
static pum_status take_memory(llama_context *c, const llama_stage_place *stage, llama_context_shape shape, uint32_t n_kv_in_host,
                              bool scratch_in_host, pum_error *err) {
    const llama_config *g = &c->weights->config;
    llama_context_plan plan = llama_plan_context(&op_kernels_device(c->kernels)->caps, g, shape, stage);
    uint64_t scratch = plan.scratch_bytes - host_bytes(g, stage, c->n_chunk);
    uint64_t in_host = plan.kv_bytes / c->n_layer * n_kv_in_host + (scratch_in_host ? scratch : 0);
    pum_status status = op_memory_create(c->kernels, plan.kv_bytes + scratch - in_host, "KV cache and scratch", &c->memory, err);
    if (status == PUM_OK && in_host) status = op_memory_add_host(c->memory, in_host, err);
    for (uint32_t il = 0; il < c->n_layer && status == PUM_OK; il++) {
        op_memory_in_host(c->memory, il >= c->n_layer - n_kv_in_host);
        status = op_memory_kv(c->memory, shape.kv_type, g->n_head_kv, c->n_ctx, g->head_dim, &c->kv[il], err);
    }
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(c, g, c->n_chunk, !c->next, slots);
    if (status == PUM_OK) op_memory_in_host(c->memory, scratch_in_host);
    for (int i = 0; i < N_ROWS_SLOTS && status == PUM_OK; i++)
        if (slots[i].n_rows) status = op_memory_rows(c->memory, slots[i].n_rows, slots[i].n_cols, slots[i].rows, err);
    if (status == PUM_OK) status = op_memory_rope(c->memory, c->n_ctx, g->n_rot, c->weights->rope_frequencies, &c->rope, err);
    return status == PUM_OK ? op_memory_sent(c->memory, err) : status;
}

/* What the host talks through: tokens go in at each stage, x at the borders, logits come out at the end. */
static pum_status take_host_memory(llama_context *c, pum_error *err) {
    const llama_config *g = &c->weights->config;
    uint64_t crossing = (uint64_t)c->n_chunk * g->n_embd * sizeof(float);
    op_kernels *k = c->kernels;
    pum_status status = op_host_create(k, pass_bytes(c->n_chunk), OP_HOST_WRITES, "token ids", &c->pass, err);
    if (status == PUM_OK && !llama_is_first(c))
        status = op_host_create(k, crossing, OP_HOST_WRITES, "activations of another device", &c->arriving, err);
    if (status == PUM_OK && c->next)
        status = op_host_create(k, crossing, OP_HOST_READS, "activations for another device", &c->leaving, err);
    if (status != PUM_OK || c->next) return status;
    status = op_host_create(k, LLAMA_RING * sizeof(uint32_t), OP_HOST_READS, "chosen tokens", &c->ring, err);
    if (status == PUM_OK) status = op_host_create(k, answer_bytes(g, c->n_chunk), OP_HOST_READS, "logits", &c->answer, err);
    return status;
}

static pum_status check_kv_type(const llama_config *g, tensor_type kv_type, pum_error *err) {
    if (kv_type != TENSOR_Q8_0 || g->head_dim % 32 == 0) return PUM_OK;
    return pum_fail(err, PUM_ERR_UNSUPPORTED,
                    "KV cache in q8_0: expected heads of a multiple of 32 dimensions, got %u; use f16 (--kv f16)", g->head_dim);
}

/* From a stage on to the last. */
static pum_status create_from(const llama_weights *weights, uint32_t index, llama_context_shape shape,
                              const llama_context_place *place, llama_context **context, pum_error *err) {
    *context = NULL;
    if (index == weights->n_stages) return PUM_OK;
    const llama_stage *stage = &weights->stages[index];
    llama_context *c = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "a session", sizeof *c);
    c->kernels = stage->kernels;
    c->weights = weights;
    c->first_layer = stage->place.first_layer;
    c->n_layer = stage->place.n_layer;
    c->n_ctx = shape.n_ctx;
    c->n_chunk = shape.n_chunk;
    pum_status status = create_from(weights, index + 1, shape, place, &c->next, err);
    c->kv = arena_alloc(&c->arena, c->n_layer, sizeof *c->kv);
    if (status == PUM_OK && !c->kv) status = pum_fail_memory(err, "the table of the KV cache", c->n_layer * sizeof *c->kv);
    if (status == PUM_OK)
        status = take_memory(c, &stage->place, shape, place ? place->stages[index].n_in_host : 0,
                             place && place->stages[index].scratch_in_host, err);
    if (status == PUM_OK) status = take_host_memory(c, err);
    if (status == PUM_OK) status = op_frame_create(c->kernels, &c->frame, err);
    if (status == PUM_OK) status = op_recording_create(c->kernels, &c->step, err);
    if (status == PUM_OK) status = op_recording_create(c->kernels, &c->run.step, err);
    if (status != PUM_OK) llama_context_destroy(&c);
    *context = c;
    return status;
}

pum_status llama_context_create(const llama_weights *weights, llama_context_shape shape, const llama_context_place *place,
                                llama_context **context, pum_error *err) {
    *context = NULL;
    pum_status status = check_kv_type(&weights->config, shape.kv_type, err);
    return status == PUM_OK ? create_from(weights, 0, shape, place, context, err) : status;
}

void llama_context_destroy(llama_context **context) {
    llama_context *c = *context;
    if (!c) return;
    llama_context_destroy(&c->next);
    op_recording_destroy(&c->step);
    op_recording_destroy(&c->run.step);
    op_frame_destroy(&c->frame);
    op_host *hosts[] = {&c->pass, &c->ring, &c->answer, &c->arriving, &c->leaving};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) op_host_destroy(c->kernels, hosts[i]);
    op_memory_destroy(&c->memory);
    arena_free(&c->arena);
    free(c);
    *context = NULL;
}

uint32_t llama_layers_in_host(const llama_context *c) {
    uint32_t n = 0;
    for (; c; c = c->next)
        for (uint32_t i = 0; i < c->n_layer; i++)
            n += op_kv_in_host(&c->kv[i]) || llama_layer_in_host(c->weights, c->first_layer + i);
    return n;
}

op_frame_counts llama_counts(const llama_context *c) {
    op_frame_counts sum = {0};
    for (; c; c = c->next) {
        sum.dispatches += c->counts.dispatches;
        sum.barriers += c->counts.barriers;
        sum.submissions += c->counts.submissions;
        sum.device_ns += c->counts.device_ns;
    }
    return sum;
}

void llama_record_output(llama_context *c, uint32_t first_row, uint32_t n_rows) {
    const llama_weights *w = c->weights;
    op_rows n = op_rows_view(c->n, 0, n_rows), logits = op_rows_view(c->logits, 0, n_rows);
    op_frame_name(c->frame, "norm+logits");
    op_norm_matmul(c->frame, op_rows_view(c->x, first_row, n_rows), &w->output_norm, w->config.norm_eps, &w->output, logits, n);
}

void llama_record_layers(llama_context *c, vk_span tokens, uint32_t n_tokens, op_position position) {
    const llama_weights *w = c->weights;
    op_frame *f = c->frame;
    float eps = w->config.norm_eps;
    op_rows x = op_rows_view(c->x, 0, n_tokens), n = op_rows_view(c->n, 0, n_tokens);
    op_rows qkv = op_rows_view(c->qkv, 0, n_tokens), a = op_rows_view(c->a, 0, n_tokens);
    op_rows h = op_rows_view(c->h, 0, n_tokens), h2 = op_rows_view(c->h2, 0, n_tokens);

    op_attention_begin(f, c->partial);
    op_frame_name(f, "embed");
    if (llama_is_first(c))
        op_embed(f, &w->token_embd, tokens, x);
    else
        op_write(f, &c->arriving, x);
    for (uint32_t il = 0; il < c->n_layer; il++) {
        const llama_layer *l = &w->layers[c->first_layer + il];
        op_frame_name(f, "norm+qkv"); // q, k, v = W·rmsnorm(x)
        op_norm_matmul_stack(f, x, &l->attn_norm, eps, &l->attn_qkv, qkv, n);
        op_frame_name(f, "rope+store"); // rotate q and k, append k and v
        op_rope_store(f, &c->rope, qkv, position, &c->kv[il]);
        op_frame_name(f, "attention"); // causal, online softmax, grouped queries
        op_attention(f, qkv, &c->kv[il], position, a, c->partial);
        op_frame_name(f, "output"); // x += Wo·a
        op_matmul_add(f, &l->attn_output, a, x);
        op_frame_name(f, "norm+swiglu"); // h = silu(Wgate·m)·(Wup·m), m = rmsnorm(x)
        op_norm_swiglu(f, x, &l->ffn_norm, eps, &l->ffn_gate, &l->ffn_up, h, n, h2);
        op_frame_name(f, "down"); // x += Wdown·h
        op_matmul_add(f, &l->ffn_down, h, x);
    }
}

vk_span llama_n_past_span(const llama_context *c) {
    return (vk_span){c->state.span.buffer, c->state.span.offset + N_PAST, sizeof(uint32_t)};
}

/* A stage's part of everything from the host's n_past and tokens to its logits. most, depth: of op_position. */
static void record_pass(llama_context *c, uint32_t n_tokens, uint32_t most, uint32_t depth, bool logits) {
    op_frame_copy(c->frame, op_host_span(&c->pass, N_PAST, sizeof(uint32_t)), llama_n_past_span(c));
    llama_record_layers(c, op_host_span(&c->pass, TOKENS, n_tokens * sizeof(int32_t)), n_tokens,
                        (op_position){llama_n_past_span(c), most, depth});
    if (c->next) op_read(c->frame, op_rows_view(c->x, 0, n_tokens), &c->leaving);
    if (c->next || !logits) return;
    llama_record_output(c, n_tokens - 1, 1);
    op_read(c->frame, op_rows_view(c->logits, 0, 1), &c->answer);
}

uint32_t llama_step_most(const llama_context *c, uint32_t n_past) {
    uint32_t step = 256;
    while (step < n_past / 4) step *= 2;
    uint32_t most = (n_past / step + 1) * step - 1;
    return most < c->n_ctx ? most : c->n_ctx - 1;
}

/* One token with its logits, by the recording. */
static pum_status run_step(llama_context *c, uint32_t n_past, atomic_bool *abort, pum_error *err) {
    if (abort && atomic_load(abort)) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    uint32_t most = llama_step_most(c, n_past);
    pum_status status = PUM_OK;
    if (c->step_most != most) {
        c->step_most = 0;
        op_frame_begin_recording(c->frame, c->step);
        record_pass(c, 1, most, most, true);
        if ((status = op_frame_end(c->frame, err)) != PUM_OK) return status;
        c->step_most = most;
        c->step_counts = op_frame_get_counts(c->frame);
    }
    c->counts = c->step_counts;
    status = op_recording_submit(c->step, 1, err);
    pum_status waited = op_recording_wait(c->step, status == PUM_OK ? err : NULL);
    if (status == PUM_OK) status = waited;
    if (status != PUM_OK) c->step_most = 0;
    return status;
}

/* What a stage needs of the host before it runs; before: the one that left x. */
static void set_pass(llama_context *c, const llama_context *before, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past) {
    assert(n_tokens >= 1 && n_tokens <= c->n_chunk && n_past + n_tokens <= c->n_ctx);
    memcpy((char *)c->pass.buffer.mapped + N_PAST, &n_past, sizeof n_past);
    memcpy((char *)c->pass.buffer.mapped + TOKENS, tokens, n_tokens * sizeof *tokens);
    if (before)
        memcpy(c->arriving.buffer.mapped, before->leaving.buffer.mapped,
               (uint64_t)n_tokens * c->weights->config.n_embd * sizeof(float));
}

static pum_status run_pass(llama_context *c, uint32_t n_tokens, uint32_t n_past, bool logits, atomic_bool *abort,
                           pum_error *err) {
    if (n_tokens == 1 && logits && c->measured_step) return run_step(c, n_past, abort, err);
    uint32_t most = n_tokens == 1 ? llama_step_most(c, n_past) : n_past;
    op_frame_begin(c->frame, abort);
    record_pass(c, n_tokens, most, n_past, logits);
    pum_status status = op_frame_end(c->frame, err);
    c->counts = op_frame_get_counts(c->frame);
    c->measured_step = c->measured_step || (status == PUM_OK && n_tokens == 1);
    return status;
}

static llama_context *last_of(llama_context *c) {
    while (c->next) c = c->next;
    return c;
}

pum_status llama_measure(llama_context *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, op_times *times,
                         atomic_bool *abort, pum_error *err) {
    pum_status status = PUM_OK;
    for (llama_context *c = context, *before = NULL; c && status == PUM_OK; before = c, c = c->next) {
        set_pass(c, before, tokens, n_tokens, n_past);
        op_frame_measure(c->frame, times);
        op_frame_begin(c->frame, abort);
        record_pass(c, n_tokens, n_tokens == 1 ? llama_step_most(c, n_past) : n_past, n_past, true);
        status = op_frame_end(c->frame, err);
        op_frame_measure(c->frame, NULL);
    }
    return status;
}

pum_status llama_forward(llama_context *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, float *logits,
                         atomic_bool *abort, pum_error *err) {
    pum_status status = PUM_OK;
    for (llama_context *c = context, *before = NULL; c && status == PUM_OK; before = c, c = c->next) {
        set_pass(c, before, tokens, n_tokens, n_past);
        status = run_pass(c, n_tokens, n_past, logits, abort, err);
    }
    if (status == PUM_OK && logits)
        memcpy(logits, last_of(context)->answer.buffer.mapped, context->weights->config.n_vocab * sizeof *logits);
    return status;
}

pum_status llama_logits(llama_context *context, uint32_t first_row, uint32_t n_rows, float *logits, atomic_bool *abort,
                        pum_error *err) {
    llama_context *c = last_of(context);
    uint64_t n_vocab = c->weights->config.n_vocab;
    pum_status status = PUM_OK;
    for (uint32_t done = 0, n; done < n_rows && status == PUM_OK; done += n) {
        n = n_rows - done < logit_rows(c->n_chunk) ? n_rows - done : logit_rows(c->n_chunk);
        op_frame_begin(c->frame, abort);
        llama_record_output(c, first_row + done, n);
        op_read(c->frame, op_rows_view(c->logits, 0, n), &c->answer);
        status = op_frame_end(c->frame, err);
        if (status == PUM_OK) memcpy(logits + done * n_vocab, c->answer.buffer.mapped, n * n_vocab * sizeof *logits);
    }
    return status;
}
