/* That the test layer does what it says, seen through vk/: the floor, memory of its own, and each failure. */
#include "vk/commands.h"
#include "vk/upload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pum_error error;
static vk_device *dev;

static int open_device(void **state) {
    (void)state;
    if (vk_device_open(NULL, &dev, &error) != PUM_OK) fail_msg("%s", error.message);
    return 0;
}

static int close_device(void **state) {
    (void)state;
    vk_device_close(&dev);
    return 0;
}

/* Status of submission number i of this process, 1 and up: a fill of one word. */
static pum_status submit_once(void) {
    vk_commands *c = NULL;
    vk_buffer b = {0};
    pum_status status = vk_commands_create(dev, &c, &error);
    if (status == PUM_OK) status = vk_buffer_create(dev, 256, VK_USE_READBACK, "test", &b, &error);
    if (status == PUM_OK) status = vk_commands_begin(c, &error);
    if (status == PUM_OK) vk_commands_fill(c, (vk_span){&b, 0, 4}, 0x12345678);
    if (status == PUM_OK) status = vk_commands_submit(c, &error);
    if (status == PUM_OK) status = vk_commands_wait(c, NULL, &error);
    if (status == PUM_OK) assert_int_equal(*(uint32_t *)b.mapped, 0x12345678);
    vk_commands_destroy(&c);
    vk_buffer_destroy(dev, &b);
    return status;
}

static void test_floor(void **state) {
    (void)state;
    const vk_caps *c = &dev->caps;
    assert_int_equal(c->api_version, VK_API_VERSION_1_1);
    assert_int_equal(c->max_storage_range, 1 << 27);
    assert_int_equal(c->storage_align, 256);
    assert_int_equal(c->max_push_bytes, 128);
    assert_int_equal(c->max_shared_bytes, 16384);
    assert_int_equal(c->max_invocations, 128);
    assert_int_equal(c->max_allocation_bytes, 1 << 30);
    assert_int_equal(c->subgroup_max, 0);
    assert_true(c->timestamp_ns == 0);
    assert_false(c->subgroup_arithmetic || c->subgroup_ballot || c->subgroup_shuffle || c->subgroup_clustered);
    assert_false(c->fp16 || c->int8 || c->int16 || c->int64 || c->storage16 || c->storage8 || c->int8_dot);
    assert_false(c->buffer_address || c->coopmat || c->memory_model || c->memory_budget || c->pipeline_statistics);
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_discrete(void **state) {
    (void)state;
    assert_false(dev->caps.host_visible);
    assert_int_equal(dev->caps.type, PUM_DEVICE_DISCRETE);
    vk_buffer b;
    assert_int_equal(vk_buffer_create(dev, 64, VK_USE_DEVICE, "test", &b, &error), PUM_OK);
    assert_null(b.mapped);
    vk_buffer_destroy(dev, &b);
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_bar(void **state) { // bar,deny=2
    (void)state;
    assert_true(dev->caps.host_visible);
    assert_int_equal(dev->caps.type, PUM_DEVICE_DISCRETE);
    for (int i = 1; i <= 3; i++) { // the second takes two allocations: what is not mapped is the device's all the same
        vk_buffer b;
        assert_int_equal(vk_buffer_create(dev, 64, VK_USE_DEVICE, "test", &b, &error), PUM_OK);
        assert_int_equal(b.mapped != NULL, i != 2);
        vk_buffer_destroy(dev, &b);
    }
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_heap(void **state) { // heap=1000000
    (void)state;
    vk_buffer a, b;
    assert_int_equal(vk_device_available_bytes(dev), 1000000);
    assert_int_equal(vk_buffer_create(dev, 600000, VK_USE_DEVICE, "first", &a, &error), PUM_OK);
    assert_int_equal(vk_buffer_create(dev, 600000, VK_USE_DEVICE, "second", &b, &error), PUM_ERR_DEVICE_MEMORY);
    assert_non_null(strstr(error.message, "second: needed 600.0 kB"));
    vk_buffer_destroy(dev, &a);
    assert_int_equal(vk_buffer_create(dev, 600000, VK_USE_DEVICE, "second", &b, &error), PUM_OK);
    vk_buffer_destroy(dev, &b);
}

static void test_deny(void **state) { // deny=2
    (void)state;
    vk_buffer b;
    for (int i = 1; i <= 3; i++) {
        pum_status status = vk_buffer_create(dev, 64, VK_USE_DEVICE, "test", &b, &error);
        assert_int_equal(status, i == 2 ? PUM_ERR_DEVICE_MEMORY : PUM_OK);
        vk_buffer_destroy(dev, &b);
    }
}

static void test_lose(void **state) { // lose=3
    (void)state;
    for (int i = 1; i <= 4; i++) assert_int_equal(submit_once(), i >= 3 ? PUM_ERR_DEVICE_LOST : PUM_OK);
}

static void test_drop(void **state) { // drop=2
    (void)state;
    for (int i = 1; i <= 3; i++) assert_int_equal(submit_once(), i >= 2 ? PUM_ERR_DEVICE_LOST : PUM_OK);
}

static void test_priority(void **state) {
    (void)state;
    assert_true(dev->low_priority);
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_forbid(void **state) { // a queue like any other
    (void)state;
    assert_false(dev->low_priority);
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_hang(void **state) { // hang=2
    (void)state;
    assert_int_equal(submit_once(), PUM_OK);
    assert_int_equal(submit_once(), PUM_ERR_DEVICE_LOST);
    assert_non_null(strstr(error.message, "hangs"));
    assert_int_equal(submit_once(), PUM_ERR_DEVICE_LOST);
    assert_int_equal(vk_device_reopen(dev, &error), PUM_OK);
    assert_int_equal(submit_once(), PUM_OK);
}

static void test_vanish(void **state) { // vanish=2
    (void)state;
    assert_int_equal(submit_once(), PUM_OK);
    assert_int_equal(submit_once(), PUM_ERR_DEVICE_LOST);
    assert_int_equal(vk_device_reopen(dev, &error), PUM_ERR_NO_DEVICE);
    assert_non_null(strstr(error.message, "not there any more"));
}

#define CASE(f)                                                                                                                  \
    { #f, test_##f, open_device, close_device, NULL }

int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {CASE(floor), CASE(discrete), CASE(bar),    CASE(heap), CASE(deny),  CASE(lose),
                                              CASE(drop),  CASE(priority), CASE(forbid), CASE(hang), CASE(vanish)};
    int n = 0;
    pum_status status = vk_devices(NULL, 0, &n, &error);
    if (status != PUM_OK || n == 0) {
        printf("skipped: %s\n", status != PUM_OK ? error.message : "no Vulkan device");
        return status == PUM_OK || status == PUM_ERR_NO_VULKAN ? 77 : 1;
    }
    for (size_t i = 0; argc > 1 && i < sizeof tests / sizeof *tests; i++)
        if (strcmp(tests[i].name, argv[1]) == 0) {
            const struct CMUnitTest only[] = {tests[i]};
            return cmocka_run_group_tests(only, NULL, NULL);
        }
    fprintf(stderr, "usage: test_layer floor|discrete|bar|heap|deny|lose|drop|priority|forbid|hang|vanish\n");
    return 2;
}
