/* Choosing and opening a device. */
#include "base/cache_file.h"
#include "base/log.h"
#include "base/system_memory.h"
#include "vk/caps.h"
#include "vk/instance.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A physical device as it is looked at for choosing. */
typedef struct candidate {
    VkPhysicalDevice physical;
    vk_caps caps;
    vk_features features; ///< points into itself: candidates are never moved
    uint64_t memory_bytes;
    const char *unusable; ///< why not, or NULL
} candidate;

typedef struct candidates {
    candidate *all;
    uint32_t n;
    int chosen; ///< the default, or -1
} candidates;

/* What every kernel of the baseline stands on. */
static const char *why_unusable(const candidate *c) {
    uint32_t bits;
    const vk_caps *caps = &c->caps;
    if (caps->api_version < VK_API_VERSION_1_1) return "its driver knows Vulkan 1.0 only, 1.1 is needed";
    if (vk_compute_family(c->physical, &bits) < 0) return "it has no queue for compute";
    if (caps->max_invocations < 128) return "its workgroups hold fewer than 128 invocations";
    if (caps->max_shared_bytes < 16384) return "its workgroups share less than 16 KiB";
    if (caps->max_push_bytes < 128) return "it takes fewer than 128 bytes of push constants";
    if (caps->storage_align == 0 || caps->storage_align > 256) return "it wants buffers aligned to none or more than 256 bytes";
    return NULL;
}

static int speed_rank(pum_device_type type) {
    switch (type) {
    case PUM_DEVICE_DISCRETE:
        return 4;
    case PUM_DEVICE_INTEGRATED:
        return 3;
    case PUM_DEVICE_VIRTUAL:
        return 2;
    case PUM_DEVICE_OTHER:
        return 1;
    case PUM_DEVICE_CPU:
        return 0;
    }
    return 0;
}

/* The faster kind, and of one kind the larger. */
static bool is_better(const candidate *a, const candidate *b) {
    int rank_a = speed_rank(a->caps.type), rank_b = speed_rank(b->caps.type);
    return rank_a != rank_b ? rank_a > rank_b : a->memory_bytes > b->memory_bytes;
}

static void free_candidates(candidates *c) { free(c->all); }

/* A driver that fails here makes its own device unusable, not the others; but the want of memory is nobody's own. */
static pum_status look_at(candidate *c, pum_error *err) {
    pum_error error;
    pum_status status = vk_caps_read(c->physical, &c->caps, &c->features, &error);
    if (status == PUM_ERR_MEMORY || status == PUM_ERR_DEVICE_MEMORY) return pum_fail(err, status, "%s", error.message);
    if (status != PUM_OK) {
        base_log(PUM_LOG_WARNING, "%s: %s", c->caps.name, error.message);
        c->unusable = "its driver fails when it is asked what the device can do";
        return PUM_OK;
    }
    c->unusable = why_unusable(c);
    if (!c->unusable) c->memory_bytes = vk_caps_device_heap(c->physical, false).size_bytes;
    return PUM_OK;
}

static pum_status list_candidates(candidates *c, pum_error *err) {
    *c = (candidates){.chosen = -1};
    VkPhysicalDevice *physical;
    uint32_t n;
    pum_status status = vk_instance_physical(&physical, &n, err);
    if (status != PUM_OK || n == 0) return status;
    c->all = calloc(n, sizeof *c->all);
    if (!c->all) status = pum_fail_memory(err, "the list of devices", n * sizeof *c->all);
    for (uint32_t i = 0; i < n && status == PUM_OK; i++) {
        candidate *d = &c->all[i];
        d->physical = physical[i];
        status = look_at(d, err);
        c->n++;
        if (!d->unusable && (c->chosen < 0 || is_better(d, &c->all[c->chosen]))) c->chosen = (int)i;
    }
    free(physical);
    if (status != PUM_OK) free_candidates(c);
    return status;
}

/* ---- memory */

static uint64_t at_most(uint64_t n, uint64_t most) { return n < most ? n : most; }

/* taken: what this program has already taken, for drivers that do not count. */
static uint64_t free_of_heap(const vk_heap *heap, uint64_t taken) {
    if (heap->budget_known) return heap->free_bytes;
    return taken < heap->size_bytes ? heap->size_bytes - taken : 0;
}

static uint64_t free_memory(const vk_heap *heap, const vk_caps *caps, uint64_t taken) {
    // A CPU driver gives out the host's memory as the host does: more than there is, until the system ends the program.
    uint64_t host = caps->type == PUM_DEVICE_CPU ? system_memory_available_bytes() : UINT64_MAX;
    return at_most(free_of_heap(heap, taken), host);
}

uint64_t vk_device_memory_bytes(const vk_device *device) { return vk_caps_device_heap(device->physical, false).size_bytes; }

uint64_t vk_device_available_bytes(vk_device *device) {
    vk_heap heap = vk_caps_device_heap(device->physical, device->caps.memory_budget);
    return free_memory(&heap, &device->caps, atomic_load(&device->heap_bytes[heap.index]));
}

uint64_t vk_device_host_available_bytes(vk_device *device) {
    vk_heap heap = vk_caps_host_heap(device->physical, device->caps.memory_budget);
    // A tenth of what the host has stays for everything else that runs there.
    return at_most(free_of_heap(&heap, atomic_load(&device->heap_bytes[heap.index])), system_memory_available_bytes() / 10 * 9);
}

/* ---- describing */

static void describe(VkPhysicalDevice physical, const vk_caps *caps, pum_device_info *info) {
    *info = (pum_device_info){
        .type = caps->type,
        .api_version = caps->api_version,
        .subgroup_size = caps->subgroup_size,
        .fp16 = caps->fp16,
        .int8_dot = caps->int8_dot,
        .coopmat = caps->coopmat,
    };
    snprintf(info->name, sizeof info->name, "%s", caps->name);
    snprintf(info->driver, sizeof info->driver, "%s", caps->driver);
    snprintf(info->driver_version, sizeof info->driver_version, "%s", caps->driver_version);
    memcpy(info->uuid, caps->uuid, sizeof info->uuid);
    vk_vendor_name(caps->vendor_id, info->vendor);
    if (caps->api_version < VK_API_VERSION_1_1) return;
    vk_heap heap = vk_caps_device_heap(physical, caps->memory_budget);
    info->memory_bytes = heap.size_bytes;
    info->available_bytes = free_memory(&heap, caps, 0);
}

static void explain(const candidates *c, uint32_t index, pum_device_info *info) {
    const candidate *d = &c->all[index];
    info->index = (int)index;
    info->used = (int)index == c->chosen;
    bool cpu = d->caps.type == PUM_DEVICE_CPU;
    const char *reason;
    if (d->unusable)
        reason = d->unusable;
    else if (info->used && c->n == 1)
        reason = cpu ? "the only device, a driver that runs on the CPU" : "the only device";
    else if (info->used)
        reason = cpu ? "a driver that runs on the CPU: there is no GPU that could be used" : "the fastest kind of device here";
    else if (cpu && c->all[c->chosen].caps.type != PUM_DEVICE_CPU)
        reason = "a driver that runs on the CPU, and there is a GPU";
    else
        reason = "another device is preferred; --device takes this one";
    snprintf(info->reason, sizeof info->reason, "%s", reason);
}

pum_status vk_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err) {
    *n_devices = 0;
    candidates c;
    pum_status status = list_candidates(&c, err);
    if (status != PUM_OK) return status;
    for (uint32_t i = 0; i < c.n && (int)i < capacity; i++) {
        describe(c.all[i].physical, &c.all[i].caps, &infos[i]);
        explain(&c, i, &infos[i]);
    }
    *n_devices = (int)c.n;
    free_candidates(&c);
    return PUM_OK;
}

/* ---- choosing */

static bool contains(const char *text, const char *part) {
    size_t n = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < n && tolower((unsigned char)text[i]) == tolower((unsigned char)part[i])) i++;
        if (i == n) return true;
    }
    return false;
}

static void list_names(const candidates *c, char *text, size_t n_bytes) {
    size_t used = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < c->n && used < n_bytes; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%u: %s", i ? ", " : "", i, c->all[i].caps.name);
}

/* An index, or else a part of exactly one name. */
static pum_status choose_by_name(const candidates *c, const char *which, int *index, pum_error *err) {
    char names[512];
    list_names(c, names, sizeof names);
    char *end;
    long number = strtol(which, &end, 10);
    if (*which && *end == 0 && number >= 0 && number < (long)c->n) {
        *index = (int)number;
        return PUM_OK;
    }
    int n_matches = 0;
    for (uint32_t i = 0; i < c->n; i++) {
        if (!contains(c->all[i].caps.name, which)) continue;
        *index = (int)i;
        n_matches++;
    }
    if (n_matches == 1) return PUM_OK;
    return pum_fail(err, PUM_ERR_NO_DEVICE, "device \"%.64s\": expected an index or a part of one name, got %s; there is %s",
                    which, n_matches ? "several that match" : "none that matches", names);
}

static pum_status choose(const candidates *c, const char *which, int *index, pum_error *err) {
    if (c->n == 0)
        return pum_fail(err, PUM_ERR_NO_DEVICE,
                        "expected a Vulkan device, got none; install your GPU's Vulkan driver, or a driver that runs on the CPU "
                        "(Debian: mesa-vulkan-drivers)");
    *index = c->chosen;
    pum_status status = which ? choose_by_name(c, which, index, err) : PUM_OK;
    if (status != PUM_OK) return status;
    if (*index < 0)
        return pum_fail(err, PUM_ERR_NO_DEVICE,
                        "expected a Vulkan device that can be used, got %u that cannot; the first, %s: %s; update its driver",
                        c->n, c->all[0].caps.name, c->all[0].unusable);
    const candidate *d = &c->all[*index];
    if (d->unusable)
        return pum_fail(err, PUM_ERR_NO_DEVICE, "%s cannot be used: %s; update its driver or choose another --device",
                        d->caps.name, d->unusable);
    return PUM_OK;
}

/* ---- opening */

/* A device that hangs cannot be destroyed without waiting for it: what it holds goes with the process. */
static void close_handle(vk_device *d) {
    if (d->handle && !atomic_load(&d->hung)) {
        if (d->pipeline_cache) d->fn.vkDestroyPipelineCache(d->handle, d->pipeline_cache, NULL);
        d->fn.vkDestroyDevice(d->handle, NULL);
    }
    d->handle = VK_NULL_HANDLE;
    d->pipeline_cache = VK_NULL_HANDLE;
}

/* With a queue that lets the desktop's work go first, where the driver has such and this program may have it. */
static VkResult create_handle(vk_device *d, const candidate *c, VkDeviceCreateInfo info) {
    static const VkDeviceQueueGlobalPriorityCreateInfoKHR low = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_GLOBAL_PRIORITY_CREATE_INFO_KHR,
        .globalPriority = VK_QUEUE_GLOBAL_PRIORITY_LOW_KHR};
    VkDeviceQueueCreateInfo queue = *info.pQueueCreateInfos;
    queue.pNext = c->features.queue_priority ? &low : NULL;
    info.pQueueCreateInfos = &queue;
    VkResult result = vkCreateDevice(c->physical, &info, NULL, &d->handle);
    d->low_priority = c->features.queue_priority && result == VK_SUCCESS;
    if (!c->features.queue_priority || (result != VK_ERROR_NOT_PERMITTED_KHR && result != VK_ERROR_INITIALIZATION_FAILED))
        return result;
    queue.pNext = NULL;
    return vkCreateDevice(c->physical, &info, NULL, &d->handle);
}

/* The part of a device that is lost with it. */
static pum_status open_handle(vk_device *d, candidate *c, pum_error *err) {
    pum_status status = PUM_OK;
    d->physical = c->physical;
    uint32_t timestamp_bits;
    d->queue_family = (uint32_t)vk_compute_family(c->physical, &timestamp_bits);
    float priority = 0.5f;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = d->queue_family,
                                     .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = &c->features.core,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .enabledExtensionCount = c->features.n_extensions,
                               .ppEnabledExtensionNames = c->features.extensions};
    VkResult result = create_handle(d, c, info);
    if (result != VK_SUCCESS) {
        d->handle = VK_NULL_HANDLE;
        status = vk_fail(err, result, "opening %s", c->caps.name);
        goto fail;
    }
    volkLoadDeviceTable(&d->fn, d->handle);
    d->fn.vkGetDeviceQueue(d->handle, d->queue_family, 0, &d->queue);
    vk_caps_memory(c->physical, &d->memory);
    VkPipelineCacheCreateInfo cache = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    VK_TRY(d->fn.vkCreatePipelineCache(d->handle, &cache, NULL, &d->pipeline_cache), "making the pipeline cache");
    return PUM_OK;
fail:
    close_handle(d);
    return status;
}

static pum_status open_candidate(candidate *c, vk_device **device, pum_error *err) {
    vk_device *d = calloc(1, sizeof *d);
    if (!d) return pum_fail_memory(err, "a device", sizeof *d);
    pthread_mutex_init(&d->queue_lock, NULL);
    pthread_mutex_init(&d->pipeline_cache_lock, NULL);
    d->caps = c->caps;
    pum_status status = open_handle(d, c, err);
    if (status != PUM_OK) vk_device_close(&d);
    *device = d;
    return status;
}

pum_status vk_device_open(const char *which, vk_device **device, pum_error *err) {
    *device = NULL;
    candidates c;
    int index = -1;
    pum_status status = list_candidates(&c, err);
    if (status != PUM_OK) return status;
    status = choose(&c, which, &index, err);
    if (status == PUM_OK) status = open_candidate(&c.all[index], device, err);
    free_candidates(&c);
    return status;
}

/* The same device in a list that was made anew; -1: it is not there. */
static int find_again(const candidates *c, const vk_caps *caps) {
    for (uint32_t i = 0; i < c->n; i++) {
        const vk_caps *other = &c->all[i].caps;
        if (!c->all[i].unusable && memcmp(other->uuid, caps->uuid, sizeof caps->uuid) == 0 && !strcmp(other->name, caps->name))
            return (int)i;
    }
    return -1;
}

pum_status vk_device_reopen(vk_device *d, pum_error *err) {
    candidates c;
    close_handle(d);
    atomic_store(&d->allocated_bytes, 0);
    for (uint32_t i = 0; i < VK_MAX_MEMORY_HEAPS; i++) atomic_store(&d->heap_bytes[i], 0);
    pum_status status = list_candidates(&c, err);
    if (status != PUM_OK) return status;
    int index = find_again(&c, &d->caps);
    char names[512];
    list_names(&c, names, sizeof names);
    if (index < 0)
        status = pum_fail(err, PUM_ERR_NO_DEVICE,
                          "%s: the device was lost and is not there any more; connect it again, or choose another with --device, "
                          "there is %s",
                          d->caps.name, c.n ? names : "none");
    atomic_store(&d->hung, false);
    if (status == PUM_OK) status = open_handle(d, &c.all[index], err);
    if (status == PUM_OK) atomic_store(&d->lost, false);
    free_candidates(&c);
    return status;
}

void vk_device_close(vk_device **device) {
    if (!device || !*device) return;
    vk_device *d = *device;
    close_handle(d);
    pthread_mutex_destroy(&d->pipeline_cache_lock);
    pthread_mutex_destroy(&d->queue_lock);
    free(d->pipeline_cache_path);
    free(d);
    *device = NULL;
}

bool vk_device_same(const vk_device *a, const vk_device *b) { return a->physical == b->physical; }

/* ---- what is kept about a device */

void vk_device_identity(const vk_device *device, const char *what, char *text, size_t n_bytes) {
    const vk_caps *c = &device->caps;
    char uuid[2 * sizeof c->uuid + 1];
    for (size_t i = 0; i < sizeof c->uuid; i++) snprintf(uuid + 2 * i, 3, "%02x", c->uuid[i]);
    snprintf(text, n_bytes, "%s of pumice %s; device %04x:%04x %s, subgroups of %u; driver %s %s", what, pum_version(),
             c->vendor_id, c->device_id, uuid, c->subgroup_size, c->driver, c->driver_version);
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < ' ') *at = ' ';
}

char *vk_device_file(const vk_device *device, const char *folder, const char *what) {
    const vk_caps *c = &device->caps;
    uint64_t hash = cache_file_hash(0, c->uuid, sizeof c->uuid);
    hash = cache_file_hash(hash, c->name, strlen(c->name));
    hash = cache_file_hash(hash, c->driver, strlen(c->driver));
    size_t n_bytes = strlen(folder) + strlen(what) + 32;
    char *path = malloc(n_bytes);
    if (path) snprintf(path, n_bytes, "%s/%s-%016" PRIx64, folder, what, hash);
    return path;
}

void vk_device_describe(vk_device *device, pum_device_info *info) {
    describe(device->physical, &device->caps, info);
    info->available_bytes = vk_device_available_bytes(device);
    candidates c;
    if (list_candidates(&c, NULL) != PUM_OK) return;
    for (uint32_t i = 0; i < c.n; i++)
        if (c.all[i].physical == device->physical) explain(&c, i, info);
    free_candidates(&c);
}
