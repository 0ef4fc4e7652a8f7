#include "llama/prepare.h"

#include "base/log.h"
#include "gguf/random_blocks.h"
#include "llama/context.h"
#include "llama/tensors.h"

enum { SHORT_PROMPT = 16 };

/* A stage's part of passes of so many tokens each, without memory, in a context of this depth. */
static pum_status rehearse(op_kernels *rehearsal, const llama_weights *w, const llama_stage_place *stage,
                           const uint32_t *n_tokens, int n_passes, uint32_t n_past, pum_error *err) {
    const llama_config *g = &w->config;
    op_kv kv = {.type = TENSOR_F16, .n_head_kv = g->n_head_kv, .n_ctx = g->n_ctx_train, .head_dim = g->head_dim, .n_slices = 1};
    kv.heads_per_slice = g->n_head_kv;
    vk_span nowhere = {0};
    kv.k = kv.v = &nowhere;
    llama_context c = {.kernels = rehearsal, .weights = w, .n_ctx = g->n_ctx_train, .rope = {.n_rot = g->n_rot}};
    c.first_layer = stage->first_layer;
    c.n_layer = stage->n_layer;
    bool last = c.first_layer + c.n_layer == g->n_layer, alone = last && llama_is_first(&c);
    c.n_chunk = llama_default_chunk(g->n_ctx_train);
    llama_context_shapes(&c);
    pum_status status = PUM_OK;
    c.kv = arena_alloc(&c.arena, c.n_layer, sizeof *c.kv);
    if (!c.kv) return pum_fail_memory(err, "preparing kernels", c.n_layer * sizeof *c.kv);
    for (uint32_t il = 0; il < c.n_layer; il++) c.kv[il] = kv;
    status = op_frame_create(rehearsal, &c.frame, err);
    // Where steps live on the device they sample there, mostly without penalties; how many they keep makes no other kernel.
    static const pum_sampler_params plain = {.repeat_penalty = 1};
    bool samples =
        alone && op_kernels_device(rehearsal)->caps.type != PUM_DEVICE_CPU && op_sample_supported(&plain, g->n_vocab, 0);
    const vk_span state = {.n_bytes = sizeof(struct step_state)}, ring = {.n_bytes = LLAMA_RING * sizeof(uint32_t)};
    for (int i = 0; i < n_passes && status == PUM_OK; i++) {
        op_frame_begin(c.frame, NULL);
        llama_record_layers(&c, (vk_span){.n_bytes = n_tokens[i] * sizeof(int32_t)}, n_tokens[i],
                            (op_position){nowhere, n_past, n_past});
        if (last) llama_record_output(&c, n_tokens[i] - 1, 1);
        if (n_tokens[i] == 1 && samples) op_sample(c.frame, &plain, op_rows_view(c.logits, 0, 1), state, ring, c.candidates);
        status = op_frame_end(c.frame, err);
    }
    op_frame_destroy(&c.frame);
    arena_free(&c.arena);
    return status;
}

static void prepare_stage(const llama_weights *w, const llama_stage *stage) {
    op_kernels *rehearsal;
    pum_error error;
    pum_status status = op_kernels_rehearse(stage->kernels, &rehearsal, &error);
    // As they will be needed: a prompt that is short, as most first ones are, a token behind it, a prompt of whole chunks. Of a
    // context that is not deep: kernels for depth are made where it is reached.
    uint32_t most = llama_default_chunk(w->config.n_ctx_train);
    const uint32_t n_tokens[] = {most < SHORT_PROMPT ? most : SHORT_PROMPT, 1, most};
    if (status == PUM_OK) status = rehearse(rehearsal, w, &stage->place, n_tokens, 3, 0, &error);
    if (status != PUM_OK) base_log(PUM_LOG_DEBUG, "kernels are not made ahead: %s", error.message);
    if (rehearsal) op_kernels_prepare(stage->kernels, &rehearsal);
}

void llama_prepare(const llama_weights *w) {
    for (uint32_t i = 0; i < w->n_stages; i++) prepare_stage(w, &w->stages[i]);
}

/* Gives a tensor its shape, as one slice that is nowhere. */
static pum_status shape_tensor(arena *owner, op_tensor *t, tensor_type type, uint32_t n_rows, uint32_t n_cols, pum_error *err) {
    op_slice *slice = arena_alloc(owner, 1, sizeof *slice);
    if (!slice) return pum_fail_memory(err, "the shape of a tensor", sizeof *slice);
    slice->n_rows = n_rows;
    *t = (op_tensor){.type = type, .n_rows = n_rows, .n_cols = n_cols, .n_slices = 1, .slices = slice};
    return PUM_OK;
}

static pum_status shape_slot(llama_weights *w, uint32_t index, const tensor_type_info *type, pum_error *err) {
    llama_tensor_slot slot = llama_slot(&w->config, w, index);
    tensor_type of_rows = slot.is_vector ? TENSOR_F32 : gguf_type_for_rows(type, slot.n_cols)->type;
    if (!slot.stack) return shape_tensor(&w->arena, slot.tensor, of_rows, slot.n_rows, slot.n_cols, err);
    op_tensor *part = &slot.stack->parts[0]; // of one type, they are one matrix
    uint32_t n_rows = slot.stack_row + slot.n_rows;
    slot.stack->n_parts = 1;
    return shape_tensor(&w->arena, part, of_rows, n_rows, slot.n_cols, err);
}

pum_status llama_rehearse_shape(op_kernels *rehearsal, const llama_config *config, tensor_type type, pum_error *err) {
    llama_layer layer = {0};
    llama_weights w = {.config = *config, .layers = &layer};
    w.config.n_layer = 1;
    pum_status status = PUM_OK;
    for (uint32_t i = 0; i < llama_n_slots(&w.config) && status == PUM_OK; i++)
        status = shape_slot(&w, i, tensor_type_find(type), err);
    uint32_t most = llama_default_chunk(config->n_ctx_train);
    const uint32_t n_tokens[] = {1, 2, 4, 8, 16, 32, most}, depths[] = {0, config->n_ctx_train - most};
    const llama_stage_place whole = {.n_layer = 1};
    for (int i = 0; i < 2 && status == PUM_OK; i++) status = rehearse(rehearsal, &w, &whole, n_tokens, 7, depths[i], err);
    arena_free(&w.arena);
    return status;
}
