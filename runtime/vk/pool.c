#include "vk/memory.h"

#include <assert.h>
#include <stdlib.h>

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
    assert(n_bytes <= pool->device->caps.max_storage_range);
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
