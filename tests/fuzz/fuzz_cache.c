/* The files of caches, which anybody may have cut, changed or left: any bytes as a file, and any contents behind a header that is
 * right. What is not right is dropped; what is taken is whole. The first byte of an input says what the rest is. */
#include "base/cache_file.h"
#include "base/log.h"
#include "check/tune.h"
#include "fuzz/fake_device.h"
#include "fuzz/fuzz.h"
#include "vk/pipeline_cache.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WHOLE_FILE, KERNELS, PIPELINES, KINDS, MAX_BYTES = 1 << 16 };
static const char IDENTITY[] = "a cache of the fuzz targets";

/* A file with a header that is right. */
static const char *wrap(const char *identity, fuzz_input in) {
    char header[2048];
    int n = snprintf(header, sizeof header, "pumice cache 1\n%s\n%zu %016" PRIx64 "\n", identity, in.left,
                     cache_file_hash(0, in.at, in.left));
    char *whole = malloc((size_t)n + in.left);
    must(whole != NULL, "no memory for a file");
    memcpy(whole, header, (size_t)n);
    if (in.left) memcpy(whole + n, in.at, in.left);
    const char *path = fuzz_file(whole, (size_t)n + in.left);
    free(whole);
    return path;
}

static void check_file(fuzz_input in) {
    void *bytes;
    size_t n_bytes;
    bool read = cache_file_read(fuzz_file(in.at, in.left), IDENTITY, MAX_BYTES, &bytes, &n_bytes);
    must(read == (bytes != NULL), "bytes of a file that is not used, or none of one that is");
    if (read) {
        must(n_bytes <= in.left && memcmp(in.at + in.left - n_bytes, bytes, n_bytes) == 0, "other bytes than the file's last");
        must(((char *)bytes)[n_bytes] == 0, "no zero behind the bytes");
    }
    free(bytes);
    must(cache_file_read(wrap(IDENTITY, in), IDENTITY, MAX_BYTES, &bytes, &n_bytes), "a file that is right is not taken");
    must(n_bytes == in.left && (n_bytes == 0 || memcmp(bytes, in.at, n_bytes) == 0), "other bytes than were written");
    free(bytes);
    must(!cache_file_read(wrap(IDENTITY, in), "another identity", MAX_BYTES, &bytes, &n_bytes), "a foreign file is taken");
    if (in.left)
        must(!cache_file_read(wrap(IDENTITY, in), IDENTITY, in.left - 1, &bytes, &n_bytes), "a file that is too large is taken");
}

/* ---- what is known of kernels */

static bool same(const check_result *a, const check_result *b) {
    bool ratios =
        a->max_error_ratio == b->max_error_ratio || fabs(a->max_error_ratio - b->max_error_ratio) <= 1e-8 * a->max_error_ratio;
    return a->verdict == b->verdict && a->passed_over == b->passed_over && ratios &&
           fabs(a->time_us - b->time_us) <= 1e-8 * a->time_us;
}

static void check_kernels(fuzz_input in) {
    vk_device *device = fake_device();
    static check_table *table, *again;
    char identity[1024];
    if (!table)
        must(check_table_create(&table, NULL) == PUM_OK && check_table_create(&again, NULL) == PUM_OK, "no memory for tables");
    check_table_clear(table);
    check_table_clear(again);
    check_table_identity(device, identity, sizeof identity);
    const char *path = wrap(identity, in);
    bool read = check_table_read(table, device, path);
    for (size_t i = 0; i < n_shader_variants; i++) {
        for (int size = 0; size < OP_N_SIZES; size++) {
            const check_result *r = check_table_at(table, &shader_variants[i], (op_size)size);
            must(r->verdict >= PUM_VERDICT_NONE && r->verdict <= PUM_VERDICT_UNSUPPORTED, "a verdict that does not exist");
            must(r->max_error_ratio >= 0 && r->time_us >= 0 && isfinite(r->time_us), "a verdict with what is no number");
            must(read || (r->verdict == PUM_VERDICT_NONE && !r->passed_over), "something of a file that was dropped");
        }
        op_variant_knowledge known = check_table_knowledge(table, &shader_variants[i], true);
        for (int size = 0; size < OP_N_SIZES; size++) must(isfinite(known.time_us[size]), "a choice by what is no number");
    }
    if (!read) return;
    check_table_write(table, device, path);
    must(check_table_read(again, device, path), "what was written is not read");
    for (size_t i = 0; i < n_shader_variants * OP_N_SIZES; i++) {
        const shader_variant *v = &shader_variants[i / OP_N_SIZES];
        op_size size = (op_size)(i % OP_N_SIZES);
        must(same(check_table_at(table, v, size), check_table_at(again, v, size)), "something else was read than was written");
    }
}

/* ---- compiled pipelines */

static size_t n_given; ///< bytes that the driver got

static VKAPI_ATTR VkResult VKAPI_CALL create_cache(VkDevice handle, const VkPipelineCacheCreateInfo *info,
                                                   const VkAllocationCallbacks *how, VkPipelineCache *cache) {
    (void)handle, (void)how;
    // A driver goes by the header: what was not made by it must not come here.
    uint32_t words[4];
    must(info->initialDataSize >= 32, "a driver got a cache without a header");
    memcpy(words, info->pInitialData, sizeof words);
    must(words[0] >= 32 && words[0] <= info->initialDataSize && words[1] == 1 && words[2] == 1 && words[3] == 2,
         "a driver got the cache of another");
    unsigned sum = 0;
    for (size_t i = 0; i < info->initialDataSize; i++) sum += ((const uint8_t *)info->pInitialData)[i];
    n_given = info->initialDataSize;
    *cache = (VkPipelineCache)(uintptr_t)1;
    return sum % 2 ? VK_SUCCESS : VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL destroy_cache(VkDevice handle, VkPipelineCache cache, const VkAllocationCallbacks *how) {
    (void)handle, (void)cache, (void)how;
}

static void check_pipelines(fuzz_input in) {
    vk_device *device = fake_device();
    device->fn.vkCreatePipelineCache = create_cache;
    device->fn.vkDestroyPipelineCache = destroy_cache;
    char identity[1024];
    vk_device_identity(device, "pipelines", identity, sizeof identity);
    const char *path = wrap(identity, in);
    device->pipeline_cache_path = malloc(strlen(path) + 1);
    must(device->pipeline_cache_path != NULL, "no memory for a path");
    strcpy(device->pipeline_cache_path, path);
    n_given = 0;
    vk_pipeline_cache_reopen(device);
    must(n_given == 0 || n_given == in.left, "a driver got a part of a cache");
    must(device->pipeline_cache_bytes == 0 || device->pipeline_cache_bytes == n_given, "another size than the driver took");
    free(device->pipeline_cache_path);
    device->pipeline_cache_path = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = {data, size};
    switch (fuzz_byte(&in) % KINDS) {
    case WHOLE_FILE:
        check_file(in);
        break;
    case KERNELS:
        check_kernels(in);
        break;
    case PIPELINES:
        check_pipelines(in);
        break;
    }
    return 0;
}
