#include "vk/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

static const VkMemoryPropertyFlags LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
static const VkMemoryPropertyFlags HOST = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
static const VkMemoryPropertyFlags CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;

enum { N_WISHES = 3 };

/* For each use the memory that is wished for, best first; the last of each is what every device has. */
static void wishes_of(const vk_device *device, vk_use use, VkMemoryPropertyFlags wishes[N_WISHES]) {
    switch (use) {
    case VK_USE_DEVICE:
        wishes[0] = device->caps.unified ? LOCAL | HOST : LOCAL;
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
    }
}

static int find_type(const vk_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted) {
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if ((allowed >> i & 1) && (device->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return (int)i;
    return -1;
}

static VkResult allocate(vk_device *device, const VkMemoryRequirements *need, vk_use use, VkDeviceMemory *memory,
                         VkMemoryPropertyFlags *flags) {
    VkMemoryPropertyFlags wishes[N_WISHES] = {0};
    wishes_of(device, use, wishes);
    VkResult result = VK_ERROR_OUT_OF_DEVICE_MEMORY;
    for (int i = 0, last = -1; i < N_WISHES; i++) {
        int type = find_type(device, need->memoryTypeBits, wishes[i]);
        if (type < 0 || type == last) continue;
        // Device memory does not silently become the host's: that would be a slow model without a word.
        if (use == VK_USE_DEVICE && last >= 0) break;
        last = type;
        VkMemoryAllocateInfo info = {
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = need->size, .memoryTypeIndex = (uint32_t)type};
        result = device->fn.vkAllocateMemory(device->handle, &info, NULL, memory);
        *flags = device->memory.memoryTypes[type].propertyFlags;
        if (result == VK_SUCCESS) break;
    }
    return result;
}

pum_status vk_buffer_create(vk_device *device, uint64_t n_bytes, vk_use use, const char *what, vk_buffer *buffer,
                            pum_error *err) {
    *buffer = (vk_buffer){.n_bytes = n_bytes};
    pum_status status = PUM_OK;
    VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
        .size = n_bytes,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
    };
    VK_TRY(device->fn.vkCreateBuffer(device->handle, &info, NULL, &buffer->handle), what);
    VkMemoryRequirements need;
    VkMemoryPropertyFlags flags = 0;
    device->fn.vkGetBufferMemoryRequirements(device->handle, buffer->handle, &need);
    VkResult result = allocate(device, &need, use, &buffer->memory, &flags);
    if (result != VK_SUCCESS) {
        double available = (double)vk_device_available_bytes(device) / 1e9;
        status = vk_fail(err, result, "%s: %s has not the %.3f GB that are needed (%.3f GB are free)", what, device->caps.name,
                         (double)n_bytes / 1e9, available);
        goto fail;
    }
    VK_TRY(device->fn.vkBindBufferMemory(device->handle, buffer->handle, buffer->memory, 0), what);
    atomic_fetch_add(&device->allocated_bytes, n_bytes);
    if ((flags & HOST) == HOST && (use != VK_USE_DEVICE || device->caps.unified)) {
        VkResult mapped = device->fn.vkMapMemory(device->handle, buffer->memory, 0, VK_WHOLE_SIZE, 0, &buffer->mapped);
        if (mapped != VK_SUCCESS) {
            status = vk_fail(err, mapped, "%s", what);
            vk_buffer_destroy(device, buffer);
            return status;
        }
    }
    return PUM_OK;
fail:
    if (buffer->memory) device->fn.vkFreeMemory(device->handle, buffer->memory, NULL);
    if (buffer->handle) device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    *buffer = (vk_buffer){0};
    return status;
}

void vk_buffer_destroy(vk_device *device, vk_buffer *buffer) {
    if (!buffer->handle) return;
    device->fn.vkDestroyBuffer(device->handle, buffer->handle, NULL);
    device->fn.vkFreeMemory(device->handle, buffer->memory, NULL);
    atomic_fetch_sub(&device->allocated_bytes, buffer->n_bytes);
    *buffer = (vk_buffer){0};
}

void *vk_span_mapped(vk_span span) {
    return span.buffer && span.buffer->mapped ? (char *)span.buffer->mapped + span.offset : NULL;
}

/* ---- the pool */

typedef struct pool_block {
    struct pool_block *next;
    uint64_t used;
    vk_buffer buffer;
} pool_block;

struct vk_pool {
    vk_device *device;
    uint64_t block_bytes;
    const char *what;
    pool_block *blocks;
};

pum_status vk_pool_create(vk_device *device, uint64_t block_bytes, const char *what, vk_pool **pool, pum_error *err) {
    vk_pool *p = *pool = calloc(1, sizeof *p);
    if (!p) return pum_fail_memory(err, what, sizeof *p);
    *p = (vk_pool){.device = device, .block_bytes = block_bytes, .what = what};
    return PUM_OK;
}

void vk_pool_destroy(vk_pool **pool) {
    if (!pool || !*pool) return;
    for (pool_block *b = (*pool)->blocks, *next; b; b = next) {
        next = b->next;
        vk_buffer_destroy((*pool)->device, &b->buffer);
        free(b);
    }
    free(*pool);
    *pool = NULL;
}

pum_status vk_pool_take(vk_pool *pool, uint64_t n_bytes, vk_span *span, pum_error *err) {
    uint64_t align = pool->device->caps.storage_align > 256 ? pool->device->caps.storage_align : 256;
    uint64_t need = (n_bytes + align - 1) / align * align;
    pool_block *b = pool->blocks;
    while (b && b->buffer.n_bytes - b->used < need) b = b->next;
    if (!b) {
        uint64_t block_bytes = need > pool->block_bytes ? need : pool->block_bytes;
        b = calloc(1, sizeof *b);
        if (!b) return pum_fail_memory(err, pool->what, sizeof *b);
        pum_status status = vk_buffer_create(pool->device, block_bytes, VK_USE_DEVICE, pool->what, &b->buffer, err);
        if (status != PUM_OK) {
            free(b);
            return status;
        }
        b->next = pool->blocks;
        pool->blocks = b;
    }
    *span = (vk_span){&b->buffer, b->used, n_bytes};
    b->used += need;
    return PUM_OK;
}
