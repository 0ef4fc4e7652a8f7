/* vk/: listing the devices of this machine and of others, choosing and opening one, and what is known of it. */
#include "vk_fixture.h"

#include "vk/caps.h"

/* ---- listing and choosing */

static void test_list(void **state) {
    (void)state;
    pum_device_info infos[MAX_DEVICES];
    int n = -1, counted = -1, n_used = 0;
    MUST(vk_devices(infos, MAX_DEVICES, &n, &error));
    MUST(vk_devices(NULL, 0, &counted, &error));
    assert_int_equal(n, counted);
    for (int i = 0; i < n; i++) {
        assert_int_equal(infos[i].index, i);
        n_used += infos[i].used;
        assert_true(infos[i].reason[0] && infos[i].name[0] && infos[i].vendor[0] && infos[i].driver[0] &&
                    infos[i].driver_version[0]);
        assert_true(infos[i].memory_bytes > 0 && infos[i].available_bytes <= infos[i].memory_bytes);
    }
    assert_int_equal(n_used, 1);
    // Room for fewer than there are: nothing is written behind it.
    memset(infos, 0x5a, sizeof infos);
    MUST(vk_devices(infos, 1, &n, &error));
    assert_int_equal(n, counted);
    assert_int_equal(((unsigned char *)&infos[1])[0], 0x5a);
}

static void test_default_is_no_cpu_beside_a_gpu(void **state) {
    (void)state;
    pum_device_info infos[MAX_DEVICES], opened;
    int n, n_gpus = 0;
    MUST(vk_devices(infos, MAX_DEVICES, &n, &error));
    for (int i = 0; i < n; i++) n_gpus += infos[i].type != PUM_DEVICE_CPU;
    vk_device *device;
    MUST(vk_device_open(NULL, &device, &error));
    vk_device_describe(device, &opened);
    assert_true(opened.used);
    assert_string_equal(opened.name, infos[opened.index].name);
    assert_string_equal(opened.reason, infos[opened.index].reason);
    if (n_gpus) assert_int_not_equal(opened.type, PUM_DEVICE_CPU);
    vk_device_close(&device);
}

static void test_unknown_names(void **state) {
    (void)state;
    pum_device_info infos[MAX_DEVICES];
    int n;
    MUST(vk_devices(infos, MAX_DEVICES, &n, &error));
    static const char *const names[] = {"no such device", "99", "-1", "0x0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        vk_device *device = (vk_device *)(void *)&n;
        assert_fails(vk_device_open(names[i], &device, &error), PUM_ERR_NO_DEVICE, infos[0].name);
        assert_non_null(strstr(error.message, names[i]));
        assert_null(device);
    }
    // An empty part is in every name.
    vk_device *device;
    if (n > 1) assert_fails(vk_device_open("", &device, &error), PUM_ERR_NO_DEVICE, "several");
}

static void test_open_by_name(void **state) {
    (void)state;
    char part[16] = {0};
    for (int i = 0; i < 15 && dev->caps.name[i]; i++) {
        char c = dev->caps.name[i];
        part[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    pum_device_info infos[MAX_DEVICES];
    int n, n_same = 0;
    MUST(vk_devices(infos, MAX_DEVICES, &n, &error));
    for (int i = 0; i < n; i++) n_same += strncmp(infos[i].name, dev->caps.name, strlen(part)) == 0;
    vk_device *second = NULL;
    if (n_same > 1) {
        assert_fails(vk_device_open(part, &second, &error), PUM_ERR_NO_DEVICE, "several");
        return;
    }
    MUST(vk_device_open(part, &second, &error));
    assert_string_equal(second->caps.name, dev->caps.name);
    vk_device_close(&second);
}

static void test_caps(void **state) {
    (void)state;
    const vk_caps *c = &dev->caps;
    assert_true(c->api_version >= VK_API_VERSION_1_1);
    assert_true(c->max_storage_range >= 1u << 27 && c->max_storage_range % 256 == 0);
    assert_true(c->storage_align && (c->storage_align & (c->storage_align - 1)) == 0);
    assert_true(c->max_push_bytes >= 128 && c->max_invocations >= 128 && c->max_shared_bytes >= 16384);
    assert_true(c->subgroup_size >= 1 && c->subgroup_min <= c->subgroup_max);
    const vk_coopmat_shape *m = &c->coopmat_f16;
    assert_true(m->m == 0 || (c->coopmat && m->m >= 8 && m->n >= 8 && m->k >= 8));
    const vk_flexible_coopmat *flexible = &c->coopmat2_f16;
    assert_true(flexible->m == 0 || (c->coopmat && flexible->shared_bytes > 0 && flexible->shared_bytes <= c->max_shared_bytes));
    assert_true(vk_device_available_bytes(dev) > 0);
    printf("    %s, %s %s, subgroups of %u (%u to %u)%s%s%s%s%s%s%s\n", c->name, c->driver, c->driver_version, c->subgroup_size,
           c->subgroup_min, c->subgroup_max, c->host_visible ? ", host-visible" : "", c->fp16 ? ", fp16" : "",
           c->storage16 ? ", 16-bit" : "", c->int8_dot ? ", dot" : "", c->coopmat ? ", matrix" : "",
           c->coopmat2_f16.m ? ", flexible matrix" : "", c->memory_budget ? ", budget" : "");
}

/* Lists as drivers have them. */
static void test_coopmat_choice(void **state) {
    (void)state;
    enum { F16, F32, S8 = 3, S32 = 5, SUBGROUP = 3, WORKGROUP = 2 };
#define ROW(m, n, k, a, c, s)                                                                                                    \
    { 0, NULL, m, n, k, a, a, c, c, VK_FALSE, s }
    const vk_cooperative_matrix_row integers_first[] = {ROW(8, 8, 8, S8, S32, SUBGROUP), ROW(8, 8, 8, F16, F16, SUBGROUP),
                                                        ROW(8, 8, 8, F16, F32, SUBGROUP)};
    vk_coopmat_shape shape = vk_choose_coopmat_f16(integers_first, 3);
    assert_true(shape.m == 8 && shape.n == 8 && shape.k == 8);
    const vk_cooperative_matrix_row several[] = {ROW(16, 8, 8, F16, F32, SUBGROUP), ROW(32, 32, 16, F16, F32, SUBGROUP),
                                                 ROW(16, 16, 16, F16, F32, SUBGROUP), ROW(16, 8, 16, F16, F32, SUBGROUP)};
    shape = vk_choose_coopmat_f16(several, 4);
    assert_true(shape.m == 16 && shape.n == 16 && shape.k == 16);
    shape = vk_choose_coopmat_f16(several + 3, 1);
    assert_true(shape.m == 16 && shape.n == 8 && shape.k == 16);
    const vk_cooperative_matrix_row unusable[] = {ROW(16, 16, 16, F16, F32, WORKGROUP), ROW(64, 16, 16, F16, F32, SUBGROUP),
                                                  ROW(4, 16, 16, F16, F32, SUBGROUP),   ROW(16, 24, 16, F16, F32, SUBGROUP),
                                                  ROW(16, 16, 0, F16, F32, SUBGROUP),   ROW(16, 16, 16, F16, F16, SUBGROUP)};
    assert_int_equal(vk_choose_coopmat_f16(unusable, 6).m, 0);
    assert_int_equal(vk_choose_coopmat_f16(NULL, 0).m, 0);
#undef ROW
}

/* Flexible ones: those of a workgroup where the device has such, of as many invocations as the kernels have. */
static void test_coopmat2_choice(void **state) {
    (void)state;
    enum { F16, F32, S8 = 3, S32 = 5, SUBGROUP = 3, WORKGROUP = 2 };
#define ROW(m, n, k, a, c, s, invocations)                                                                                       \
    { 0, NULL, m, n, k, a, a, c, c, VK_FALSE, s, invocations }
    const vk_flexible_matrix_row several[] = {
        ROW(16, 8, 16, F16, F32, SUBGROUP, 0),     ROW(32, 16, 16, F16, F16, WORKGROUP, 128),
        ROW(32, 16, 16, F16, F32, WORKGROUP, 128), ROW(32, 32, 16, F16, F32, WORKGROUP, 256),
        ROW(64, 32, 16, F16, F32, WORKGROUP, 512), ROW(32, 32, 32, S8, S32, WORKGROUP, 256)};
    vk_flexible_coopmat found = vk_choose_coopmat2_f16(several, 6, true);
    assert_true(found.m == 32 && found.n == 32 && found.k == 16 && found.invocations == 256);
    found = vk_choose_coopmat2_f16(several, 3, true);
    assert_true(found.m == 32 && found.n == 16 && found.k == 16 && found.invocations == 128);
    found = vk_choose_coopmat2_f16(several, 6, false);
    assert_true(found.m == 16 && found.n == 8 && found.k == 16 && found.invocations == 0);
    const vk_flexible_matrix_row unusable[] = {
        ROW(32, 32, 16, F16, F32, WORKGROUP, 96), ROW(32, 32, 16, F16, F32, WORKGROUP, 0),
        ROW(64, 16, 16, F16, F32, SUBGROUP, 0),   ROW(16, 24, 16, F16, F32, SUBGROUP, 0),
        ROW(16, 16, 64, F16, F32, SUBGROUP, 0),   ROW(0, 16, 16, F16, F32, SUBGROUP, 0),
        ROW(16, 16, 16, F16, F16, SUBGROUP, 0),   ROW(32, 32, 16, F16, F32, WORKGROUP, 512)};
    assert_int_equal(vk_choose_coopmat2_f16(unusable, 8, true).m, 0);
    assert_int_equal(vk_choose_coopmat2_f16(NULL, 0, true).m, 0);
#undef ROW
}

/* ---- choosing among devices that are not here: one real device answers for several, each with a type and name of its own */

typedef struct fake {
    VkPhysicalDeviceType type;
    const char *name;
    uint32_t version;
    bool broken; ///< its driver cannot list its extensions
} fake;

static const fake *fakes;
static uint32_t n_fakes, n_asked; ///< devices are asked for their properties one after the other
static PFN_vkEnumeratePhysicalDevices real_enumerate;
static PFN_vkGetPhysicalDeviceProperties real_properties;
static PFN_vkEnumerateDeviceExtensionProperties real_extensions;

static VkResult VKAPI_CALL fake_enumerate(VkInstance instance, uint32_t *n, VkPhysicalDevice *devices) {
    if (devices) {
        VkPhysicalDevice first;
        uint32_t one = 1;
        real_enumerate(instance, &one, &first);
        for (uint32_t i = 0; i < n_fakes; i++) devices[i] = first;
    }
    *n = n_fakes;
    n_asked = 0;
    return VK_SUCCESS;
}

static void VKAPI_CALL fake_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *p) {
    real_properties(device, p);
    const fake *f = &fakes[n_asked++ % n_fakes];
    p->deviceType = f->type;
    if (f->version) p->apiVersion = f->version;
    snprintf(p->deviceName, sizeof p->deviceName, "%s", f->name);
}

static VkResult VKAPI_CALL fake_extensions(VkPhysicalDevice device, const char *layer, uint32_t *n, VkExtensionProperties *all) {
    if (fakes[(n_asked + n_fakes - 1) % n_fakes].broken) return VK_ERROR_UNKNOWN;
    return real_extensions(device, layer, n, all);
}

static VkResult VKAPI_CALL no_hardware(VkInstance instance, uint32_t *n, VkPhysicalDevice *devices) {
    (void)instance, (void)n, (void)devices;
    return VK_ERROR_INITIALIZATION_FAILED;
}

static void begin_fakes(const fake *list, uint32_t n) {
    fakes = list;
    n_fakes = n;
    real_enumerate = vkEnumeratePhysicalDevices;
    real_properties = vkGetPhysicalDeviceProperties;
    real_extensions = vkEnumerateDeviceExtensionProperties;
    vkEnumeratePhysicalDevices = fake_enumerate;
    vkGetPhysicalDeviceProperties = fake_properties;
    vkEnumerateDeviceExtensionProperties = fake_extensions;
}

static int end_fakes(void **state) {
    (void)state;
    if (!real_enumerate) return 0;
    vkEnumeratePhysicalDevices = real_enumerate;
    vkGetPhysicalDeviceProperties = real_properties;
    vkEnumerateDeviceExtensionProperties = real_extensions;
    real_enumerate = NULL;
    return 0;
}

static void expect_opened(const char *which, const char *name) {
    vk_device *device;
    MUST(vk_device_open(which, &device, &error));
    assert_string_equal(device->caps.name, name);
    vk_device_close(&device);
}

static void test_choice(void **state) {
    (void)state;
    static const fake list[] = {
        {VK_PHYSICAL_DEVICE_TYPE_CPU, "llvmpipe", 0, false},
        {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, "Old 580", VK_API_VERSION_1_0, false},
        {VK_PHYSICAL_DEVICE_TYPE_OTHER, "Odd", 0, false},
        {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, "Broken 4090", 0, true},
        {VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, "Iris 770", 0, false},
        {VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU, "Virtio", 0, false},
        {VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, "Iris 780", 0, false},
    };
    begin_fakes(list, 7);
    pum_device_info infos[7];
    int n;
    MUST(vk_devices(infos, 7, &n, &error));
    assert_int_equal(n, 7);
    for (int i = 0; i < 7; i++) assert_int_equal(infos[i].used, i == 4);
    assert_string_equal(infos[0].reason, "a driver that runs on the CPU, and there is a GPU");
    assert_string_equal(infos[1].reason, "its driver knows Vulkan 1.0 only, 1.1 is needed");
    assert_string_equal(infos[3].reason, "its driver fails when it is asked what the device can do");
    assert_string_equal(infos[4].reason, "the fastest kind of device here");
    assert_string_equal(infos[6].reason, "another device is preferred; --device takes this one");
    expect_opened(NULL, "Iris 770");
    expect_opened("0", "llvmpipe");
    expect_opened("VIRT", "Virtio");
    expect_opened("780", "Iris 780"); // no index, but a part of one name
    vk_device *device;
    assert_fails(vk_device_open("iris", &device, &error), PUM_ERR_NO_DEVICE,
                 "several that match; there is 0: llvmpipe, 1: Old 580");
    assert_fails(vk_device_open("1", &device, &error), PUM_ERR_NO_DEVICE, "Old 580 cannot be used: its driver knows Vulkan 1.0");
    assert_fails(vk_device_open("broken", &device, &error), PUM_ERR_NO_DEVICE, "Broken 4090 cannot be used");
}

static void test_choice_without_a_gpu(void **state) {
    (void)state;
    static const fake list[] = {
        {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, "Old", VK_API_VERSION_1_0, false},
        {VK_PHYSICAL_DEVICE_TYPE_CPU, "llvmpipe", 0, false},
    };
    begin_fakes(list, 2);
    expect_opened(NULL, "llvmpipe");
    pum_device_info infos[2];
    int n;
    MUST(vk_devices(infos, 2, &n, &error));
    assert_string_equal(infos[1].reason, "a driver that runs on the CPU: there is no GPU that could be used");
    n_fakes = 1;
    vk_device *device;
    assert_fails(vk_device_open(NULL, &device, &error), PUM_ERR_NO_DEVICE, "Vulkan 1.0");
    vkEnumeratePhysicalDevices = no_hardware;
    MUST(vk_devices(infos, 2, &n, &error));
    assert_int_equal(n, 0);
    assert_fails(vk_device_open(NULL, &device, &error), PUM_ERR_NO_DEVICE, "install");
}

/* ---- queues that are not here */

static const VkQueueFamilyProperties *families;
static uint32_t n_families;
static PFN_vkGetPhysicalDeviceQueueFamilyProperties real_families;

static void VKAPI_CALL fake_families(VkPhysicalDevice device, uint32_t *n, VkQueueFamilyProperties *all) {
    (void)device;
    if (!all || *n > n_families) *n = n_families;
    for (uint32_t i = 0; all && i < *n; i++) all[i] = families[i];
}

static int end_fake_families(void **state) {
    (void)state;
    vkGetPhysicalDeviceQueueFamilyProperties = real_families;
    return 0;
}

/* The queue beside the one that draws the desktop, where there is such; a family may have no queues, or none that computes. */
static void test_queue_choice(void **state) {
    (void)state;
    enum { DRAW = VK_QUEUE_GRAPHICS_BIT, COMPUTE = VK_QUEUE_COMPUTE_BIT, COPY = VK_QUEUE_TRANSFER_BIT };
    static const struct {
        VkQueueFamilyProperties families[4];
        uint32_t n;
        int chosen;
    } cases[] = {
        {{{DRAW | COMPUTE | COPY, 1, 64, {0}}, {COPY, 2, 0, {0}}, {COMPUTE | COPY, 4, 36, {0}}}, 3, 2},
        {{{COMPUTE | COPY, 4, 36, {0}}, {DRAW | COMPUTE, 1, 64, {0}}}, 2, 0},
        {{{COPY, 1, 64, {0}}, {DRAW | COMPUTE, 1, 48, {0}}, {COMPUTE, 0, 64, {0}}}, 3, 1},
        {{{COMPUTE, 2, 32, {0}}, {COMPUTE, 2, 64, {0}}}, 2, 0},
        {{{DRAW | COPY, 1, 64, {0}}}, 1, -1},
        {.n = 0, .chosen = -1},
    };
    real_families = vkGetPhysicalDeviceQueueFamilyProperties;
    vkGetPhysicalDeviceQueueFamilyProperties = fake_families;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        families = cases[i].families;
        n_families = cases[i].n;
        uint32_t bits;
        int chosen = vk_compute_family(VK_NULL_HANDLE, &bits);
        if (chosen != cases[i].chosen) fail_msg("case %zu: expected family %d, got %d", i, cases[i].chosen, chosen);
        assert_int_equal(bits, chosen < 0 ? 0 : families[chosen].timestampValidBits);
    }
}

static const struct CMUnitTest choosing[] = {
    cmocka_unit_test(test_coopmat_choice),
    cmocka_unit_test(test_coopmat2_choice),
    cmocka_unit_test(test_list),
    cmocka_unit_test(test_default_is_no_cpu_beside_a_gpu),
    cmocka_unit_test(test_unknown_names),
    cmocka_unit_test_teardown(test_choice, end_fakes),
    cmocka_unit_test_teardown(test_choice_without_a_gpu, end_fakes),
    cmocka_unit_test_teardown(test_queue_choice, end_fake_families),
};

static const struct CMUnitTest on_device[] = {ON_DEVICE(test_open_by_name), ON_DEVICE(test_caps)};

int main(void) {
    pum_device_info infos[MAX_DEVICES];
    int n = need_devices(infos);
    int n_failed = cmocka_run_group_tests_name("choosing", choosing, NULL, NULL);
    for (int i = 0; i < n; i++) {
        snprintf(device_index, sizeof device_index, "%d", i);
        n_failed += cmocka_run_group_tests_name(infos[i].name, on_device, NULL, NULL);
    }
    return n_failed != 0;
}
