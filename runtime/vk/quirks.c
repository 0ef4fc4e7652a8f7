#include "vk/quirks.h"

enum { AMD = 0x1002, INTEL = 0x8086, MESA = 0x10005 };

const vk_quirk vk_quirks[] = {
    {
        .vendor_id = AMD,
        .drivers = {VK_DRIVER_ID_AMD_PROPRIETARY, VK_DRIVER_ID_AMD_OPEN_SOURCE},
        .integrated = true,
        .clears = {offsetof(vk_caps, coopmat)},
        .what = "no cooperative matrices",
        .reason = "the driver crashes when it is asked for their shapes: https://github.com/ggml-org/llama.cpp/pull/22750",
    },
    {
        // Before Navi 31, whose ids begin at 0x7440.
        .vendor_id = AMD,
        .device_first = 0x6600,
        .device_last = 0x743f,
        .drivers = {VK_DRIVER_ID_AMD_PROPRIETARY, VK_DRIVER_ID_AMD_OPEN_SOURCE},
        .clears = {offsetof(vk_caps, coopmat)},
        .what = "no cooperative matrices",
        .reason = "the driver offers them on GPUs that have no such hardware: https://github.com/ggml-org/llama.cpp/pull/11074",
    },
    {
        .vendor_id = INTEL,
        .no_required_size = true,
        .clears = {offsetof(vk_caps, subgroup_arithmetic), offsetof(vk_caps, subgroup_ballot),
                   offsetof(vk_caps, subgroup_shuffle), offsetof(vk_caps, subgroup_clustered)},
        .what = "no subgroup operations",
        .reason = "subgroups may be smaller than reported, and not full, unless a pipeline requires it: "
                  "https://github.com/ggml-org/llama.cpp/pull/17356",
    },
    {
        // Vectors of 512 bits (LP_NATIVE_VECTOR_WIDTH); with 256 they are right.
        .vendor_id = MESA,
        .drivers = {VK_DRIVER_ID_MESA_LLVMPIPE},
        .subgroup_size = 16,
        .clears = {offsetof(vk_caps, coopmat)},
        .what = "no cooperative matrices",
        .reason = "measured with Mesa 26.2.6: vkCreateComputePipelines ends with SIGSEGV for each kernel that uses them",
    },
    {
        .drivers = {VK_DRIVER_ID_IMAGINATION_PROPRIETARY, VK_DRIVER_ID_IMAGINATION_OPEN_SOURCE_MESA},
        .registers = VK_USUAL_REGISTERS / 4,
        .what = "few registers",
        .reason = "measured with Mesa 26.2.6 for a BXS-4-64: 17 kernels spilled with the usual rows and tokens of an invocation",
    },
};
const size_t vk_n_quirks = sizeof vk_quirks / sizeof *vk_quirks;

static bool is_within(uint32_t value, uint32_t first, uint32_t last) { return value >= first && (last == 0 || value <= last); }

bool vk_quirk_holds(const vk_quirk *q, const vk_quirk_device *d, const vk_caps *caps) {
    bool any_driver = q->drivers[0] == 0,
         this_driver = d->driver_id && (d->driver_id == q->drivers[0] || d->driver_id == q->drivers[1]);
    return (q->vendor_id == 0 || q->vendor_id == d->vendor_id) && is_within(d->device_id, q->device_first, q->device_last) &&
           (any_driver || this_driver) && is_within(d->driver_version, q->version_first, q->version_last) &&
           (q->subgroup_size == 0 || q->subgroup_size == caps->subgroup_size) &&
           (!q->integrated || caps->type == PUM_DEVICE_INTEGRATED) && (!q->no_required_size || caps->subgroup_max == 0);
}

void vk_quirks_apply(const vk_quirk_device *device, vk_caps *caps) {
    for (size_t i = 0; i < vk_n_quirks; i++) {
        if (!vk_quirk_holds(&vk_quirks[i], device, caps)) continue;
        caps->quirks |= 1u << i;
        for (size_t k = 0; k < sizeof vk_quirks[i].clears / sizeof *vk_quirks[i].clears && vk_quirks[i].clears[k]; k++)
            *(bool *)((char *)caps + vk_quirks[i].clears[k]) = false;
        if (vk_quirks[i].registers) caps->registers = vk_quirks[i].registers;
    }
}
