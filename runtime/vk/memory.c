#include "vk/memory.h"

#include "vk/caps.h"

#include <stdatomic.h>
#include <stdio.h>

static const VkMemoryPropertyFlags LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
static const VkMemoryPropertyFlags HOST = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
static const VkMemoryPropertyFlags CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

enum { N_WISHES = 3 };

/* For each use the memory that is wished for, best first; the last of each is what every device has. */
static void wishes_of(const vk_device *device, vk_use use, VkMemoryPropertyFlags wishes[N_WISHES]) {
    switch (use) {
    case VK_USE_DEVICE:
        wishes[0] = device->caps.host_visible ? LOCAL | HOST : LOCAL;
        wishes[1] = LOCAL;
        wishes[2] = 0;
        return;
    case VK_USE_UPLOAD:
        wishes[0] = wishes[1] = wishes[2] = HOST;
        return;
    case VK_USE_READBACK:
        wishes[0] = HOST | CACHED;
        wishes[1] = wishes[2] = HOST;
        return;
    case VK_USE_HOST:
        return; // no wishes: vk_host_memory_type
    }
}

static int find_type(const vk_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted) {
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (device->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return (int)i;
    return -1;
}

/* BestPractices-NVIDIA-AllocateMemory-SetPriority and
 * BestPractices-NVIDIA-CreateDevice-PageableDeviceLocalMemory: all of it (weights, K and
 * V, scratch) is read for each token, so no part could give way to another; what does not fit is put into the host's memory by
 * us. BestPractices-NVIDIA-AllocateMemory-ReuseAllocations: a model or session that goes gives its memory back at once, for other
 * programs too; the next one may be of any size. */
static VkResult allocate(vk_device *device, const VkMemoryRequirements *need, vk_use use, VkDeviceMemory *memory,
                         int *memory_type) {
    const VkMemoryAllocateFlagsInfo with_address = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                                    .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    VkMemoryPropertyFlags wishes[N_WISHES] = {0};
    wishes_of(device, use, wishes);
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    for (int i = 0, last = -1; i < N_WISHES; i++) {
        int type = use == VK_USE_HOST ? vk_host_memory_type(&device->memory, need->memoryTypeBits)
                                      : find_type(device, need->memoryTypeBits, wishes[i]);
        if (type < 0 || type == last) continue;
        // Device memory does not silently become the host's: that would be a slow model without a word.
        if (use == VK_USE_DEVICE && last >= 0 && !(wishes[i] & LOCAL)) break;
        last = type;
        VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                     .pNext = device->caps.buffer_address ? &with_address : NULL,
                                     .allocationSize = need->size,
                                     .memoryTypeIndex = (uint32_t)type};
        result = device->fn.vkAllocateMemory(device->handle, &info, NULL, memory);
        *memory_type = type;
        if (result == VK_SUCCESS) break;
    }
    return result;
}

/* A size for people. */
typedef struct size_text {
    char text[24];
} size_text;

static size_text size_of(uint64_t n_bytes) {
    size_text s;
    double n = (double)n_bytes;
    if (n >= 1e9)
        snprintf(s.text, sizeof s.text, "%.2f GB", n / 1e9);
    else if (n >= 1e6)
        snprintf(s.text, sizeof s.text, "%.1f MB", n / 1e6);
    else
        snprintf(s.text, sizeof s.text, "%.1f kB", n / 1e3);
    return s;
}

static const char REMEDY[] = "use a smaller context (--ctx) or model, or close other programs";

/* What is refused before the driver is asked: many drivers promise more than there is and fail, or stall, when it is used. */
static pum_status check_size(vk_device *device, uint64_t n_bytes, vk_use use, const char *what, pum_error *err) {
    const vk_caps *caps = &device->caps;
    if (n_bytes == 0) return pum_fail(err, PUM_ERR_ARGUMENT, "%s: expected a size for a buffer, got 0 bytes", what);
    bool of_host = use == VK_USE_HOST;
    uint64_t available = of_host                ? vk_device_host_available_bytes(device)
                         : use == VK_USE_DEVICE ? vk_device_available_bytes(device)
                                                : UINT64_MAX;
    if (n_bytes > available)
        return pum_fail(err, PUM_ERR_DEVICE_MEMORY, "%s: needed %s of %s %s, got %s that are free; %s", what,
                        size_of(n_bytes).text, of_host ? "the computer's memory for" : "memory on", caps->name,
                        size_of(available).text, REMEDY);
    if (n_bytes > caps->max_allocation_bytes)
        return pum_fail(err, PUM_ERR_DEVICE_MEMORY, "%s: needed %s in one piece, %s gives %s at most; %s", what,
                        size_of(n_bytes).text, caps->name, size_of(caps->max_allocation_bytes).text, REMEDY);
    return PUM_OK;
}

static pum_status fail_denied(vk_device *device, uint64_t n_bytes, const char *what, pum_error *err) {
    return pum_fail(err, PUM_ERR_DEVICE_MEMORY, "%s: needed %s of memory on %s, got none though %s should be free; %s", what,
                    size_of(n_bytes).text, device->caps.name, size_of(vk_device_available_bytes(device)).text, REMEDY);
}

/* 0 where the device has no addresses. */
static uint64_t address_of(const vk_device *device, VkBuffer buffer) {
    if (!device->caps.buffer_address) return 0;
    const VkBufferDeviceAddressInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = buffer};
    PFN_vkGetBufferDeviceAddress ask =
        device->fn.vkGetBufferDeviceAddress ? device->fn.vkGetBufferDeviceAddress : device->fn.vkGetBufferDeviceAddressKHR;
    return ask ? ask(device->handle, &info) : 0;
}

/* BestPractices-vkBindBufferMemory-small-dedicated-allocation: small are the sequence numbers, the staging buffers and what the
 * host shares with kernels, a few for each session, each with the memory that suits its use. All else comes from pools. */
pum_status vk_buffer_create(vk_device *device, uint64_t n_bytes, vk_use use, const char *what, vk_buffer *buffer,
                            pum_error *err) {
    *buffer = (vk_buffer){.n_bytes = n_bytes};
    pum_status status = check_size(device, n_bytes, use, what, err);
    if (status != PUM_OK) goto fail;
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = n_bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    if (device->caps.buffer_address) info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    VK_TRY(device->fn.vkCreateBuffer(device->handle, &info, NULL, &buffer->handle), what);
    VkMemoryRequirements need;
    int type = 0;
    device->fn.vkGetBufferMemoryRequirements(device->handle, buffer->handle, &need);
    VkResult result = allocate(device, &need, use, &buffer->memory, &type);
    if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY) {
        status = fail_denied(device, n_bytes, what, err);
        goto fail;
    }
    VK_TRY(result, what);
    VK_TRY(device->fn.vkBindBufferMemory(device->handle, buffer->handle, buffer->memory, 0), what);
    VkMemoryPropertyFlags flags = device->memory.memoryTypes[type].propertyFlags;
    if ((flags & HOST) == HOST && (use != VK_USE_DEVICE || device->caps.host_visible))
        VK_TRY(device->fn.vkMapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped), what);
    buffer->address = address_of(device, buffer->handle);
    buffer->heap = device->memory.memoryTypes[type].heapIndex;
    buffer->in_host = use == VK_USE_HOST;
    atomic_fetch_add(&device->allocated_bytes, n_bytes);
    atomic_fetch_add(&device->heap_bytes[buffer->heap], n_bytes);
    return PUM_OK;
fail:
    if (buffer->handle) device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    if (buffer->memory) device->fn.vkFreeMemory(device->handle, buffer->memory, NULL);
    *buffer = (vk_buffer){0};
    return status;
}

void vk_buffer_destroy(vk_device *device, vk_buffer *buffer) {
    if (!buffer->handle) return;
    // What hangs may still write here: the memory goes with the process.
    if (atomic_load(&device->hung)) {
        *buffer = (vk_buffer){0};
        return;
    }
    device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    device->fn.vkFreeMemory(device->handle, buffer->memory, NULL);
    atomic_fetch_sub(&device->allocated_bytes, buffer->n_bytes);
    atomic_fetch_sub(&device->heap_bytes[buffer->heap], buffer->n_bytes);
    *buffer = (vk_buffer){0};
}

void *vk_span_mapped(vk_span span) {
    return span.buffer && span.buffer->mapped ? (char *)span.buffer->mapped + span.offset : NULL;
}

uint64_t vk_span_address(vk_span span) { return span.buffer && span.buffer->address ? span.buffer->address + span.offset : 0; }
