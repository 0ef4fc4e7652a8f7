/* A Vulkan layer for tests: a device with lower limits and fewer features than the real one has, or one whose subgroups are not
 * what it says. Which ones is said in PUMICE_LIMITS, words of the tables below joined by commas:
 *
 *   shared=N invocations=N range=N align=N   the limit (shared memory, invocations of a workgroup, bytes of one storage binding,
 *                                            alignment of its offset), where the device's own is not worse
 *   subgroup=N     the size of subgroups that is reported; they stay what they are
 *   no…            without a feature, or without a kind of subgroup operation
 *   all            the limits of the baseline and nothing optional: every word but subgroup
 *
 * VK_LAYER_PATH=… VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_limits switches it on; named after the validation layer it lies below that,
 * which then reports what exceeds the lowered limits. An unknown word is an error: no instance is made. One instance a process.
 */
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the words */

typedef enum limit { SHARED, INVOCATIONS, RANGE, ALIGN, SUBGROUP, N_LIMITS } limit;
static const struct limit_row {
    const char *word;
    uint64_t in_all; ///< 0: `all` leaves it alone
} limit_rows[N_LIMITS] = {
    [SHARED] = {"shared", 16384}, [INVOCATIONS] = {"invocations", 128}, [RANGE] = {"range", 134217727},
    [ALIGN] = {"align", 256},     [SUBGROUP] = {"subgroup", 0},
};
static uint64_t limits[N_LIMITS]; ///< 0: as it is

/* What a word takes away: an extension, subgroup operations, and VkBool32 members first … first + n - 1 of feature structures. */
enum { MAX_MEMBERS = 3, COOPERATIVE_MATRIX_FEATURES = 1000506000 }; // which headers before 1.3.255 do not know
typedef struct feature_row {
    const char *word, *extension;
    VkSubgroupFeatureFlags operations;
    struct members {
        int32_t type; ///< VkStructureType; 0: no more of them
        uint32_t first, n;
    } members[MAX_MEMBERS];
} feature_row;

#define MEMBERS(type, structure, from, n)                                                                                        \
    { type, (offsetof(structure, from) - sizeof(VkBaseOutStructure)) / sizeof(VkBool32), n }
#define OF_CORE(from)                                                                                                            \
    { VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, offsetof(VkPhysicalDeviceFeatures, from) / sizeof(VkBool32), 1 }
#define OF_11(from, n) MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, VkPhysicalDeviceVulkan11Features, from, n)
#define OF_12(from, n) MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES, VkPhysicalDeviceVulkan12Features, from, n)
#define OF_13(from, n) MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES, VkPhysicalDeviceVulkan13Features, from, n)

static const feature_row feature_rows[] = {
    {"nofp16",
     NULL,
     0,
     {OF_12(shaderFloat16, 1), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
                                       VkPhysicalDeviceShaderFloat16Int8Features, shaderFloat16, 1)}},
    {"noint8",
     NULL,
     0,
     {OF_12(shaderInt8, 1), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
                                    VkPhysicalDeviceShaderFloat16Int8Features, shaderInt8, 1)}},
    {"noint16", NULL, 0, {OF_CORE(shaderInt16)}},
    {"noint64",
     "VK_KHR_shader_atomic_int64",
     0,
     {OF_CORE(shaderInt64), OF_12(shaderBufferInt64Atomics, 2),
      MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_ATOMIC_INT64_FEATURES, VkPhysicalDeviceShaderAtomicInt64Features,
              shaderBufferInt64Atomics, 2)}},
    {"no8bit",
     "VK_KHR_8bit_storage",
     0,
     {OF_12(storageBuffer8BitAccess, 3), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES,
                                                 VkPhysicalDevice8BitStorageFeatures, storageBuffer8BitAccess, 3)}},
    {"no16bit",
     "VK_KHR_16bit_storage",
     0,
     {OF_11(storageBuffer16BitAccess, 4), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
                                                  VkPhysicalDevice16BitStorageFeatures, storageBuffer16BitAccess, 4)}},
    {"notimeline",
     "VK_KHR_timeline_semaphore",
     0,
     {OF_12(timelineSemaphore, 1), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES,
                                           VkPhysicalDeviceTimelineSemaphoreFeatures, timelineSemaphore, 1)}},
    {"noaddress",
     "VK_KHR_buffer_device_address",
     0,
     {OF_12(bufferDeviceAddress, 3), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
                                             VkPhysicalDeviceBufferDeviceAddressFeatures, bufferDeviceAddress, 3)}},
    {"nodot",
     "VK_KHR_shader_integer_dot_product",
     0,
     {OF_13(shaderIntegerDotProduct, 1), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
                                                 VkPhysicalDeviceShaderIntegerDotProductFeatures, shaderIntegerDotProduct, 1)}},
    {"nomemorymodel",
     "VK_KHR_vulkan_memory_model",
     0,
     {OF_12(vulkanMemoryModel, 3), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
                                           VkPhysicalDeviceVulkanMemoryModelFeatures, vulkanMemoryModel, 3)}},
    {"nosizecontrol",
     "VK_EXT_subgroup_size_control",
     0,
     {OF_13(subgroupSizeControl, 2), MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
                                             VkPhysicalDeviceSubgroupSizeControlFeatures, subgroupSizeControl, 2)}},
    {"nocoopmat", "VK_KHR_cooperative_matrix", 0, {{COOPERATIVE_MATRIX_FEATURES, 0, 2}}},
    {"noarithmetic", NULL, VK_SUBGROUP_FEATURE_ARITHMETIC_BIT | VK_SUBGROUP_FEATURE_CLUSTERED_BIT, {{0}}},
    {"noshuffle", NULL, VK_SUBGROUP_FEATURE_SHUFFLE_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT, {{0}}},
    {"noballot", NULL, VK_SUBGROUP_FEATURE_BALLOT_BIT | VK_SUBGROUP_FEATURE_VOTE_BIT, {{0}}},
    {"nobudget", "VK_EXT_memory_budget", 0, {{0}}},
    {"nostatistics",
     "VK_KHR_pipeline_executable_properties",
     0,
     {MEMBERS(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
              VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR, pipelineExecutableInfo, 1)}},
};
static bool hidden[COUNT(feature_rows)];

static bool take_all(void) {
    for (size_t i = 0; i < N_LIMITS; i++)
        if (limit_rows[i].in_all) limits[i] = limit_rows[i].in_all;
    for (size_t i = 0; i < COUNT(feature_rows); i++) hidden[i] = true;
    return true;
}

static bool is_word(const char *word, const char *at, size_t n) { return strlen(word) == n && memcmp(word, at, n) == 0; }

static bool take_word(const char *at, size_t n) {
    const char *equals = memchr(at, '=', n);
    if (is_word("all", at, n)) return take_all();
    for (size_t i = 0; equals && i < N_LIMITS; i++)
        if (is_word(limit_rows[i].word, at, (size_t)(equals - at))) return (limits[i] = strtoull(equals + 1, NULL, 10)) > 0;
    for (size_t i = 0; i < COUNT(feature_rows); i++)
        if (is_word(feature_rows[i].word, at, n)) return hidden[i] = true;
    fprintf(stderr, "PUMICE_LIMITS: expected words of tests/layers/limits.c, got %.*s\n", (int)n, at);
    return false;
}

static bool read_words(void) {
    memset(limits, 0, sizeof limits);
    memset(hidden, 0, sizeof hidden);
    for (const char *at = getenv("PUMICE_LIMITS"); at && *at;) {
        size_t n = strcspn(at, ",");
        if (!take_word(at, n)) return false;
        at += n + (at[n] == ',');
    }
    return true;
}

/* ---- the functions below us */

static PFN_vkGetInstanceProcAddr next_instance_proc;
static struct {
    PFN_vkGetPhysicalDeviceProperties GetPhysicalDeviceProperties;
    PFN_vkGetPhysicalDeviceProperties2 GetPhysicalDeviceProperties2;
    PFN_vkGetPhysicalDeviceFeatures GetPhysicalDeviceFeatures;
    PFN_vkGetPhysicalDeviceFeatures2 GetPhysicalDeviceFeatures2;
    PFN_vkEnumerateDeviceExtensionProperties EnumerateDeviceExtensionProperties;
} next;

/* ---- limits */

static void lower(uint32_t *value, limit which) {
    if (limits[which] && limits[which] < *value) *value = (uint32_t)limits[which];
}

static void lower_limits(VkPhysicalDeviceLimits *l) {
    lower(&l->maxStorageBufferRange, RANGE);
    lower(&l->maxComputeSharedMemorySize, SHARED);
    lower(&l->maxComputeWorkGroupInvocations, INVOCATIONS);
    for (int i = 0; i < 3; i++) lower(&l->maxComputeWorkGroupSize[i], INVOCATIONS);
    if (limits[ALIGN] > l->minStorageBufferOffsetAlignment) l->minStorageBufferOffsetAlignment = limits[ALIGN];
}

static VkSubgroupFeatureFlags hidden_operations(void) {
    VkSubgroupFeatureFlags all = 0;
    for (size_t i = 0; i < COUNT(feature_rows); i++)
        if (hidden[i]) all |= feature_rows[i].operations;
    return all;
}

static void change_size(uint32_t *size) {
    if (limits[SUBGROUP]) *size = (uint32_t)limits[SUBGROUP];
}

static void change_subgroups(VkBaseOutStructure *s) {
    switch (s->sType) {
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES: {
        VkPhysicalDeviceSubgroupProperties *p = (void *)s;
        p->supportedOperations &= ~hidden_operations();
        change_size(&p->subgroupSize);
        break;
    }
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES: {
        VkPhysicalDeviceVulkan11Properties *p = (void *)s;
        p->subgroupSupportedOperations &= ~hidden_operations();
        change_size(&p->subgroupSize);
        break;
    }
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES: {
        VkPhysicalDeviceSubgroupSizeControlProperties *p = (void *)s;
        change_size(&p->minSubgroupSize);
        change_size(&p->maxSubgroupSize);
        break;
    }
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES: {
        VkPhysicalDeviceVulkan13Properties *p = (void *)s;
        change_size(&p->minSubgroupSize);
        change_size(&p->maxSubgroupSize);
        break;
    }
    default:
        break;
    }
}

static void VKAPI_CALL layer_GetPhysicalDeviceProperties(VkPhysicalDevice physical, VkPhysicalDeviceProperties *p) {
    next.GetPhysicalDeviceProperties(physical, p);
    lower_limits(&p->limits);
}

static void VKAPI_CALL layer_GetPhysicalDeviceProperties2(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *p) {
    next.GetPhysicalDeviceProperties2(physical, p);
    lower_limits(&p->properties.limits);
    for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) change_subgroups(s);
}

/* ---- features */

/* members: the VkBool32 members of a structure of that type. */
static void hide_members(int32_t type, VkBool32 *members) {
    for (size_t i = 0; i < COUNT(feature_rows); i++)
        for (size_t k = 0; hidden[i] && k < MAX_MEMBERS; k++) {
            const struct members *m = &feature_rows[i].members[k];
            if (m->type == type) memset(members + m->first, 0, m->n * sizeof *members);
        }
}

static void VKAPI_CALL layer_GetPhysicalDeviceFeatures(VkPhysicalDevice physical, VkPhysicalDeviceFeatures *f) {
    next.GetPhysicalDeviceFeatures(physical, f);
    hide_members(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &f->robustBufferAccess);
}

static void VKAPI_CALL layer_GetPhysicalDeviceFeatures2(VkPhysicalDevice physical, VkPhysicalDeviceFeatures2 *f) {
    next.GetPhysicalDeviceFeatures2(physical, f);
    for (VkBaseOutStructure *s = (void *)f; s; s = s->pNext) hide_members((int32_t)s->sType, (VkBool32 *)(void *)(s + 1));
}

static bool is_hidden_extension(const char *name) {
    for (size_t i = 0; i < COUNT(feature_rows); i++)
        if (hidden[i] && feature_rows[i].extension && strcmp(feature_rows[i].extension, name) == 0) return true;
    return false;
}

static VkResult VKAPI_CALL layer_EnumerateDeviceExtensionProperties(VkPhysicalDevice physical, const char *layer, uint32_t *n,
                                                                    VkExtensionProperties *all) {
    if (layer) return next.EnumerateDeviceExtensionProperties(physical, layer, n, all);
    uint32_t n_below = 0, n_kept = 0, n_room = *n;
    VkResult result = next.EnumerateDeviceExtensionProperties(physical, NULL, &n_below, NULL);
    VkExtensionProperties *below = calloc(n_below ? n_below : 1, sizeof *below);
    if (!below) return VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result == VK_SUCCESS) result = next.EnumerateDeviceExtensionProperties(physical, NULL, &n_below, below);
    for (uint32_t i = 0; result >= VK_SUCCESS && i < n_below; i++) {
        if (is_hidden_extension(below[i].extensionName)) continue;
        if (all && n_kept < n_room) all[n_kept] = below[i];
        n_kept++;
    }
    free(below);
    *n = all && n_kept > n_room ? n_room : n_kept;
    if (result < VK_SUCCESS) return result;
    return all && n_kept > n_room ? VK_INCOMPLETE : VK_SUCCESS;
}

/* ---- the chain. Devices are made below us and their functions are none of ours. */

#define NEXT(f) next.f = (PFN_vk##f)next_instance_proc(*instance, "vk" #f)

static VkResult VKAPI_CALL layer_CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *callbacks,
                                                VkInstance *instance) {
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)(uintptr_t)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerInstanceCreateInfo *)(uintptr_t)link->pNext;
    if (!link || !read_words()) return VK_ERROR_INITIALIZATION_FAILED;
    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next_instance_proc(VK_NULL_HANDLE, "vkCreateInstance");
    VkResult result = create(info, callbacks, instance);
    if (result != VK_SUCCESS) return result;
    // Now and not later: some loaders would lead back to us.
    NEXT(GetPhysicalDeviceProperties);
    NEXT(GetPhysicalDeviceProperties2);
    NEXT(GetPhysicalDeviceFeatures);
    NEXT(GetPhysicalDeviceFeatures2);
    NEXT(EnumerateDeviceExtensionProperties);
    return VK_SUCCESS;
}

static PFN_vkVoidFunction VKAPI_CALL layer_GetInstanceProcAddr(VkInstance instance, const char *name) {
    static const struct {
        const char *name;
        PFN_vkVoidFunction function;
    } ours[] = {
        {"vkGetInstanceProcAddr", (PFN_vkVoidFunction)layer_GetInstanceProcAddr},
        {"vkCreateInstance", (PFN_vkVoidFunction)layer_CreateInstance},
        {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)layer_GetPhysicalDeviceProperties},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)layer_GetPhysicalDeviceProperties2},
        {"vkGetPhysicalDeviceProperties2KHR", (PFN_vkVoidFunction)layer_GetPhysicalDeviceProperties2},
        {"vkGetPhysicalDeviceFeatures", (PFN_vkVoidFunction)layer_GetPhysicalDeviceFeatures},
        {"vkGetPhysicalDeviceFeatures2", (PFN_vkVoidFunction)layer_GetPhysicalDeviceFeatures2},
        {"vkGetPhysicalDeviceFeatures2KHR", (PFN_vkVoidFunction)layer_GetPhysicalDeviceFeatures2},
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)layer_EnumerateDeviceExtensionProperties},
    };
    for (size_t i = 0; i < COUNT(ours); i++)
        if (strcmp(ours[i].name, name) == 0) return ours[i].function;
    return next_instance_proc ? next_instance_proc(instance, name) : NULL;
}

EXPORTED VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->loaderLayerInterfaceVersion > 2) interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = layer_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = NULL;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
