/* That the layer of lower limits does what PUMICE_LIMITS says, seen through vk/, and that a device whose subgroups are not what
 * it says is found out. */
#include "ops/subgroups.h"
#include "ops/variants.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pum_error error;
static const char *words;

static bool has(const char *word) {
    size_t n = strlen(word);
    for (const char *at = words; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        if (length == n && memcmp(at, word, n) == 0) return true;
        at += length;
    }
    return false;
}

/* A limit that the words lower to a value is at most that, or, rounded as vk/ rounds it, just below. */
static void expect_most(const char *word, uint64_t limit, uint64_t in_all, uint64_t got) {
    const char *at = strstr(words, word);
    if (at)
        limit = strtoull(strchr(at, '=') + 1, NULL, 10);
    else if (has("all"))
        limit = in_all;
    else
        return;
    if (got > limit || got < limit - limit % 256)
        fail_msg("%s: expected %llu, got %llu", word, (unsigned long long)limit, (unsigned long long)got);
}

static void test_limits(void **state) {
    (void)state;
    vk_device *dev;
    if (vk_device_open(NULL, &dev, &error) != PUM_OK) fail_msg("%s", error.message);
    const vk_caps *c = &dev->caps;
    expect_most("shared=", 0, 16384, c->max_shared_bytes);
    expect_most("invocations=", 0, 128, c->max_invocations);
    expect_most("range=", 0, 134217727, c->max_storage_range);
    if (has("align=256") || has("all")) assert_int_equal(c->storage_align, 256);
    const struct {
        const char *word;
        bool there;
    } features[] = {{"nofp16", c->fp16},
                    {"noint8", c->int8},
                    {"noint16", c->int16},
                    {"noint64", c->int64},
                    {"no8bit", c->storage8},
                    {"no16bit", c->storage16},
                    {"noaddress", c->buffer_address},
                    {"nodot", c->int_dot},
                    {"nomemorymodel", c->memory_model},
                    {"nosizecontrol", c->subgroup_max != 0},
                    {"nocoopmat", c->coopmat},
                    {"noarithmetic", c->subgroup_arithmetic || c->subgroup_clustered},
                    {"noshuffle", c->subgroup_shuffle},
                    {"noballot", c->subgroup_ballot}};
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if ((has(features[i].word) || has("all")) && features[i].there) fail_msg("%s: it is still there", features[i].word);
    vk_device_close(&dev);
}

/* A device with its kernels: the capabilities that those leave. */
static vk_caps caps_with_kernels(void) {
    vk_device *dev;
    op_kernels *kernels;
    if (vk_device_open(NULL, &dev, &error) != PUM_OK || op_kernels_create(dev, &kernels, &error) != PUM_OK)
        fail_msg("%s", error.message);
    vk_caps caps = dev->caps;
    op_kernels_destroy(&kernels);
    // What was seen outlives a device that is lost and opened again.
    if (vk_device_reopen(dev, &error) != PUM_OK) fail_msg("%s", error.message);
    assert_memory_equal(&caps, &dev->caps, sizeof caps);
    vk_device_close(&dev);
    return caps;
}

/* The true size is what the device says without the layer; test_limits.sh asks before. */
static void test_untrue_subgroups_are_found_out(void **state) {
    (void)state;
    vk_caps caps = caps_with_kernels();
    assert_true(caps.subgroups_verified);
    const char *at = strstr(words, "subgroup="), *truth = getenv("PUMICE_TRUE_SUBGROUP");
    uint32_t told = at ? (uint32_t)atoi(at + strlen("subgroup=")) : 0;
    bool untrue = told && truth && told != (uint32_t)atoi(truth);
    if (caps.subgroups_untrue != untrue)
        fail_msg("told %u, true %s: expected to be %s", told, truth ? truth : "as told", untrue ? "found out" : "believed");
    if (!untrue) return;
    assert_int_equal(caps.subgroup_size, told);
    assert_false(caps.subgroup_arithmetic || caps.subgroup_ballot || caps.subgroup_shuffle || caps.subgroup_clustered);
    for (size_t i = 0; i < n_shader_variants; i++)
        if (strstr(shader_variants[i].needs, "subgroup") || strstr(shader_variants[i].needs, "coopmat") ||
            strstr(shader_variants[i].needs, "lanes8"))
            assert_false(op_needs_met(&caps, shader_variants[i].needs));
}

/* What a device may show, beside a size of 32 that was told. */
static void test_what_was_seen(void **state) {
    (void)state;
    enum { N = 128, SIZE = 32 };
    op_subgroup_place seen[N];
#define SEE(...)                                                                                                                 \
    for (uint32_t i = 0; i < N; i++) seen[i] = (op_subgroup_place){__VA_ARGS__}
    SEE(i / SIZE, i % SIZE, SIZE, N / SIZE);
    assert_true(op_subgroups_are(seen, N, SIZE));
    SEE((N - 1 - i) / SIZE, i % SIZE, SIZE, N / SIZE); // in another order
    assert_true(op_subgroups_are(seen, N, SIZE));
    SEE(i / 8, i % 8, SIZE, N / 8); // told 32, and eight of each run
    assert_false(op_subgroups_are(seen, N, SIZE));
    SEE(i / 8, i % 8, 8, N / 8); // a size of its own
    assert_false(op_subgroups_are(seen, N, SIZE));
    SEE(i / 64, i % 64, 64, N / 64);
    assert_false(op_subgroups_are(seen, N, SIZE));
    SEE(i / SIZE, i % 8, SIZE, N / SIZE); // places that several have
    assert_false(op_subgroups_are(seen, N, SIZE));
    SEE(UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX); // nothing was written
    assert_false(op_subgroups_are(seen, N, SIZE));
    SEE(i / SIZE, i % SIZE, SIZE, N / SIZE);
    assert_false(op_subgroups_are(seen, N, 0) || op_subgroups_are(seen, N, 48) || op_subgroups_are(seen, N, 256));
#undef SEE
}

/* test_limits size: without the layer, the size of subgroups in truth. */
int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "size") == 0) return printf("%u\n", caps_with_kernels().subgroup_size) < 0;
    words = getenv("PUMICE_LIMITS");
    if (!words) words = "";
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_limits), cmocka_unit_test(test_untrue_subgroups_are_found_out),
                                       cmocka_unit_test(test_what_was_seen)};
    int n = 0;
    pum_status status = vk_devices(NULL, 0, &n, &error);
    if (status != PUM_OK || n == 0) {
        printf("skipped: %s\n", status != PUM_OK ? error.message : "no Vulkan device");
        return status == PUM_OK || status == PUM_ERR_NO_VULKAN ? 77 : 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
