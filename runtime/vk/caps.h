/* Reading what a physical device can do, and which of its features a device is opened with. */
#ifndef VK_CAPS_H
#define VK_CAPS_H

#include "vk/device.h"

/// VK_KHR_cooperative_matrix, which headers before 1.3.255 do not know.
typedef struct vk_cooperative_matrix_features {
    VkStructureType type;
    void *next;
    VkBool32 cooperative_matrix, robust_buffer_access;
} vk_cooperative_matrix_features;

/// VK_NV_cooperative_matrix2, which headers before 1.3.300 do not know.
typedef struct vk_cooperative_matrix2_features {
    VkStructureType type;
    void *next;
    VkBool32 workgroup_scope, flexible_dimensions, reductions, conversions, per_element_operations, tensor_addressing,
        block_loads;
} vk_cooperative_matrix2_features;

typedef struct vk_cooperative_matrix2_properties {
    VkStructureType type;
    void *next;
    uint32_t max_workgroup_size, max_dimension, reserved_shared_bytes; ///< the first and last: with matrices of a workgroup
} vk_cooperative_matrix2_properties;

/// One row of what vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV lists.
typedef struct vk_flexible_matrix_row {
    VkStructureType type;
    void *next;
    uint32_t m, n, k;
    int32_t a_type, b_type, c_type, result_type; ///< VkComponentTypeKHR
    VkBool32 saturating;
    int32_t scope; ///< VkScopeKHR
    uint32_t invocations;
} vk_flexible_matrix_row;

/// One row of what vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR lists.
typedef struct vk_cooperative_matrix_row {
    VkStructureType type;
    void *next;
    uint32_t m, n, k;
    int32_t a_type, b_type, c_type, result_type; ///< VkComponentTypeKHR
    VkBool32 saturating;
    int32_t scope; ///< VkScopeKHR
} vk_cooperative_matrix_row;

/// The feature structures that a device is created with, chained behind `core`; only what the device has is in the chain.
typedef struct vk_features {
    VkPhysicalDeviceFeatures2 core;
    VkPhysicalDevice16BitStorageFeatures storage16;
    VkPhysicalDevice8BitStorageFeatures storage8;
    VkPhysicalDeviceShaderFloat16Int8Features float16_int8;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceBufferDeviceAddressFeatures address;
    VkPhysicalDeviceVulkanMemoryModelFeatures memory_model;
    VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size;
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable;
    VkPhysicalDeviceMaintenance4Features maintenance4;
    vk_cooperative_matrix_features coopmat;
    vk_cooperative_matrix2_features coopmat2;
    bool queue_priority; ///< a queue may ask to be behind the others of the system
    const char *extensions[16];
    uint32_t n_extensions;
} vk_features;

/// Fills both. features points into itself: it must not be moved. Errors: PUM_ERR_MEMORY, PUM_ERR_DEVICE.
pum_status vk_caps_read(VkPhysicalDevice physical, vk_caps *caps, vk_features *features, pum_error *err);
/// Of a device's list the shape for float16 inputs and float32 sums: 16 x 16 x 16, or else the largest of at most 32 on each
/// side.
vk_coopmat_shape vk_choose_coopmat_f16(const vk_cooperative_matrix_row *rows, uint32_t n_rows);
/// Of a device's list the row for float16 inputs and float32 sums whose matrices are those of the largest workgroup of at most
/// 256 invocations (workgroup: whether the device has such), or else of a subgroup. shared_bytes is left 0.
vk_flexible_coopmat vk_choose_coopmat2_f16(const vk_flexible_matrix_row *rows, uint32_t n_rows, bool workgroup);
/// The index of the best compute queue family, or -1: one that has no graphics, if there is such a one. *timestamp_bits: how many
/// bits of its timestamps count, 0 when it has none.
int vk_compute_family(VkPhysicalDevice physical, uint32_t *timestamp_bits);
/// All of them as lines "name: value", to be freed with free(); NULL without memory.
char *vk_caps_text(const vk_caps *caps);
/// A heap of a device, and how much of it is free as far as the driver tells (else its size).
typedef struct vk_heap {
    uint32_t index;
    uint64_t size_bytes, free_bytes;
    bool budget_known; ///< the driver tells
} vk_heap;
/// The memory of a device, as far as what the driver says of it can be: no counts over the room, no types of heaps that are not there.
void vk_caps_memory(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *memory);
/// The largest device-local heap. budget: VK_EXT_memory_budget is there.
vk_heap vk_caps_device_heap(VkPhysicalDevice physical, bool budget);
/// The heap of what VK_USE_HOST takes. size_bytes 0: the device has no memory but its own.
vk_heap vk_caps_host_heap(VkPhysicalDevice physical, bool budget);
/// The memory type of VK_USE_HOST among those allowed, or -1: host-visible and not the device's own, if it can be not cached by
/// the host, whose caches the device would have to ask at each read.
int vk_host_memory_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t allowed);
/// "AMD", "NVIDIA", …, or the id in hex.
void vk_vendor_name(uint32_t vendor_id, char name[32]);

#endif
