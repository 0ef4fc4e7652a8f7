/* The pipeline cache's file: the driver gets back just what it gave, and nothing at all of a file that is cut off, changed,
 * foreign or too large. The driver's own functions are stood in for, so that any driver will do. */
#include "base/cache_file.h"
#include "vk/pipeline_cache.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { VULKAN_HEADER = 32, MOST = 65 << 20 };

static vk_device *dev;
static char folder[] = "/tmp/test_pipeline_cache.XXXXXX";
static char cache_folder[256];

/* ---- a driver with a cache that we can see into */

static char data[4096]; ///< what the driver's cache holds, [n_data]
static size_t n_data;
static char given[4096]; ///< what the driver was last given, [n_given]
static size_t n_given;
static PFN_vkCreatePipelineCache create_cache;

static VKAPI_ATTR VkResult VKAPI_CALL get_data(VkDevice device, VkPipelineCache cache, size_t *n_bytes, void *bytes) {
    (void)device, (void)cache;
    if (bytes) memcpy(bytes, data, n_data < *n_bytes ? n_data : *n_bytes);
    *n_bytes = n_data;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                             const VkAllocationCallbacks *allocator, VkPipelineCache *cache) {
    assert_true(info->initialDataSize <= sizeof given);
    n_given = info->initialDataSize;
    if (n_given) memcpy(given, info->pInitialData, n_given);
    VkPipelineCacheCreateInfo empty = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    return create_cache(device, &empty, allocator, cache);
}

static void fill_data(size_t n_bytes) {
    VkPhysicalDeviceProperties p;
    vkGetPhysicalDeviceProperties(dev->physical, &p);
    const uint32_t words[4] = {VULKAN_HEADER, VK_PIPELINE_CACHE_HEADER_VERSION_ONE, p.vendorID, p.deviceID};
    for (size_t i = 0; i < n_bytes; i++) data[i] = (char)(i * 7);
    memcpy(data, words, sizeof words);
    memcpy(data + sizeof words, p.pipelineCacheUUID, VK_UUID_SIZE);
    n_data = n_bytes;
}

static void open_device(void) {
    pum_error error;
    if (vk_device_open(getenv("PUMICE_TEST_DEVICE"), &dev, &error) != PUM_OK) fail_msg("%s", error.message);
    create_cache = dev->fn.vkCreatePipelineCache;
    dev->fn.vkCreatePipelineCache = create;
    dev->fn.vkGetPipelineCacheData = get_data;
    n_given = 0;
}

/* ---- files */

static void remove_files(void) {
    DIR *d = opendir(cache_folder);
    if (!d) return;
    char path[1024];
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", cache_folder, e->d_name);
        unlink(path);
    }
    closedir(d);
    rmdir(cache_folder);
}

static int count_files(void) {
    DIR *d = opendir(cache_folder);
    int n = 0;
    if (!d) return 0;
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int setup(void **state) {
    (void)state;
    snprintf(cache_folder, sizeof cache_folder, "%s/some/pumice", folder);
    remove_files();
    open_device();
    fill_data(1000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vk_device_close(&dev);
    remove_files();
    return 0;
}

static const char *path_of_cache(void) { return dev->pipeline_cache_path; }

static size_t read_file(const char *path, char *bytes, size_t most) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(bytes, 1, most, file);
    fclose(file);
    return n;
}

static void write_file(const char *path, const char *bytes, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static void save_one(void) {
    vk_pipeline_cache_open(dev, cache_folder);
    vk_pipeline_cache_save(dev);
    assert_int_equal(count_files(), 1);
}

static void expect_given(bool expected, const char *what, size_t i) {
    n_given = 0;
    vk_pipeline_cache_open(dev, cache_folder);
    if (expected && (n_given != n_data || memcmp(given, data, n_data) != 0))
        fail_msg("%s %zu: expected the driver to get its %zu bytes back, it got %zu", what, i, n_data, n_given);
    if (!expected && n_given != 0) fail_msg("%s %zu: expected the driver to get nothing, it got %zu bytes", what, i, n_given);
}

/* ---- tests */

static void test_round_trip(void **state) {
    (void)state;
    expect_given(false, "no file", 0);
    assert_int_equal(count_files(), 0);
    save_one();
    expect_given(true, "a good file", 0);
    char text[4096];
    size_t n = read_file(path_of_cache(), text, sizeof text - 1);
    text[n] = 0;
    assert_non_null(strstr(text, pum_version()));
    assert_non_null(strstr(text, dev->caps.driver_version));
}

/* Writes only when there is something new, and leaves nothing else behind. */
static void test_saves_what_is_new(void **state) {
    (void)state;
    save_one();
    struct stat first, second;
    assert_int_equal(stat(path_of_cache(), &first), 0);
    vk_pipeline_cache_save(dev);
    assert_int_equal(stat(path_of_cache(), &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    fill_data(1500);
    vk_pipeline_cache_save(dev);
    assert_int_equal(count_files(), 1);
    expect_given(true, "a larger one", 0);
}

static void test_cut_off(void **state) {
    (void)state;
    save_one();
    char text[4096];
    size_t n = read_file(path_of_cache(), text, sizeof text);
    for (size_t i = 0; i < n; i++) {
        write_file(path_of_cache(), text, i);
        expect_given(false, "cut off at", i);
    }
    text[n] = 0;
    write_file(path_of_cache(), text, n + 1);
    expect_given(false, "longer by", 1);
    write_file(path_of_cache(), text, n);
    expect_given(true, "whole", 0);
}

static void test_changed(void **state) {
    (void)state;
    save_one();
    char text[4096];
    size_t n = read_file(path_of_cache(), text, sizeof text);
    for (size_t i = 0; i < n; i++) {
        text[i] ^= (char)(1 << i % 8);
        write_file(path_of_cache(), text, n);
        expect_given(false, "changed at", i);
        text[i] ^= (char)(1 << i % 8);
    }
}

/* The same file, met by another driver, device or kind of subgroup. */
static void test_foreign(void **state) {
    (void)state;
    save_one();
    vk_caps caps = dev->caps;
    strcat(dev->caps.driver_version, "x");
    expect_given(false, "another version", 0);
    dev->caps = caps;
    dev->caps.subgroup_size *= 2;
    expect_given(false, "other subgroups", 0);
    dev->caps = caps;
    dev->caps.device_id++;
    expect_given(false, "another model", 0);
    dev->caps = caps;
    dev->caps.uuid[15] ^= 1; // has a file of its own
    expect_given(false, "another device", 0);
    vk_pipeline_cache_save(dev);
    assert_int_equal(count_files(), 2);
    dev->caps = caps;
    expect_given(true, "the first device", 0);
}

/* Our header is right, the driver's own is not: its version is told by nothing else. */
static void test_foreign_to_driver(void **state) {
    (void)state;
    save_one();
    char identity[1024];
    vk_device_identity(dev, "pipelines", identity, sizeof identity);
    for (size_t i = 4; i < VULKAN_HEADER; i++) {
        data[i] ^= 1;
        assert_true(cache_file_write(path_of_cache(), identity, data, n_data));
        expect_given(false, "driver's header changed at", i);
        data[i] ^= 1;
    }
    static const uint32_t lengths[] = {0, 31, 1001, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        memcpy(data, &lengths[i], 4);
        assert_true(cache_file_write(path_of_cache(), identity, data, n_data));
        expect_given(false, "driver's header of length", lengths[i]);
    }
    assert_true(cache_file_write(path_of_cache(), identity, data, VULKAN_HEADER - 1));
    expect_given(false, "driver's header cut off", 0);
}

static void test_too_large(void **state) {
    (void)state;
    save_one();
    n_data = MOST; // the driver says so; it is not asked for the bytes
    vk_pipeline_cache_save(dev);
    n_data = 1000;
    expect_given(true, "the file from before", 0);
    void *bytes;
    size_t n;
    char identity[1024];
    vk_device_identity(dev, "pipelines", identity, sizeof identity);
    assert_true(cache_file_read(path_of_cache(), identity, 1000, &bytes, &n));
    free(bytes);
    assert_false(cache_file_read(path_of_cache(), identity, 999, &bytes, &n));
    assert_null(bytes);
}

/* Where nothing can be written, nothing is, and that is all. */
static void test_nowhere(void **state) {
    (void)state;
    vk_pipeline_cache_save(dev);
    char file[300];
    snprintf(file, sizeof file, "%s/file", folder);
    write_file(file, "x", 1);
    vk_pipeline_cache_open(dev, file);
    vk_pipeline_cache_save(dev);
    vk_pipeline_cache_open(dev, "/proc/no/such/folder");
    vk_pipeline_cache_save(dev);
    unlink(file);
}

#define WITH_DEVICE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    pum_error error;
    vk_device *probe;
    pum_status status = vk_device_open(getenv("PUMICE_TEST_DEVICE"), &probe, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    vk_device_close(&probe);
    if (!mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        WITH_DEVICE(test_round_trip), WITH_DEVICE(test_saves_what_is_new), WITH_DEVICE(test_cut_off),   WITH_DEVICE(test_changed),
        WITH_DEVICE(test_foreign),    WITH_DEVICE(test_foreign_to_driver), WITH_DEVICE(test_too_large), WITH_DEVICE(test_nowhere),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    char some[300];
    snprintf(some, sizeof some, "%s/some", folder);
    rmdir(some);
    rmdir(folder);
    return n_failed ? 1 : 0;
}
