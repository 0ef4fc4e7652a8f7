/* pum_model: weights on a device; and the memory plan, which is made from the header before anything is taken. */
#include "model.h"

#include "base/clock.h"
#include "file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the plan */

pum_status pum_file_plan(const pum_file *file, pum_device *device, int n_ctx, pum_kv_type kv, pum_plan *plan, pum_error *err) {
    llama_config config;
    llama_sizes sizes;
    pum_status status = llama_config_read(file_gguf(file), &config, err);
    if (status == PUM_OK) status = llama_weights_sizes(file_gguf(file), &config, plan_max_range(device), &sizes, err);
    if (status != PUM_OK) return status;
    return plan_model(device, &config, &sizes, &(plan_wish){.n_ctx = n_ctx, .kv = kv}, plan, err);
}

pum_status pum_model_plan(const pum_model *m, int n_ctx, pum_kv_type kv, pum_plan *plan, pum_error *err) {
    llama_context_shape shape;
    llama_context_place place;
    const plan_wish wish = {.n_ctx = n_ctx, .kv = kv};
    return plan_session(m->device, &m->config, &m->placement, &wish, &shape, &place, plan, err);
}

/* ---- loading */

static const char *keep(pum_model *m, const char *text) { return text ? arena_copy(&m->strings, text, strlen(text)) : NULL; }

static pum_status model_create(pum_device *device, const llama_config *config, const llama_placement *placement,
                               const pum_model_info *info, pum_model **model, pum_error *err) {
    pum_model *m = calloc(1, sizeof *m);
    if (!m) return pum_fail_memory(err, "a model", sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    m->device = device;
    m->config = *config;
    m->placement = *placement;
    m->info = *info;
    m->info.architecture = keep(m, info->architecture);
    m->info.name = keep(m, info->name);
    m->info.tokenizer = keep(m, info->tokenizer);
    m->info.chat_template = keep(m, info->chat_template);
    *model = m;
    return PUM_OK;
}

static uint64_t needs_bit(tensor_type type) { return (uint64_t)1 << type; }
static bool has(const char *name, const char *part) { return strstr(name, part) != NULL; }

/* Which kernels the matrices of a file ask for. An embedding may be the head too. */
static check_needs needs_of_file(const gguf *file) {
    check_needs needs = {0};
    for (int i = 0; i < gguf_n_tensors(file); i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        if (t->n_dims < 2) continue;
        bool gated = has(t->name, "ffn_gate") || has(t->name, "ffn_up"), embedding = has(t->name, "token_embd");
        uint64_t bit = needs_bit(t->type->type);
        *(gated ? &needs.swiglus : &needs.products) |= bit;
        if (embedding) needs.embeddings |= bit;
    }
    return needs;
}

static llama_load_params load_params(const pum_model_params *params) {
    return params ? (llama_load_params){params->progress, params->progress_user} : (llama_load_params){0};
}

static void drop_weights(void *owner) { llama_weights_destroy(&((pum_model *)owner)->weights); }

static pum_status load_weights(pum_model *m, const llama_load_params *load, pum_error *err) {
    op_kernels *kernels[LLAMA_MAX_STAGES];
    int n = 0;
    for (const pum_device *d = m->device; d; d = d->next) kernels[n++] = d->kernels;
    pum_status status = m->file
                            ? llama_weights_load(kernels, &m->placement, file_gguf(m->file), &m->config, load, &m->weights, err)
                            : llama_weights_random(kernels, &m->placement, &m->config, m->type, m->seed, load, &m->weights, err);
    if (status == PUM_OK) device_add(m->device, &m->part, drop_weights, m);
    return status;
}

static bool on_loading_again(void *user, uint64_t done, uint64_t total) {
    (void)done, (void)total;
    return !atomic_load((atomic_bool *)user);
}

pum_status model_need_weights(const pum_model *model, atomic_bool *abort, pum_error *err) {
    pum_model *m = (pum_model *)(uintptr_t)model; // what its users see does not change
    pthread_mutex_lock(&m->lock);
    llama_load_params load = {.progress = on_loading_again, .progress_user = abort};
    pum_status status = m->weights ? PUM_OK : load_weights(m, &load, err);
    pthread_mutex_unlock(&m->lock);
    return status;
}

typedef struct first_loading {
    pum_model *model;
    const llama_load_params *load;
} first_loading;

static pum_status load_first(void *argument, pum_error *err) {
    first_loading *l = argument;
    pum_status status = PUM_OK;
    for (pum_device *d = l->model->device; d && status == PUM_OK; d = d->next) status = device_tune(d, &l->model->needs, err);
    if (status == PUM_OK) status = load_weights(l->model, l->load, err);
    if (status != PUM_OK) return status;
    // Now: when the device is left another thread may find it lost, and drop them.
    pum_model *m = l->model;
    m->weights_bytes = m->weights->device_bytes;
    m->weights_bytes_per_token = llama_weights_bytes_per_token(m->weights);
    m->host_bytes = m->weights->host_bytes;
    return PUM_OK;
}

/* Its source is known: brings it to the device, or destroys it. */
static pum_status finish_loading(pum_model *m, const pum_model_params *params, uint64_t begin_ns, pum_model **model,
                                 pum_error *err) {
    llama_load_params load = load_params(params);
    pum_status status = device_do(m->device, load_first, &(first_loading){m, &load}, err);
    if (status != PUM_OK) {
        pum_model_destroy(&m);
        return status;
    }
    m->load_ms = (double)(clock_now_ns() - begin_ns) / 1e6;
    *model = m;
    return PUM_OK;
}

/* Where the weights go, with room for the session that will come; or the sentence that they fit nowhere. */
static pum_status place_weights(pum_device *device, const llama_config *config, const llama_sizes *sizes,
                                const pum_model_params *params, llama_placement *placement, pum_error *err) {
    const plan_wish likely = {.n_ctx = params ? params->n_ctx : -1, .kv = params ? params->kv : PUM_KV_F16};
    bool fits;
    pum_status status = plan_weights(device, config, sizes, &likely, placement, &fits, err);
    return status != PUM_OK || fits ? status : plan_refuse_weights(device, config, sizes, err);
}

pum_status pum_model_load(pum_device *device, const pum_file *file, const pum_model_params *params, pum_model **model,
                          pum_error *err) {
    *model = NULL;
    uint64_t begin = clock_now_ns();
    llama_config config;
    pum_status status = llama_config_read(file_gguf(file), &config, err);
    if (status != PUM_OK) return status;
    llama_sizes sizes;
    llama_placement placement;
    if ((status = llama_weights_sizes(file_gguf(file), &config, plan_max_range(device), &sizes, err)) != PUM_OK ||
        (status = place_weights(device, &config, &sizes, params, &placement, err)) != PUM_OK)
        return status;
    pum_model_info info;
    pum_file_get_info(file, &info);
    pum_model *m;
    if ((status = model_create(device, &config, &placement, &info, &m, err)) != PUM_OK) return status;
    m->file = file_share(file);
    m->needs = needs_of_file(file_gguf(file));
    return finish_loading(m, params, begin, model, err);
}

pum_status pum_model_random(pum_device *device, const char *shape, const char *type, uint64_t seed,
                            const pum_model_params *params, pum_model **model, pum_error *err) {
    *model = NULL;
    uint64_t begin = clock_now_ns();
    const tensor_type_info *t = tensor_type_by_name(type);
    if (!t || !op_layout_supports(t->type))
        return pum_fail(err, PUM_ERR_ARGUMENT,
                        "type: expected a tensor type that the device can use, such as Q4_0 or Q4_K, got \"%s\"", type);
    llama_config c;
    pum_status status = llama_config_shape(shape, &c, err);
    if (status != PUM_OK) return status;
    llama_sizes sizes = llama_random_sizes(&c, t->type, plan_max_range(device));
    llama_placement placement;
    if ((status = place_weights(device, &c, &sizes, params, &placement, err)) != PUM_OK) return status;
    char name[64];
    snprintf(name, sizeof name, "random %s %s", shape, t->name);
    pum_model_info info = {
        .architecture = "llama",
        .name = name,
        .n_params =
            (uint64_t)(llama_weights_flop_per_token(&c) / 2) + (uint64_t)c.n_vocab * c.n_embd + (2u * c.n_layer + 1u) * c.n_embd,
        .n_layer = (int)c.n_layer,
        .n_embd = (int)c.n_embd,
        .n_head = (int)c.n_head,
        .n_head_kv = (int)c.n_head_kv,
        .head_dim = (int)c.head_dim,
        .n_ff = (int)c.n_ff,
        .n_vocab = (int)c.n_vocab,
        .n_ctx_train = (int)c.n_ctx_train,
    };
    pum_model *m;
    if ((status = model_create(device, &c, &placement, &info, &m, err)) != PUM_OK) return status;
    m->type = t->type;
    m->seed = seed;
    uint64_t of_type = needs_bit(t->type);
    m->needs = (check_needs){of_type, of_type, of_type};
    return finish_loading(m, params, begin, model, err);
}

void pum_model_destroy(pum_model **model) {
    if (!model || !*model) return;
    pum_model *m = *model;
    *model = NULL;
    device_hold(m->device);
    device_remove(m->device, &m->part);
    llama_weights_destroy(&m->weights);
    device_release(m->device);
    pum_file_destroy(&m->file);
    arena_free(&m->strings);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

void pum_model_get_info(const pum_model *model, pum_model_info *info) { *info = model->info; }

bool pum_model_is_checked(const pum_model *model) {
    for (pum_device *d = model->device; d; d = d->next)
        if (!device_is_checked(d, &model->needs)) return false;
    return true;
}
