#include "gguf/random_blocks.h"
#include "llama/load.h"
#include "llama/prepare.h"
#include "llama/tensors.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char CANNOT_BE_LLAMA[] =
    "is no tensor of a LLaMA: leaving it out would give wrong answers; choose a LLaMA-family model";

/* ---- what both ways of making weights share */

/* A stage takes what is planned for it, and the own memory of its device or the host's for each part of it. */
static pum_status open_stage(llama_weights *w, uint32_t index, op_kernels *kernels, const llama_stage_place *place,
                             pum_error *err) {
    llama_stage *s = &w->stages[index];
    s->kernels = kernels;
    s->place = *place;
    w->device_bytes += place->device_bytes + place->host_bytes;
    pum_status status = op_memory_create(kernels, place->device_bytes, "weights", &s->memory, err);
    if (status == PUM_OK && place->host_bytes) status = op_memory_add_host(s->memory, place->host_bytes, err);
    return status;
}

static pum_status weights_create(op_kernels *const *kernels, const llama_placement *placement, const llama_config *config,
                                 llama_weights **weights, pum_error *err) {
    llama_weights *w = calloc(1, sizeof *w);
    if (!w) return pum_fail_memory(err, "the model", sizeof *w);
    w->config = *config;
    w->n_stages = placement->n_stages;
    w->layers = arena_alloc(&w->arena, config->n_layer, sizeof *w->layers);
    w->rope_frequencies = arena_alloc(&w->arena, config->n_rot / 2, sizeof *w->rope_frequencies);
    pum_status status = w->layers && w->rope_frequencies
                            ? PUM_OK
                            : pum_fail_memory(err, "the table of layers", config->n_layer * sizeof *w->layers);
    for (uint32_t i = 0; i < w->n_stages && status == PUM_OK; i++)
        status = open_stage(w, i, kernels[i], &placement->stages[i], err);
    if (status != PUM_OK) llama_weights_destroy(&w);
    // arXiv:2104.09864: theta_i = base^(-2i / n_rot)
    for (uint32_t i = 0; w && i < config->n_rot / 2; i++)
        w->rope_frequencies[i] = config->rope_freq_scale * pow(config->rope_freq_base, -2.0 * i / config->n_rot);
    *weights = w;
    return status;
}

void llama_weights_destroy(llama_weights **weights) {
    llama_weights *w = *weights;
    if (!w) return;
    for (uint32_t i = 0; i < w->n_stages; i++) op_memory_destroy(&w->stages[i].memory);
    arena_free(&w->arena);
    free(w);
    *weights = NULL;
}

static pum_status all_sent(llama_weights *w, pum_error *err) {
    pum_status status = PUM_OK;
    for (uint32_t i = 0; i < w->n_stages; i++) {
        pum_status sent = op_memory_sent(w->stages[i].memory, status == PUM_OK ? err : NULL);
        if (status == PUM_OK) status = sent;
    }
    return status;
}

static void note_host_bytes(llama_weights *w, uint64_t more) {
    uint64_t now = w->arena.n_bytes + more;
    for (uint32_t i = 0; i < w->n_stages; i++) now += op_memory_host_bytes(w->stages[i].memory);
    if (now > w->host_bytes) w->host_bytes = now;
}

static bool planned_in_host(const llama_stage_place *place, const llama_tensor_slot *slot) {
    switch (slot->part) {
    case LLAMA_EMBEDDING:
        return place->embedding_in_host;
    case LLAMA_LAYER:
        return slot->layer >= place->first_layer + place->n_layer - place->n_in_host;
    case LLAMA_HEAD:
        return place->head_in_host;
    }
    return false;
}

/* How many rows from a slot on are one matrix: what follows it in its stack is of the same type. file: NULL, all of one type. */
static uint32_t rows_of_one_type(const llama_config *config, const gguf *file, uint32_t index, tensor_type type) {
    uint32_t n_rows = llama_slot(config, NULL, index).n_rows;
    // Rows are packed in groups, so another tensor cannot begin within one.
    for (llama_tensor_slot next; n_rows % OP_LAYOUT_ROWS == 0; n_rows += next.n_rows) {
        next = llama_slot(config, NULL, ++index);
        const gguf_tensor *t = file && next.stack_row ? gguf_find_tensor(file, next.name) : NULL;
        if (!next.stack_row || (file && (!t || t->type->type != type))) break;
    }
    return n_rows;
}

/* Makes room for the tensor of a slot. Slots come in their order, so that the parts of a stack do. */
static pum_status place_slot(llama_weights *w, const gguf *file, uint32_t index, tensor_type type, pum_error *err) {
    llama_tensor_slot slot = llama_slot(&w->config, w, index);
    uint32_t first_row, n_rows = slot.n_rows;
    op_tensor *tensor = llama_slot_matrix(&slot, &first_row);
    if (tensor && slot.stack) return PUM_OK; // with the slot before it
    if (slot.stack) {
        tensor = &slot.stack->parts[slot.stack->n_parts++];
        n_rows = rows_of_one_type(&w->config, file, index, type);
    }
    const llama_stage *stage = llama_slot_stage(w, &slot);
    op_memory_in_host(stage->memory, planned_in_host(&stage->place, &slot));
    return op_memory_tensor(stage->memory, slot.is_vector ? TENSOR_F32 : type, n_rows, slot.n_cols, tensor, err);
}

/* ---- from a file */

static pum_status place_file(llama_weights *w, const gguf *file, pum_error *err) {
    pum_status status = PUM_OK;
    for (uint32_t i = 0; i < llama_n_slots(&w->config) && status == PUM_OK; i++) {
        llama_tensor_slot slot = llama_slot(&w->config, w, i);
        const gguf_tensor *t;
        status = llama_slot_source(file, w, &slot, &t, err);
        if (status == PUM_OK && t) status = place_slot(w, file, i, t->type->type, err);
    }
    return status;
}

/* LLaMA 3.1 and later divide each frequency by a factor of its own. */
static pum_status load_rope_factors(llama_weights *w, const gguf *file, pum_error *err) {
    const gguf_tensor *t = gguf_find_tensor(file, "rope_freqs.weight");
    if (!t) return PUM_OK;
    uint32_t n = w->config.n_rot / 2;
    if (t->type->type != TENSOR_F32 || t->dims[0] != n || t->dims[1] != 1)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: rope_freqs.weight: expected F32 [%u], got %s [%" PRIu64 "]", gguf_path(file), n,
                        t->type->name, t->dims[0]);
    for (uint32_t i = 0; i < n; i++) {
        float factor;
        pum_status status = gguf_read(file, t, i * sizeof factor, sizeof factor, &factor, err);
        if (status != PUM_OK) return status;
        if (!(factor > 0) || !isfinite(factor))
            return pum_fail(err, PUM_ERR_FORMAT, "%s: rope_freqs.weight[%u]: expected a positive factor, got %g", gguf_path(file),
                            i, (double)factor);
        w->rope_frequencies[i] /= factor;
    }
    return PUM_OK;
}

/* Every tensor of the file must have a place: a bias, say, that were left out would give wrong answers in silence. */
static pum_status check_no_others(const gguf *file, const llama_config *config, pum_error *err) {
    int n_known = 0;
    for (uint32_t i = 0; i < llama_n_slots(config); i++) {
        llama_tensor_slot slot = llama_slot(config, NULL, i);
        n_known += gguf_find_tensor(file, slot.name) != NULL;
    }
    n_known += gguf_find_tensor(file, "rope_freqs.weight") != NULL;
    if (n_known == gguf_n_tensors(file)) return PUM_OK;
    for (int t = 0; t < gguf_n_tensors(file); t++) {
        const char *name = gguf_tensor_at(file, t)->name;
        bool known = strcmp(name, "rope_freqs.weight") == 0;
        for (uint32_t i = 0; i < llama_n_slots(config) && !known; i++)
            known = strcmp(llama_slot(config, NULL, i).name, name) == 0;
        if (!known) return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: %s %s", gguf_path(file), name, CANNOT_BE_LLAMA);
    }
    return PUM_OK;
}

/* Adds what a slot's tensor takes. */
static void add_size(llama_sizes *sizes, const llama_tensor_slot *slot, tensor_type type, uint64_t max_range) {
    uint64_t *part = slot->part == LLAMA_EMBEDDING ? &sizes->embedding
                     : slot->part == LLAMA_HEAD    ? &sizes->head
                                                   : &sizes->layers[slot->layer];
    *part += op_layout_bytes(slot->is_vector ? TENSOR_F32 : type, slot->n_rows, slot->n_cols, max_range);
}

pum_status llama_weights_sizes(const gguf *file, const llama_config *config, uint64_t max_range, llama_sizes *sizes,
                               pum_error *err) {
    *sizes = (llama_sizes){0};
    for (uint32_t i = 0; i < llama_n_slots(config); i++) {
        llama_tensor_slot slot = llama_slot(config, NULL, i);
        const gguf_tensor *t;
        pum_status status = llama_slot_find(file, &slot, &t, err);
        if (status != PUM_OK) return status;
        if (t) add_size(sizes, &slot, t->type->type, max_range);
        if (slot.part == LLAMA_HEAD && !t) sizes->tied = true;
    }
    return check_no_others(file, config, err);
}

static tensor_type random_type(tensor_type type, const llama_tensor_slot *slot) {
    return slot->is_vector ? TENSOR_F32 : gguf_type_for_rows(tensor_type_find(type), slot->n_cols)->type;
}

llama_sizes llama_random_sizes(const llama_config *config, tensor_type type, uint64_t max_range) {
    llama_sizes sizes = {0};
    for (uint32_t i = 0; i < llama_n_slots(config); i++) {
        llama_tensor_slot slot = llama_slot(config, NULL, i);
        add_size(&sizes, &slot, random_type(type, &slot), max_range);
    }
    return sizes;
}

uint64_t llama_sizes_total(const llama_config *config, const llama_sizes *sizes) {
    uint64_t n_bytes = sizes->embedding + sizes->head;
    for (uint32_t il = 0; il < config->n_layer; il++) n_bytes += sizes->layers[il];
    return n_bytes;
}

/* All tensors have their place: their kernels can be made while their numbers are on the way. */
static void placed(llama_weights *w) {
    w->tied = w->output.n_rows == 0;
    if (w->tied) w->output = w->token_embd;
    llama_prepare(w);
}

pum_status llama_weights_load(op_kernels *const *kernels, const llama_placement *placement, const gguf *file,
                              const llama_config *config, const llama_load_params *params, llama_weights **weights,
                              pum_error *err) {
    *weights = NULL;
    llama_sizes sizes;
    pum_status status = llama_weights_sizes(file, config, op_kernels_device(kernels[0])->caps.max_storage_range, &sizes, err);
    if (status != PUM_OK) return status;
    llama_placement at_once = llama_place_at_once(config, &sizes);
    llama_weights *w = NULL;
    if ((status = weights_create(kernels, placement ? placement : &at_once, config, &w, err)) != PUM_OK) return status;
    status = load_rope_factors(w, file, err);
    if (status == PUM_OK) status = place_file(w, file, err);
    if (status == PUM_OK) placed(w);
    if (status == PUM_OK) status = llama_load_tensors(w, file, params, err);
    note_host_bytes(w, 0); // no lane has given its staging back yet
    pum_status sent = all_sent(w, status == PUM_OK ? err : NULL);
    if (status == PUM_OK) status = sent;
    if (status != PUM_OK) llama_weights_destroy(&w);
    *weights = w;
    return status;
}

/* ---- from random numbers */

/* Hands bytes that were done to the progress callback. */
typedef struct progress {
    const llama_load_params *params;
    uint64_t done, total;
} progress;

static pum_status report(progress *p, uint64_t n_bytes, pum_error *err) {
    p->done += n_bytes;
    if (!p->params || !p->params->progress || p->params->progress(p->params->progress_user, p->done, p->total)) return PUM_OK;
    return pum_fail(err, PUM_ERR_ABORTED, "loading was stopped on request");
}

static pum_status random_vector(llama_weights *w, const llama_tensor_slot *slot, pum_error *err) {
    float *ones = malloc(slot->n_cols * sizeof *ones);
    if (!ones) return pum_fail_memory(err, slot->name, slot->n_cols * sizeof *ones);
    for (uint32_t i = 0; i < slot->n_cols; i++) ones[i] = 1;
    pum_status status = op_memory_send(llama_slot_stage(w, slot)->memory, 0, slot->tensor, 0, 1, ones, err);
    free(ones);
    return status;
}

static pum_status random_matrix(llama_weights *w, const llama_tensor_slot *slot, const tensor_type_info *type, uint64_t *random,
                                progress *p, pum_error *err) {
    type = gguf_type_for_rows(type, slot->n_cols);
    uint64_t blocks_per_row = slot->n_cols / type->block_values, row_bytes = blocks_per_row * type->block_bytes;
    uint32_t step = llama_rows_at_once(row_bytes);
    if (step > slot->n_rows) step = slot->n_rows;
    uint8_t *blocks = malloc(step * row_bytes);
    if (!blocks) return pum_fail_memory(err, slot->name, step * row_bytes);
    double sigma = gguf_random_sigma(slot->n_cols);
    uint32_t first_row;
    op_tensor *tensor = llama_slot_matrix(slot, &first_row);
    pum_status status = PUM_OK;
    for (uint32_t row = 0; row < slot->n_rows && status == PUM_OK; row += step) {
        uint32_t n = slot->n_rows - row < step ? slot->n_rows - row : step;
        gguf_random_blocks(type, sigma, random, blocks, n * blocks_per_row);
        status = op_memory_send(llama_slot_stage(w, slot)->memory, 0, tensor, first_row + row, n, blocks, err);
        if (status == PUM_OK) status = report(p, n * row_bytes, err);
        note_host_bytes(w, step * row_bytes);
    }
    free(blocks);
    return status;
}

pum_status llama_weights_random(op_kernels *const *kernels, const llama_placement *placement, const llama_config *config,
                                tensor_type type, uint64_t seed, const llama_load_params *params, llama_weights **weights,
                                pum_error *err) {
    *weights = NULL;
    if (!op_layout_supports(type))
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "random weights: the type cannot be used on the device yet");
    const tensor_type_info *info = tensor_type_find(type);
    progress p = {.params = params};
    for (uint32_t i = 0; i < llama_n_slots(config); i++) {
        llama_tensor_slot slot = llama_slot(config, NULL, i);
        const tensor_type_info *t = tensor_type_find(random_type(type, &slot));
        if (!slot.is_vector) p.total += (uint64_t)slot.n_rows * (slot.n_cols / t->block_values) * t->block_bytes;
    }
    llama_sizes sizes = llama_random_sizes(config, type, op_kernels_device(kernels[0])->caps.max_storage_range);
    llama_placement at_once = llama_place_at_once(config, &sizes);
    llama_weights *w = NULL;
    pum_status status = weights_create(kernels, placement ? placement : &at_once, config, &w, err);
    for (uint32_t i = 0; i < llama_n_slots(config) && status == PUM_OK; i++)
        status = place_slot(w, NULL, i, gguf_type_for_rows(info, llama_slot(config, NULL, i).n_cols)->type, err);
    if (status == PUM_OK) placed(w);
    for (uint32_t i = 0; i < llama_n_slots(config) && status == PUM_OK; i++) {
        llama_tensor_slot slot = llama_slot(config, w, i);
        status = slot.is_vector ? random_vector(w, &slot, err) : random_matrix(w, &slot, info, &seed, &p, err);
    }
    if (status == PUM_OK) status = all_sent(w, err);
    if (status != PUM_OK) {
        llama_weights_destroy(&w);
        return status;
    }
    *weights = w;
    return PUM_OK;
}

/* ---- figures */

bool llama_layer_in_host(const llama_weights *w, uint32_t layer) {
    const llama_layer *l = &w->layers[layer];
    const op_tensor *tensors[] = {&l->attn_norm, &l->attn_output, &l->ffn_norm, &l->ffn_gate, &l->ffn_up, &l->ffn_down};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++)
        if (op_tensor_in_host(tensors[i])) return true;
    for (uint32_t i = 0; i < l->attn_qkv.n_parts; i++)
        if (op_tensor_in_host(&l->attn_qkv.parts[i])) return true;
    return false;
}

static uint64_t read_bytes(const op_tensor *t) { return op_layout_read_bytes(t->type, t->n_rows, t->n_cols); }

uint64_t llama_weights_bytes_per_token(const llama_weights *w) {
    uint64_t n_bytes = read_bytes(&w->output_norm) + read_bytes(&w->output);
    for (uint32_t il = 0; il < w->config.n_layer; il++) {
        const llama_layer *l = &w->layers[il];
        const op_tensor *tensors[] = {&l->attn_norm, &l->attn_output, &l->ffn_norm, &l->ffn_gate, &l->ffn_up, &l->ffn_down};
        for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) n_bytes += read_bytes(tensors[i]);
        for (uint32_t i = 0; i < l->attn_qkv.n_parts; i++) n_bytes += read_bytes(&l->attn_qkv.parts[i]);
    }
    return n_bytes;
}

double llama_weights_flop_per_token(const llama_config *c) {
    double n_weights = (double)c->n_vocab * c->n_embd;
    for (uint32_t i = 0; i < llama_n_slots(c); i++) {
        llama_tensor_slot slot = llama_slot(c, NULL, i);
        if (strncmp(slot.name, "blk.", 4) == 0 && !slot.is_vector) n_weights += (double)slot.n_rows * slot.n_cols;
    }
    return 2 * n_weights;
}
