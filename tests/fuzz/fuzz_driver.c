/* What a Vulkan driver may say about its device, within the structures that it is given and no further: names without an end,
 * counts over what there is room for, limits of 0 and of all ones. An input is what it answers, in the order in which it is
 * asked. */
#include "fuzz/fuzz.h"
#include "ops/layout.h"
#include "ops/shader_table.h"
#include "ops/variants.h"
#include "vk/caps.h"
#include "vk/instance.h"
#include "vk/pipeline.h"

#include <stdlib.h>
#include <string.h>

static fuzz_input said;

/* ---- of instance.c, by the linker: there is no loader */

pum_status __wrap_vk_instance_get(VkInstance *instance, pum_error *err);
pum_status __wrap_vk_instance_get(VkInstance *instance, pum_error *err) {
    (void)err;
    *instance = (VkInstance)(uintptr_t)8;
    return PUM_OK;
}

uint32_t __wrap_vk_instance_version(void);
uint32_t __wrap_vk_instance_version(void) { return VK_API_VERSION_1_3; }

/* ---- structures and what is chained behind them */

#define OF(sType, structure)                                                                                                     \
    { (VkStructureType)(sType), sizeof(structure) }
static const struct known {
    VkStructureType type;
    size_t n_bytes;
} known[] = {
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, VkPhysicalDevice16BitStorageFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, VkPhysicalDevice8BitStorageFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, VkPhysicalDeviceShaderFloat16Int8Features),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, VkPhysicalDeviceShaderIntegerDotProductFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES, VkPhysicalDeviceBufferDeviceAddressFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, VkPhysicalDeviceVulkanMemoryModelFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, VkPhysicalDeviceSubgroupSizeControlFeatures),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
       VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, VkPhysicalDeviceMaintenance4Features),
    OF(1000506000, vk_cooperative_matrix_features),
    OF(1000593000, vk_cooperative_matrix2_features),
    OF(1000593002, vk_cooperative_matrix2_properties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES, VkPhysicalDeviceDriverProperties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, VkPhysicalDeviceSubgroupProperties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES, VkPhysicalDeviceSubgroupSizeControlProperties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES,
       VkPhysicalDeviceShaderIntegerDotProductProperties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, VkPhysicalDeviceIDProperties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES, VkPhysicalDeviceMaintenance3Properties),
    OF(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT, VkPhysicalDeviceMemoryBudgetPropertiesEXT),
};

static void fill_chain(VkBaseOutStructure *s) {
    for (; s; s = s->pNext) {
        size_t n_bytes = 0;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (known[i].type == s->sType) n_bytes = known[i].n_bytes;
        must(n_bytes > sizeof *s - sizeof(void *), "a structure that is not in the table of this target");
        fuzz_fill(&said, s + 1, n_bytes - sizeof *s);
    }
}

/* Long texts of the input's would leave nothing for what comes behind: the first byte says how long one is, and whether it ends.
 */
static void fill_name(char *name, size_t n_bytes) {
    size_t n = fuzz_byte(&said);
    memset(name, 'x', n_bytes);
    if (n == 255) return;
    fuzz_fill(&said, name, n < n_bytes ? n : n_bytes - 1);
    name[n < n_bytes ? n : n_bytes - 1] = 0;
}

/* ---- the calls */

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties *p) {
    (void)physical;
    fuzz_fill(&said, p, offsetof(VkPhysicalDeviceProperties, deviceName));
    fill_name(p->deviceName, sizeof p->deviceName);
    fuzz_fill(&said, p->pipelineCacheUUID, sizeof p->pipelineCacheUUID);
    // Of the limits those that anybody looks at, the first among them.
    fuzz_fill(&said, &p->limits.maxStorageBufferRange, 4);
    fuzz_fill(&said, &p->limits.maxPushConstantsSize, 4);
    fuzz_fill(&said, &p->limits.maxComputeSharedMemorySize, 24);
    fuzz_fill(&said, &p->limits.minStorageBufferOffsetAlignment, 8);
    fuzz_fill(&said, &p->limits.timestampPeriod, 4);
}

static VKAPI_ATTR void VKAPI_CALL get_properties2(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *p) {
    get_properties(physical, &p->properties);
    fill_chain(p->pNext);
    for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext)
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES) {
            VkPhysicalDeviceDriverProperties *driver = (void *)s;
            fill_name(driver->driverName, sizeof driver->driverName);
            fill_name(driver->driverInfo, sizeof driver->driverInfo);
        }
}

static VKAPI_ATTR void VKAPI_CALL get_features2(VkPhysicalDevice physical, VkPhysicalDeviceFeatures2 *f) {
    (void)physical;
    fuzz_fill(&said, &f->features.shaderInt64, 12);
    fill_chain(f->pNext);
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *m) {
    (void)physical;
    memset(m, 0, sizeof *m);
    m->memoryTypeCount = fuzz_byte(&said);
    m->memoryHeapCount = fuzz_byte(&said);
    fuzz_fill(&said, m->memoryTypes, 4 * sizeof *m->memoryTypes);
    fuzz_fill(&said, m->memoryHeaps, 3 * sizeof *m->memoryHeaps);
}

static VKAPI_ATTR void VKAPI_CALL get_memory2(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *m) {
    get_memory(physical, &m->memoryProperties);
    fill_chain(m->pNext);
}

/* How many there are room for; what is said of it may be more. */
static uint32_t fill_list(uint32_t *n, void *list, size_t n_bytes) {
    uint32_t room = *n, told = fuzz_byte(&said);
    for (uint32_t i = 0; list && i < told && i < room; i++) fuzz_fill(&said, (char *)list + i * n_bytes, n_bytes);
    *n = told;
    return told;
}

static VKAPI_ATTR void VKAPI_CALL get_families(VkPhysicalDevice physical, uint32_t *n, VkQueueFamilyProperties *families) {
    (void)physical;
    fill_list(n, families, sizeof *families);
}

static VKAPI_ATTR VkResult VKAPI_CALL list_extensions(VkPhysicalDevice physical, const char *layer, uint32_t *n,
                                                      VkExtensionProperties *list) {
    static const char *const names[] = {"VK_KHR_16bit_storage",         "VK_KHR_8bit_storage",
                                        "VK_KHR_shader_float16_int8",   "VK_KHR_shader_integer_dot_product",
                                        "VK_KHR_buffer_device_address", "VK_KHR_vulkan_memory_model",
                                        "VK_EXT_subgroup_size_control", "VK_KHR_pipeline_executable_properties",
                                        "VK_KHR_maintenance4",          "VK_KHR_cooperative_matrix",
                                        "VK_NV_cooperative_matrix2",    "VK_EXT_memory_budget",
                                        "VK_KHR_global_priority",       "VK_EXT_global_priority",
                                        "VK_KHR_driver_properties"};
    enum { N_NAMES = sizeof names / sizeof *names };
    (void)physical, (void)layer;
    uint32_t room = list ? *n : 0;
    *n = fuzz_byte(&said);
    for (uint32_t i = 0; i < *n && i < room; i++) {
        uint8_t which = fuzz_byte(&said);
        list[i] = (VkExtensionProperties){.specVersion = which};
        if (which < N_NAMES)
            strcpy(list[i].extensionName, names[which]);
        else
            memset(list[i].extensionName, 'x', sizeof list[i].extensionName);
    }
    return fuzz_byte(&said) == 255 ? VK_ERROR_OUT_OF_HOST_MEMORY : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL list_matrices(VkPhysicalDevice physical, uint32_t *n, vk_cooperative_matrix_row *rows) {
    (void)physical;
    return fill_list(n, rows, sizeof *rows) % 3 ? VK_SUCCESS : VK_INCOMPLETE;
}

static VKAPI_ATTR VkResult VKAPI_CALL list_flexible(VkPhysicalDevice physical, uint32_t *n, vk_flexible_matrix_row *rows) {
    (void)physical;
    return fill_list(n, rows, sizeof *rows) % 3 ? VK_SUCCESS : VK_INCOMPLETE;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_address(VkInstance instance, const char *name) {
    (void)instance;
    if (strcmp(name, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR") == 0) return (PFN_vkVoidFunction)list_matrices;
    return (PFN_vkVoidFunction)list_flexible;
}

static VKAPI_ATTR VkResult VKAPI_CALL get_statistics(VkDevice device, const VkPipelineExecutableInfoKHR *which, uint32_t *n,
                                                     VkPipelineExecutableStatisticKHR *list) {
    static const char *const names[] = {"VGPRs", "Spilled VGPRs", "Code size", "SLM size", "Instruction Count"};
    (void)device, (void)which;
    uint32_t room = list ? *n : 0;
    *n = fuzz_byte(&said);
    for (uint32_t i = 0; i < *n && i < room; i++) {
        uint8_t name = fuzz_byte(&said);
        fill_name(list[i].name, sizeof list[i].name);
        if (name < sizeof names / sizeof *names) strcpy(list[i].name, names[name]);
        list[i].format = (VkPipelineExecutableStatisticFormatKHR)(fuzz_byte(&said) % 5);
        fuzz_fill(&said, &list[i].value, sizeof list[i].value);
    }
    return VK_SUCCESS;
}

/* ---- what is made of it */

static void check_caps(const vk_caps *caps) {
    must_be_clean(caps->name, "a device's name with bytes that no terminal should see");
    must_be_clean(caps->driver, "a driver's name with bytes that no terminal should see");
    must_be_clean(caps->driver_version, "a driver's version with bytes that no terminal should see");
    must(caps->type >= PUM_DEVICE_OTHER && caps->type <= PUM_DEVICE_CPU, "a type of devices that does not exist");
    must(caps->timestamp_ns >= 0 && caps->timestamp_ns <= 1e9f, "a tick of a clock that is no time");
    char *text = vk_caps_text(caps);
    must(text != NULL, "no text of the capabilities");
    must(strlen(text) < 4096, "a text of the capabilities without an end");
    free(text);
    for (size_t i = 0; i < n_shader_variants; i++)
        (void)(op_needs_met(caps, shader_variants[i].needs) && op_wishes_met(caps, shader_variants[i].needs));
    const uint32_t rows[] = {1, 33, 4096};
    for (int i = 0; i < 3; i++)
        must(op_layout_bytes(TENSOR_Q4_0, rows[i], 256, caps->max_storage_range) <= 4096ull * 4096, "a size that has wrapped");
}

static void check_device(const vk_caps *caps) {
    static vk_device device;
    device.caps = *caps;
    char identity[1024];
    vk_device_identity(&device, "fuzz", identity, sizeof identity);
    must(!strpbrk(identity, "\n\r"), "an identity of more than one line");
    char *path = vk_device_file(&device, "/tmp", "fuzz");
    free(path);
    vk_heap heap = vk_caps_device_heap(NULL, caps->memory_budget);
    must(heap.index < VK_MAX_MEMORY_HEAPS, "a heap that does not exist");
    heap = vk_caps_host_heap(NULL, caps->memory_budget);
    must(heap.index < VK_MAX_MEMORY_HEAPS, "a heap that does not exist");
    (void)vk_device_available_bytes(&device);
    (void)vk_device_host_available_bytes(&device);
    device.fn.vkGetPipelineExecutableStatisticsKHR = get_statistics;
    vk_pipeline pipeline = {.has_statistics = true};
    vk_pipeline_statistics statistics;
    pum_error err = {0};
    pum_status status = vk_pipeline_get_statistics(&device, &pipeline, &statistics, &err);
    if (status != PUM_OK) must_be_error(status, &err);
    must(statistics.registers >= -1 && statistics.spills >= -1 && statistics.scratch_bytes >= -1 && statistics.code_bytes >= -1 &&
             statistics.instructions >= -1 && statistics.occupancy >= -1 && statistics.shared_bytes >= -1,
         "a statistic below nothing");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vkGetPhysicalDeviceProperties = get_properties;
    vkGetPhysicalDeviceProperties2 = get_properties2;
    vkGetPhysicalDeviceFeatures2 = get_features2;
    vkGetPhysicalDeviceMemoryProperties = get_memory;
    vkGetPhysicalDeviceMemoryProperties2 = get_memory2;
    vkGetPhysicalDeviceQueueFamilyProperties = get_families;
    vkEnumerateDeviceExtensionProperties = list_extensions;
    vkGetInstanceProcAddr = get_address;
    said = (fuzz_input){data, size};
    static vk_features features;
    vk_caps caps;
    pum_error err = {0};
    pum_status status = vk_caps_read(NULL, &caps, &features, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return 0;
    }
    must(features.n_extensions <= sizeof features.extensions / sizeof *features.extensions,
         "more extensions than there is room for");
    check_caps(&caps);
    check_device(&caps);
    return 0;
}
