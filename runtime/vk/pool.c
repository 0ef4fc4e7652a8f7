#include "vk/memory.h"

#include "base/log.h"

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
    uint64_t left_bytes; ///< of what is expected
    const char *what;
    vk_use use;
    pool_block *blocks;
};

static pum_status create(vk_device *device, uint64_t block_bytes, const char *what, vk_use use, vk_pool **pool, pum_error *err) {
    vk_pool *p = *pool = calloc(1, sizeof *p);
    if (!p) return pum_fail_memory(err, what, sizeof *p);
    *p = (vk_pool){.device = device, .block_bytes = block_bytes, .left_bytes = UINT64_MAX, .what = what, .use = use};
    return PUM_OK;
}

pum_status vk_pool_create(vk_device *device, uint64_t block_bytes, const char *what, vk_pool **pool, pum_error *err) {
    return create(device, block_bytes, what, VK_USE_DEVICE, pool, err);
}

pum_status vk_pool_create_in_host(vk_device *device, uint64_t block_bytes, const char *what, vk_pool **pool, pum_error *err) {
    return create(device, block_bytes, what, VK_USE_HOST, pool, err);
}

void vk_pool_expect(vk_pool *pool, uint64_t total_bytes) { pool->left_bytes = total_bytes; }

static uint64_t smaller(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* Other programs take memory too: what was free when it was planned may not be any more. least: bytes that must be had. */
static pum_status make_block(vk_pool *pool, uint64_t least, vk_buffer *buffer, pum_error *err) {
    pum_error denied, again;
    uint64_t n_bytes = larger(least, smaller(pool->block_bytes, pool->left_bytes));
    pum_status status = vk_buffer_create(pool->device, n_bytes, pool->use, pool->what, buffer, &denied);
    while (status == PUM_ERR_DEVICE_MEMORY && n_bytes > least) {
        n_bytes = larger(least, n_bytes / 2 / 256 * 256);
        status = vk_buffer_create(pool->device, n_bytes, pool->use, pool->what, buffer, &again);
    }
    pool->left_bytes -= smaller(n_bytes, pool->left_bytes);
    if (status == PUM_OK) return PUM_OK;
    if (status == PUM_ERR_DEVICE_MEMORY && pool->use == VK_USE_DEVICE &&
        vk_buffer_create(pool->device, n_bytes, VK_USE_HOST, pool->what, buffer, NULL) == PUM_OK) {
        base_log(PUM_LOG_WARNING, "%s; its place is in the computer's memory now, which the device may read more slowly",
                 denied.message);
        return PUM_OK;
    }
    return pum_fail(err, status, "%s", denied.message);
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
        b = calloc(1, sizeof *b);
        if (!b) return pum_fail_memory(err, pool->what, sizeof *b);
        pum_status status = make_block(pool, need, &b->buffer, err);
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
