/* The one Vulkan instance of the process. */
#ifndef VK_INSTANCE_H
#define VK_INSTANCE_H

#include "vk/device.h"

/// Loads Vulkan and makes the instance at the first call; later calls give the same. Any thread. The instance lives as long as
/// the process. *instance is VK_NULL_HANDLE with PUM_OK where there is a loader but no driver. Errors: PUM_ERR_NO_VULKAN,
/// PUM_ERR_DEVICE.
pum_status vk_instance_get(VkInstance *instance, pum_error *err);
/// Vulkan's packed version that the instance was made for, 1.1 to 1.3: what a device offers beyond it comes by extensions only.
uint32_t vk_instance_version(void);

/// Lists the physical devices; *physical is to be freed with free(). Errors as vk_instance_get, PUM_ERR_MEMORY.
pum_status vk_instance_physical(VkPhysicalDevice **physical, uint32_t *n_physical, pum_error *err);

#endif
