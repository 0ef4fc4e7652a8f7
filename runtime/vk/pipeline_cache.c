#include "vk/pipeline_cache.h"

#include "base/cache_file.h"
#include "base/log.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 64 << 20, VULKAN_HEADER_BYTES = 16 + VK_UUID_SIZE };
static const char KIND[] = "pipelines";

/* Whether data begins with the header that this driver would write. */
static bool is_of_driver(const vk_device *device, const void *data, size_t n_bytes) {
    VkPhysicalDeviceProperties p;
    vkGetPhysicalDeviceProperties(device->physical, &p);
    uint32_t words[4];
    if (n_bytes < VULKAN_HEADER_BYTES) return false;
    memcpy(words, data, sizeof words);
    return words[0] >= VULKAN_HEADER_BYTES && words[0] <= n_bytes && words[1] == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           words[2] == p.vendorID && words[3] == p.deviceID &&
           memcmp((const char *)data + sizeof words, p.pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

static void use(vk_device *device, const void *data, size_t n_bytes) {
    VkPipelineCacheCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, .initialDataSize = n_bytes, .pInitialData = data};
    VkPipelineCache filled;
    if (device->fn.vkCreatePipelineCache(device->handle, &info, NULL, &filled) != VK_SUCCESS) return;
    device->fn.vkDestroyPipelineCache(device->handle, device->pipeline_cache, NULL);
    device->pipeline_cache = filled;
    device->pipeline_cache_bytes = n_bytes;
}

void vk_pipeline_cache_open(vk_device *device, const char *folder) {
    free(device->pipeline_cache_path);
    device->pipeline_cache_path = vk_device_file(device, folder, KIND);
    vk_pipeline_cache_reopen(device);
}

void vk_pipeline_cache_reopen(vk_device *device) {
    device->pipeline_cache_bytes = 0;
    char identity[1024];
    vk_device_identity(device, KIND, identity, sizeof identity);
    void *data;
    size_t n_bytes;
    if (!device->pipeline_cache_path || !cache_file_read(device->pipeline_cache_path, identity, MAX_BYTES, &data, &n_bytes))
        return;
    if (is_of_driver(device, data, n_bytes))
        use(device, data, n_bytes);
    else
        base_log(PUM_LOG_DEBUG, "%s is not used: it is of another version of the driver", device->pipeline_cache_path);
    free(data);
}

static void save(vk_device *device) {
    size_t n_bytes = 0;
    VkResult result = device->fn.vkGetPipelineCacheData(device->handle, device->pipeline_cache, &n_bytes, NULL);
    if (result != VK_SUCCESS || n_bytes == device->pipeline_cache_bytes || n_bytes > MAX_BYTES) return;
    void *data = malloc(n_bytes);
    // It may have grown since: then that is VK_INCOMPLETE, and for the next time.
    if (data) result = device->fn.vkGetPipelineCacheData(device->handle, device->pipeline_cache, &n_bytes, data);
    char identity[1024];
    vk_device_identity(device, KIND, identity, sizeof identity);
    if (data && result == VK_SUCCESS && is_of_driver(device, data, n_bytes) &&
        cache_file_write(device->pipeline_cache_path, identity, data, n_bytes))
        device->pipeline_cache_bytes = n_bytes;
    free(data);
}

void vk_pipeline_cache_save(vk_device *device) {
    if (!device->pipeline_cache_path || atomic_load(&device->lost)) return;
    pthread_mutex_lock(&device->pipeline_cache_lock);
    save(device);
    pthread_mutex_unlock(&device->pipeline_cache_lock);
}
