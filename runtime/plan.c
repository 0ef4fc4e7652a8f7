#include "plan.h"

#include <stdio.h>

enum { DEFAULT_N_CTX = 4096, N_CTX_STEP = 256 };

/* What a device has at the least that Pumice runs on; used for plans without a device. */
static const vk_caps least_caps = {.max_storage_range = 128u << 20, .storage_align = 256};

tensor_type plan_kv_type(pum_kv_type kv) { return kv == PUM_KV_Q8_0 ? TENSOR_Q8_0 : TENSOR_F16; }

uint64_t plan_max_range(const pum_device *device) {
    uint64_t least = device ? UINT64_MAX : least_caps.max_storage_range;
    for (; device; device = device->next)
        if (device->vk->caps.max_storage_range < least) least = device->vk->caps.max_storage_range;
    return least;
}

/* A plan in the making. */
typedef struct planning {
    pum_device *device; ///< NULL: none
    const llama_config *config;
    const plan_wish *wish;
    const llama_placement *weights;
    llama_room rooms[LLAMA_MAX_STAGES]; ///< beside the weights
} planning;

static const vk_caps *caps_of(const pum_device *device) { return device ? &device->vk->caps : &least_caps; }

static uint32_t default_n_ctx(const llama_config *config) {
    return config->n_ctx_train < DEFAULT_N_CTX ? config->n_ctx_train : DEFAULT_N_CTX;
}

static llama_context_shape shape_of(const plan_wish *wish, uint32_t n_ctx) {
    uint32_t n_chunk = wish->n_chunk ? (uint32_t)wish->n_chunk : llama_default_chunk(n_ctx);
    return (llama_context_shape){n_ctx, n_chunk < n_ctx ? n_chunk : n_ctx, plan_kv_type(wish->kv)};
}

/* Of each device what is free, and how fast it reads where that was measured. Returns how many there are. */
static uint32_t look_at(pum_device *device, llama_room *rooms) {
    uint32_t n = 0;
    if (device) device_hold(device);
    for (pum_device *d = device; d; d = d->next)
        rooms[n++] = (llama_room){
            .device_bytes = vk_device_available_bytes(d->vk),
            .host_bytes = vk_device_host_available_bytes(d->vk),
            .memory_bytes = vk_device_memory_bytes(d->vk),
            .device_gb_per_s = d->device_gb_per_s,
            .host_gb_per_s = d->host_gb_per_s,
        };
    if (device) device_release(device);
    return n;
}

static void measure_reads(pum_device *device) {
    for (; device; device = device->next) device_measure_reads(device);
}

/* ---- weights */

/* What a session takes on each device, for a context of some length. */
static void expect_session(const pum_device *device, const llama_config *config, const llama_placement *weights,
                           llama_context_shape shape, llama_room *rooms) {
    const pum_device *d = device;
    if (device) device_hold(device->first);
    for (uint32_t i = 0; i < weights->n_stages; i++, d = d ? d->next : NULL) {
        llama_context_plan plan = llama_plan_context(caps_of(d), config, shape, &weights->stages[i]);
        rooms[i].kv_bytes_of_layer = plan.kv_bytes / weights->stages[i].n_layer;
        rooms[i].scratch_bytes = plan.scratch_bytes;
    }
    if (device) device_release(device->first);
}

static bool place(pum_device *device, const llama_config *config, const llama_sizes *sizes, const plan_wish *likely,
                  llama_room *rooms, llama_placement *placement) {
    uint32_t n = look_at(device, rooms);
    // Each device is looked at as if it had a layer; what one takes for a session does not depend on which.
    llama_placement even = {.n_stages = n};
    for (uint32_t i = 0; i < n; i++) even.stages[i] = (llama_stage_place){.first_layer = i, .n_layer = 1};
    if (n == 1) even.stages[0].n_layer = config->n_layer;
    uint32_t n_ctx =
        likely->n_ctx > 0 && (uint32_t)likely->n_ctx < config->n_ctx_train ? (uint32_t)likely->n_ctx : default_n_ctx(config);
    expect_session(device, config, &even, shape_of(likely, n_ctx), rooms);
    return llama_place_weights(config, sizes, rooms, n, placement);
}

/* Whether a session, as it is expected, finds room beside the weights too. */
static bool in_own_memory(const llama_placement *placement, const llama_room *rooms) {
    for (uint32_t i = 0; i < placement->n_stages; i++) {
        const llama_stage_place *s = &placement->stages[i];
        uint64_t session = rooms[i].scratch_bytes + s->n_layer * rooms[i].kv_bytes_of_layer;
        if (rooms[i].host_bytes == 0) continue; // there is nothing else
        if (s->host_bytes > 0 || s->device_bytes + session > rooms[i].device_bytes) return false;
    }
    return true;
}

pum_status plan_weights(pum_device *device, const llama_config *config, const llama_sizes *sizes, const plan_wish *likely,
                        llama_placement *placement, bool *fits, pum_error *err) {
    int n = pum_device_n_parts(device);
    if ((uint32_t)n > config->n_layer)
        return pum_fail(err, PUM_ERR_ARGUMENT, "devices: expected at most one for each of the model's %u layers, got %d",
                        config->n_layer, n);
    if (n > 1) measure_reads(device);
    llama_room rooms[LLAMA_MAX_STAGES];
    *fits = place(device, config, sizes, likely, rooms, placement);
    // Now, as long as there is room to measure in.
    if (*fits && !in_own_memory(placement, rooms)) measure_reads(device);
    return PUM_OK;
}

/* ---- a session beside them */

static bool in_devices(const planning *p, llama_context_shape shape) {
    llama_room rooms[LLAMA_MAX_STAGES];
    expect_session(p->device, p->config, p->weights, shape, rooms);
    for (uint32_t i = 0; i < p->weights->n_stages; i++) {
        uint64_t needed = rooms[i].scratch_bytes + p->weights->stages[i].n_layer * rooms[i].kv_bytes_of_layer;
        // A tenth stays free for the desktop and for the driver's own needs.
        if (needed > p->rooms[i].device_bytes / 10 * 9) return false;
    }
    return true;
}

/* The longest context that every device can have, and the device that has the least. */
static uint32_t most_n_ctx(const planning *p, const pum_device **least) {
    uint32_t most = UINT32_MAX;
    for (const pum_device *d = p->device; d; d = d->next) {
        uint32_t n = llama_most_ctx(&d->vk->caps, p->config, plan_kv_type(p->wish->kv));
        if (n < most) *least = d;
        if (n < most) most = n;
    }
    return most;
}

/* "As much as fits" means in the devices' own memory; the usual length is had from the computer's, if need be. */
static pum_status choose_n_ctx(const planning *p, uint32_t *n_ctx, pum_error *err) {
    const llama_config *config = p->config;
    int wish = p->wish->n_ctx;
    if (wish < -1 || (wish > 0 && (uint32_t)wish > config->n_ctx_train))
        return pum_fail(err, PUM_ERR_ARGUMENT, "context length: expected 1 to the model's %u (or 0: as much as fits), got %d",
                        config->n_ctx_train, wish);
    uint32_t n = wish > 0 ? (uint32_t)wish : wish == 0 ? config->n_ctx_train : default_n_ctx(config);
    const pum_device *narrow = NULL;
    uint32_t most = most_n_ctx(p, &narrow);
    if (most == 0 || (wish > 0 && n > most))
        return pum_fail(
            err, PUM_ERR_UNSUPPORTED,
            "%s: one binding of this device covers %llu bytes, which are %u tokens of this model's context; expected at "
            "most so many, got %u; use a smaller context (--ctx)",
            narrow->vk->caps.name, (unsigned long long)narrow->vk->caps.max_storage_range, most, n);
    if (n > most) n = most > N_CTX_STEP ? most / N_CTX_STEP * N_CTX_STEP : most;
    uint32_t least = p->rooms[0].host_bytes > 0 ? default_n_ctx(config) : N_CTX_STEP;
    while (wish == 0 && p->device && n > least && !in_devices(p, shape_of(p->wish, n))) n = (n - 1) / N_CTX_STEP * N_CTX_STEP;
    *n_ctx = n;
    return PUM_OK;
}

static void add_part(pum_plan *plan, const llama_stage_place *s, const llama_context_place *context, uint32_t index,
                     uint64_t available_bytes) {
    uint32_t n_kv_in_host = context->stages[index].n_in_host;
    plan->parts[plan->n_parts++] = (pum_plan_part){
        .first_layer = (int)s->first_layer,
        .n_layers = (int)s->n_layer,
        .n_layers_in_host = (int)(s->n_in_host > n_kv_in_host ? s->n_in_host : n_kv_in_host),
        .device_bytes = s->device_bytes + context->stages[index].device_bytes,
        .host_bytes = s->host_bytes + context->stages[index].host_bytes,
        .available_bytes = available_bytes,
    };
    plan->device_bytes += plan->parts[index].device_bytes;
    plan->host_bytes += plan->parts[index].host_bytes;
    plan->available_bytes += available_bytes;
}

/* rooms: beside the weights, whose bytes count as available to their own model. */
static pum_status plan_context(planning *p, llama_context_shape *shape, llama_context_place *place, pum_plan *plan,
                               pum_error *err) {
    uint32_t n_ctx = 0;
    pum_status status = choose_n_ctx(p, &n_ctx, err);
    if (status != PUM_OK) return status;
    *shape = shape_of(p->wish, n_ctx);
    expect_session(p->device, p->config, p->weights, *shape, p->rooms);
    *plan = (pum_plan){.n_ctx = (int)n_ctx, .n_layers = (int)p->config->n_layer, .slowdown = 1};
    for (uint32_t i = 0; i < p->weights->n_stages; i++) {
        const llama_stage_place *s = &p->weights->stages[i];
        plan->weights_bytes += s->device_bytes + s->host_bytes;
        plan->kv_bytes += s->n_layer * p->rooms[i].kv_bytes_of_layer;
        plan->scratch_bytes += p->rooms[i].scratch_bytes;
    }
    if (!p->device) return PUM_OK;
    plan->fits = llama_place_context(p->weights, p->rooms, place);
    for (uint32_t i = 0; i < p->weights->n_stages; i++) {
        const llama_stage_place *s = &p->weights->stages[i];
        add_part(plan, s, place, i, p->rooms[i].device_bytes + s->device_bytes);
        uint64_t of_host = p->rooms[i].host_bytes + s->host_bytes;
        if (of_host > plan->host_available_bytes) plan->host_available_bytes = of_host;
        plan->n_layers_in_host += plan->parts[i].n_layers_in_host;
    }
    return PUM_OK;
}

/* Measures how fast memory is read only where that matters. */
static void note_slowdown(planning *p, const llama_context_place *place, pum_plan *plan) {
    if (plan->host_bytes == 0 || !plan->fits) return;
    uint32_t i = 0;
    for (pum_device *d = p->device; d; d = d->next, i++) {
        device_measure_reads(d);
        p->rooms[i].device_gb_per_s = d->device_gb_per_s;
        p->rooms[i].host_gb_per_s = d->host_gb_per_s;
    }
    plan->slowdown = llama_place_slowdown(p->weights, place, p->rooms);
}

pum_status plan_session(pum_device *device, const llama_config *config, const llama_placement *weights, const plan_wish *wish,
                        llama_context_shape *shape, llama_context_place *place, pum_plan *plan, pum_error *err) {
    planning p = {.device = device, .config = config, .wish = wish, .weights = weights};
    look_at(device, p.rooms);
    pum_status status = plan_context(&p, shape, place, plan, err);
    if (status == PUM_OK) note_slowdown(&p, place, plan);
    return status;
}

pum_status plan_model(pum_device *device, const llama_config *config, const llama_sizes *sizes, const plan_wish *wish,
                      pum_plan *plan, pum_error *err) {
    llama_placement placement = llama_place_at_once(config, sizes);
    llama_context_shape shape;
    llama_context_place place = {0};
    planning p = {.device = device, .config = config, .wish = wish, .weights = &placement};
    bool fits = false;
    pum_status status = device ? plan_weights(device, config, sizes, wish, &placement, &fits, err) : PUM_OK;
    if (status != PUM_OK) return status;
    look_at(device, p.rooms);
    for (uint32_t i = 0; device && i < placement.n_stages; i++) {
        const llama_stage_place *s = &placement.stages[i];
        llama_room *room = &p.rooms[i];
        room->device_bytes = room->device_bytes > s->device_bytes ? room->device_bytes - s->device_bytes : 0;
        room->host_bytes = room->host_bytes > s->host_bytes ? room->host_bytes - s->host_bytes : 0;
    }
    status = plan_context(&p, &shape, &place, plan, err);
    plan->fits = plan->fits && fits;
    if (status == PUM_OK) note_slowdown(&p, &place, plan);
    return status;
}

/* ---- sentences */

static double unit_of(uint64_t n_bytes, const char **name) {
    bool giga = n_bytes >= 1000000000;
    *name = giga ? "GB" : "MB";
    return giga ? 1e9 : 1e6;
}

static const char *name_of(const pum_device *device) { return device->next ? "the devices" : device->vk->caps.name; }

pum_status plan_refuse(const pum_device *device, const pum_plan *plan, pum_error *err) {
    uint64_t needed = plan->weights_bytes + plan->kv_bytes + plan->scratch_bytes;
    const char *name;
    double unit = unit_of(needed, &name);
    char host[80] = "";
    if (plan->host_available_bytes)
        snprintf(host, sizeof host, ", and %.2f of the computer's memory", (double)plan->host_available_bytes / unit);
    return pum_fail(
        err, PUM_ERR_DEVICE_MEMORY,
        "%s: the model needs %.2f %s (weights %.2f, context of %d tokens %.2f, scratch %.2f), %.2f are free%s; use a smaller "
        "context (--ctx), a smaller model or another device",
        name_of(device), (double)needed / unit, name, (double)plan->weights_bytes / unit, plan->n_ctx,
        (double)plan->kv_bytes / unit, (double)plan->scratch_bytes / unit, (double)plan->available_bytes / unit, host);
}

pum_status plan_refuse_weights(pum_device *device, const llama_config *config, const llama_sizes *sizes, pum_error *err) {
    pum_plan plan;
    const plan_wish one_token = {.n_ctx = 1};
    pum_status status = plan_model(device, config, sizes, &one_token, &plan, err);
    return status == PUM_OK ? plan_refuse(device, &plan, err) : status;
}
