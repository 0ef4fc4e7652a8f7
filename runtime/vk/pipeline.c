#include "vk/pipeline.h"

#include <stdlib.h>
#include <string.h>

/* BestPractices-AMD-CreatePipelinesLayout-KeepLayoutSmall: shapes are push constants, at most the 128 bytes that every device
 * has. A buffer instead would cost each dispatch a descriptor, a load and, where shapes change, a barrier. */
static VkResult create_layouts(vk_device *device, const vk_pipeline_params *p, vk_pipeline *pipeline) {
    VkDescriptorSetLayoutBinding bindings[VK_MAX_BINDINGS];
    for (uint32_t i = 0; i < p->n_bindings; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    VkDescriptorSetLayoutCreateInfo set = {
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, .bindingCount = p->n_bindings, .pBindings = bindings};
    VkResult result = device->fn.vkCreateDescriptorSetLayout(device->handle, &set, NULL, &pipeline->set_layout);
    if (result != VK_SUCCESS) return result;
    VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = p->push_bytes};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .setLayoutCount = 1,
                                         .pSetLayouts = &pipeline->set_layout,
                                         .pushConstantRangeCount = p->push_bytes ? 1 : 0,
                                         .pPushConstantRanges = &range};
    return device->fn.vkCreatePipelineLayout(device->handle, &layout, NULL, &pipeline->layout);
}

/* BestPractices-AMD-LocalWorkgroup-Multiple64 and BestPractices-Arm-vkCreateComputePipelines-compute-thread-group-alignment: the
 * layer runs on CPU drivers, whose kernels (the word cpu in variants.txt) are one subgroup of 4 to 16 wide; those for GPUs have
 * 64 or more. BestPractices-Arm-vkCreateComputePipelines-compute-work-group-size: those have 128, which every device takes, so
 * that more of them share what a barrier makes ready; whether a Mali is faster with 64 has not been measured on one. */
static VkResult create_pipeline(vk_device *device, const vk_pipeline_params *p, VkShaderModule module, vk_pipeline *pipeline) {
    VkSpecializationMapEntry entries[VK_MAX_CONSTANTS];
    for (uint32_t i = 0; i < p->n_constants; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = i * 4, .size = 4};
    VkSpecializationInfo constants = {
        .mapEntryCount = p->n_constants, .pMapEntries = entries, .dataSize = p->n_constants * 4, .pData = p->constants};
    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size = {
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = p->require_subgroup_size};
    VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = p->n_constants ? &constants : NULL},
        .layout = pipeline->layout,
    };
    if (p->require_subgroup_size && device->caps.subgroup_min < device->caps.subgroup_max) info.stage.pNext = &size;
    if (p->keep_statistics && device->caps.pipeline_statistics) {
        info.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
        pipeline->has_statistics = true;
    }
    if (p->require_full_subgroups) info.stage.flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    return device->fn.vkCreateComputePipelines(device->handle, device->pipeline_cache, 1, &info, NULL, &pipeline->handle);
}

static pum_status check_params(const vk_caps *caps, const vk_pipeline_params *p, pum_error *err) {
    if (p->n_bindings > VK_MAX_BINDINGS || p->n_constants > VK_MAX_CONSTANTS || p->push_bytes > caps->max_push_bytes)
        return pum_fail(
            err, PUM_ERR_UNSUPPORTED,
            "kernel %s: expected at most %d bindings, %d constants and %u bytes of push constants on %s, got %u, %u and %u",
            p->name, VK_MAX_BINDINGS, VK_MAX_CONSTANTS, caps->max_push_bytes, caps->name, p->n_bindings, p->n_constants,
            p->push_bytes);
    // A kernel that counts on a size of subgroups computes nonsense with another.
    uint32_t size = p->require_subgroup_size;
    bool sized = !size || (size >= caps->subgroup_min && size <= caps->subgroup_max && (size & (size - 1)) == 0);
    if (!sized || (p->require_full_subgroups && !caps->subgroup_max))
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "kernel %s: needs full subgroups of %u invocations, %s can promise %u to %u",
                        p->name, size, caps->name, caps->subgroup_min, caps->subgroup_max);
    return PUM_OK;
}

pum_status vk_pipeline_create(vk_device *device, const vk_pipeline_params *params, vk_pipeline *pipeline, pum_error *err) {
    *pipeline = (vk_pipeline){.n_bindings = params->n_bindings, .push_bytes = params->push_bytes};
    pum_status status = check_params(&device->caps, params, err);
    if (status != PUM_OK) return status;
    VkShaderModule module = VK_NULL_HANDLE;
    VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = params->n_words * 4, .pCode = params->words};
    VK_TRY(device->fn.vkCreateShaderModule(device->handle, &info, NULL, &module), "reading its code");
    VK_TRY(create_layouts(device, params, pipeline), "making its layout");
    VK_TRY(create_pipeline(device, params, module, pipeline), "compiling it");
    device->fn.vkDestroyShaderModule(device->handle, module, NULL);
    return PUM_OK;
fail:
    if (module) device->fn.vkDestroyShaderModule(device->handle, module, NULL);
    vk_pipeline_destroy(device, pipeline);
    return pum_fail_in(err, status, "kernel %s on %s", params->name, device->caps.name);
}

/* ---- statistics */

/* As drivers name them; several names of one field are added up. */
#define FIELD(name) offsetof(vk_pipeline_statistics, name)
static const struct statistic_name {
    const char *name;
    size_t offset;
} statistic_names[] = {
    // AMD (RADV)
    {"VGPRs", FIELD(registers)},
    {"Spilled VGPRs", FIELD(spills)},
    {"Spilled SGPRs", FIELD(spills)},
    {"Scratch size", FIELD(scratch_bytes)},
    {"LDS size", FIELD(shared_bytes)},
    {"Subgroups per SIMD", FIELD(occupancy)},
    {"Instructions", FIELD(instructions)},
    {"Code size", FIELD(code_bytes)}, // NVK too
    // NVIDIA (NVK)
    {"Number of GPRs", FIELD(registers)},
    {"Spills to memory", FIELD(spills)},
    {"SLM size", FIELD(scratch_bytes)},
    {"Max warps/SM", FIELD(occupancy)},
    {"Instruction count", FIELD(instructions)},
    // NVIDIA's own
    {"Register Count", FIELD(registers)},
    {"Local Memory Size", FIELD(scratch_bytes)},
    // Adreno (Turnip)
    {"Registers used", FIELD(registers)},
    {"STP Count", FIELD(spills)},
    {"Max Waves Per Core", FIELD(occupancy)},
    {"Instruction Count", FIELD(instructions)}, // Intel (ANV) too
    // Intel (ANV)
    {"GRF registers", FIELD(registers)},
    {"Spill count", FIELD(spills)},
    {"Scratch Memory Size", FIELD(scratch_bytes)},
    {"Workgroup Memory Size", FIELD(shared_bytes)},
};
#undef FIELD

/* Counts and bytes: what is below 0 or over this is none. */
#define MOST_STATISTIC 1e12

static int64_t statistic_value(const VkPipelineExecutableStatisticKHR *s) {
    switch (s->format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
        return s->value.b32;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
        return s->value.i64;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
        return s->value.u64 <= MOST_STATISTIC ? (int64_t)s->value.u64 : -1;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_FLOAT64_KHR:
        return s->value.f64 >= 0 && s->value.f64 <= MOST_STATISTIC ? (int64_t)s->value.f64 : -1;
    default:
        return -1;
    }
}

static void add_statistic(const VkPipelineExecutableStatisticKHR *s, vk_pipeline_statistics *statistics) {
    for (size_t i = 0; i < sizeof statistic_names / sizeof *statistic_names; i++) {
        int64_t value = statistic_value(s);
        if (strncmp(statistic_names[i].name, s->name, sizeof s->name) != 0 || value < 0 || value > MOST_STATISTIC) continue;
        int64_t *field = (int64_t *)(void *)((char *)statistics + statistic_names[i].offset);
        *field = (*field < 0 ? 0 : *field) + value;
    }
}

pum_status vk_pipeline_get_statistics(vk_device *device, const vk_pipeline *pipeline, vk_pipeline_statistics *statistics,
                                      pum_error *err) {
    *statistics = (vk_pipeline_statistics){-1, -1, -1, -1, -1, -1, -1};
    if (!pipeline->has_statistics) return PUM_OK;
    pum_status status = PUM_OK;
    VkPipelineExecutableStatisticKHR *all = NULL;
    uint32_t n = 0;
    VkPipelineExecutableInfoKHR which = {.sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline->handle};
    VK_TRY(device->fn.vkGetPipelineExecutableStatisticsKHR(device->handle, &which, &n, NULL), "counting a kernel's statistics");
    all = calloc(n ? n : 1, sizeof *all);
    if (!all) return pum_fail_memory(err, "a kernel's statistics", n * sizeof *all);
    uint32_t room = n;
    for (uint32_t i = 0; i < n; i++) all[i].sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR;
    VK_TRY(device->fn.vkGetPipelineExecutableStatisticsKHR(device->handle, &which, &n, all), "reading a kernel's statistics");
    if (n > room) n = room;
    for (uint32_t i = 0; i < n; i++) add_statistic(&all[i], statistics);
fail:
    free(all);
    return status;
}

void vk_pipeline_destroy(vk_device *device, vk_pipeline *pipeline) {
    if (atomic_load(&device->hung)) { // it may be running: it goes with the process
        *pipeline = (vk_pipeline){0};
        return;
    }
    if (pipeline->handle) device->fn.vkDestroyPipeline(device->handle, pipeline->handle, NULL);
    if (pipeline->layout) device->fn.vkDestroyPipelineLayout(device->handle, pipeline->layout, NULL);
    if (pipeline->set_layout) device->fn.vkDestroyDescriptorSetLayout(device->handle, pipeline->set_layout, NULL);
    *pipeline = (vk_pipeline){0};
}
