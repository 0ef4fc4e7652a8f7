/* The table of what drivers say wrongly: which devices a row means, and that it says why. */
#include "vk/quirks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { AMD = 0x1002, INTEL = 0x8086, MESA = 0x10005, NAVI21 = 0x73bf, NAVI31 = 0x744c };

static vk_caps apply(vk_quirk_device device, vk_caps caps) {
    vk_quirks_apply(&device, &caps);
    return caps;
}

static void test_rows_say_why(void **state) {
    (void)state;
    assert_true(vk_n_quirks <= PUM_MAX_QUIRKS);
    for (size_t i = 0; i < vk_n_quirks; i++) {
        const vk_quirk *q = &vk_quirks[i];
        assert_true(q->vendor_id || q->drivers[0]); // not all devices there are
        assert_non_null(q->what);
        assert_true(strstr(q->reason, "https://") || strstr(q->reason, "measured"));
        assert_true(q->clears[0] > 0 || q->registers > 0);
    }
}

static void test_amd(void **state) {
    (void)state;
    vk_caps has = {.type = PUM_DEVICE_DISCRETE, .coopmat = true, .fp16 = true}, integrated = has;
    integrated.type = PUM_DEVICE_INTEGRATED;
    assert_false(apply((vk_quirk_device){AMD, NAVI21, VK_DRIVER_ID_AMD_PROPRIETARY, 1}, has).coopmat);
    assert_true(apply((vk_quirk_device){AMD, NAVI21, VK_DRIVER_ID_AMD_PROPRIETARY, 1}, has).fp16);
    assert_int_not_equal(apply((vk_quirk_device){AMD, NAVI21, VK_DRIVER_ID_AMD_OPEN_SOURCE, 1}, has).quirks, 0);
    assert_true(apply((vk_quirk_device){AMD, NAVI31, VK_DRIVER_ID_AMD_PROPRIETARY, 1}, has).coopmat);
    assert_false(apply((vk_quirk_device){AMD, NAVI31, VK_DRIVER_ID_AMD_PROPRIETARY, 1}, integrated).coopmat);
    assert_true(apply((vk_quirk_device){AMD, NAVI21, VK_DRIVER_ID_MESA_RADV, 1}, integrated).coopmat);
    assert_true(apply((vk_quirk_device){AMD, NAVI21, 0, 1}, integrated).coopmat); // a driver that does not tell its id
    assert_int_equal(apply((vk_quirk_device){AMD, NAVI31, VK_DRIVER_ID_MESA_RADV, 1}, has).quirks, 0);
    const vk_caps lanes8 = {.coopmat = true, .subgroup_size = 8}, lanes16 = {.coopmat = true, .subgroup_size = 16};
    assert_true(apply((vk_quirk_device){MESA, 0, VK_DRIVER_ID_MESA_LLVMPIPE, 1}, lanes8).coopmat);
    assert_false(apply((vk_quirk_device){MESA, 0, VK_DRIVER_ID_MESA_LLVMPIPE, 1}, lanes16).coopmat);
}

static void test_intel(void **state) {
    (void)state;
    vk_caps has = {.subgroup_shuffle = true, .subgroup_arithmetic = true, .subgroup_size = 32};
    vk_caps promised = has;
    promised.subgroup_min = 8;
    promised.subgroup_max = 32;
    assert_false(apply((vk_quirk_device){INTEL, 0x56a0, VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS, 1}, has).subgroup_shuffle);
    assert_false(apply((vk_quirk_device){INTEL, 0x56a0, 0, 1}, has).subgroup_arithmetic);
    assert_true(apply((vk_quirk_device){INTEL, 0x56a0, 0, 1}, promised).subgroup_shuffle);
    assert_true(apply((vk_quirk_device){AMD, 0x56a0, 0, 1}, has).subgroup_shuffle);
}

static void test_versions(void **state) {
    (void)state;
    const vk_quirk row = {.vendor_id = 1, .version_first = 10, .version_last = 20};
    const vk_caps caps = {0};
    const uint32_t in[] = {10, 15, 20}, out[] = {9, 21};
    for (int i = 0; i < 3; i++) assert_true(vk_quirk_holds(&row, &(vk_quirk_device){1, 5, 0, in[i]}, &caps));
    for (int i = 0; i < 2; i++) assert_false(vk_quirk_holds(&row, &(vk_quirk_device){1, 5, 0, out[i]}, &caps));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_say_why), cmocka_unit_test(test_amd),
                                       cmocka_unit_test(test_intel), cmocka_unit_test(test_versions)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
