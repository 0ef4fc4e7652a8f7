#include "vk/commands.h"

#include <stdio.h>
#include <stdlib.h>

enum { SETS_PER_POOL = 256 };
static const uint64_t SECOND_NS = 1000000000;

typedef struct set_pool {
    struct set_pool *next;
    VkDescriptorPool handle;
    uint32_t used;
} set_pool;

struct vk_commands {
    vk_device *device;
    VkCommandPool pool;
    VkCommandBuffer buffer;
    VkFence fence;
    VkQueryPool times; ///< two timestamps, or none
    set_pool *sets;    ///< the first one is in use
    vk_buffer sentinel;
    uint32_t sequence;
    bool recording, pending;
    pum_error failed; ///< the first failure while recording, or PUM_OK
};

static pum_status create_objects(vk_commands *c, pum_error *err) {
    vk_device *d = c->device;
    pum_status status = PUM_OK;
    VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                    .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                    .queueFamilyIndex = d->queue_family};
    VK_TRY(d->fn.vkCreateCommandPool(d->handle, &pool, NULL, &c->pool), "making a command pool");
    VkCommandBufferAllocateInfo buffer = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                          .commandPool = c->pool,
                                          .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                          .commandBufferCount = 1};
    VK_TRY(d->fn.vkAllocateCommandBuffers(d->handle, &buffer, &c->buffer), "making a command buffer");
    // BestPractices-SyncObjects-HighNumberOfFences: one for each submission under way, some ten in all; none is made in between.
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK_TRY(d->fn.vkCreateFence(d->handle, &fence, NULL, &c->fence), "making a fence");
    if (d->caps.timestamp_ns > 0) {
        VkQueryPoolCreateInfo times = {
            .sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = 2};
        VK_TRY(d->fn.vkCreateQueryPool(d->handle, &times, NULL, &c->times), "making timestamp queries");
    }
    return vk_buffer_create(d, 256, VK_USE_READBACK, "the sequence number of submissions", &c->sentinel, err);
fail:
    return status;
}

pum_status vk_commands_create(vk_device *device, vk_commands **commands, pum_error *err) {
    *commands = NULL;
    vk_commands *c = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "a command buffer", sizeof *c);
    c->device = device;
    pum_status status = create_objects(c, err);
    if (status != PUM_OK) {
        vk_commands_destroy(&c);
        return status;
    }
    *(volatile uint32_t *)c->sentinel.mapped = 0;
    *commands = c;
    return PUM_OK;
}

void vk_commands_destroy(vk_commands **commands) {
    if (!commands || !*commands) return;
    vk_commands *c = *commands;
    vk_device *d = c->device;
    if (c->pending) vk_commands_wait(c, NULL, NULL);
    bool hung = atomic_load(&d->hung); // the device may still have all of this: it goes with the process
    for (set_pool *s = c->sets, *next; s; s = next) {
        next = s->next;
        if (!hung) d->fn.vkDestroyDescriptorPool(d->handle, s->handle, NULL);
        free(s);
    }
    if (c->times && !hung) d->fn.vkDestroyQueryPool(d->handle, c->times, NULL);
    if (c->fence && !hung) d->fn.vkDestroyFence(d->handle, c->fence, NULL);
    if (c->pool && !hung) d->fn.vkDestroyCommandPool(d->handle, c->pool, NULL);
    vk_buffer_destroy(d, &c->sentinel);
    free(c);
    *commands = NULL;
}

bool vk_commands_pending(const vk_commands *commands) { return commands->pending; }

/* How long a submission may take. It is made for 50 ms, and a GPU's driver ends by itself what takes 2 to 10 s; but the first
 * dispatch of a kernel may compile it for seconds. A CPU driver compiles then too, shares its cores with all else, and does the
 * token of a large model in one piece. */
static int wait_seconds(const vk_device *d) { return d->caps.type == PUM_DEVICE_CPU ? 600 : 60; }

static pum_status fail_lost(const vk_device *d, pum_error *err) {
    if (atomic_load(&d->hung))
        return pum_fail(err, PUM_ERR_DEVICE_LOST,
                        "%s: expected an end of its work within %d s, got none: the device or its driver hangs; choose another "
                        "--device if it happens again",
                        d->caps.name, wait_seconds(d));
    return pum_fail(err, PUM_ERR_DEVICE_LOST, "%s: the device is lost; choose another --device if it happens again",
                    d->caps.name);
}

/* What a call to the device or its queue gave. */
static pum_status check(vk_device *d, VkResult result, const char *what, pum_error *err) {
    if (result == VK_SUCCESS) return PUM_OK;
    if (result == VK_ERROR_DEVICE_LOST) atomic_store(&d->lost, true);
    return vk_fail(err, result, "%s: %s", d->caps.name, what);
}

static pum_status begin(vk_commands *c, VkCommandBufferUsageFlags usage, pum_error *err) {
    vk_device *d = c->device;
    pum_status status = PUM_OK;
    if (atomic_load(&d->lost)) return fail_lost(d, err);
    c->failed.status = PUM_OK;
    VK_TRY(d->fn.vkResetCommandPool(d->handle, c->pool, 0), "resetting a command buffer");
    for (set_pool *s = c->sets; s; s = s->next) {
        VK_TRY(d->fn.vkResetDescriptorPool(d->handle, s->handle, 0), "resetting descriptors");
        s->used = 0;
    }
    VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, .flags = usage};
    VK_TRY(d->fn.vkBeginCommandBuffer(c->buffer, &info), "recording commands");
    c->recording = true;
    if (c->times) {
        d->fn.vkCmdResetQueryPool(c->buffer, c->times, 0, 2);
        d->fn.vkCmdWriteTimestamp(c->buffer, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, c->times, 0);
    }
    return PUM_OK;
fail: // whoever records all the same records nothing
    c->failed.status = status;
    snprintf(c->failed.message, sizeof c->failed.message, "recording commands that could not be begun");
    return status;
}

pum_status vk_commands_begin(vk_commands *c, pum_error *err) {
    return begin(c, VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, err);
}
/* Without the flag of one submission (BestPractices-Arm-vkBeginCommandBuffer-one-time-submit): a step of decoding is recorded
 * once and submitted for each token; recording it anew would cost the host more. */
pum_status vk_commands_begin_again(vk_commands *c, pum_error *err) {
    return begin(c, VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT, err);
}

/* ---- recording */

static VkResult add_set_pool(vk_commands *c) {
    set_pool *s = calloc(1, sizeof *s);
    if (!s) return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, SETS_PER_POOL * VK_MAX_BINDINGS};
    VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                       .maxSets = SETS_PER_POOL,
                                       .poolSizeCount = 1,
                                       .pPoolSizes = &size};
    VkResult result = c->device->fn.vkCreateDescriptorPool(c->device->handle, &info, NULL, &s->handle);
    if (result != VK_SUCCESS) {
        free(s);
        return result;
    }
    s->next = c->sets;
    c->sets = s;
    return VK_SUCCESS;
}

static VkDescriptorSet take_set(vk_commands *c, const vk_pipeline *pipeline) {
    set_pool *s = c->sets;
    while (s && s->used == SETS_PER_POOL) s = s->next;
    if (!s) {
        VkResult added = add_set_pool(c);
        if (added != VK_SUCCESS) {
            vk_fail(&c->failed, added, "making descriptors");
            return VK_NULL_HANDLE;
        }
        s = c->sets;
    }
    VkDescriptorSet set = VK_NULL_HANDLE;
    VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                        .descriptorPool = s->handle,
                                        .descriptorSetCount = 1,
                                        .pSetLayouts = &pipeline->set_layout};
    VkResult result = c->device->fn.vkAllocateDescriptorSets(c->device->handle, &info, &set);
    s->used++;
    if (result == VK_SUCCESS) return set;
    vk_fail(&c->failed, result, "taking descriptors");
    return VK_NULL_HANDLE;
}

static bool check_groups(vk_commands *c, uint32_t x, uint32_t y, uint32_t z) {
    const vk_caps *caps = &c->device->caps;
    if (x <= caps->max_groups[0] && y <= caps->max_groups[1] && z <= caps->max_groups[2]) return true;
    pum_fail(&c->failed, PUM_ERR_UNSUPPORTED, "a dispatch: expected at most %u x %u x %u workgroups on %s, got %u x %u x %u",
             caps->max_groups[0], caps->max_groups[1], caps->max_groups[2], caps->name, x, y, z);
    return false;
}

void vk_commands_dispatch(vk_commands *c, const vk_pipeline *pipeline, const vk_span *spans, const void *push, uint32_t groups_x,
                          uint32_t groups_y, uint32_t groups_z) {
    if (c->failed.status != PUM_OK || !check_groups(c, groups_x, groups_y, groups_z)) return;
    const struct VolkDeviceTable *fn = &c->device->fn;
    VkDescriptorSet set = take_set(c, pipeline);
    if (!set) return;
    VkDescriptorBufferInfo buffers[VK_MAX_BINDINGS];
    VkWriteDescriptorSet writes[VK_MAX_BINDINGS];
    for (uint32_t i = 0; i < pipeline->n_bindings; i++) {
        buffers[i] = (VkDescriptorBufferInfo){spans[i].buffer->handle, spans[i].offset, spans[i].n_bytes};
        writes[i] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = set,
                                           .dstBinding = i,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &buffers[i]};
    }
    fn->vkUpdateDescriptorSets(c->device->handle, pipeline->n_bindings, writes, 0, NULL);
    fn->vkCmdBindPipeline(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle);
    fn->vkCmdBindDescriptorSets(c->buffer, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout, 0, 1, &set, 0, NULL);
    if (pipeline->push_bytes)
        fn->vkCmdPushConstants(c->buffer, pipeline->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, pipeline->push_bytes, push);
    fn->vkCmdDispatch(c->buffer, groups_x, groups_y, groups_z);
}

static const VkPipelineStageFlags WORK = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;

/* BestPractices-AMD-CmdBuffer-highBarrierCount: it is counted from one presented image to the next, and we present none: this is
 * all that a process ever does. ops/frame.c asks for a barrier only where ranges meet. */
static void barrier(vk_commands *c, VkPipelineStageFlags to, VkAccessFlags access) {
    VkMemoryBarrier memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                              .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                              .dstAccessMask = access};
    c->device->fn.vkCmdPipelineBarrier(c->buffer, WORK, to, 0, 1, &memory, 0, NULL, 0, NULL);
}

void vk_commands_barrier(vk_commands *c) {
    if (c->failed.status != PUM_OK) return;
    barrier(c, WORK,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT);
}

void vk_commands_copy(vk_commands *c, vk_span src, vk_span dst) {
    if (c->failed.status != PUM_OK) return;
    VkBufferCopy region = {src.offset, dst.offset, src.n_bytes};
    c->device->fn.vkCmdCopyBuffer(c->buffer, src.buffer->handle, dst.buffer->handle, 1, &region);
}

void vk_commands_fill(vk_commands *c, vk_span dst, uint32_t word) {
    if (c->failed.status != PUM_OK) return;
    c->device->fn.vkCmdFillBuffer(c->buffer, dst.buffer->handle, dst.offset, dst.n_bytes, word);
}

/* ---- submitting and waiting */

pum_status vk_commands_end(vk_commands *c, pum_error *err) {
    vk_device *d = c->device;
    pum_status status = PUM_OK;
    if (c->failed.status != PUM_OK) return pum_fail(err, c->failed.status, "%s", c->failed.message);
    if (!c->recording) return PUM_OK;
    c->recording = false;
    // The number is written when all else is done: a driver that dropped the work has not written it.
    c->sequence++;
    vk_commands_barrier(c);
    vk_commands_fill(c, (vk_span){&c->sentinel, 0, 4}, c->sequence);
    barrier(c, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
    if (c->times) d->fn.vkCmdWriteTimestamp(c->buffer, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, c->times, 1);
    VK_TRY(d->fn.vkEndCommandBuffer(c->buffer), "recording commands");
    return PUM_OK;
fail:
    c->failed.status = status;
    snprintf(c->failed.message, sizeof c->failed.message, "recording commands that could not be ended");
    return status;
}

pum_status vk_commands_submit(vk_commands *c, pum_error *err) {
    vk_device *d = c->device;
    pum_status status = vk_commands_end(c, err);
    if (status != PUM_OK) return status;
    *(volatile uint32_t *)c->sentinel.mapped =
        c->sequence - 1; // a recording that is submitted again writes the same number again
    VK_TRY(d->fn.vkResetFences(d->handle, 1, &c->fence), "resetting a fence");
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &c->buffer};
    pthread_mutex_lock(&d->queue_lock);
    VkResult result = d->fn.vkQueueSubmit(d->queue, 1, &info, c->fence);
    pthread_mutex_unlock(&d->queue_lock);
    status = check(d, result, "submitting work", err);
    c->pending = status == PUM_OK;
fail:
    return status;
}

/* In slices of a second: some drivers take a long time-out for none, others count it in 32 bits. A hang is told by how many
 * slices the driver has waited, never by reading a clock: a machine that slept in between, or whose time was set, has lost one
 * slice at the most. A wait that found no memory has told nothing: the work is under way as before. */
static pum_status wait_for_fence(vk_device *d, VkFence fence, bool *pending, pum_error *err) {
    if (atomic_load(&d->hung)) return fail_lost(d, err);
    VkResult result = VK_TIMEOUT;
    for (int i = 0; i < wait_seconds(d); i++) {
        result = d->fn.vkWaitForFences(d->handle, 1, &fence, VK_TRUE, SECOND_NS);
        if (result != VK_TIMEOUT && result != VK_ERROR_OUT_OF_HOST_MEMORY && result != VK_ERROR_OUT_OF_DEVICE_MEMORY) break;
        if (atomic_load(&d->hung)) return fail_lost(d, err); // another thread has waited longer
    }
    if (result == VK_SUCCESS || result == VK_ERROR_DEVICE_LOST) {
        *pending = false;
        return check(d, result, "waiting for it", err);
    }
    atomic_store(&d->hung, true);
    atomic_store(&d->lost, true);
    return fail_lost(d, err);
}

static uint64_t elapsed_ns(vk_commands *c) {
    vk_device *d = c->device;
    uint64_t ticks[2];
    if (!c->times || d->fn.vkGetQueryPoolResults(d->handle, c->times, 0, 2, sizeof ticks, ticks, sizeof *ticks,
                                                 VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return 0;
    // A counter that has run over in between tells nothing.
    return ticks[1] > ticks[0] ? (uint64_t)((double)(ticks[1] - ticks[0]) * (double)d->caps.timestamp_ns) : 0;
}

pum_status vk_commands_wait(vk_commands *c, uint64_t *device_ns, pum_error *err) {
    vk_device *d = c->device;
    if (device_ns) *device_ns = 0;
    if (!c->pending) return PUM_OK;
    pum_status status = wait_for_fence(d, c->fence, &c->pending, err);
    if (status == PUM_OK) status = vk_commands_written(c, err);
    if (status == PUM_OK && device_ns) *device_ns = elapsed_ns(c);
    return status;
}

pum_status vk_commands_written(const vk_commands *c, pum_error *err) {
    uint32_t written = *(volatile uint32_t *)c->sentinel.mapped;
    if (written == c->sequence || c->device->unchecked) return PUM_OK;
    atomic_store(&c->device->lost, true); // whatever else it was given may be missing too
    return pum_fail(err, PUM_ERR_DEVICE_LOST,
                    "%s: expected the end of submission %u, got %u: the driver dropped the work without an error; try again, or "
                    "choose another --device",
                    c->device->caps.name, c->sequence, written);
}

void vk_commands_forget(vk_commands *c) { *(volatile uint32_t *)c->sentinel.mapped = c->sequence - 1; }

/* ---- batches of recordings */

struct vk_batch {
    vk_device *device;
    VkFence fence;
    bool pending;
    VkCommandBuffer *buffers; ///< [capacity]
    uint32_t capacity;
};

pum_status vk_batch_create(vk_device *device, vk_batch **batch, pum_error *err) {
    *batch = NULL;
    vk_batch *b = calloc(1, sizeof *b);
    if (!b) return pum_fail_memory(err, "a batch", sizeof *b);
    b->device = device;
    pum_status status = PUM_OK;
    VkFenceCreateInfo fence = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VK_TRY(device->fn.vkCreateFence(device->handle, &fence, NULL, &b->fence), "making a fence");
    *batch = b;
    return PUM_OK;
fail:
    free(b);
    return status;
}

void vk_batch_destroy(vk_batch **batch) {
    if (!batch || !*batch) return;
    vk_batch *b = *batch;
    *batch = NULL;
    if (b->pending) vk_batch_wait(b, NULL);
    if (!atomic_load(&b->device->hung)) b->device->fn.vkDestroyFence(b->device->handle, b->fence, NULL);
    free(b->buffers);
    free(b);
}

pum_status vk_batch_submit(vk_batch *b, vk_commands *const *recordings, uint32_t n, uint32_t times, pum_error *err) {
    vk_device *d = b->device;
    pum_status status = PUM_OK;
    if (atomic_load(&d->lost)) return fail_lost(d, err);
    if (b->capacity < n * times) {
        VkCommandBuffer *buffers = realloc(b->buffers, n * times * sizeof *buffers);
        if (!buffers) return pum_fail_memory(err, "a batch", n * times * sizeof *buffers);
        b->buffers = buffers;
        b->capacity = n * times;
    }
    for (uint32_t i = 0; i < n * times; i++) b->buffers[i] = recordings[i % n]->buffer;
    VK_TRY(d->fn.vkResetFences(d->handle, 1, &b->fence), "resetting a fence");
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = n * times, .pCommandBuffers = b->buffers};
    pthread_mutex_lock(&d->queue_lock);
    VkResult result = d->fn.vkQueueSubmit(d->queue, 1, &info, b->fence);
    pthread_mutex_unlock(&d->queue_lock);
    status = check(d, result, "submitting work", err);
    b->pending = status == PUM_OK;
fail:
    return status;
}

pum_status vk_batch_wait(vk_batch *b, pum_error *err) {
    return b->pending ? wait_for_fence(b->device, b->fence, &b->pending, err) : PUM_OK;
}
