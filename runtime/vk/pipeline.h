/* A compute pipeline: storage buffers in set 0 at bindings 0 … n_bindings-1, one block of push constants, specialization
 * constants. */
#ifndef VK_PIPELINE_H
#define VK_PIPELINE_H

#include "vk/device.h"

enum { VK_MAX_BINDINGS = 12, VK_MAX_CONSTANTS = 16 };

typedef struct vk_pipeline_params {
    const char *name; ///< for messages
    const uint32_t *words;
    size_t n_words;
    uint32_t n_bindings;
    uint32_t push_bytes;       ///< <= caps.max_push_bytes
    const uint32_t *constants; ///< [n_constants] values of constant_id 0 … n_constants-1
    uint32_t n_constants;
    uint32_t require_subgroup_size; ///< 0: whatever the driver likes
    bool require_full_subgroups;
    bool keep_statistics; ///< for vk_pipeline_get_statistics, where the driver has them
} vk_pipeline_params;

typedef struct vk_pipeline {
    VkPipeline handle;
    VkPipelineLayout layout;
    VkDescriptorSetLayout set_layout;
    uint32_t n_bindings, push_bytes;
    bool has_statistics;
} vk_pipeline;

/// What the driver's compiler made of a pipeline; -1: it does not tell.
typedef struct vk_pipeline_statistics {
    int64_t registers;     ///< of 32 bits for each invocation
    int64_t spills;        ///< registers that went to memory, or the instructions that put them there
    int64_t scratch_bytes; ///< of memory for what is not in registers: spills, and arrays that are indexed while it runs
    int64_t shared_bytes;  ///< of a workgroup
    int64_t occupancy;     ///< subgroups at once, in the driver's unit: a SIMD, a multiprocessor, a core
    int64_t instructions;
    int64_t code_bytes;
} vk_pipeline_statistics;

/// Any thread. Errors: PUM_ERR_DEVICE, naming the pipeline.
/// PUM_ERR_UNSUPPORTED: more than the device takes, or a subgroup size that it cannot promise.
pum_status vk_pipeline_create(vk_device *device, const vk_pipeline_params *params, vk_pipeline *pipeline, pum_error *err);
/// Where the device has no such statistics, or keep_statistics was not set, all are -1. Errors: PUM_ERR_MEMORY, PUM_ERR_DEVICE.
pum_status vk_pipeline_get_statistics(vk_device *device, const vk_pipeline *pipeline, vk_pipeline_statistics *statistics,
                                      pum_error *err);
void vk_pipeline_destroy(vk_device *device, vk_pipeline *pipeline);

#endif
