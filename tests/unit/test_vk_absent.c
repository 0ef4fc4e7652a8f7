/* Machines without the Vulkan loader, or without a driver. The first argument says which: "no-loader" (run with no_loader.c
 * preloaded) or "no-driver" (run with VK_DRIVER_FILES naming nothing). */
#include "vk/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static pum_error error;

static void expect_words(const char *words) {
    if (!strstr(error.message, words)) fail_msg("expected a sentence with \"%s\", got: %s", words, error.message);
    assert_null(strchr(error.message, '\n'));
}

static void test_no_loader(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        int n = -1;
        assert_int_equal(vk_devices(NULL, 0, &n, &error), PUM_ERR_NO_VULKAN);
        expect_words("libvulkan.so.1");
        expect_words("install");
        assert_int_equal(n, 0);
        vk_device *device = (vk_device *)(void *)&n;
        assert_int_equal(vk_device_open(NULL, &device, &error), PUM_ERR_NO_VULKAN);
        expect_words("libvulkan.so.1");
        assert_null(device);
        assert_int_equal(vk_device_open("0", &device, NULL), PUM_ERR_NO_VULKAN);
    }
}

static void test_no_driver(void **state) {
    (void)state;
    for (int again = 0; again < 2; again++) {
        int n = -1;
        pum_status status = vk_devices(NULL, 0, &n, &error);
        if (status != PUM_OK) fail_msg("vk_devices: %s", error.message);
        assert_int_equal(n, 0);
        vk_device *device = (vk_device *)(void *)&n;
        assert_int_equal(vk_device_open(NULL, &device, &error), PUM_ERR_NO_DEVICE);
        expect_words("got none; install");
        assert_null(device);
        assert_int_equal(vk_device_open("0", &device, &error), PUM_ERR_NO_DEVICE);
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    const struct CMUnitTest no_loader[] = {cmocka_unit_test(test_no_loader)};
    const struct CMUnitTest no_driver[] = {cmocka_unit_test(test_no_driver)};
    if (strcmp(what, "no-loader") == 0) return cmocka_run_group_tests(no_loader, NULL, NULL);
    if (strcmp(what, "no-driver") != 0) {
        fprintf(stderr, "usage: test_vk_absent no-loader|no-driver\n");
        return 2;
    }
    // Without a loader there is nothing to learn about drivers.
    if (vk_devices(NULL, 0, &(int){0}, &error) == PUM_ERR_NO_VULKAN) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    return cmocka_run_group_tests(no_driver, NULL, NULL);
}
