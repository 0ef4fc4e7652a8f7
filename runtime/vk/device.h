/* Vulkan: the loader, the devices of this machine, and one opened device with its capabilities. No language models in here. */
#ifndef VK_DEVICE_H
#define VK_DEVICE_H

#include "base/error.h"

#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#include <volk.h>

#include <pthread.h>
#include <stdatomic.h>

/// A shape of cooperative matrices: C [m, n] += A [m, k] B [k, n].
typedef struct vk_coopmat_shape {
    uint32_t m, n, k; ///< powers of two; all 0: none
} vk_coopmat_shape;

/// Cooperative matrices whose sizes are multiples of these (VK_NV_cooperative_matrix2).
typedef struct vk_flexible_coopmat {
    uint32_t m, n, k;      ///< powers of two of at most 32; all 0: none
    uint32_t invocations;  ///< of the workgroup, whose matrices they are; 0: those of a subgroup
    uint32_t shared_bytes; ///< of a workgroup's memory that a kernel with them has
} vk_flexible_coopmat;

/// What GPUs have before a compiler puts values into memory, unless their subgroups or their make say otherwise.
enum { VK_USUAL_REGISTERS = 128 };

/// What a device can do, filled once. Every kernel states its needs against this.
typedef struct vk_caps {
    char name[256], driver[256], driver_version[256];
    uint32_t vendor_id, device_id, api_version;
    uint8_t uuid[16];
    pum_device_type type;

    uint64_t max_storage_range; ///< bytes that one binding may cover
    uint64_t max_allocation_bytes;
    uint32_t storage_align; ///< of binding offsets; a power of two
    uint32_t max_shared_bytes, max_invocations, max_push_bytes;
    uint32_t max_groups[3];

    uint32_t subgroup_size; ///< as reported; the one that a pipeline without a required size gets, if the driver speaks true
    uint32_t registers; ///< of 32 bits that an invocation of 128 may count on: VK_USUAL_REGISTERS, or what is known of the device
    uint32_t subgroup_min, subgroup_max;       ///< sizes that a pipeline can be promised; both 0 without that feature
    bool subgroups_verified, subgroups_untrue; ///< whether somebody looked; they are not what is reported: ops/subgroups.h
    bool subgroup_arithmetic, subgroup_ballot, subgroup_shuffle, subgroup_clustered; ///< in compute shaders; ballot has broadcast
    bool fp16, int8, int16, int64, storage16, storage8, int_dot, int8_dot, buffer_address, coopmat, memory_model;
    bool vulkan_1_3;                  ///< with its SPIR-V, whose workgroups may have a size that is a constant of the pipeline
    vk_coopmat_shape coopmat_f16;     ///< for the matrices of a subgroup, float16 times float16 added in float32
    vk_flexible_coopmat coopmat2_f16; ///< likewise, with functions of each element
    bool memory_budget;               ///< VK_EXT_memory_budget
    bool pipeline_statistics;         ///< VK_KHR_pipeline_executable_properties
    bool host_visible;                ///< all of the device's memory is: buffers of VK_USE_DEVICE come mapped
    float timestamp_ns;               ///< of one timestamp tick; 0: no timestamps
    uint32_t quirks;                  ///< bit i: row i of vk_quirks holds
} vk_caps;

/// An opened device with one compute queue. Any thread may use it; what touches the queue is serialised inside.
typedef struct vk_device {
    VkPhysicalDevice physical;
    VkDevice handle;
    struct VolkDeviceTable fn; ///< calls go through this: device->fn.vkCmdDispatch(…)
    VkQueue queue;
    bool low_priority; ///< of that: behind the desktop's work
    uint32_t queue_family;
    pthread_mutex_t queue_lock;
    VkPipelineCache pipeline_cache;
    char *pipeline_cache_path;           ///< where it is kept, or NULL: vk/pipeline_cache.h
    size_t pipeline_cache_bytes;         ///< of it there
    pthread_mutex_t pipeline_cache_lock; ///< of those two, while it is written
    VkPhysicalDeviceMemoryProperties memory;
    vk_caps caps;
    _Atomic uint64_t allocated_bytes;                 ///< of memory taken by vk_buffer_create, all uses
    _Atomic uint64_t heap_bytes[VK_MAX_MEMORY_HEAPS]; ///< of that, from each heap
    bool unchecked;   ///< set where nobody looks at results, as on a device that accepts work and does nothing: sequence numbers
                      ///< are not checked
    atomic_bool lost; ///< it was reset, hangs or drops work: nothing more is submitted or waited for until vk_device_reopen
    atomic_bool hung; ///< lost by a submission that did not end: it may still write, so nothing of it is destroyed
} vk_device;

/// How a device is offered to the person: filled for each physical device, usable or not.
/// Errors: PUM_ERR_NO_VULKAN. See pum_devices for the rest.
pum_status vk_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err);

/// which: as pum_device_open. Loads Vulkan on first use (one instance per process, kept; thread-safe).
pum_status vk_device_open(const char *which, vk_device **device, pum_error *err);
void vk_device_close(vk_device **device);
/// Opens a lost device again, in its place: the same GPU. What is known of it stays as it was: others may be reading that.
/// Everything that was made on it must have been destroyed, and nobody may use it meanwhile. Errors: PUM_ERR_NO_DEVICE where it
/// is not there any more; PUM_ERR_DEVICE, PUM_ERR_DEVICE_LOST, …; it stays lost then, and this may be tried again.
pum_status vk_device_reopen(vk_device *device, pum_error *err);
/// Whether both are the same physical device.
bool vk_device_same(const vk_device *a, const vk_device *b);
/// Describes the opened device.
void vk_device_describe(vk_device *device, pum_device_info *info);
/// One line that is the same as long as what was learnt about the device holds: this build, device, driver and its version.
/// what: of which kind of knowledge it is.
void vk_device_identity(const vk_device *device, const char *what, char *text, size_t n_bytes);
/// A file for that in a folder, which a new version of the driver or of this program replaces: FOLDER/WHAT-…. To be freed with
/// free(); NULL without memory.
char *vk_device_file(const vk_device *device, const char *folder, const char *what);
/// The size of its largest heap of memory of its own.
uint64_t vk_device_memory_bytes(const vk_device *device);
/// Bytes of device memory that can still be taken: budget less usage where the driver tells, else heap size less our own.
uint64_t vk_device_available_bytes(vk_device *device);
/// The same of memory that is the host's and that the device reads (VK_USE_HOST), as far as the host has it to give; 0: there is
/// no such memory.
uint64_t vk_device_host_available_bytes(vk_device *device);

/// Turns a VkResult into a status and a sentence "what: VK_ERROR_…, and what to do". VK_ERROR_DEVICE_LOST → PUM_ERR_DEVICE_LOST,
/// out of device memory → PUM_ERR_DEVICE_MEMORY, out of host memory → PUM_ERR_MEMORY, the rest PUM_ERR_DEVICE.
pum_status vk_fail(pum_error *err, VkResult result, const char *format, ...) BASE_PRINTF(3, 4);

/// Runs a call and leaves through the function's `fail:` label with `status` set if it did not succeed.
#define VK_TRY(call, what)                                                                                                       \
    do {                                                                                                                         \
        VkResult vk_try_result = (call);                                                                                         \
        if (vk_try_result != VK_SUCCESS) {                                                                                       \
            status = vk_fail(err, vk_try_result, "%s", what);                                                                    \
            goto fail;                                                                                                           \
        }                                                                                                                        \
    } while (0)

#endif
