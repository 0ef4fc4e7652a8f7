#include "llama/prepare.h"

#include "base/log.h"
#include "llama/context.h"

enum { SHORT_PROMPT = 16 };

/* A pass without memory, and of a context that is not deep: kernels for depth are made where it is reached. */
static pum_status rehearse(op_kernels *rehearsal, const llama_weights *w, pum_error *err) {
    const llama_config *g = &w->config;
    op_kv kv = {.n_head_kv = g->n_head_kv, .n_ctx = g->n_ctx_train, .head_dim = g->head_dim, .n_slices = 1};
    kv.heads_per_slice = g->n_head_kv;
    vk_span nowhere = {0};
    kv.k = kv.v = &nowhere;
    llama_context c = {.kernels = rehearsal, .weights = w, .n_ctx = g->n_ctx_train, .rope = {.n_rot = g->n_rot}};
    c.n_chunk = llama_default_chunk(g->n_ctx_train);
    llama_context_shapes(&c);
    pum_status status = PUM_OK;
    c.kv = arena_alloc(&c.arena, g->n_layer, sizeof *c.kv);
    if (!c.kv) return pum_fail_memory(err, "preparing kernels", g->n_layer * sizeof *c.kv);
    for (uint32_t il = 0; il < g->n_layer; il++) c.kv[il] = kv;
    status = op_frame_create(rehearsal, &c.frame, err);
    // Where steps live on the device they sample there, mostly without penalties; how many they keep makes no other kernel.
    static const pum_sampler_params plain = {.repeat_penalty = 1};
    bool samples = op_kernels_device(rehearsal)->caps.type != PUM_DEVICE_CPU && op_sample_supported(&plain, g->n_vocab, 0);
    const vk_span state = {.n_bytes = sizeof(struct step_state)}, ring = {.n_bytes = LLAMA_RING * sizeof(uint32_t)};
    // As they will be needed: a prompt that is short, as most first ones are, a token behind it, a prompt of whole chunks.
    const uint32_t n_tokens[] = {c.n_chunk < SHORT_PROMPT ? c.n_chunk : SHORT_PROMPT, 1, c.n_chunk};
    for (size_t i = 0; i < sizeof n_tokens / sizeof *n_tokens && status == PUM_OK; i++) {
        op_frame_begin(c.frame, NULL);
        llama_record_layers(&c, (vk_span){.n_bytes = n_tokens[i] * sizeof(int32_t)}, n_tokens[i], (op_position){nowhere, 0});
        llama_record_output(&c, n_tokens[i] - 1, 1);
        if (n_tokens[i] == 1 && samples) op_sample(c.frame, &plain, op_rows_view(c.logits, 0, 1), state, ring, c.candidates);
        status = op_frame_end(c.frame, err);
    }
    op_frame_destroy(&c.frame);
    arena_free(&c.arena);
    return status;
}

void llama_prepare(op_kernels *kernels, const llama_weights *w) {
    op_kernels *rehearsal;
    pum_error error;
    pum_status status = op_kernels_rehearse(kernels, &rehearsal, &error);
    if (status == PUM_OK) status = rehearse(rehearsal, w, &error);
    if (status != PUM_OK) base_log(PUM_LOG_DEBUG, "kernels are not made ahead: %s", error.message);
    if (rehearsal) op_kernels_prepare(kernels, &rehearsal);
}
