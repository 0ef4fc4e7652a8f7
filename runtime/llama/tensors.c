#include "llama/tensors.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

typedef enum dim { ONE, N_EMBD, N_Q, N_KV, N_FF, N_VOCAB } dim;

typedef struct row {
    const char *name; ///< "%u" stands for the layer
    dim n_rows, n_cols;
    size_t offset; ///< in llama_weights or llama_layer
    bool optional;
    bool stacked; ///< offset is that of a stack; the rows follow those of the table's row before, if that is of the same stack
} row;

static const row head_rows[] = {
    {"token_embd.weight", N_VOCAB, N_EMBD, offsetof(llama_weights, token_embd)},
};
static const row layer_rows[] = {
    {"blk.%u.attn_norm.weight", ONE, N_EMBD, offsetof(llama_layer, attn_norm)},
    {"blk.%u.attn_q.weight", N_Q, N_EMBD, offsetof(llama_layer, attn_qkv), .stacked = true},
    {"blk.%u.attn_k.weight", N_KV, N_EMBD, offsetof(llama_layer, attn_qkv), .stacked = true},
    {"blk.%u.attn_v.weight", N_KV, N_EMBD, offsetof(llama_layer, attn_qkv), .stacked = true},
    {"blk.%u.attn_output.weight", N_EMBD, N_Q, offsetof(llama_layer, attn_output)},
    {"blk.%u.ffn_norm.weight", ONE, N_EMBD, offsetof(llama_layer, ffn_norm)},
    {"blk.%u.ffn_gate.weight", N_FF, N_EMBD, offsetof(llama_layer, ffn_gate)},
    {"blk.%u.ffn_up.weight", N_FF, N_EMBD, offsetof(llama_layer, ffn_up)},
    {"blk.%u.ffn_down.weight", N_EMBD, N_FF, offsetof(llama_layer, ffn_down)},
};
static const row tail_rows[] = {
    {"output_norm.weight", ONE, N_EMBD, offsetof(llama_weights, output_norm)},
    {"output.weight", N_VOCAB, N_EMBD, offsetof(llama_weights, output), .optional = true},
};
enum {
    N_HEAD_ROWS = sizeof head_rows / sizeof *head_rows,
    N_LAYER_ROWS = sizeof layer_rows / sizeof *layer_rows,
    N_TAIL_ROWS = sizeof tail_rows / sizeof *tail_rows,
};

static uint32_t dim_of(const llama_config *c, dim d) {
    switch (d) {
    case ONE:
        return 1;
    case N_EMBD:
        return c->n_embd;
    case N_Q:
        return c->n_head * c->head_dim;
    case N_KV:
        return c->n_head_kv * c->head_dim;
    case N_FF:
        return c->n_ff;
    case N_VOCAB:
        return c->n_vocab;
    }
    return 0;
}

uint32_t llama_n_slots(const llama_config *config) { return N_HEAD_ROWS + config->n_layer * N_LAYER_ROWS + N_TAIL_ROWS; }

llama_tensor_slot llama_slot(const llama_config *config, llama_weights *weights, uint32_t index) {
    const row *r;
    char *base = (char *)weights;
    uint32_t layer = 0;
    llama_part part = LLAMA_EMBEDDING;
    if (index < N_HEAD_ROWS) {
        r = &head_rows[index];
    } else if ((index -= N_HEAD_ROWS) < config->n_layer * N_LAYER_ROWS) {
        layer = index / N_LAYER_ROWS;
        part = LLAMA_LAYER;
        r = &layer_rows[index % N_LAYER_ROWS];
        base = weights ? (char *)&weights->layers[layer] : NULL;
    } else {
        r = &tail_rows[index - config->n_layer * N_LAYER_ROWS];
        part = LLAMA_HEAD;
    }
    llama_tensor_slot slot = {
        .n_rows = dim_of(config, r->n_rows),
        .n_cols = dim_of(config, r->n_cols),
        .part = part,
        .layer = layer,
        .is_vector = r->n_rows == ONE,
        .optional = r->optional,
        .tensor = base && !r->stacked ? (op_tensor *)(void *)(base + r->offset) : NULL,
        .stack = base && r->stacked ? (op_stack *)(void *)(base + r->offset) : NULL,
    };
    for (const row *above = r; r->stacked && above > layer_rows && above[-1].stacked && above[-1].offset == r->offset; above--)
        slot.stack_row += dim_of(config, above[-1].n_rows);
    const char *rest = strstr(r->name, "%u");
    if (rest)
        snprintf(slot.name, sizeof slot.name, "%.*s%u%s", (int)(rest - r->name), r->name, layer, rest + 2);
    else
        snprintf(slot.name, sizeof slot.name, "%s", r->name);
    return slot;
}

static void shape_text(const gguf_tensor *t, char *text, size_t n) {
    size_t used = 0;
    for (int i = 0; i < t->n_dims && used < n; i++)
        used += (size_t)snprintf(text + used, n - used, "%s%" PRIu64, i ? ", " : "[", t->dims[i]);
    if (used < n) snprintf(text + used, n - used, "]");
}

op_tensor *llama_slot_matrix(const llama_tensor_slot *slot, uint32_t *first_row) {
    *first_row = slot->stack_row;
    if (!slot->stack) return slot->tensor;
    for (uint32_t i = 0; i < slot->stack->n_parts; *first_row -= slot->stack->parts[i++].n_rows)
        if (*first_row < slot->stack->parts[i].n_rows) return &slot->stack->parts[i];
    return NULL;
}

pum_status llama_slot_find(const gguf *file, const llama_tensor_slot *slot, const gguf_tensor **tensor, pum_error *err) {
    const gguf_tensor *t = *tensor = gguf_find_tensor(file, slot->name);
    if (!t && slot->optional) return PUM_OK;
    if (!t)
        return pum_fail(err, PUM_ERR_FORMAT,
                        "%s: %s: expected this tensor, got a file without it; download or convert the model again",
                        gguf_path(file), slot->name);
    char got[128];
    shape_text(t, got, sizeof got);
    bool fits = t->dims[0] == slot->n_cols && t->dims[1] == slot->n_rows && t->dims[2] == 1 && t->dims[3] == 1;
    if (!fits && slot->is_vector)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected [%u], got %s %s", gguf_path(file), slot->name, slot->n_cols,
                        t->type->name, got);
    if (!fits)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected [%u, %u], got %s %s", gguf_path(file), slot->name, slot->n_cols,
                        slot->n_rows, t->type->name, got);
    if (slot->is_vector ? !t->type->expand : !op_layout_supports(t->type->type))
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "%s: %s: the type %s %s cannot be used yet; choose a file in Q4_0, Q4_1, Q8_0, Q4_K or Q6_K",
                        gguf_path(file), slot->name, t->type->name, got);
    return PUM_OK;
}

llama_stage *llama_slot_stage(llama_weights *w, const llama_tensor_slot *slot) {
    if (slot->part == LLAMA_HEAD) return &w->stages[w->n_stages - 1];
    llama_stage *s = w->stages;
    while (slot->part == LLAMA_LAYER && slot->layer >= s->place.first_layer + s->place.n_layer) s++;
    return s;
}

pum_status llama_slot_source(const gguf *file, const llama_weights *w, const llama_tensor_slot *slot, const gguf_tensor **tensor,
                             pum_error *err) {
    pum_status status = llama_slot_find(file, slot, tensor, err);
    if (status != PUM_OK || *tensor || w->n_stages == 1) return status;
    llama_tensor_slot embedding = llama_slot(&w->config, NULL, 0);
    return llama_slot_find(file, &embedding, tensor, err);
}
