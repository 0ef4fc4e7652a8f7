/* A Vulkan layer for tests: a device that is less than the real one, or that fails. What it does is said in PUMICE_LAYER, words
 * joined by commas:
 *
 *   floor     Vulkan 1.1 and nothing optional: the limits and features that every kernel of the baseline must live with
 *   discrete  a GPU with memory of its own: device-local memory cannot be mapped, and everything goes through staging
 *   bar       a GPU with memory of its own that the host sees all of, beside what it does not see of the same
 *   priority  queues of low priority, under VK_KHR_global_priority
 *   forbid    the same, but no program may have one
 *   die       making a device ends the process
 *   heap=N    N bytes of device memory
 *   hostheap=N  with discrete: N bytes of the host's memory that the device reads; else as much as of its own
 *   deny=N    the N-th allocation of device memory finds none
 *   lose=N    the device is lost at the N-th submission, and so is every device that is opened after it, at its first
 *   vanish=N  the device is lost at the N-th submission, and cannot be found any more
 *   absent=N  such a device is found again when it has been looked for in vain N times
 *   drop=N    the N-th submission does nothing and says nothing
 *   hang=N    the N-th submission never ends, and so do those behind it on the same device
 *   host=N    the N-th of all calls that may find no host memory finds none
 *   device=N  the same for device memory
 *   lost=N    the same for a lost device; that device stays lost, one that is opened after it works
 *
 * VK_LAYER_PATH=… VK_INSTANCE_LAYERS=VK_LAYER_PUMICE_test switches it on; named after the validation layer it lies below that,
 * which then reports what exceeds the lowered limits. For one instance per process. A program that has it loaded can change the
 * words between two devices: pumice_layer_begin in faults.c. */
#include "layer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

layer_config config;
bool layer_is_told;

void layer_read_config(const char *words) {
    config = (layer_config){0};
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {
        {"heap=", &config.heap},     {"hostheap=", &config.host_heap}, {"deny=", &config.deny},     {"lose=", &config.lose},
        {"vanish=", &config.vanish}, {"drop=", &config.drop},          {"hang=", &config.hang},     {"host=", &config.host},
        {"device=", &config.device}, {"lost=", &config.lost},          {"absent=", &config.absent},
    };
    while (words && *words) {
        size_t n = strcspn(words, ",");
        if (strncmp(words, "floor", n) == 0) config.floor = true;
        if (strncmp(words, "discrete", n) == 0) config.discrete = true;
        if (strncmp(words, "bar", n) == 0) config.discrete = config.bar = true;
        if (strncmp(words, "die", n) == 0) config.die = true;
        if (strncmp(words, "priority", n) == 0) config.priority = true;
        if (strncmp(words, "forbid", n) == 0) config.priority = config.forbid = true;
        for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
            if (strncmp(words, numbers[i].name, strlen(numbers[i].name)) == 0)
                *numbers[i].value = strtoull(words + strlen(numbers[i].name), NULL, 10);
        words += n + (words[n] == ',');
    }
}

/* ---- the functions below us */

static VkInstance the_instance;
static PFN_vkGetInstanceProcAddr next_instance_proc;
static struct {
    PFN_vkDestroyInstance DestroyInstance;
    PFN_vkEnumeratePhysicalDevices EnumeratePhysicalDevices;
    PFN_vkGetPhysicalDeviceProperties GetPhysicalDeviceProperties;
    PFN_vkGetPhysicalDeviceProperties2 GetPhysicalDeviceProperties2;
    PFN_vkGetPhysicalDeviceFeatures GetPhysicalDeviceFeatures;
    PFN_vkGetPhysicalDeviceFeatures2 GetPhysicalDeviceFeatures2;
    PFN_vkGetPhysicalDeviceMemoryProperties GetPhysicalDeviceMemoryProperties;
    PFN_vkGetPhysicalDeviceMemoryProperties2 GetPhysicalDeviceMemoryProperties2;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties GetPhysicalDeviceQueueFamilyProperties;
    PFN_vkEnumerateDeviceExtensionProperties EnumerateDeviceExtensionProperties;
} next;

enum { MAX_DEVICES = 1024 }; // those that hang are never closed
static device_entry devices[MAX_DEVICES];
static pthread_mutex_t devices_lock = PTHREAD_MUTEX_INITIALIZER;

static void *key_of(const void *handle) { return *(void *const *)handle; }

static device_entry *find_key(void *key) {
    device_entry *found = NULL;
    pthread_mutex_lock(&devices_lock);
    for (int i = 0; i < MAX_DEVICES && !found; i++)
        if (devices[i].key == key) found = &devices[i];
    pthread_mutex_unlock(&devices_lock);
    if (!found) abort(); // none is free
    return found;
}

device_entry *find_device(const void *handle) { return find_key(key_of(handle)); }

void device_closed(device_entry *device) {
    pthread_mutex_lock(&devices_lock);
    device->key = NULL;
    pthread_mutex_unlock(&devices_lock);
}

device_entry *find_hung_device(void) {
    device_entry *found = NULL;
    pthread_mutex_lock(&devices_lock);
    for (int i = 0; i < MAX_DEVICES && !found; i++)
        if (devices[i].key && devices[i].hung) found = &devices[i];
    pthread_mutex_unlock(&devices_lock);
    return found;
}

/* ---- limits */

static void lower_properties(VkPhysicalDeviceProperties *p) {
    if (config.discrete) p->deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    if (!config.floor) return;
    p->apiVersion = VK_API_VERSION_1_1;
    VkPhysicalDeviceLimits *l = &p->limits;
    l->maxStorageBufferRange = 1u << 27;
    l->minStorageBufferOffsetAlignment = 256;
    l->maxPushConstantsSize = 128;
    l->maxComputeSharedMemorySize = 16384;
    l->maxComputeWorkGroupInvocations = 128;
    l->maxComputeWorkGroupSize[0] = l->maxComputeWorkGroupSize[1] = 128;
    l->maxComputeWorkGroupSize[2] = 64;
    for (int i = 0; i < 3; i++) l->maxComputeWorkGroupCount[i] = 65535;
    l->timestampComputeAndGraphics = VK_FALSE;
}

static void VKAPI_CALL layer_GetPhysicalDeviceProperties(VkPhysicalDevice physical, VkPhysicalDeviceProperties *p) {
    next.GetPhysicalDeviceProperties(physical, p);
    lower_properties(p);
}

static void VKAPI_CALL layer_GetPhysicalDeviceProperties2(VkPhysicalDevice physical, VkPhysicalDeviceProperties2 *p) {
    next.GetPhysicalDeviceProperties2(physical, p);
    lower_properties(&p->properties);
    if (!config.floor) return;
    for (VkBaseOutStructure *s = p->pNext; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES)
            ((VkPhysicalDeviceSubgroupProperties *)(void *)s)->supportedOperations = VK_SUBGROUP_FEATURE_BASIC_BIT;
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES)
            ((VkPhysicalDeviceMaintenance3Properties *)(void *)s)->maxMemoryAllocationSize = 1u << 30;
    }
}

static void VKAPI_CALL layer_GetPhysicalDeviceFeatures(VkPhysicalDevice physical, VkPhysicalDeviceFeatures *f) {
    next.GetPhysicalDeviceFeatures(physical, f);
    if (config.floor) memset(f, 0, sizeof *f);
}

static size_t size_of_features(VkStructureType type) {
    switch (type) {
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES:
        return sizeof(VkPhysicalDevice16BitStorageFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES:
        return sizeof(VkPhysicalDevice8BitStorageFeatures);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES:
        return sizeof(VkPhysicalDeviceShaderFloat16Int8Features);
    case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES:
        return sizeof(VkPhysicalDeviceVulkanMemoryModelFeatures);
    default:
        return 0; // not of Vulkan 1.1: nobody who saw our version asks
    }
}

static void VKAPI_CALL layer_GetPhysicalDeviceFeatures2(VkPhysicalDevice physical, VkPhysicalDeviceFeatures2 *f) {
    next.GetPhysicalDeviceFeatures2(physical, f);
    if (!config.floor) return;
    memset(&f->features, 0, sizeof f->features);
    for (VkBaseOutStructure *s = f->pNext; s; s = s->pNext) {
        size_t n = size_of_features(s->sType);
        if (n > sizeof *s) memset(s + 1, 0, n - sizeof *s);
    }
}

#define PRIORITY "VK_KHR_global_priority"

static VkResult VKAPI_CALL layer_EnumerateDeviceExtensionProperties(VkPhysicalDevice physical, const char *layer, uint32_t *n,
                                                                    VkExtensionProperties *all) {
    VkResult result = fault_at(NULL, "EnumerateDeviceExtensionProperties", MAY_HOST | MAY_DEVICE);
    if (result != VK_SUCCESS) return result;
    if (config.floor && !layer) {
        *n = 0;
        return VK_SUCCESS;
    }
    uint32_t room = *n;
    result = next.EnumerateDeviceExtensionProperties(physical, layer, n, all);
    if (!config.priority || layer) return result;
    if (all && *n == room) return VK_INCOMPLETE;
    if (all) all[*n] = (VkExtensionProperties){.extensionName = PRIORITY, .specVersion = 1};
    ++*n;
    return result;
}

static void VKAPI_CALL layer_GetPhysicalDeviceQueueFamilyProperties(VkPhysicalDevice physical, uint32_t *n,
                                                                    VkQueueFamilyProperties *families) {
    next.GetPhysicalDeviceQueueFamilyProperties(physical, n, families);
    for (uint32_t i = 0; families && config.floor && i < *n; i++) families[i].timestampValidBits = 0;
}

/* ---- memory */

/* Device memory becomes two kinds, one that the host cannot see and one that is the host's, and with `bar` a third, of the
 * device and visible; below us all are type 0. */
static void change_memory(VkPhysicalDeviceMemoryProperties *m) {
    if (config.heap) m->memoryHeaps[0].size = config.heap;
    if (!config.discrete) return;
    m->memoryHeapCount = 2;
    m->memoryTypeCount = config.bar ? 3 : 2;
    m->memoryHeaps[0].flags = VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
    m->memoryHeaps[1] = (VkMemoryHeap){.size = config.host_heap ? config.host_heap : m->memoryHeaps[0].size};
    m->memoryTypes[1] = (VkMemoryType){m->memoryTypes[0].propertyFlags & ~(VkFlags)VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 1};
    m->memoryTypes[2] = (VkMemoryType){m->memoryTypes[0].propertyFlags, 0};
    m->memoryTypes[0] = (VkMemoryType){VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0};
}

static void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *m) {
    next.GetPhysicalDeviceMemoryProperties(physical, m);
    change_memory(m);
}

static void VKAPI_CALL layer_GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *m) {
    next.GetPhysicalDeviceMemoryProperties2(physical, m);
    change_memory(&m->memoryProperties);
    for (VkBaseOutStructure *s = m->pNext; s; s = s->pNext) {
        if (s->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
        VkPhysicalDeviceMemoryBudgetPropertiesEXT *b = (void *)s;
        if (config.heap) b->heapBudget[0] = b->heapUsage[0] = 0; // a driver that does not tell
    }
}

static void VKAPI_CALL layer_GetBufferMemoryRequirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *need) {
    find_device(device)->GetBufferMemoryRequirements(device, buffer, need);
    if (config.discrete) need->memoryTypeBits |= config.bar ? 6 : 2;
}

/* ---- the chain */

static PFN_vkVoidFunction VKAPI_CALL layer_GetInstanceProcAddr(VkInstance instance, const char *name);
static PFN_vkVoidFunction VKAPI_CALL layer_GetDeviceProcAddr(VkDevice device, const char *name);

#define NEXT_OF_INSTANCE(f) next.f = (PFN_vk##f)next_instance_proc(*instance, "vk" #f)

static VkResult VKAPI_CALL layer_CreateInstance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *callbacks,
                                                VkInstance *instance) {
    if (!layer_is_told) layer_read_config(getenv("PUMICE_LAYER"));
    VkResult result = fault_at(NULL, "CreateInstance", MAY_HOST | MAY_DEVICE);
    if (result != VK_SUCCESS) return result;
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)(uintptr_t)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerInstanceCreateInfo *)(uintptr_t)link->pNext;
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next_instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next_instance_proc(VK_NULL_HANDLE, "vkCreateInstance");
    result = create(info, callbacks, instance);
    if (result != VK_SUCCESS) return result;
    the_instance = *instance;
    NEXT_OF_INSTANCE(DestroyInstance);
    NEXT_OF_INSTANCE(EnumeratePhysicalDevices);
    NEXT_OF_INSTANCE(GetPhysicalDeviceProperties);
    NEXT_OF_INSTANCE(GetPhysicalDeviceProperties2);
    NEXT_OF_INSTANCE(GetPhysicalDeviceFeatures);
    NEXT_OF_INSTANCE(GetPhysicalDeviceFeatures2);
    NEXT_OF_INSTANCE(GetPhysicalDeviceMemoryProperties);
    NEXT_OF_INSTANCE(GetPhysicalDeviceMemoryProperties2);
    NEXT_OF_INSTANCE(GetPhysicalDeviceQueueFamilyProperties);
    NEXT_OF_INSTANCE(EnumerateDeviceExtensionProperties);
    return VK_SUCCESS;
}

static void VKAPI_CALL layer_DestroyInstance(VkInstance instance, const VkAllocationCallbacks *callbacks) {
    next.DestroyInstance(instance, callbacks);
}

static VkResult VKAPI_CALL layer_EnumeratePhysicalDevices(VkInstance instance, uint32_t *n, VkPhysicalDevice *all) {
    VkResult result = fault_at(NULL, "EnumeratePhysicalDevices", MAY_HOST | MAY_DEVICE);
    if (result != VK_SUCCESS) return result;
    // The loader of Debian 12 does not survive a list that has become empty.
    return !device_is_found() ? VK_ERROR_INITIALIZATION_FAILED : next.EnumeratePhysicalDevices(instance, n, all);
}

/* What the driver below does not have is taken out again. */
static VkResult create_without_priority(PFN_vkCreateDevice create, VkPhysicalDevice physical, VkDeviceCreateInfo info,
                                        const VkAllocationCallbacks *callbacks, VkDevice *device) {
    const char *extensions[64];
    uint32_t n = 0;
    VkDeviceQueueCreateInfo queue = *info.pQueueCreateInfos; // one is all that we are asked for
    const VkDeviceQueueGlobalPriorityCreateInfoKHR *asked = queue.pNext;
    if (asked && asked->globalPriority != VK_QUEUE_GLOBAL_PRIORITY_LOW_KHR) return VK_ERROR_INITIALIZATION_FAILED;
    if (asked && config.forbid) return VK_ERROR_NOT_PERMITTED_KHR;
    for (uint32_t i = 0; i < info.enabledExtensionCount && n < 64; i++)
        if (strcmp(info.ppEnabledExtensionNames[i], PRIORITY) != 0) extensions[n++] = info.ppEnabledExtensionNames[i];
    queue.pNext = NULL;
    info.pQueueCreateInfos = &queue;
    info.ppEnabledExtensionNames = extensions;
    info.enabledExtensionCount = n;
    return create(physical, &info, callbacks, device);
}

static VkResult VKAPI_CALL layer_CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                              const VkAllocationCallbacks *callbacks, VkDevice *device) {
    VkLayerDeviceCreateInfo *link = (VkLayerDeviceCreateInfo *)(uintptr_t)info->pNext;
    while (link && (link->sType != VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO || link->function != VK_LAYER_LINK_INFO))
        link = (VkLayerDeviceCreateInfo *)(uintptr_t)link->pNext;
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr instance_proc = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_vkGetDeviceProcAddr device_proc = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    if (config.die) raise(SIGSEGV);
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)instance_proc(the_instance, "vkCreateDevice");
    VkResult result = device_has_vanished() ? VK_ERROR_INITIALIZATION_FAILED : fault_at(NULL, "CreateDevice", MAY_ALL);
    if (result == VK_SUCCESS)
        result = config.priority ? create_without_priority(create, physical, *info, callbacks, device)
                                 : create(physical, info, callbacks, device);
    if (result != VK_SUCCESS) return result;
    device_entry *d = find_key(NULL);
    *d = (device_entry){.handle = *device, .GetDeviceProcAddr = device_proc};
#define X(f) d->f = (PFN_vk##f)device_proc(*device, "vk" #f);
    DEVICE_FUNCTIONS(X)
#undef X
    d->key = key_of(*device);
    return VK_SUCCESS;
}

#define OURS(f)                                                                                                                  \
    { "vk" #f, (PFN_vkVoidFunction)layer_##f }

static const named_function instance_functions[] = {
    OURS(GetInstanceProcAddr),
    OURS(CreateInstance),
    OURS(DestroyInstance),
    OURS(EnumeratePhysicalDevices),
    OURS(CreateDevice),
    OURS(GetPhysicalDeviceProperties),
    OURS(GetPhysicalDeviceProperties2),
    OURS(GetPhysicalDeviceFeatures),
    OURS(GetPhysicalDeviceFeatures2),
    OURS(GetPhysicalDeviceMemoryProperties),
    OURS(GetPhysicalDeviceMemoryProperties2),
    OURS(GetPhysicalDeviceQueueFamilyProperties),
    OURS(EnumerateDeviceExtensionProperties),
    {NULL, NULL},
};

static const named_function device_functions[] = {
    OURS(GetDeviceProcAddr),
    OURS(GetBufferMemoryRequirements),
    {NULL, NULL},
};

static PFN_vkVoidFunction find(const named_function *all, const char *name) {
    for (; all->name; all++)
        if (strcmp(all->name, name) == 0) return all->function;
    return NULL;
}

static PFN_vkVoidFunction find_device_function(const char *name) {
    PFN_vkVoidFunction f = find(device_functions, name);
    return f ? f : find(fault_functions, name);
}

static PFN_vkVoidFunction VKAPI_CALL layer_GetDeviceProcAddr(VkDevice device, const char *name) {
    PFN_vkVoidFunction f = find_device_function(name);
    return f ? f : find_device(device)->GetDeviceProcAddr(device, name);
}

static PFN_vkVoidFunction VKAPI_CALL layer_GetInstanceProcAddr(VkInstance instance, const char *name) {
    PFN_vkVoidFunction f = find(instance_functions, name);
    if (!f) f = find_device_function(name);
    return f || !next_instance_proc ? f : next_instance_proc(instance, name);
}

EXPORTED VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *interface) {
    if (interface->loaderLayerInterfaceVersion > 2) interface->loaderLayerInterfaceVersion = 2;
    interface->pfnGetInstanceProcAddr = layer_GetInstanceProcAddr;
    interface->pfnGetDeviceProcAddr = layer_GetDeviceProcAddr;
    interface->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
