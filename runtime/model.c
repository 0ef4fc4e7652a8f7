/* pum_model: weights on a device; and the memory plan, which is made from the header before anything is taken. */
#include "model.h"

#include "base/clock.h"
#include "file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_N_CTX = 4096, N_CTX_STEP = 256 };

/* ---- the plan */

/* What a device has at the least that Pumice runs on; used for plans without a device. */
static const vk_caps least_caps = {.max_storage_range = 128u << 20, .storage_align = 256};

tensor_type model_kv_type(pum_kv_type kv) { return kv == PUM_KV_Q8_0 ? TENSOR_Q8_0 : TENSOR_F16; }

static llama_context_plan plan_context(const vk_caps *caps, const llama_config *config, tensor_type kv_type, uint32_t n_ctx) {
    return llama_plan_context(caps, config, (llama_context_shape){n_ctx, llama_default_chunk(n_ctx), kv_type});
}

static uint64_t context_bytes(const vk_caps *caps, const llama_config *config, tensor_type kv_type, uint32_t n_ctx) {
    llama_context_plan plan = plan_context(caps, config, kv_type, n_ctx);
    return plan.kv_bytes + plan.scratch_bytes;
}

pum_status model_choose_n_ctx(const vk_caps *caps, const llama_config *config, tensor_type kv_type, int wish, uint64_t free_bytes,
                              uint32_t *n_ctx, pum_error *err) {
    if (wish < -1 || (wish > 0 && (uint32_t)wish > config->n_ctx_train))
        return pum_fail(err, PUM_ERR_ARGUMENT, "context length: expected 1 to the model's %u (or 0: as much as fits), got %d",
                        config->n_ctx_train, wish);
    uint32_t n = wish > 0 ? (uint32_t)wish : config->n_ctx_train;
    if (wish == -1 && n > DEFAULT_N_CTX) n = DEFAULT_N_CTX;
    // A tenth stays free for the desktop and for the driver's own needs.
    while (wish == 0 && n > N_CTX_STEP && context_bytes(caps, config, kv_type, n) > free_bytes / 10 * 9)
        n = (n - 1) / N_CTX_STEP * N_CTX_STEP;
    *n_ctx = n;
    return PUM_OK;
}

static pum_status make_plan(const vk_caps *caps, const llama_config *config, uint64_t weights_bytes, uint64_t available_bytes,
                            int wish, pum_kv_type kv, pum_plan *plan, pum_error *err) {
    uint64_t free_bytes = available_bytes > weights_bytes ? available_bytes - weights_bytes : 0;
    uint32_t n_ctx;
    pum_status status =
        model_choose_n_ctx(caps, config, model_kv_type(kv), wish, available_bytes ? free_bytes : UINT64_MAX, &n_ctx, err);
    if (status != PUM_OK) return status;
    llama_context_plan context = plan_context(caps, config, model_kv_type(kv), n_ctx);
    *plan = (pum_plan){
        .n_ctx = (int)n_ctx,
        .weights_bytes = weights_bytes,
        .kv_bytes = context.kv_bytes,
        .scratch_bytes = context.scratch_bytes,
        .available_bytes = available_bytes,
    };
    plan->fits = weights_bytes + context.kv_bytes + context.scratch_bytes <= available_bytes;
    return PUM_OK;
}

pum_status model_refuse_plan(const pum_plan *plan, const char *device, pum_error *err) {
    uint64_t needed = plan->weights_bytes + plan->kv_bytes + plan->scratch_bytes;
    bool giga = needed >= 1000000000;
    double unit = giga ? 1e9 : 1e6;
    return pum_fail(
        err, PUM_ERR_DEVICE_MEMORY,
        "%s: the model needs %.2f %s (weights %.2f, context of %d tokens %.2f, scratch %.2f), %.2f are free; use a smaller "
        "context (--ctx), a smaller model or another device",
        device, (double)needed / unit, giga ? "GB" : "MB", (double)plan->weights_bytes / unit, plan->n_ctx,
        (double)plan->kv_bytes / unit, (double)plan->scratch_bytes / unit, (double)plan->available_bytes / unit);
}

static void look_at_device(pum_device *device, vk_caps *caps, uint64_t *available_bytes) {
    device_hold(device);
    *caps = device->vk->caps;
    *available_bytes = vk_device_available_bytes(device->vk);
    device_release(device);
}

pum_status pum_file_plan(const pum_file *file, pum_device *device, int n_ctx, pum_kv_type kv, pum_plan *plan, pum_error *err) {
    vk_caps caps = least_caps;
    uint64_t available_bytes = 0;
    if (device) look_at_device(device, &caps, &available_bytes);
    llama_config config;
    uint64_t weights_bytes;
    pum_status status = llama_config_read(file_gguf(file), &config, err);
    if (status == PUM_OK) status = llama_weights_plan(file_gguf(file), &config, caps.max_storage_range, &weights_bytes, err);
    if (status != PUM_OK) return status;
    return make_plan(&caps, &config, weights_bytes, available_bytes, n_ctx, kv, plan, err);
}

pum_status pum_model_plan(const pum_model *model, int n_ctx, pum_kv_type kv, pum_plan *plan, pum_error *err) {
    vk_caps caps;
    uint64_t available_bytes, taken = model->weights_bytes;
    look_at_device(model->device, &caps, &available_bytes);
    // The weights have been taken already: they count as available to their own model.
    return make_plan(&caps, &model->config, taken, available_bytes + taken, n_ctx, kv, plan, err);
}

/* ---- loading */

static const char *keep(pum_model *m, const char *text) { return text ? arena_copy(&m->strings, text, strlen(text)) : NULL; }

static pum_status model_create(pum_device *device, const llama_config *config, const pum_model_info *info, pum_model **model,
                               pum_error *err) {
    pum_model *m = calloc(1, sizeof *m);
    if (!m) return pum_fail_memory(err, "a model", sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    m->device = device;
    m->config = *config;
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
    op_kernels *kernels = m->device->kernels;
    pum_status status = m->file ? llama_weights_load(kernels, file_gguf(m->file), &m->config, load, &m->weights, err)
                                : llama_weights_random(kernels, &m->config, m->type, m->seed, load, &m->weights, err);
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
    pum_status status = device_tune(l->model->device, &l->model->needs, err);
    return status == PUM_OK ? load_weights(l->model, l->load, err) : status;
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
    m->weights_bytes = m->weights->device_bytes;
    m->weights_bytes_per_token = llama_weights_bytes_per_token(m->weights);
    m->host_bytes = m->weights->host_bytes;
    m->load_ms = (double)(clock_now_ns() - begin_ns) / 1e6;
    *model = m;
    return PUM_OK;
}

pum_status pum_model_load(pum_device *device, const pum_file *file, const pum_model_params *params, pum_model **model,
                          pum_error *err) {
    *model = NULL;
    uint64_t begin = clock_now_ns();
    llama_config config;
    pum_status status = llama_config_read(file_gguf(file), &config, err);
    if (status != PUM_OK) return status;
    pum_plan plan;
    if ((status = pum_file_plan(file, device, 1, PUM_KV_F16, &plan, err)) != PUM_OK) return status;
    if (!plan.fits) return model_refuse_plan(&plan, device->vk->caps.name, err);
    pum_model_info info;
    pum_file_get_info(file, &info);
    pum_model *m;
    if ((status = model_create(device, &config, &info, &m, err)) != PUM_OK) return status;
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
    if ((status = model_create(device, &c, &info, &m, err)) != PUM_OK) return status;
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

bool pum_model_is_checked(const pum_model *model) { return device_is_checked(model->device, &model->needs); }
