#include "vk_fixture.h"

pum_error error;
char device_index[16];
vk_device *dev;
uint64_t taken_before;

void assert_fails(pum_status got, pum_status expected, const char *words) {
    if (got != expected)
        fail_msg("expected %s, got %s (%s)", pum_status_name(expected), pum_status_name(got), got ? error.message : "no error");
    assert_int_equal(error.status, expected);
    if (!strstr(error.message, words)) fail_msg("expected a sentence with \"%s\", got: %s", words, error.message);
}

int open_device(void **state) {
    (void)state;
    MUST(vk_device_open(device_index, &dev, &error));
    taken_before = dev->allocated_bytes;
    return 0;
}

int close_device(void **state) {
    (void)state;
    assert_int_equal(dev->allocated_bytes, taken_before);
    vk_device_close(&dev);
    assert_null(dev);
    return 0;
}

int need_devices(pum_device_info infos[MAX_DEVICES]) {
    int n = 0;
    pum_status status = vk_devices(infos, MAX_DEVICES, &n, &error);
    if (status != PUM_OK || n == 0) {
        printf("skipped: %s\n", status != PUM_OK ? error.message : "no Vulkan device");
        exit(status == PUM_OK || status == PUM_ERR_NO_VULKAN ? 77 : 1);
    }
    return n < MAX_DEVICES ? n : MAX_DEVICES;
}
