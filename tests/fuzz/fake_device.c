#include "fuzz/fake_device.h"

#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { MEMORY_BYTES = 64 << 20 };

static VKAPI_ATTR void VKAPI_CALL get_properties(VkPhysicalDevice physical, VkPhysicalDeviceProperties *p) {
    (void)physical;
    *p = (VkPhysicalDeviceProperties){.vendorID = 1, .deviceID = 2};
}

static void describe_memory(VkPhysicalDeviceMemoryProperties *m) {
    *m = (VkPhysicalDeviceMemoryProperties){.memoryTypeCount = 1, .memoryHeapCount = 1};
    m->memoryTypes[0].propertyFlags =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    m->memoryHeaps[0] = (VkMemoryHeap){MEMORY_BYTES, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
}

static VKAPI_ATTR void VKAPI_CALL get_memory(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *m) {
    (void)physical;
    describe_memory(m);
}

static VKAPI_ATTR void VKAPI_CALL get_memory2(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties2 *m) {
    (void)physical;
    describe_memory(&m->memoryProperties);
}

/* ---- a buffer is its size, its memory is on the heap */

typedef struct fake_buffer {
    uint64_t n_bytes;
} fake_buffer;

static VKAPI_ATTR VkResult VKAPI_CALL create_buffer(VkDevice device, const VkBufferCreateInfo *info,
                                                    const VkAllocationCallbacks *how, VkBuffer *buffer) {
    (void)device, (void)how;
    fake_buffer *b = malloc(sizeof *b);
    if (!b) return VK_ERROR_OUT_OF_HOST_MEMORY;
    b->n_bytes = info->size;
    *buffer = (VkBuffer)(uintptr_t)b;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_buffer(VkDevice device, VkBuffer buffer, const VkAllocationCallbacks *how) {
    (void)device, (void)how;
    free((void *)(uintptr_t)buffer);
}

static VKAPI_ATTR void VKAPI_CALL get_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *need) {
    (void)device;
    *need = (VkMemoryRequirements){((fake_buffer *)(uintptr_t)buffer)->n_bytes, 256, 1};
}

static VKAPI_ATTR VkResult VKAPI_CALL allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                               const VkAllocationCallbacks *how, VkDeviceMemory *memory) {
    (void)device, (void)how;
    void *bytes = info->allocationSize <= MEMORY_BYTES ? malloc(info->allocationSize) : NULL;
    *memory = (VkDeviceMemory)(uintptr_t)bytes;
    return bytes ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static VKAPI_ATTR void VKAPI_CALL release(VkDevice device, VkDeviceMemory memory, const VkAllocationCallbacks *how) {
    (void)device, (void)how;
    free((void *)(uintptr_t)memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL bind(VkDevice device, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize offset) {
    (void)device, (void)buffer, (void)memory, (void)offset;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL map(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize size,
                                          VkMemoryMapFlags flags, void **bytes) {
    (void)device, (void)size, (void)flags;
    *bytes = (char *)(uintptr_t)memory + offset;
    return VK_SUCCESS;
}

/* No kernel compiles. */
static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *how, VkShaderModule *module) {
    (void)device, (void)info, (void)how;
    *module = VK_NULL_HANDLE;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

vk_device *fake_device(void) {
    static vk_device device;
    if (device.fn.vkMapMemory) return &device;
    // Whoever looks for real devices finds none.
    setenv("VK_DRIVER_FILES", "/nonexistent", 1);
    setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
    vkGetPhysicalDeviceProperties = get_properties;
    vkGetPhysicalDeviceMemoryProperties = get_memory;
    vkGetPhysicalDeviceMemoryProperties2 = get_memory2;
    device.caps = (vk_caps){
        .name = "no device",
        .type = PUM_DEVICE_OTHER,
        .max_storage_range = 1 << 20, // so that small matrices have several slices
        .max_allocation_bytes = MEMORY_BYTES,
        .storage_align = 256,
        .host_visible = true,
        .max_shared_bytes = 16384,
        .registers = VK_USUAL_REGISTERS,
        .max_invocations = 128,
        .max_push_bytes = 128,
        .max_groups = {65535, 65535, 65535},
        .subgroups_verified = true, // nobody is to look
    };
    describe_memory(&device.memory);
    device.fn.vkCreateBuffer = create_buffer;
    device.fn.vkDestroyBuffer = destroy_buffer;
    device.fn.vkGetBufferMemoryRequirements = get_requirements;
    device.fn.vkAllocateMemory = allocate;
    device.fn.vkFreeMemory = release;
    device.fn.vkBindBufferMemory = bind;
    device.fn.vkMapMemory = map;
    device.fn.vkCreateShaderModule = create_module;
    pthread_mutex_init(&device.queue_lock, NULL);
    pthread_mutex_init(&device.pipeline_cache_lock, NULL);
    return &device;
}
