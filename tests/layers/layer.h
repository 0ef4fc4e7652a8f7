/* What the files of the test layer share. */
#ifndef TESTS_LAYERS_LAYER_H
#define TESTS_LAYERS_LAYER_H

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define EXPORTED __attribute__((visibility("default")))

/// The words of PUMICE_LAYER; see layer.c.
typedef struct layer_config {
    bool floor, discrete, bar; ///< bar: discrete too
    bool priority, forbid;     ///< forbid: priority too
    bool die;
    uint64_t heap, host_heap, deny, lose, drop, hang; ///< 0: off
    uint64_t host, device, lost, vanish, absent;
} layer_config;
extern layer_config config;
extern bool layer_is_told; ///< by pumice_layer_begin: the environment does not count

/* Functions of a device that the layer calls or stands before. */
#define DEVICE_FUNCTIONS(X)                                                                                                      \
    X(DestroyDevice)                                                                                                             \
    X(DeviceWaitIdle)                                                                                                            \
    X(AllocateMemory)                                                                                                            \
    X(FreeMemory)                                                                                                                \
    X(GetBufferMemoryRequirements)                                                                                               \
    X(BindBufferMemory)                                                                                                          \
    X(MapMemory)                                                                                                                 \
    X(CreateBuffer)                                                                                                              \
    X(DestroyBuffer)                                                                                                             \
    X(CreateFence)                                                                                                               \
    X(DestroyFence)                                                                                                              \
    X(ResetFences)                                                                                                               \
    X(WaitForFences)                                                                                                             \
    X(CreateCommandPool)                                                                                                         \
    X(DestroyCommandPool)                                                                                                        \
    X(ResetCommandPool)                                                                                                          \
    X(AllocateCommandBuffers)                                                                                                    \
    X(BeginCommandBuffer)                                                                                                        \
    X(EndCommandBuffer)                                                                                                          \
    X(CreateDescriptorPool)                                                                                                      \
    X(DestroyDescriptorPool)                                                                                                     \
    X(AllocateDescriptorSets)                                                                                                    \
    X(CreateDescriptorSetLayout)                                                                                                 \
    X(DestroyDescriptorSetLayout)                                                                                                \
    X(CreatePipelineLayout)                                                                                                      \
    X(DestroyPipelineLayout)                                                                                                     \
    X(CreateShaderModule)                                                                                                        \
    X(DestroyShaderModule)                                                                                                       \
    X(CreatePipelineCache)                                                                                                       \
    X(DestroyPipelineCache)                                                                                                      \
    X(GetPipelineCacheData)                                                                                                      \
    X(CreateComputePipelines)                                                                                                    \
    X(DestroyPipeline)                                                                                                           \
    X(CreateQueryPool)                                                                                                           \
    X(DestroyQueryPool)                                                                                                          \
    X(GetQueryPoolResults)                                                                                                       \
    X(QueueSubmit)

/// Devices of several drivers have functions of their own; a device, its queues and command buffers share the loader's key.
typedef struct device_entry {
    void *key; ///< NULL: free
    VkDevice handle;
    atomic_bool lost, hung;
    PFN_vkGetDeviceProcAddr GetDeviceProcAddr;
#define X(f) PFN_vk##f f;
    DEVICE_FUNCTIONS(X)
#undef X
} device_entry;

/// The entry of a device, a queue or a command buffer; it stays where it is.
device_entry *find_device(const void *handle);
void device_closed(device_entry *device);
/// One that hangs and is not closed, or NULL.
device_entry *find_hung_device(void);
/// Sets config from such words; NULL: none.
void layer_read_config(const char *words);

/* ---- faults.c */

/// What a call may return, by the specification.
typedef enum fault_kinds { MAY_HOST = 1, MAY_DEVICE = 2, MAY_LOST = 4, MAY_ALL = 7 } fault_kinds;

/// Counts a call and returns what it is to fail with, or VK_SUCCESS. d: NULL where there is no device yet.
VkResult fault_at(device_entry *d, const char *name, fault_kinds may);
/// Begins to count anew.
void faults_begin(void);
/// Whether devices cannot be opened or found any more.
bool device_has_vanished(void);
/// Whether a look for devices finds it.
bool device_is_found(void);

typedef struct named_function {
    const char *name;
    PFN_vkVoidFunction function;
} named_function;
/// The functions of faults.c by their names; the last has none.
extern const named_function fault_functions[];

#endif
