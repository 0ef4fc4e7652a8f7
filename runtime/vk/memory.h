/* Buffers, spans of them, and a pool that hands out spans of a few large buffers. */
#ifndef VK_MEMORY_H
#define VK_MEMORY_H

#include "vk/device.h"

typedef enum vk_use {
    VK_USE_DEVICE, ///< fastest for kernels; mapped only where caps.host_visible, and mostly there; written in order, slow to read
    VK_USE_UPLOAD, ///< host writes, device reads; mapped, coherent
    VK_USE_READBACK, ///< device writes, host reads; mapped, coherent, cached where offered
    VK_USE_HOST,     ///< for kernels what VK_USE_DEVICE has no room for: the host's memory, mapped; not on every device
} vk_use;

/// A storage and transfer buffer with memory of its own.
typedef struct vk_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    uint64_t n_bytes;
    uint32_t heap;
    bool in_host;     ///< the memory is the host's: slower to read for most devices
    void *mapped;     ///< for the whole life of the buffer, or NULL
    uint64_t address; ///< in kernels that read through addresses; 0 where caps.buffer_address is not
} vk_buffer;

/// what: the purpose, for messages. Errors: PUM_ERR_DEVICE_MEMORY with the bytes wanted and available (VK_USE_HOST: also where
/// there is no such memory), PUM_ERR_DEVICE.
pum_status vk_buffer_create(vk_device *device, uint64_t n_bytes, vk_use use, const char *what, vk_buffer *buffer, pum_error *err);
void vk_buffer_destroy(vk_device *device, vk_buffer *buffer);

/// A stretch of a buffer, as kernels are given it. offset is a multiple of caps.storage_align where it is bound.
typedef struct vk_span {
    const vk_buffer *buffer;
    uint64_t offset, n_bytes;
} vk_span;

/// The host's pointer to a span of a mapped buffer, or NULL.
void *vk_span_mapped(vk_span span);
/// The device's address of a span, or 0.
uint64_t vk_span_address(vk_span span);

/// Hands out spans of VK_USE_DEVICE buffers; nothing is given back before the pool goes. One thread at a time.
typedef struct vk_pool vk_pool;
/// block_bytes: size of the buffers it takes; a larger span gets a buffer of its own. what: for messages, must outlive the pool.
pum_status vk_pool_create(vk_device *device, uint64_t block_bytes, const char *what, vk_pool **pool, pum_error *err);
/// The same of VK_USE_HOST buffers.
pum_status vk_pool_create_in_host(vk_device *device, uint64_t block_bytes, const char *what, vk_pool **pool, pum_error *err);
/// What will be taken in all: no block is larger than what is left of it.
void vk_pool_expect(vk_pool *pool, uint64_t total_bytes);
void vk_pool_destroy(vk_pool **pool);
/// n_bytes <= caps.max_storage_range. Aligned to 256 and caps.storage_align. Where the device gives no memory though it should,
/// the span is of the host's, and the log says so.
pum_status vk_pool_take(vk_pool *pool, uint64_t n_bytes, vk_span *span, pum_error *err);

#endif
