#include "vk/caps.h"

#include "base/utf8.h"
#include "vk/instance.h"
#include "vk/quirks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = sizeof((vk_caps *)0)->name };
_Static_assert(VK_MAX_PHYSICAL_DEVICE_NAME_SIZE == NAME_BYTES && VK_MAX_DRIVER_NAME_SIZE == NAME_BYTES &&
                   VK_MAX_DRIVER_INFO_SIZE == NAME_BYTES,
               "names of one length");

/* ---- what a driver says is not believed to keep to its bounds */

static uint32_t at_most(uint32_t n, uint32_t most) { return n < most ? n : most; }

/* A name that may have no end, nor be what a terminal should see. to, from: [256]. */
static void take_name(char *to, const char *from) {
    memcpy(to, from, NAME_BYTES - 1);
    to[NAME_BYTES - 1] = 0;
    utf8_make_clean(to);
}

/* With as many types and heaps as there is room for, and no type of a heap that is not there. */
static void take_memory(VkPhysicalDeviceMemoryProperties *m) {
    m->memoryTypeCount = at_most(m->memoryTypeCount, VK_MAX_MEMORY_TYPES);
    m->memoryHeapCount = at_most(m->memoryHeapCount, VK_MAX_MEMORY_HEAPS);
    for (uint32_t i = 0; i < m->memoryTypeCount; i++)
        if (m->memoryTypes[i].heapIndex >= m->memoryHeapCount) m->memoryTypes[i] = (VkMemoryType){0};
}

void vk_caps_memory(VkPhysicalDevice physical, VkPhysicalDeviceMemoryProperties *memory) {
    vkGetPhysicalDeviceMemoryProperties(physical, memory);
    take_memory(memory);
}

/* ---- what the device offers by name */

typedef struct offered {
    VkExtensionProperties *all;
    uint32_t n;
    uint32_t version; ///< of the device, at most 1.3
} offered;

static bool has(const offered *o, const char *extension) {
    for (uint32_t i = 0; i < o->n; i++)
        if (strcmp(o->all[i].extensionName, extension) == 0) return true;
    return false;
}

/* Whether a feature can be asked for: through its extension, or because the version has taken it in. */
static bool offers(const offered *o, const char *extension, uint32_t core_since) {
    return (core_since && o->version >= core_since) || has(o, extension);
}

static pum_status read_offered(VkPhysicalDevice physical, uint32_t version, offered *o, pum_error *err) {
    *o = (offered){.version = version};
    pum_status status = PUM_OK;
    VK_TRY(vkEnumerateDeviceExtensionProperties(physical, NULL, &o->n, NULL), "listing the device's extensions");
    o->all = calloc(o->n ? o->n : 1, sizeof *o->all);
    if (!o->all) return pum_fail_memory(err, "the device's extensions", o->n * sizeof *o->all);
    uint32_t room = o->n;
    VK_TRY(vkEnumerateDeviceExtensionProperties(physical, NULL, &o->n, o->all), "listing the device's extensions");
    o->n = at_most(o->n, room);
    for (uint32_t i = 0; i < o->n; i++) o->all[i].extensionName[sizeof o->all[i].extensionName - 1] = 0;
    return PUM_OK;
fail:
    free(o->all);
    o->all = NULL;
    return status;
}

/* ---- features */

static void chain(vk_features *f, void *structure) {
    VkBaseOutStructure *s = structure;
    s->pNext = f->core.pNext;
    f->core.pNext = s;
}

static void enable(vk_features *f, const offered *o, const char *extension, uint32_t core_since) {
    if (!(core_since && o->version >= core_since) && has(o, extension)) f->extensions[f->n_extensions++] = extension;
}

/* Of VK_KHR_cooperative_matrix, which headers before 1.3.255 do not know. */
enum { COOPERATIVE_MATRIX_FEATURES = 1000506000, COOPERATIVE_MATRIX_ROW = 1000506001 };
/* Of VK_NV_cooperative_matrix2. */
enum { COOPERATIVE_MATRIX2_FEATURES = 1000593000, FLEXIBLE_MATRIX_ROW = 1000593001, COOPERATIVE_MATRIX2_PROPERTIES = 1000593002 };

/* One optional feature structure: where it is offered it is asked for, and its extension is enabled. */
typedef struct feature_row {
    const char *extension;
    uint32_t core_since;
    VkStructureType type;
    size_t offset;
    const char *base; ///< the extension that it builds on, or NULL
} feature_row;

static const feature_row feature_rows[] = {
    {"VK_KHR_16bit_storage", VK_API_VERSION_1_1, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES,
     offsetof(vk_features, storage16)},
    {"VK_KHR_8bit_storage", VK_API_VERSION_1_2, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES,
     offsetof(vk_features, storage8)},
    {"VK_KHR_shader_float16_int8", VK_API_VERSION_1_2, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES,
     offsetof(vk_features, float16_int8)},
    {"VK_KHR_shader_integer_dot_product", VK_API_VERSION_1_3,
     VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, offsetof(vk_features, dot)},
    {"VK_KHR_buffer_device_address", VK_API_VERSION_1_2, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES,
     offsetof(vk_features, address)},
    {"VK_KHR_vulkan_memory_model", VK_API_VERSION_1_2, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES,
     offsetof(vk_features, memory_model)},
    {"VK_EXT_subgroup_size_control", VK_API_VERSION_1_3, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
     offsetof(vk_features, subgroup_size)},
    {"VK_KHR_pipeline_executable_properties", 0, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
     offsetof(vk_features, executable)},
    {"VK_KHR_maintenance4", VK_API_VERSION_1_3, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES,
     offsetof(vk_features, maintenance4)},
    {"VK_KHR_cooperative_matrix", 0, (VkStructureType)COOPERATIVE_MATRIX_FEATURES, offsetof(vk_features, coopmat)},
    {"VK_NV_cooperative_matrix2", 0, (VkStructureType)COOPERATIVE_MATRIX2_FEATURES, offsetof(vk_features, coopmat2),
     "VK_KHR_cooperative_matrix"},
};

static void read_features(VkPhysicalDevice physical, const offered *o, vk_features *f) {
    *f = (vk_features){.core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    for (size_t i = 0; i < sizeof feature_rows / sizeof *feature_rows; i++) {
        const feature_row *row = &feature_rows[i];
        if (!offers(o, row->extension, row->core_since) || (row->base && !has(o, row->base))) continue;
        VkBaseOutStructure *structure = (VkBaseOutStructure *)(void *)((char *)f + row->offset);
        structure->sType = row->type;
        chain(f, structure);
        enable(f, o, row->extension, row->core_since);
    }
    vkGetPhysicalDeviceFeatures2(physical, &f->core);
    // Of the core features only the one that kernels may use; robust access is not needed (check_kernel_flow.py).
    VkBool32 int64 = f->core.features.shaderInt64, int16 = f->core.features.shaderInt16;
    f->core.features = (VkPhysicalDeviceFeatures){.shaderInt64 = int64, .shaderInt16 = int16};
    f->coopmat.robust_buffer_access = VK_FALSE;
    f->coopmat2.reductions = f->coopmat2.conversions = f->coopmat2.tensor_addressing = f->coopmat2.block_loads = VK_FALSE;
    f->address.bufferDeviceAddressCaptureReplay = f->address.bufferDeviceAddressMultiDevice = VK_FALSE;
    if (has(o, "VK_EXT_memory_budget")) f->extensions[f->n_extensions++] = "VK_EXT_memory_budget";
    static const char *const priority[] = {"VK_KHR_global_priority", "VK_EXT_global_priority"};
    for (int i = 0; i < 2 && !f->queue_priority; i++) {
        f->queue_priority = has(o, priority[i]);
        if (f->queue_priority) f->extensions[f->n_extensions++] = priority[i];
    }
}

/* ---- capabilities */

typedef struct vendor {
    uint32_t id;
    const char *name;
    uint8_t version_bits[4]; ///< how it packs the driver's version, from the top; 0: as Vulkan packs its own
} vendor;

static const vendor vendors[] = {
    {0x1002, "AMD"},      {0x10DE, "NVIDIA", {10, 8, 8, 6}},
    {0x8086, "Intel"},    {0x13B5, "Arm"},
    {0x5143, "Qualcomm"}, {0x1010, "Imagination"},
    {0x106B, "Apple"},    {0x14E4, "Broadcom"},
    {0x1AE0, "Google"},   {0x10005, "Mesa"},
    {0x10006, "PoCL"},    {0x144D, "Samsung"},
};

static const vendor *find_vendor(uint32_t id) {
    for (size_t i = 0; i < sizeof vendors / sizeof *vendors; i++)
        if (vendors[i].id == id) return &vendors[i];
    return NULL;
}

/* Without the driver's own words: the vendor, and the number in the vendor's packing. */
static void guess_driver(const VkPhysicalDeviceProperties *p, vk_caps *caps) {
    static const uint8_t vulkan[4] = {10, 10, 12, 0};
    const vendor *known = find_vendor(p->vendorID);
    const uint8_t *bits = known && known->version_bits[0] ? known->version_bits : vulkan;
    uint32_t part[3], left = 32;
    for (int i = 0; i < 3; i++) {
        left -= bits[i];
        part[i] = p->driverVersion >> left & ((1u << bits[i]) - 1);
    }
    vk_vendor_name(p->vendorID, caps->driver);
    snprintf(caps->driver_version, sizeof caps->driver_version, "%u.%u.%u", part[0], part[1], part[2]);
}

/* Returns the VkDriverId, or 0. */
static uint32_t read_driver(const offered *o, VkPhysicalDevice physical, vk_caps *caps) {
    if (!offers(o, "VK_KHR_driver_properties", VK_API_VERSION_1_2)) return 0;
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    if (driver.driverName[0]) take_name(caps->driver, driver.driverName);
    if (driver.driverInfo[0]) take_name(caps->driver_version, driver.driverInfo);
    return driver.driverID;
}

static void read_subgroups(const offered *o, VkPhysicalDevice physical, const vk_features *f, vk_caps *caps) {
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties size = {.sType =
                                                              VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    bool control = offers(o, "VK_EXT_subgroup_size_control", VK_API_VERSION_1_3) && f->subgroup_size.subgroupSizeControl &&
                   f->subgroup_size.computeFullSubgroups;
    if (control) subgroup.pNext = &size;
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &subgroup};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    caps->subgroup_size = subgroup.subgroupSize;
    caps->registers = caps->subgroup_size >= 128 ? VK_USUAL_REGISTERS / 2 : VK_USUAL_REGISTERS; // Adreno's, of 128
    bool compute = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT;
    VkSubgroupFeatureFlags operations = compute ? subgroup.supportedOperations : 0;
    caps->subgroup_arithmetic = operations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    caps->subgroup_ballot = operations & VK_SUBGROUP_FEATURE_BALLOT_BIT;
    caps->subgroup_shuffle = operations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    caps->subgroup_clustered = operations & VK_SUBGROUP_FEATURE_CLUSTERED_BIT;
    // Where there is one size only, none need be required (NVK, which takes no such requirement).
    bool one_size = size.minSubgroupSize == size.maxSubgroupSize;
    if (control && (one_size || (size.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT))) {
        caps->subgroup_min = size.minSubgroupSize;
        caps->subgroup_max = size.maxSubgroupSize;
    }
}

static void read_dot(const offered *o, VkPhysicalDevice physical, const vk_features *f, vk_caps *caps) {
    caps->int_dot = f->dot.shaderIntegerDotProduct && offers(o, "VK_KHR_shader_integer_dot_product", VK_API_VERSION_1_3);
    if (!caps->int_dot) return;
    VkPhysicalDeviceShaderIntegerDotProductProperties dot = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &dot};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    caps->int8_dot = dot.integerDotProduct4x8BitPackedSignedAccelerated;
}

/* ---- cooperative matrices */

enum {
    COMPONENT_FLOAT16 = 0,
    COMPONENT_FLOAT32 = 1,
    SCOPE_WORKGROUP = 2,
    SCOPE_SUBGROUP = 3
}; // of VkComponentTypeKHR and VkScopeKHR

static bool is_side(uint32_t n) { return n >= 8 && n <= 32 && (n & (n - 1)) == 0; }

vk_coopmat_shape vk_choose_coopmat_f16(const vk_cooperative_matrix_row *rows, uint32_t n_rows) {
    vk_coopmat_shape best = {0};
    for (uint32_t i = 0; i < n_rows; i++) {
        const vk_cooperative_matrix_row *r = &rows[i];
        bool types = r->a_type == COMPONENT_FLOAT16 && r->b_type == COMPONENT_FLOAT16 && r->c_type == COMPONENT_FLOAT32 &&
                     r->result_type == COMPONENT_FLOAT32;
        if (!types || r->scope != SCOPE_SUBGROUP || r->saturating || !is_side(r->m) || !is_side(r->n) || !is_side(r->k)) continue;
        vk_coopmat_shape shape = {r->m, r->n, r->k};
        if (r->m == 16 && r->n == 16 && r->k == 16) return shape;
        if (r->m * r->n * r->k > best.m * best.n * best.k) best = shape;
    }
    return best;
}

/* A device that does not answer has none: nothing depends on them. */
static vk_coopmat_shape read_coopmat_f16(VkPhysicalDevice physical) {
    typedef VkResult(VKAPI_PTR * list_rows)(VkPhysicalDevice, uint32_t *, vk_cooperative_matrix_row *);
    enum { MAX_ROWS = 256 };
    VkInstance instance;
    if (vk_instance_get(&instance, NULL) != PUM_OK) return (vk_coopmat_shape){0};
    list_rows list = (list_rows)vkGetInstanceProcAddr(instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    vk_cooperative_matrix_row *rows = list ? calloc(MAX_ROWS, sizeof *rows) : NULL;
    if (!rows) return (vk_coopmat_shape){0};
    for (uint32_t i = 0; i < MAX_ROWS; i++) rows[i].type = (VkStructureType)COOPERATIVE_MATRIX_ROW;
    uint32_t n = MAX_ROWS;
    VkResult result = list(physical, &n, rows);
    vk_coopmat_shape shape = {0};
    if (result == VK_SUCCESS || result == VK_INCOMPLETE) shape = vk_choose_coopmat_f16(rows, at_most(n, MAX_ROWS));
    free(rows);
    return shape;
}

/* Sides of which the kernels' tiles are multiples. */
static bool is_step(uint32_t n) { return n >= 1 && n <= 32 && (n & (n - 1)) == 0; }

vk_flexible_coopmat vk_choose_coopmat2_f16(const vk_flexible_matrix_row *rows, uint32_t n_rows, bool workgroup) {
    vk_flexible_coopmat best = {0};
    for (uint32_t i = 0; i < n_rows; i++) {
        const vk_flexible_matrix_row *r = &rows[i];
        bool types = r->a_type == COMPONENT_FLOAT16 && r->b_type == COMPONENT_FLOAT16 && r->c_type == COMPONENT_FLOAT32 &&
                     r->result_type == COMPONENT_FLOAT32;
        bool of_workgroup = workgroup && r->scope == SCOPE_WORKGROUP && is_step(r->invocations / 8) && r->invocations % 8 == 0;
        if (!types || r->saturating || !is_step(r->m) || !is_step(r->n) || !is_step(r->k)) continue;
        if (!of_workgroup && r->scope != SCOPE_SUBGROUP) continue;
        uint32_t invocations = of_workgroup ? r->invocations : 0;
        if (best.m == 0 || invocations > best.invocations) best = (vk_flexible_coopmat){r->m, r->n, r->k, invocations, 0};
    }
    return best;
}

/* As above: without an answer there are none. */
static vk_flexible_coopmat read_coopmat2_f16(VkPhysicalDevice physical, const vk_features *f) {
    typedef VkResult(VKAPI_PTR * list_rows)(VkPhysicalDevice, uint32_t *, vk_flexible_matrix_row *);
    enum { MAX_ROWS = 256, MAX_DIMENSION = 128 }; // the latter: of the kernels
    VkInstance instance;
    if (!f->coopmat2.flexible_dimensions || !f->coopmat2.per_element_operations) return (vk_flexible_coopmat){0};
    if (vk_instance_get(&instance, NULL) != PUM_OK) return (vk_flexible_coopmat){0};
    list_rows list =
        (list_rows)vkGetInstanceProcAddr(instance, "vkGetPhysicalDeviceCooperativeMatrixFlexibleDimensionsPropertiesNV");
    vk_flexible_matrix_row *rows = list ? calloc(MAX_ROWS, sizeof *rows) : NULL;
    if (!rows) return (vk_flexible_coopmat){0};
    for (uint32_t i = 0; i < MAX_ROWS; i++) rows[i].type = (VkStructureType)FLEXIBLE_MATRIX_ROW;
    uint32_t n = MAX_ROWS;
    VkResult result = list(physical, &n, rows);
    n = at_most(n, MAX_ROWS);
    vk_cooperative_matrix2_properties limits = {.type = (VkStructureType)COOPERATIVE_MATRIX2_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &limits};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    uint32_t shared = properties.properties.limits.maxComputeSharedMemorySize, reserved = limits.reserved_shared_bytes;
    vk_flexible_coopmat shape = {0};
    if ((result == VK_SUCCESS || result == VK_INCOMPLETE) && limits.max_dimension >= MAX_DIMENSION)
        shape = vk_choose_coopmat2_f16(rows, n, f->coopmat2.workgroup_scope && reserved < shared);
    if (shape.invocations > limits.max_workgroup_size) shape = vk_choose_coopmat2_f16(rows, n, false);
    shape.shared_bytes = shape.invocations ? shared - reserved : shared;
    free(rows);
    return shape;
}

static pum_device_type type_of(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return PUM_DEVICE_INTEGRATED;
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return PUM_DEVICE_DISCRETE;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return PUM_DEVICE_VIRTUAL;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return PUM_DEVICE_CPU;
    default:
        return PUM_DEVICE_OTHER;
    }
}

/* Whether the host sees the largest heap of device memory: unified memory, or a GPU's own with a window as large as all of it. A
 * small window does not count, which drivers want for themselves. */
static bool is_host_visible(VkPhysicalDevice physical) {
    const VkMemoryPropertyFlags wanted =
        VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    vk_caps_memory(physical, &memory);
    VkDeviceSize largest = 0, visible = 0;
    for (uint32_t h = 0; h < memory.memoryHeapCount; h++) {
        const VkMemoryHeap *heap = &memory.memoryHeaps[h];
        if ((heap->flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && heap->size > largest) largest = heap->size;
    }
    for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
        const VkMemoryType *type = &memory.memoryTypes[i];
        VkDeviceSize size = memory.memoryHeaps[type->heapIndex].size;
        if ((type->propertyFlags & wanted) == wanted && size > visible) visible = size;
    }
    return visible > 0 && visible >= largest;
}

static void read_limits(VkPhysicalDevice physical, vk_caps *caps) {
    VkPhysicalDeviceMaintenance3Properties maintenance = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES, .pNext = &maintenance};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &id};
    vkGetPhysicalDeviceProperties2(physical, &properties);
    const VkPhysicalDeviceLimits *l = &properties.properties.limits;
    memcpy(caps->uuid, id.deviceUUID, sizeof caps->uuid);
    caps->max_allocation_bytes = maintenance.maxMemoryAllocationSize;
    caps->max_storage_range = l->maxStorageBufferRange & ~255u; // some say 4 GiB less one byte, which nothing could be cut into
    caps->storage_align = (uint32_t)l->minStorageBufferOffsetAlignment;
    caps->max_shared_bytes = l->maxComputeSharedMemorySize;
    caps->max_invocations = l->maxComputeWorkGroupInvocations;
    caps->max_push_bytes = l->maxPushConstantsSize;
    memcpy(caps->max_groups, l->maxComputeWorkGroupCount, sizeof caps->max_groups);
    uint32_t timestamp_bits;
    vk_compute_family(physical, &timestamp_bits);
    bool a_time = l->timestampPeriod > 0 && l->timestampPeriod <= 1e9f; // a second: nobody's, but a number
    caps->timestamp_ns = timestamp_bits && a_time ? l->timestampPeriod : 0;
}

pum_status vk_caps_read(VkPhysicalDevice physical, vk_caps *caps, vk_features *features, pum_error *err) {
    VkPhysicalDeviceProperties p;
    vkGetPhysicalDeviceProperties(physical, &p);
    *caps =
        (vk_caps){.vendor_id = p.vendorID, .device_id = p.deviceID, .api_version = p.apiVersion, .type = type_of(p.deviceType)};
    take_name(caps->name, p.deviceName);
    guess_driver(&p, caps);
    if (p.apiVersion < VK_API_VERSION_1_1) { // it cannot be asked more, and is not used
        *features = (vk_features){0};
        return PUM_OK;
    }
    offered o;
    uint32_t ours = vk_instance_version();
    pum_status status = read_offered(physical, p.apiVersion < ours ? p.apiVersion : ours, &o, err);
    if (status != PUM_OK) return status;
    read_features(physical, &o, features);
    read_limits(physical, caps);
    vk_quirk_device quirky = {p.vendorID, p.deviceID, read_driver(&o, physical, caps), p.driverVersion};
    read_subgroups(&o, physical, features, caps);
    caps->fp16 = features->float16_int8.shaderFloat16;
    caps->int8 = features->float16_int8.shaderInt8;
    caps->int16 = features->core.features.shaderInt16;
    caps->int64 = features->core.features.shaderInt64;
    caps->storage16 = features->storage16.storageBuffer16BitAccess;
    caps->storage8 = features->storage8.storageBuffer8BitAccess;
    read_dot(&o, physical, features, caps);
    caps->buffer_address = features->address.bufferDeviceAddress;
    caps->memory_model = features->memory_model.vulkanMemoryModel;
    caps->coopmat = features->coopmat.cooperative_matrix;
    vk_quirks_apply(&quirky, caps); // before what a driver must not be asked
    if (caps->coopmat) caps->coopmat_f16 = read_coopmat_f16(physical);
    if (caps->coopmat) caps->coopmat2_f16 = read_coopmat2_f16(physical, features);
    caps->vulkan_1_3 = o.version >= VK_API_VERSION_1_3 && features->maintenance4.maintenance4;
    caps->memory_budget = has(&o, "VK_EXT_memory_budget");
    caps->pipeline_statistics = features->executable.pipelineExecutableInfo;
    caps->host_visible = is_host_visible(physical);
    free(o.all);
    return PUM_OK;
}

int vk_compute_family(VkPhysicalDevice physical, uint32_t *timestamp_bits) {
    enum { MAX_FAMILIES = 32 };
    VkQueueFamilyProperties families[MAX_FAMILIES];
    uint32_t n = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, NULL);
    n = at_most(n, MAX_FAMILIES);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &n, families);
    n = at_most(n, MAX_FAMILIES);
    int best = -1;
    for (uint32_t i = 0; i < n; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || families[i].queueCount == 0) continue;
        bool graphics = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (best < 0 || (!graphics && (families[best].queueFlags & VK_QUEUE_GRAPHICS_BIT))) best = (int)i;
    }
    *timestamp_bits = best >= 0 ? families[best].timestampValidBits : 0;
    return best;
}

/* ---- memory */

/* index: -1: none. */
static vk_heap heap_at(VkPhysicalDevice physical, bool budget, int index) {
    if (index < 0) return (vk_heap){0};
    VkPhysicalDeviceMemoryBudgetPropertiesEXT b = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 m = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2,
                                           .pNext = budget ? &b : NULL};
    vkGetPhysicalDeviceMemoryProperties2(physical, &m);
    vk_heap heap = {.index = (uint32_t)index, .size_bytes = m.memoryProperties.memoryHeaps[index].size};
    heap.budget_known = budget && b.heapBudget[index] > 0;
    uint64_t free_bytes = b.heapBudget[index] > b.heapUsage[index] ? b.heapBudget[index] - b.heapUsage[index] : 0;
    heap.free_bytes = heap.budget_known ? free_bytes : heap.size_bytes;
    return heap;
}

vk_heap vk_caps_device_heap(VkPhysicalDevice physical, bool budget) {
    VkPhysicalDeviceMemoryProperties m;
    vk_caps_memory(physical, &m);
    uint32_t best = 0;
    uint64_t most = 0;
    for (uint32_t h = 0; h < m.memoryHeapCount; h++) {
        if (!(m.memoryHeaps[h].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) || m.memoryHeaps[h].size <= most) continue;
        most = m.memoryHeaps[h].size;
        best = h;
    }
    return heap_at(physical, budget, (int)best);
}

int vk_host_memory_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t allowed) {
    const VkMemoryPropertyFlags wanted = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    int found = -1;
    for (uint32_t i = 0; i < memory->memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = memory->memoryTypes[i].propertyFlags;
        bool local = memory->memoryHeaps[memory->memoryTypes[i].heapIndex].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT;
        if (!(allowed >> i & 1) || (flags & wanted) != wanted || local) continue;
        if (!(flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT)) return (int)i;
        if (found < 0) found = (int)i;
    }
    return found;
}

vk_heap vk_caps_host_heap(VkPhysicalDevice physical, bool budget) {
    VkPhysicalDeviceMemoryProperties m;
    vk_caps_memory(physical, &m);
    int type = vk_host_memory_type(&m, ~0u);
    return heap_at(physical, budget, type < 0 ? -1 : (int)m.memoryTypes[type].heapIndex);
}

void vk_vendor_name(uint32_t vendor_id, char name[32]) {
    const vendor *known = find_vendor(vendor_id);
    if (known)
        snprintf(name, 32, "%s", known->name);
    else
        snprintf(name, 32, "0x%X", vendor_id);
}
