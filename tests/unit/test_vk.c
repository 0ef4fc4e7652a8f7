/* vk/ on every device of this machine: memory, uploads, pipelines, submissions, and what happens when a driver fails. Failures
 * are injected by putting a function of our own into the device's table. */
#include "vk_fixture.h"

#include "vk/commands.h"
#include "vk/upload.h"

enum { N_WORDS = 1000 };

extern const uint32_t shader_vk_scale[]; // vk_scale.comp
extern const size_t shader_vk_scale_words;

static vk_buffer new_buffer(uint64_t n_bytes, vk_use use) {
    vk_buffer buffer;
    MUST(vk_buffer_create(dev, n_bytes, use, "test", &buffer, &error));
    return buffer;
}

static vk_commands *new_commands(void) {
    vk_commands *commands;
    MUST(vk_commands_create(dev, &commands, &error));
    return commands;
}

static vk_span whole(const vk_buffer *buffer) { return (vk_span){buffer, 0, buffer->n_bytes}; }

static void copy_and_wait(vk_commands *c, vk_span src, vk_span dst) {
    MUST(vk_commands_begin(c, &error));
    vk_commands_copy(c, src, dst);
    MUST(vk_commands_submit(c, &error));
    MUST(vk_commands_wait(c, NULL, &error));
}

static uint32_t word_at(uint64_t i) { return (uint32_t)(i * 2654435761u) ^ 0x5bd1e995u; }

static void write_words(uint32_t *words, uint64_t n, uint64_t first) {
    for (uint64_t i = 0; i < n; i++) words[i] = word_at(first + i);
}

static void expect_words(const uint32_t *words, uint64_t n, uint64_t first) {
    for (uint64_t i = 0; i < n; i++)
        if (words[i] != word_at(first + i))
            fail_msg("word %llu: expected 0x%08x, got 0x%08x", (unsigned long long)i, word_at(first + i), words[i]);
}

/* ---- memory */

static void test_buffers(void **state) {
    (void)state;
    vk_buffer up = new_buffer(4 * N_WORDS, VK_USE_UPLOAD), on = new_buffer(4 * N_WORDS, VK_USE_DEVICE),
              back = new_buffer(4 * N_WORDS, VK_USE_READBACK);
    assert_true(up.mapped && back.mapped);
    assert_int_equal(on.mapped != NULL, dev->caps.host_visible);
    assert_int_equal(dev->allocated_bytes - taken_before, 3 * 4 * N_WORDS);
    write_words(up.mapped, N_WORDS, 0);
    memset(back.mapped, 0, 4 * N_WORDS);
    vk_commands *c = new_commands();
    MUST(vk_commands_begin(c, &error));
    vk_commands_copy(c, whole(&up), whole(&on));
    vk_commands_barrier(c);
    vk_commands_copy(c, whole(&on), whole(&back));
    MUST(vk_commands_submit(c, &error));
    assert_true(vk_commands_pending(c));
    MUST(vk_commands_wait(c, NULL, &error));
    assert_false(vk_commands_pending(c));
    expect_words(back.mapped, N_WORDS, 0);
    assert_ptr_equal(vk_span_mapped((vk_span){&up, 256, 4}), (char *)up.mapped + 256);
    if (!dev->caps.host_visible) assert_null(vk_span_mapped(whole(&on)));
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &up);
    vk_buffer_destroy(dev, &on);
    vk_buffer_destroy(dev, &back);
    assert_null(up.handle);
    vk_buffer_destroy(dev, &up);
}

static VkResult VKAPI_CALL no_memory(VkDevice device, const VkMemoryAllocateInfo *info, const VkAllocationCallbacks *callbacks,
                                     VkDeviceMemory *memory) {
    (void)device, (void)info, (void)callbacks, (void)memory;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static void test_memory_runs_out(void **state) {
    (void)state;
    vk_buffer buffer;
    uint64_t too_much = vk_device_available_bytes(dev) + (1u << 30);
    assert_fails(vk_buffer_create(dev, too_much, VK_USE_DEVICE, "the weights", &buffer, &error), PUM_ERR_DEVICE_MEMORY,
                 "the weights: needed ");
    assert_non_null(strstr(error.message, "--ctx"));
    char wanted[32];
    snprintf(wanted, sizeof wanted, "%.2f GB", (double)too_much / 1e9);
    assert_non_null(strstr(error.message, wanted));
    assert_null(buffer.handle);
    assert_fails(vk_buffer_create(dev, 0, VK_USE_DEVICE, "nothing", &buffer, &error), PUM_ERR_ARGUMENT, "nothing");
    dev->caps.max_allocation_bytes = 1000;
    assert_fails(vk_buffer_create(dev, 1001, VK_USE_READBACK, "one piece", &buffer, &error), PUM_ERR_DEVICE_MEMORY, "one piece");
    dev->caps.max_allocation_bytes = 1 << 20;
    PFN_vkAllocateMemory real = dev->fn.vkAllocateMemory;
    dev->fn.vkAllocateMemory = no_memory;
    vk_pool *pool;
    vk_span span;
    MUST(vk_pool_create(dev, 1 << 16, "the KV cache", &pool, &error));
    assert_fails(vk_pool_take(pool, 100, &span, &error), PUM_ERR_DEVICE_MEMORY, "the KV cache: needed 65.5 kB");
    dev->fn.vkAllocateMemory = real;
    MUST(vk_pool_take(pool, 100, &span, &error)); // and all goes on when there is memory again
    vk_pool_destroy(&pool);
}

static void test_pool(void **state) {
    (void)state;
    enum { N_SPANS = 40, BLOCK = 1 << 16 };
    vk_pool *pool;
    MUST(vk_pool_create(dev, BLOCK, "test", &pool, &error));
    vk_span spans[N_SPANS];
    for (int i = 0; i < N_SPANS; i++) {
        uint64_t n_bytes = i == 7 ? 3 * BLOCK : (uint64_t)i * 531 % 9000 + 4;
        MUST(vk_pool_take(pool, n_bytes, &spans[i], &error));
        assert_int_equal(spans[i].n_bytes, n_bytes);
        assert_int_equal(spans[i].offset % 256, 0);
        assert_int_equal(spans[i].offset % dev->caps.storage_align, 0);
        assert_true(spans[i].offset + n_bytes <= spans[i].buffer->n_bytes);
        for (int j = 0; j < i; j++)
            assert_true(spans[i].buffer != spans[j].buffer || spans[i].offset >= spans[j].offset + spans[j].n_bytes ||
                        spans[j].offset >= spans[i].offset + n_bytes);
    }
    assert_int_equal(spans[7].buffer->n_bytes, 3 * BLOCK);
    uint64_t n_blocks = (dev->allocated_bytes - taken_before - 3 * BLOCK) / BLOCK;
    assert_in_range(n_blocks, 2, 6);
    vk_pool_destroy(&pool);
    vk_pool_destroy(&pool);
}

/* ---- uploads */

static void round_trip_uploads(void) {
    enum { STAGE = 4096, N_PARTS = 11 };
    vk_upload *upload;
    MUST(vk_upload_create(dev, STAGE, &upload, &error));
    vk_buffer on = new_buffer(N_PARTS * STAGE, VK_USE_DEVICE), back = new_buffer(N_PARTS * STAGE, VK_USE_READBACK);
    // Whole stages; then, over the same bytes, parts of which two share a stage.
    static const uint64_t part_bytes[] = {STAGE, STAGE / 8 * 3};
    for (uint64_t pass = 0; pass < 2; pass++) {
        for (uint64_t at = 0, n; at < N_PARTS * STAGE; at += n) {
            n = N_PARTS * STAGE - at < part_bytes[pass] ? N_PARTS * STAGE - at : part_bytes[pass];
            void *bytes;
            MUST(vk_upload_begin(upload, (vk_span){&on, at, n}, &bytes, &error));
            write_words(bytes, n / 4, at / 4 + pass * STAGE / 4);
            vk_upload_end(upload);
        }
        assert_int_equal(vk_upload_host_bytes(upload), on.mapped ? 0 : 2 * STAGE);
        MUST(vk_upload_finish(upload, &error));
    }
    vk_commands *c = new_commands();
    copy_and_wait(c, whole(&on), whole(&back));
    expect_words(back.mapped, N_PARTS * STAGE / 4, STAGE / 4);
    void *bytes;
    assert_fails(vk_upload_begin(upload, (vk_span){&on, 0, STAGE + 4}, &bytes, &error), PUM_ERR_ARGUMENT, "4096");
    assert_null(bytes);
    assert_fails(vk_upload_begin(upload, (vk_span){&on, 0, 6}, &bytes, &error), PUM_ERR_ARGUMENT, "got 6");
    vk_commands_destroy(&c);
    vk_upload_destroy(&upload);
    vk_buffer_destroy(dev, &on);
    vk_buffer_destroy(dev, &back);
}

static void test_upload(void **state) {
    (void)state;
    round_trip_uploads();
}

static void test_upload_through_stages(void **state) {
    (void)state;
    dev->caps.host_visible = false; // as on a discrete GPU
    round_trip_uploads();
}

/* A ring that is destroyed with copies under way waits for them. */
static void test_upload_destroyed_early(void **state) {
    (void)state;
    dev->caps.host_visible = false;
    vk_upload *upload;
    MUST(vk_upload_create(dev, 1 << 20, &upload, &error));
    vk_buffer on = new_buffer(1 << 20, VK_USE_DEVICE);
    for (int i = 0; i < 2; i++) {
        void *bytes;
        MUST(vk_upload_begin(upload, whole(&on), &bytes, &error));
        memset(bytes, i, 1 << 20);
        vk_upload_end(upload);
    }
    vk_upload_destroy(&upload);
    vk_buffer_destroy(dev, &on);
}

/* ---- pipelines and submissions */

static vk_pipeline_params scale_params(const uint32_t *factor) {
    return (vk_pipeline_params){.name = "scale",
                                .words = shader_vk_scale,
                                .n_words = shader_vk_scale_words,
                                .n_bindings = 2,
                                .push_bytes = 8,
                                .constants = factor,
                                .n_constants = 1};
}

static vk_pipeline new_scale(uint32_t factor) {
    vk_pipeline_params params = scale_params(&factor);
    vk_pipeline pipeline;
    MUST(vk_pipeline_create(dev, &params, &pipeline, &error));
    return pipeline;
}

static void scale(vk_commands *c, const vk_pipeline *p, const vk_buffer *src, const vk_buffer *dst, uint32_t add) {
    uint32_t push[2] = {N_WORDS, add};
    vk_commands_dispatch(c, p, (vk_span[]){whole(src), whole(dst)}, push, (N_WORDS + 63) / 64, 1, 1);
}

static PFN_vkCreateDescriptorPool real_create_pool;
static int n_pools;
static VkResult VKAPI_CALL count_pools(VkDevice device, const VkDescriptorPoolCreateInfo *info,
                                       const VkAllocationCallbacks *callbacks, VkDescriptorPool *pool) {
    n_pools++;
    return real_create_pool(device, info, callbacks, pool);
}

/* More dispatches than one descriptor pool holds, each needing the one before; then the same object again. */
static void test_dispatches(void **state) {
    (void)state;
    enum { N_DISPATCHES = 601 };
    vk_pipeline pipeline = new_scale(3);
    vk_buffer a = new_buffer(4 * N_WORDS, VK_USE_READBACK), b = new_buffer(4 * N_WORDS, VK_USE_READBACK);
    vk_commands *c = new_commands();
    real_create_pool = dev->fn.vkCreateDescriptorPool;
    dev->fn.vkCreateDescriptorPool = count_pools;
    n_pools = 0;
    for (int run = 0; run < 3; run++) {
        uint32_t expected[N_WORDS];
        write_words(a.mapped, N_WORDS, (uint64_t)run);
        memcpy(expected, a.mapped, sizeof expected);
        MUST(vk_commands_begin(c, &error));
        for (uint32_t i = 0; i < N_DISPATCHES; i++) {
            scale(c, &pipeline, i % 2 ? &b : &a, i % 2 ? &a : &b, i);
            vk_commands_barrier(c);
            for (int w = 0; w < N_WORDS; w++) expected[w] = expected[w] * 3 + i;
        }
        MUST(vk_commands_submit(c, &error));
        uint64_t ns = 0;
        MUST(vk_commands_wait(c, &ns, &error));
        assert_memory_equal(b.mapped, expected, sizeof expected);
        if (dev->caps.timestamp_ns > 0) assert_in_range(ns, 1000, 20000000000u);
    }
    assert_in_range(n_pools, 2, 3); // and the later runs used them again
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
    vk_pipeline_destroy(dev, &pipeline);
}

static void test_fill_copy_dispatch_in_order(void **state) {
    (void)state;
    vk_pipeline pipeline = new_scale(5);
    vk_buffer a = new_buffer(4 * N_WORDS, VK_USE_DEVICE), b = new_buffer(4 * N_WORDS, VK_USE_DEVICE),
              back = new_buffer(4 * N_WORDS, VK_USE_READBACK);
    vk_commands *c = new_commands();
    MUST(vk_commands_begin(c, &error));
    vk_commands_fill(c, whole(&a), 7);
    vk_commands_barrier(c);
    scale(c, &pipeline, &a, &b, 1); // b = 36
    vk_commands_barrier(c);
    vk_commands_fill(c, whole(&a), 0); // written after it was read
    vk_commands_copy(c, whole(&b), whole(&back));
    MUST(vk_commands_submit(c, &error));
    MUST(vk_commands_wait(c, NULL, &error));
    for (int i = 0; i < N_WORDS; i++) assert_int_equal(((uint32_t *)back.mapped)[i], 36);
    MUST(vk_commands_wait(c, NULL, &error)); // nothing to wait for
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
    vk_buffer_destroy(dev, &back);
    vk_pipeline_destroy(dev, &pipeline);
}

static VkResult VKAPI_CALL no_pipeline(VkDevice device, VkPipelineCache cache, uint32_t n,
                                       const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *callbacks,
                                       VkPipeline *pipelines) {
    (void)device, (void)cache, (void)n, (void)infos, (void)callbacks, (void)pipelines;
    return VK_ERROR_INITIALIZATION_FAILED;
}

static void test_pipeline_refusals(void **state) {
    (void)state;
    uint32_t factor = 1;
    vk_pipeline pipeline;
    vk_pipeline_params params = scale_params(&factor);
    params.push_bytes = dev->caps.max_push_bytes + 4;
    assert_fails(vk_pipeline_create(dev, &params, &pipeline, &error), PUM_ERR_UNSUPPORTED, "scale");
    params = scale_params(&factor);
    params.require_subgroup_size = dev->caps.subgroup_max ? 2 * dev->caps.subgroup_max : 32;
    assert_fails(vk_pipeline_create(dev, &params, &pipeline, &error), PUM_ERR_UNSUPPORTED, "subgroups");
    params.require_subgroup_size = dev->caps.subgroup_max;
    params.require_full_subgroups = dev->caps.subgroup_max > 0;
    MUST(vk_pipeline_create(dev, &params, &pipeline, &error));
    vk_pipeline_destroy(dev, &pipeline);
    dev->fn.vkCreateComputePipelines = no_pipeline;
    assert_fails(vk_pipeline_create(dev, &params, &pipeline, &error), PUM_ERR_DEVICE, "kernel scale on");
    assert_non_null(strstr(error.message, "VK_ERROR_INITIALIZATION_FAILED"));
    vk_pipeline_destroy(dev, &pipeline); // harmless
}

static void test_too_many_groups(void **state) {
    (void)state;
    vk_pipeline pipeline = new_scale(1);
    vk_buffer a = new_buffer(4 * N_WORDS, VK_USE_READBACK), b = new_buffer(4 * N_WORDS, VK_USE_READBACK);
    vk_commands *c = new_commands();
    uint32_t push[2] = {N_WORDS, 1};
    dev->caps.max_groups[1] = 1000;
    MUST(vk_commands_begin(c, &error));
    vk_commands_dispatch(c, &pipeline, (vk_span[]){whole(&a), whole(&b)}, push, 1, 1001, 1);
    vk_commands_fill(c, whole(&a), 1);
    assert_fails(vk_commands_submit(c, &error), PUM_ERR_UNSUPPORTED, "1001");
    assert_false(vk_commands_pending(c));
    copy_and_wait(c, whole(&a), whole(&b)); // the object is as good as new
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
    vk_pipeline_destroy(dev, &pipeline);
}

/* ---- drivers that fail */

static void VKAPI_CALL no_fill(VkCommandBuffer commands, VkBuffer buffer, VkDeviceSize offset, VkDeviceSize size, uint32_t word) {
    (void)commands, (void)buffer, (void)offset, (void)size, (void)word;
}

/* The driver drops the end of the work and says nothing. */
static void test_dropped_work_is_seen(void **state) {
    (void)state;
    vk_commands *c = new_commands();
    vk_buffer a = new_buffer(64, VK_USE_READBACK), b = new_buffer(64, VK_USE_READBACK);
    copy_and_wait(c, whole(&a), whole(&b));
    PFN_vkCmdFillBuffer real = dev->fn.vkCmdFillBuffer;
    dev->fn.vkCmdFillBuffer = no_fill;
    MUST(vk_commands_begin(c, &error));
    MUST(vk_commands_submit(c, &error));
    assert_fails(vk_commands_wait(c, NULL, &error), PUM_ERR_DEVICE_LOST, "dropped the work");
    assert_false(vk_commands_pending(c));
    assert_true(dev->lost); // what else it was given may be missing too
    dev->lost = false;
    dev->unchecked = true; // unless nobody wants the result
    MUST(vk_commands_begin(c, &error));
    MUST(vk_commands_submit(c, &error));
    MUST(vk_commands_wait(c, NULL, &error));
    dev->unchecked = false;
    dev->fn.vkCmdFillBuffer = real;
    copy_and_wait(c, whole(&a), whole(&b));
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
}

static PFN_vkWaitForFences real_wait;
static VkResult VKAPI_CALL lose_at_wait(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all, uint64_t timeout) {
    real_wait(device, n, fences, all, timeout);
    return VK_ERROR_DEVICE_LOST;
}
static VkResult VKAPI_CALL lose_at_submit(VkQueue queue, uint32_t n, const VkSubmitInfo *infos, VkFence fence) {
    (void)queue, (void)n, (void)infos, (void)fence;
    return VK_ERROR_DEVICE_LOST;
}

static void test_device_lost(void **state) {
    (void)state;
    vk_commands *c = new_commands();
    PFN_vkQueueSubmit real_submit = dev->fn.vkQueueSubmit;
    dev->fn.vkQueueSubmit = lose_at_submit;
    MUST(vk_commands_begin(c, &error));
    assert_fails(vk_commands_submit(c, &error), PUM_ERR_DEVICE_LOST, "VK_ERROR_DEVICE_LOST");
    assert_false(vk_commands_pending(c));
    dev->fn.vkQueueSubmit = real_submit;
    assert_fails(vk_commands_begin(c, &error), PUM_ERR_DEVICE_LOST, "the device is lost"); // and it stays so
    dev->lost = false;
    real_wait = dev->fn.vkWaitForFences;
    dev->fn.vkWaitForFences = lose_at_wait;
    MUST(vk_commands_begin(c, &error));
    MUST(vk_commands_submit(c, &error));
    assert_fails(vk_commands_wait(c, NULL, &error), PUM_ERR_DEVICE_LOST, "VK_ERROR_DEVICE_LOST");
    vk_commands_destroy(&c);
}

static int n_timeouts;
static VkResult VKAPI_CALL never_ends(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all, uint64_t timeout) {
    (void)device, (void)n, (void)fences, (void)all;
    assert_true(timeout <= 1000000000); // slices
    n_timeouts++;
    return VK_TIMEOUT;
}

static void test_hanging_device_is_given_up(void **state) {
    (void)state;
    vk_device *hanging;
    MUST(vk_device_open(device_index, &hanging, &error));
    vk_commands *c, *second;
    vk_buffer buffer;
    MUST(vk_commands_create(hanging, &c, &error));
    MUST(vk_commands_create(hanging, &second, &error));
    MUST(vk_buffer_create(hanging, 64, VK_USE_DEVICE, "test", &buffer, &error));
    MUST(vk_commands_begin(c, &error));
    MUST(vk_commands_submit(c, &error));
    MUST(vk_commands_begin(second, &error));
    MUST(vk_commands_submit(second, &error));
    MUST(vk_commands_wait(second, NULL, &error));
    MUST(vk_commands_begin(second, &error));
    MUST(vk_commands_submit(second, &error));
    real_wait = hanging->fn.vkWaitForFences;
    hanging->fn.vkWaitForFences = never_ends;
    n_timeouts = 0;
    assert_fails(vk_commands_wait(c, NULL, &error), PUM_ERR_DEVICE_LOST, "hangs");
    int n_seconds = hanging->caps.type == PUM_DEVICE_CPU ? 600 : 60;
    assert_int_equal(n_timeouts, n_seconds);
    // Nobody waits for it again.
    assert_fails(vk_commands_wait(c, NULL, &error), PUM_ERR_DEVICE_LOST, "hangs");
    assert_fails(vk_commands_wait(second, NULL, &error), PUM_ERR_DEVICE_LOST, "hangs");
    // What it holds is left to the process: it may still write there.
    vk_buffer left_buffer = buffer;
    vk_buffer_destroy(hanging, &left_buffer);
    assert_null(left_buffer.handle);
    assert_int_equal(n_timeouts, n_seconds);
    // It was well all the time, so that this test can leave nothing.
    hanging->fn.vkWaitForFences = real_wait;
    hanging->hung = false;
    assert_fails(vk_commands_begin(c, &error), PUM_ERR_DEVICE_LOST, "the device is lost");
    vk_commands_destroy(&c);
    vk_commands_destroy(&second);
    vk_buffer_destroy(hanging, &buffer);
    MUST(vk_device_reopen(hanging, &error));
    MUST(vk_commands_create(hanging, &c, &error));
    MUST(vk_commands_begin(c, &error));
    MUST(vk_commands_submit(c, &error));
    MUST(vk_commands_wait(c, NULL, &error));
    vk_commands_destroy(&c);
    vk_device_close(&hanging);
}

static int n_early;
static VkResult VKAPI_CALL ends_early(VkDevice device, uint32_t n, const VkFence *fences, VkBool32 all, uint64_t timeout) {
    return n_early-- > 0 ? VK_TIMEOUT : real_wait(device, n, fences, all, timeout);
}

/* A machine that slept with work under way: time-outs that fire at once, and an end that comes late, are no hang. */
static void test_a_late_end_is_no_hang(void **state) {
    (void)state;
    vk_commands *c = new_commands();
    vk_buffer a = new_buffer(64, VK_USE_READBACK), b = new_buffer(64, VK_USE_READBACK);
    write_words(a.mapped, 16, 3);
    real_wait = dev->fn.vkWaitForFences;
    dev->fn.vkWaitForFences = ends_early;
    n_early = dev->caps.type == PUM_DEVICE_CPU ? 599 : 59;
    copy_and_wait(c, whole(&a), whole(&b));
    assert_int_equal(n_early, -1);
    expect_words(b.mapped, 16, 3);
    assert_false(dev->lost || dev->hung);
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
}

/* ---- recordings in batches */

/* A step that reads what the one before has left: words move on by one place each time. */
static void test_batches_run_recordings_again(void **state) {
    (void)state;
    vk_buffer a = new_buffer(64 * 4, VK_USE_READBACK);
    uint32_t *words = a.mapped;
    for (uint32_t i = 0; i < 64; i++) words[i] = i == 0 ? 7 : 0;
    vk_commands *first = new_commands(), *second = new_commands();
    vk_commands *both[] = {first, second};
    for (int i = 0; i < 2; i++) {
        MUST(vk_commands_begin_again(both[i], &error));
        vk_commands_barrier(both[i]);
        for (uint32_t k = 15; k-- > 0;) { // k + 1 = k, the last place first
            vk_commands_copy(both[i], (vk_span){&a, k * 4, 4}, (vk_span){&a, (k + 1) * 4, 4});
            vk_commands_barrier(both[i]);
        }
        MUST(vk_commands_end(both[i], &error));
    }
    vk_batch *batches[2];
    for (int i = 0; i < 2; i++) MUST(vk_batch_create(dev, &batches[i], &error));
    for (int i = 0; i < 2; i++) vk_commands_forget(both[i]);
    assert_fails(vk_commands_written(first, &error), PUM_ERR_DEVICE_LOST, "dropped the work");
    dev->lost = false;
    // Both batches are under way at once, with the same recordings: 2 recordings, 3 + 2 times.
    MUST(vk_batch_submit(batches[0], both, 2, 3, &error));
    MUST(vk_batch_submit(batches[1], both, 2, 2, &error));
    for (int i = 0; i < 2; i++) MUST(vk_batch_wait(batches[i], &error));
    for (int i = 0; i < 2; i++) MUST(vk_commands_written(both[i], &error));
    for (uint32_t i = 0; i < 16; i++) assert_int_equal(words[i], i <= 10 ? 7 : 0);
    MUST(vk_batch_wait(batches[0], &error)); // nothing is under way
    for (int i = 0; i < 2; i++) {
        vk_batch_destroy(&batches[i]);
        vk_commands_destroy(&both[i]);
    }
    vk_buffer_destroy(dev, &a);
}

/* ---- threads */

typedef struct worker {
    pthread_t thread;
    pum_error error;
    uint32_t word;
    bool right;
} worker;

static pum_status fill_often(worker *w) {
    vk_buffer buffer = {0};
    vk_commands *c = NULL;
    pum_status status = vk_buffer_create(dev, 4096, VK_USE_READBACK, "test", &buffer, &w->error);
    if (status == PUM_OK) status = vk_commands_create(dev, &c, &w->error);
    w->right = true;
    for (int i = 0; i < 25 && status == PUM_OK; i++) {
        uint32_t word = w->word + (uint32_t)i;
        status = vk_commands_begin(c, &w->error);
        if (status == PUM_OK) vk_commands_fill(c, whole(&buffer), word);
        if (status == PUM_OK) status = vk_commands_submit(c, &w->error);
        if (status == PUM_OK) status = vk_commands_wait(c, NULL, &w->error);
        for (int k = 0; k < 1024; k++) w->right = w->right && ((uint32_t *)buffer.mapped)[k] == word;
    }
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &buffer);
    return status;
}

static void *work(void *argument) {
    worker *w = argument;
    w->error.status = fill_often(w);
    return NULL;
}

static void test_threads_share_a_device(void **state) {
    (void)state;
    worker workers[4] = {0};
    for (uint32_t i = 0; i < 4; i++) {
        workers[i].word = i << 16;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < 4; i++) {
        if (workers[i].error.status != PUM_OK) fail_msg("%s", workers[i].error.message);
        assert_true(workers[i].right);
    }
}

/* ---- proof that synchronization validation sees what it is there for */

static int leave_out_a_barrier(void) {
    strcpy(device_index, "0");
    open_device(NULL);
    vk_buffer a = new_buffer(64, VK_USE_DEVICE), b = new_buffer(64, VK_USE_DEVICE), c = new_buffer(64, VK_USE_READBACK);
    vk_commands *commands = new_commands();
    MUST(vk_commands_begin(commands, &error));
    vk_commands_copy(commands, whole(&a), whole(&b));
    vk_commands_copy(commands, whole(&b), whole(&c));
    MUST(vk_commands_submit(commands, &error));
    MUST(vk_commands_wait(commands, NULL, &error));
    vk_commands_destroy(&commands);
    vk_buffer_destroy(dev, &a);
    vk_buffer_destroy(dev, &b);
    vk_buffer_destroy(dev, &c);
    return close_device(NULL);
}

static bool layer_is_missing(void) {
    VkLayerProperties layers[64];
    uint32_t n = 64;
    vkEnumerateInstanceLayerProperties(&n, layers);
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(layers[i].layerName, "VK_LAYER_KHRONOS_validation") == 0) return false;
    return true;
}

static const struct CMUnitTest on_device[] = {
    ON_DEVICE(test_buffers),
    ON_DEVICE(test_memory_runs_out),
    ON_DEVICE(test_pool),
    ON_DEVICE(test_upload),
    ON_DEVICE(test_upload_through_stages),
    ON_DEVICE(test_upload_destroyed_early),
    ON_DEVICE(test_dispatches),
    ON_DEVICE(test_fill_copy_dispatch_in_order),
    ON_DEVICE(test_pipeline_refusals),
    ON_DEVICE(test_too_many_groups),
    ON_DEVICE(test_dropped_work_is_seen),
    ON_DEVICE(test_device_lost),
    ON_DEVICE(test_hanging_device_is_given_up),
    ON_DEVICE(test_a_late_end_is_no_hang),
    ON_DEVICE(test_batches_run_recordings_again),
    ON_DEVICE(test_threads_share_a_device),
};

/* No argument: all tests on all devices. --validation: the same, skipped where the layer is not installed.
 * --leave-out-barrier: makes a hazard, for the layer to report. */
int main(int argc, char **argv) {
    pum_device_info infos[MAX_DEVICES];
    int n = need_devices(infos), n_failed = 0;
    if (argc > 1 && layer_is_missing()) {
        printf("skipped: the layer VK_LAYER_KHRONOS_validation is not installed\n");
        return 77;
    }
    if (argc > 1 && strcmp(argv[1], "--leave-out-barrier") == 0) return leave_out_a_barrier();
    for (int i = 0; i < n; i++) {
        snprintf(device_index, sizeof device_index, "%d", i);
        n_failed += cmocka_run_group_tests_name(infos[i].name, on_device, NULL, NULL);
    }
    return n_failed != 0;
}
