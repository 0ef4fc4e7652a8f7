/* The failures of the test layer: every call that may fail is counted, and one of them does. Handles are counted too, so that a
 * test can tell whether everything that was made was destroyed. */
#include "layer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- counting calls */

static _Atomic uint64_t n_host, n_device, n_lost, n_submissions, n_allocations, n_looked;
static _Atomic(const char *) fired; ///< where one failed
static atomic_bool vanished;

void faults_begin(void) {
    n_host = n_device = n_lost = n_submissions = n_allocations = n_looked = 0;
    fired = NULL;
    vanished = false;
}

bool device_has_vanished(void) { return vanished; }

bool device_is_found(void) {
    if (vanished && config.absent && atomic_fetch_add(&n_looked, 1) >= config.absent) vanished = false;
    return !vanished;
}

static bool is_turn(_Atomic uint64_t *n, uint64_t wanted, const char *name) {
    bool turn = atomic_fetch_add(n, 1) + 1 == wanted;
    if (turn) fired = name;
    return turn;
}

/* What is submitted is on the device before it is lost, or is refused. */
static pthread_mutex_t submitting = PTHREAD_MUTEX_INITIALIZER;

/* A device that is lost stays so. What it was given before is done: nobody destroys what the driver below works on. */
static VkResult lose(device_entry *d) {
    if (!d) return VK_ERROR_DEVICE_LOST;
    pthread_mutex_lock(&submitting);
    if (!atomic_exchange(&d->lost, true) && !d->hung) d->DeviceWaitIdle(d->handle);
    pthread_mutex_unlock(&submitting);
    return VK_ERROR_DEVICE_LOST;
}

VkResult fault_at(device_entry *d, const char *name, fault_kinds may) {
    if ((may & MAY_LOST) && d && d->lost) return VK_ERROR_DEVICE_LOST;
    if ((may & MAY_HOST) && is_turn(&n_host, config.host, name)) return VK_ERROR_OUT_OF_HOST_MEMORY;
    if ((may & MAY_DEVICE) && is_turn(&n_device, config.device, name)) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    if ((may & MAY_LOST) && is_turn(&n_lost, config.lost, name)) return lose(d);
    return VK_SUCCESS;
}

/* ---- counting handles */

typedef struct live_handle {
    uint64_t handle;
    device_entry *device;
    const char *maker;
} live_handle;

static pthread_mutex_t handles_lock = PTHREAD_MUTEX_INITIALIZER;
static live_handle *handles;
static size_t n_handles, handles_capacity;

static void handle_made(device_entry *d, uint64_t handle, const char *maker) {
    pthread_mutex_lock(&handles_lock);
    if (n_handles == handles_capacity) {
        handles_capacity = 2 * handles_capacity + 1024;
        handles = realloc(handles, handles_capacity * sizeof *handles);
        if (!handles) abort();
    }
    handles[n_handles++] = (live_handle){handle, d, maker};
    pthread_mutex_unlock(&handles_lock);
}

static void handle_gone(uint64_t handle, const char *by) {
    if (!handle) return;
    pthread_mutex_lock(&handles_lock);
    size_t i = n_handles;
    while (i > 0 && handles[i - 1].handle != handle) i--;
    if (i == 0) { // twice, or never made
        fprintf(stderr, "pumice test layer: vk%s of a handle that is not there\n", by);
        abort();
    }
    handles[i - 1] = handles[--n_handles];
    pthread_mutex_unlock(&handles_lock);
}

/* What of a device that is closed is left: the layer's own list must not grow with it. */
static size_t forget_handles(const device_entry *d) {
    size_t n = 0;
    pthread_mutex_lock(&handles_lock);
    for (size_t i = n_handles; i > 0; i--)
        if (handles[i - 1].device == d) {
            fprintf(stderr, "pumice test layer: left behind by its device: a handle of vk%s\n", handles[i - 1].maker);
            handles[i - 1] = handles[--n_handles];
            n++;
        }
    pthread_mutex_unlock(&handles_lock);
    return n;
}

static _Atomic uint64_t n_left_behind;

/* ---- for the program that tests: it finds these by name in the layer that is loaded */

/// Takes other words than those of PUMICE_LAYER, and counts anew.
EXPORTED void pumice_layer_begin(const char *words);
/// The function that failed, or NULL.
EXPORTED const char *pumice_layer_fired(void);
/// Handles that are there now, those of devices that hang not counted, and those that were there when their device was closed.
EXPORTED uint64_t pumice_layer_handles(void);
/// Destroys devices that hang, and what was left on them. A program leaves it there, as the device may work on it, and it goes
/// with the process; these were given nothing that does not end. A leak checker would not find all of it: a pipeline of lavapipe
/// points behind the header of what it owns, and frees that with its device.
EXPORTED void pumice_layer_bury(void);

void pumice_layer_begin(const char *words) {
    layer_is_told = true;
    layer_read_config(words);
    faults_begin();
}

const char *pumice_layer_fired(void) { return fired; }

uint64_t pumice_layer_handles(void) {
    uint64_t n = n_left_behind;
    pthread_mutex_lock(&handles_lock);
    for (size_t i = 0; i < n_handles; i++) n += !handles[i].device->hung;
    pthread_mutex_unlock(&handles_lock);
    return n;
}

/* ---- calls that make and destroy */

#define HANDLE(h) ((uint64_t)(uintptr_t)(h))

#define MAKES(f, Handle)                                                                                                         \
    static VkResult VKAPI_CALL layer_Create##f(VkDevice device, const Vk##f##CreateInfo *info, const VkAllocationCallbacks *c,   \
                                               Handle *handle) {                                                                 \
        device_entry *d = find_device(device);                                                                                   \
        VkResult result = fault_at(d, "Create" #f, MAY_HOST | MAY_DEVICE);                                                       \
        if (result == VK_SUCCESS) result = d->Create##f(device, info, c, handle);                                                \
        if (result == VK_SUCCESS) handle_made(d, HANDLE(*handle), "Create" #f);                                                  \
        return result;                                                                                                           \
    }
#define DESTROYS(f, Handle)                                                                                                      \
    static void VKAPI_CALL layer_##f(VkDevice device, Handle handle, const VkAllocationCallbacks *c) {                           \
        handle_gone(HANDLE(handle), #f);                                                                                         \
        find_device(device)->f(device, handle, c);                                                                               \
    }
#define OBJECTS(X)                                                                                                               \
    X(Buffer)                                                                                                                    \
    X(Fence)                                                                                                                     \
    X(CommandPool)                                                                                                               \
    X(DescriptorPool)                                                                                                            \
    X(DescriptorSetLayout)                                                                                                       \
    X(PipelineLayout)                                                                                                            \
    X(ShaderModule)                                                                                                              \
    X(PipelineCache)                                                                                                             \
    X(QueryPool)
#define X(f) MAKES(f, Vk##f) DESTROYS(Destroy##f, Vk##f)
OBJECTS(X)
#undef X
DESTROYS(DestroyPipeline, VkPipeline)
DESTROYS(FreeMemory, VkDeviceMemory)

/* One that is left on a device, out of the list; false: there is none. */
static bool take_left(const device_entry *d, live_handle *left) {
    pthread_mutex_lock(&handles_lock);
    size_t i = n_handles;
    while (i > 0 && handles[i - 1].device != d) i--;
    if (i > 0) {
        *left = handles[i - 1];
        handles[i - 1] = handles[--n_handles];
    }
    pthread_mutex_unlock(&handles_lock);
    return i > 0;
}

static void destroy_left(const device_entry *d, const live_handle *left) {
#define X(f)                                                                                                                     \
    if (strcmp(left->maker, "Create" #f) == 0) d->Destroy##f(d->handle, (Vk##f)left->handle, NULL);
    OBJECTS(X)
#undef X
    if (strcmp(left->maker, "CreateComputePipelines") == 0) d->DestroyPipeline(d->handle, (VkPipeline)left->handle, NULL);
    if (strcmp(left->maker, "AllocateMemory") == 0) d->FreeMemory(d->handle, (VkDeviceMemory)left->handle, NULL);
}

void pumice_layer_bury(void) {
    device_entry *d;
    while ((d = find_hung_device())) {
        live_handle left;
        d->DeviceWaitIdle(d->handle); // for what came before the submission that hangs
        while (take_left(d, &left)) destroy_left(d, &left);
        d->DestroyDevice(d->handle, NULL);
        device_closed(d);
    }
}

static VkResult VKAPI_CALL layer_CreateComputePipelines(VkDevice device, VkPipelineCache cache, uint32_t n,
                                                        const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *c,
                                                        VkPipeline *pipelines) {
    device_entry *d = find_device(device);
    VkResult result = fault_at(d, "CreateComputePipelines", MAY_HOST | MAY_DEVICE);
    for (uint32_t i = 0; i < n && result != VK_SUCCESS; i++) pipelines[i] = VK_NULL_HANDLE;
    if (result == VK_SUCCESS) result = d->CreateComputePipelines(device, cache, n, infos, c, pipelines);
    for (uint32_t i = 0; i < n && result == VK_SUCCESS; i++) handle_made(d, HANDLE(pipelines[i]), "CreateComputePipelines");
    return result;
}

static VkResult VKAPI_CALL layer_AllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                const VkAllocationCallbacks *callbacks, VkDeviceMemory *memory) {
    device_entry *d = find_device(device);
    VkResult result = fault_at(d, "AllocateMemory", MAY_HOST | MAY_DEVICE);
    if (is_turn(&n_allocations, config.deny, "AllocateMemory")) result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    VkMemoryAllocateInfo changed = *info;
    if (config.discrete) changed.memoryTypeIndex = 0;
    if (result == VK_SUCCESS) result = d->AllocateMemory(device, &changed, callbacks, memory);
    if (result == VK_SUCCESS) handle_made(d, HANDLE(*memory), "AllocateMemory");
    return result;
}

/* ---- calls that only fail */

#define FAILS(may, f, parameters, ...)                                                                                           \
    static VkResult VKAPI_CALL layer_##f parameters {                                                                            \
        device_entry *d = find_device(of);                                                                                       \
        VkResult result = fault_at(d, #f, may);                                                                                  \
        return result == VK_SUCCESS ? d->f(of, __VA_ARGS__) : result;                                                            \
    }
#define MEMORY (MAY_HOST | MAY_DEVICE)
FAILS(MEMORY, BindBufferMemory, (VkDevice of, VkBuffer b, VkDeviceMemory m, VkDeviceSize o), b, m, o)
FAILS(MEMORY, MapMemory, (VkDevice of, VkDeviceMemory m, VkDeviceSize o, VkDeviceSize n, VkMemoryMapFlags f, void **p), m, o, n,
      f, p)
FAILS(MAY_DEVICE, ResetFences, (VkDevice of, uint32_t n, const VkFence *f), n, f)
FAILS(MAY_DEVICE, ResetCommandPool, (VkDevice of, VkCommandPool p, VkCommandPoolResetFlags f), p, f)
FAILS(MEMORY, AllocateCommandBuffers, (VkDevice of, const VkCommandBufferAllocateInfo *i, VkCommandBuffer *c), i, c)
FAILS(MEMORY, BeginCommandBuffer, (VkCommandBuffer of, const VkCommandBufferBeginInfo *i), i)
FAILS(MEMORY, AllocateDescriptorSets, (VkDevice of, const VkDescriptorSetAllocateInfo *i, VkDescriptorSet *s), i, s)
FAILS(MEMORY, GetPipelineCacheData, (VkDevice of, VkPipelineCache c, size_t *n, void *p), c, n, p)
FAILS(MAY_ALL, GetQueryPoolResults,
      (VkDevice of, VkQueryPool p, uint32_t a, uint32_t n, size_t b, void *v, VkDeviceSize s, VkQueryResultFlags f), p, a, n, b,
      v, s, f)

static VkResult VKAPI_CALL layer_EndCommandBuffer(VkCommandBuffer commands) {
    device_entry *d = find_device(commands);
    VkResult result = fault_at(d, "EndCommandBuffer", MEMORY);
    return result == VK_SUCCESS ? d->EndCommandBuffer(commands) : result;
}

/* ---- submissions */

enum { MAX_SWALLOWED = 256 };
static pthread_mutex_t swallowed_lock = PTHREAD_MUTEX_INITIALIZER;
static VkFence swallowed[MAX_SWALLOWED]; ///< fences of devices that hang: they never signal
static size_t n_swallowed;

static void swallow(VkFence fence) {
    pthread_mutex_lock(&swallowed_lock);
    swallowed[n_swallowed++ % MAX_SWALLOWED] = fence;
    pthread_mutex_unlock(&swallowed_lock);
}

static bool is_swallowed(VkFence fence) {
    bool found = false;
    pthread_mutex_lock(&swallowed_lock);
    for (size_t i = 0; i < n_swallowed && i < MAX_SWALLOWED; i++) found = found || swallowed[i] == fence;
    pthread_mutex_unlock(&swallowed_lock);
    return found;
}

static VkResult VKAPI_CALL layer_QueueSubmit(VkQueue queue, uint32_t n, const VkSubmitInfo *infos, VkFence fence) {
    device_entry *d = find_device(queue);
    VkResult result = fault_at(d, "QueueSubmit", MAY_ALL);
    if (result != VK_SUCCESS) return result;
    uint64_t i = atomic_fetch_add(&n_submissions, 1) + 1;
    if (i == config.drop || i == config.hang || i == config.lose || i == config.vanish) fired = "QueueSubmit";
    if (i == config.vanish) vanished = true;
    if ((config.lose && i >= config.lose) || vanished) return lose(d);
    if (i == config.hang) d->hung = true;
    if (d->hung) {
        swallow(fence);
        return VK_SUCCESS;
    }
    if (i == config.drop) n = 0;
    pthread_mutex_lock(&submitting);
    result = d->lost ? VK_ERROR_DEVICE_LOST : d->QueueSubmit(queue, n, n ? infos : NULL, fence);
    pthread_mutex_unlock(&submitting);
    return result;
}

/* The seconds of a wait for what hangs pass at once. */
static VkResult VKAPI_CALL layer_WaitForFences(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all, uint64_t ns) {
    device_entry *d = find_device(device);
    if (d->hung && n == 1 && is_swallowed(*fences)) return VK_TIMEOUT;
    VkResult result = fault_at(d, "WaitForFences", MAY_ALL);
    return result == VK_SUCCESS ? d->WaitForFences(device, n, fences, all, ns) : result;
}

static void VKAPI_CALL layer_DestroyDevice(VkDevice device, const VkAllocationCallbacks *callbacks) {
    if (!device) return;
    device_entry *d = find_device(device);
    PFN_vkDestroyDevice destroy = d->DestroyDevice;
    n_left_behind += forget_handles(d);
    device_closed(d);
    destroy(device, callbacks);
}

/* ---- the table */

#define OURS(f)                                                                                                                  \
    { "vk" #f, (PFN_vkVoidFunction)layer_##f }
#define X(f) OURS(Create##f), OURS(Destroy##f),

const named_function fault_functions[] = {
    OBJECTS(X) OURS(DestroyPipeline),
    OURS(FreeMemory),
    OURS(CreateComputePipelines),
    OURS(AllocateMemory),
    OURS(BindBufferMemory),
    OURS(MapMemory),
    OURS(ResetFences),
    OURS(ResetCommandPool),
    OURS(AllocateCommandBuffers),
    OURS(BeginCommandBuffer),
    OURS(EndCommandBuffer),
    OURS(AllocateDescriptorSets),
    OURS(GetPipelineCacheData),
    OURS(GetQueryPoolResults),
    OURS(QueueSubmit),
    OURS(WaitForFences),
    OURS(DestroyDevice),
    {NULL, NULL},
};
