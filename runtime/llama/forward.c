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
static uint64_t answer_bytes(const llama_config *g, uint32_t n_chunk) {
    return (uint64_t)logit_rows(n_chunk) * g->n_vocab * sizeof(float);
}
/* What the host talks through, which the device sees too. */
static uint64_t host_bytes(const llama_config *g, uint32_t n_chunk) {
    return pass_bytes(n_chunk) + LLAMA_RING * sizeof(uint32_t) + answer_bytes(g, n_chunk);
}

_Static_assert(sizeof(struct step_state) <= TOKENS, "the tokens follow the state");

/* The activations: one row each, so that planning and taking cannot differ. */
typedef struct rows_slot {
    op_rows *rows;
    uint32_t n_rows, n_cols;
} rows_slot;
enum { N_ROWS_SLOTS = 10 };

static void rows_slots(llama_context *c, const llama_config *g, uint32_t n_chunk, rows_slot slots[N_ROWS_SLOTS]) {
    const rows_slot all[N_ROWS_SLOTS] = {
        {&c->x, n_chunk, g->n_embd},
        {&c->n, n_chunk, g->n_embd},
        {&c->qkv, n_chunk, (g->n_head + 2 * g->n_head_kv) * g->head_dim},
        {&c->a, n_chunk, g->n_head * g->head_dim},
        {&c->h, n_chunk, g->n_ff},
        {&c->h2, n_chunk, g->n_ff},
        {&c->partial, 1, op_attention_scratch_floats(g->head_dim)},
        {&c->state, 1, sizeof(struct step_state) / sizeof(float)},
        {&c->candidates, 1, OP_SAMPLE_SCRATCH_BYTES / sizeof(float)},
        {&c->logits, logit_rows(n_chunk), g->n_vocab},
    };
    memcpy(slots, all, sizeof all);
}

void llama_context_shapes(llama_context *c) {
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(c, &c->weights->config, c->n_chunk, slots);
    for (int i = 0; i < N_ROWS_SLOTS; i++) {
        uint32_t n_rows = slots[i].n_rows, n_cols = slots[i].n_cols;
        *slots[i].rows = (op_rows){.span.n_bytes = sizeof(float) * n_rows * n_cols, .n_rows = n_rows, .n_cols = n_cols};
    }
}

llama_context_plan llama_plan_context(const vk_caps *caps, const llama_config *config, llama_context_shape shape) {
    llama_context unused;
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(&unused, config, shape.n_chunk, slots);
    llama_context_plan plan = {
        .kv_bytes = config->n_layer * op_kv_bytes(caps, shape.kv_type, config->n_head_kv, shape.n_ctx, config->head_dim),
        .scratch_bytes = op_rope_bytes(shape.n_ctx, config->n_rot),
    };
    for (int i = 0; i < N_ROWS_SLOTS; i++) plan.scratch_bytes += op_rows_bytes(slots[i].n_rows, slots[i].n_cols);
    plan.scratch_bytes += host_bytes(config, shape.n_chunk);
    return plan;
}

pum_status llama_context_create(op_kernels *kernels, const llama_weights *weights, llama_context_shape shape,
                                llama_context **context, pum_error *err) {
    *context = NULL;
    const llama_config *g = &weights->config;
    uint32_t n_ctx = shape.n_ctx, n_chunk = shape.n_chunk;
    if (shape.kv_type == TENSOR_Q8_0 && g->head_dim % 32 != 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "KV cache in q8_0: expected heads of a multiple of 32 dimensions, got %u; use f16 (--kv f16)",
                        g->head_dim);
    llama_context *c = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "a session", sizeof *c);
    c->kernels = kernels;
    c->weights = weights;
    c->n_ctx = n_ctx;
    c->n_chunk = n_chunk;
    llama_context_plan plan = llama_plan_context(&op_kernels_device(kernels)->caps, g, shape);
    pum_status status = PUM_OK;
    c->kv = arena_alloc(&c->arena, g->n_layer, sizeof *c->kv);
    if (!c->kv) status = pum_fail_memory(err, "the table of the KV cache", g->n_layer * sizeof *c->kv);
    if (status == PUM_OK)
        status = op_memory_create(kernels, plan.kv_bytes + plan.scratch_bytes - host_bytes(g, n_chunk), "KV cache and scratch",
                                  &c->memory, err);
    for (uint32_t il = 0; il < g->n_layer && status == PUM_OK; il++)
        status = op_memory_kv(c->memory, shape.kv_type, g->n_head_kv, n_ctx, g->head_dim, &c->kv[il], err);
    rows_slot slots[N_ROWS_SLOTS];
    rows_slots(c, g, n_chunk, slots);
    for (int i = 0; i < N_ROWS_SLOTS && status == PUM_OK; i++)
        status = op_memory_rows(c->memory, slots[i].n_rows, slots[i].n_cols, slots[i].rows, err);
    if (status == PUM_OK) status = op_memory_rope(c->memory, n_ctx, g->n_rot, weights->rope_frequencies, &c->rope, err);
    if (status == PUM_OK) status = op_memory_sent(c->memory, err);
    if (status == PUM_OK) status = op_host_create(kernels, pass_bytes(n_chunk), OP_HOST_WRITES, "token ids", &c->pass, err);
    if (status == PUM_OK)
        status = op_host_create(kernels, LLAMA_RING * sizeof(uint32_t), OP_HOST_READS, "chosen tokens", &c->ring, err);
    if (status == PUM_OK) status = op_host_create(kernels, answer_bytes(g, n_chunk), OP_HOST_READS, "logits", &c->answer, err);
    if (status == PUM_OK) status = op_frame_create(kernels, &c->frame, err);
    if (status == PUM_OK) status = op_recording_create(kernels, &c->step, err);
    if (status == PUM_OK) status = op_recording_create(kernels, &c->run.step, err);
    if (status != PUM_OK) llama_context_destroy(&c);
    *context = c;
    return status;
}

void llama_context_destroy(llama_context **context) {
    llama_context *c = *context;
    if (!c) return;
    op_recording_destroy(&c->step);
    op_recording_destroy(&c->run.step);
    op_frame_destroy(&c->frame);
    op_host_destroy(c->kernels, &c->pass);
    op_host_destroy(c->kernels, &c->ring);
    op_host_destroy(c->kernels, &c->answer);
    op_memory_destroy(&c->memory);
    arena_free(&c->arena);
    free(c);
    *context = NULL;
}

op_frame_counts llama_counts(const llama_context *context) { return context->counts; }

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
    op_embed(f, &w->token_embd, tokens, x);
    for (uint32_t il = 0; il < w->config.n_layer; il++) {
        const llama_layer *l = &w->layers[il];
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

/* Everything from the host's n_past and tokens to its logits. most, depth: of op_position. */
static void record_pass(llama_context *c, uint32_t n_tokens, uint32_t most, uint32_t depth, bool logits) {
    op_frame_copy(c->frame, op_host_span(&c->pass, N_PAST, sizeof(uint32_t)), llama_n_past_span(c));
    llama_record_layers(c, op_host_span(&c->pass, TOKENS, n_tokens * sizeof(int32_t)), n_tokens,
                        (op_position){llama_n_past_span(c), most, depth});
    if (!logits) return;
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

static void set_pass(llama_context *c, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past) {
    assert(n_tokens >= 1 && n_tokens <= c->n_chunk && n_past + n_tokens <= c->n_ctx);
    memcpy((char *)c->pass.buffer.mapped + N_PAST, &n_past, sizeof n_past);
    memcpy((char *)c->pass.buffer.mapped + TOKENS, tokens, n_tokens * sizeof *tokens);
}

pum_status llama_measure(llama_context *c, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, op_times *times,
                         atomic_bool *abort, pum_error *err) {
    set_pass(c, tokens, n_tokens, n_past);
    op_frame_measure(c->frame, times);
    op_frame_begin(c->frame, abort);
    record_pass(c, n_tokens, n_tokens == 1 ? llama_step_most(c, n_past) : n_past, n_past, true);
    pum_status status = op_frame_end(c->frame, err);
    op_frame_measure(c->frame, NULL);
    return status;
}

pum_status llama_forward(llama_context *c, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, float *logits,
                         atomic_bool *abort, pum_error *err) {
    set_pass(c, tokens, n_tokens, n_past);
    pum_status status;
    if (n_tokens == 1 && logits && c->measured_step) {
        status = run_step(c, n_past, abort, err);
    } else {
        uint32_t most = n_tokens == 1 ? llama_step_most(c, n_past) : n_past;
        op_frame_begin(c->frame, abort);
        record_pass(c, n_tokens, most, n_past, logits);
        status = op_frame_end(c->frame, err);
        c->counts = op_frame_get_counts(c->frame);
        c->measured_step = c->measured_step || (status == PUM_OK && n_tokens == 1);
    }
    if (status == PUM_OK && logits) memcpy(logits, c->answer.buffer.mapped, c->weights->config.n_vocab * sizeof *logits);
    return status;
}

pum_status llama_logits(llama_context *c, uint32_t first_row, uint32_t n_rows, float *logits, atomic_bool *abort,
                        pum_error *err) {
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
