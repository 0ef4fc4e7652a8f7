/* The driver's pipeline cache, kept in a file between runs. The driver is never given what another driver, device or build has
 * written, or what is damaged: drivers have crashed on less. */
#ifndef VK_PIPELINE_CACHE_H
#define VK_PIPELINE_CACHE_H

#include "vk/device.h"

/// Fills the device's pipeline cache from a file of the folder, if there is one that is good, and has vk_pipeline_cache_save
/// write there. Before any pipeline is made. Nothing here is a failure: without the file there is just more to compile.
void vk_pipeline_cache_open(vk_device *device, const char *folder);
/// Fills it again from the same file, after vk_device_reopen.
void vk_pipeline_cache_reopen(vk_device *device);
/// Writes the file again if pipelines have been made since. Any thread.
void vk_pipeline_cache_save(vk_device *device);

#endif
