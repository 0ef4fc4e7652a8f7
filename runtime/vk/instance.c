#include "vk/instance.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t instance_lock = PTHREAD_MUTEX_INITIALIZER;
static VkInstance the_instance;
static uint32_t the_version; ///< that the instance was made for

static const struct {
    VkResult result;
    const char *name;
    pum_status status;
    const char *remedy;
} result_table[] = {
    {VK_ERROR_DEVICE_LOST, "VK_ERROR_DEVICE_LOST", PUM_ERR_DEVICE_LOST,
     "the driver reset the device; try again, or choose another --device"},
    {VK_ERROR_OUT_OF_DEVICE_MEMORY, "VK_ERROR_OUT_OF_DEVICE_MEMORY", PUM_ERR_DEVICE_MEMORY,
     "close other programs, or use a smaller context (--ctx) or model"},
    {VK_ERROR_OUT_OF_HOST_MEMORY, "VK_ERROR_OUT_OF_HOST_MEMORY", PUM_ERR_MEMORY, "close other programs and try again"},
    {VK_ERROR_OUT_OF_POOL_MEMORY, "VK_ERROR_OUT_OF_POOL_MEMORY", PUM_ERR_DEVICE_MEMORY, "close other programs and try again"},
    {VK_ERROR_INITIALIZATION_FAILED, "VK_ERROR_INITIALIZATION_FAILED", PUM_ERR_DEVICE, "update or reinstall the Vulkan driver"},
    {VK_ERROR_LAYER_NOT_PRESENT, "VK_ERROR_LAYER_NOT_PRESENT", PUM_ERR_DEVICE,
     "a layer named in VK_INSTANCE_LAYERS is not installed"},
    {VK_ERROR_EXTENSION_NOT_PRESENT, "VK_ERROR_EXTENSION_NOT_PRESENT", PUM_ERR_DEVICE, "update the Vulkan driver"},
    {VK_ERROR_FEATURE_NOT_PRESENT, "VK_ERROR_FEATURE_NOT_PRESENT", PUM_ERR_DEVICE, "update the Vulkan driver"},
    {VK_ERROR_INCOMPATIBLE_DRIVER, "VK_ERROR_INCOMPATIBLE_DRIVER", PUM_ERR_NO_DEVICE, "install a Vulkan driver"},
    {VK_ERROR_TOO_MANY_OBJECTS, "VK_ERROR_TOO_MANY_OBJECTS", PUM_ERR_DEVICE, "close other programs and try again"},
    {VK_ERROR_MEMORY_MAP_FAILED, "VK_ERROR_MEMORY_MAP_FAILED", PUM_ERR_MEMORY, "close other programs and try again"},
    {VK_ERROR_FRAGMENTED_POOL, "VK_ERROR_FRAGMENTED_POOL", PUM_ERR_DEVICE_MEMORY, "close other programs and try again"},
    {VK_TIMEOUT, "VK_TIMEOUT", PUM_ERR_DEVICE, "the device did not answer; try again, or choose another --device"},
};

pum_status vk_fail(pum_error *err, VkResult result, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (size_t i = 0; i < sizeof result_table / sizeof *result_table; i++)
        if (result_table[i].result == result)
            return pum_fail(err, result_table[i].status, "%s: %s; %s", what, result_table[i].name, result_table[i].remedy);
    return pum_fail(err, PUM_ERR_DEVICE, "%s: VkResult %d; update the Vulkan driver or choose another --device", what,
                    (int)result);
}

static pum_status create(VkInstance *instance, pum_error *err) {
    if (volkInitialize() != VK_SUCCESS)
        return pum_fail(
            err, PUM_ERR_NO_VULKAN,
            "expected the Vulkan loader (libvulkan.so.1; Windows: vulkan-1.dll), got none; install your system's "
            "packages for Vulkan (Debian: libvulkan1 and mesa-vulkan-drivers), under Windows the newest driver of your "
            "GPU");
    uint32_t offered = volkGetInstanceVersion();
    // 1.3 at most: what this program was written against. Each device says for itself how far it goes.
    uint32_t version = offered < VK_API_VERSION_1_3 ? offered : VK_API_VERSION_1_3;
    if (version < VK_API_VERSION_1_1)
        return pum_fail(err, PUM_ERR_NO_VULKAN,
                        "expected a Vulkan loader of version 1.1 or later, got 1.0; update the Vulkan loader");
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                     .pApplicationName = "pumice",
                                     .pEngineName = "pumice",
                                     .apiVersion = version};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkResult result = vkCreateInstance(&info, NULL, instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) { // a loader without any driver
        *instance = VK_NULL_HANDLE;
        return PUM_OK;
    }
    if (result != VK_SUCCESS) return vk_fail(err, result, "making a Vulkan instance");
    volkLoadInstanceOnly(*instance);
    the_version = version;
    return PUM_OK;
}

pum_status vk_instance_get(VkInstance *instance, pum_error *err) {
    pum_status status = PUM_OK;
    pthread_mutex_lock(&instance_lock);
    if (!the_instance) status = create(&the_instance, err);
    *instance = the_instance;
    pthread_mutex_unlock(&instance_lock);
    return status;
}

uint32_t vk_instance_version(void) { return the_version; }

pum_status vk_instance_physical(VkPhysicalDevice **physical, uint32_t *n_physical, pum_error *err) {
    *physical = NULL;
    *n_physical = 0;
    VkInstance instance;
    pum_status status = vk_instance_get(&instance, err);
    if (status != PUM_OK || !instance) return status;
    uint32_t n = 0;
    VkResult counted = vkEnumeratePhysicalDevices(instance, &n, NULL);
    if (counted == VK_ERROR_INITIALIZATION_FAILED) { // drivers are installed, and each of them found no hardware of its own
        base_log(PUM_LOG_WARNING, "no Vulkan driver of this machine found a device");
        return PUM_OK;
    }
    VK_TRY(counted, "listing the Vulkan devices");
    if (n == 0) return PUM_OK;
    *physical = calloc(n, sizeof **physical);
    if (!*physical) return pum_fail_memory(err, "the list of devices", n * sizeof **physical);
    VkResult result = vkEnumeratePhysicalDevices(instance, &n, *physical);
    if (result != VK_INCOMPLETE) VK_TRY(result, "listing the Vulkan devices"); // incomplete: one was plugged in just now
    *n_physical = n;
    return PUM_OK;
fail:
    free(*physical);
    *physical = NULL;
    return status;
}
