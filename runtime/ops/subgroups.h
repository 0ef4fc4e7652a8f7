/* Whether subgroups are what the driver says. */
#ifndef OPS_SUBGROUPS_H
#define OPS_SUBGROUPS_H

#include "ops/shader_table.h"
#include "vk/device.h"

/// What each invocation of a workgroup has seen: [n_invocations] of its subgroup, its place there, their size, their number.
typedef struct op_subgroup_place {
    uint32_t subgroup, place, size, n_subgroups;
} op_subgroup_place;

/// Whether a workgroup was cut into full subgroups of a size.
bool op_subgroups_are(const op_subgroup_place *seen, uint32_t n_invocations, uint32_t size);

/// Runs a small kernel that looks, and strikes subgroups from the device's capabilities where it saw others than the driver
/// reports: kernels that count on a size compute nonsense with another. Once for a device. variant: the kernel that looks, or
/// NULL where there is none. Where nothing comes back (no memory, a lost device) everything stays as it is, for the next
/// submission to report. Nothing is run on a device whose results nobody looks at.
void op_subgroups_verify(vk_device *device, const shader_variant *variant);

#endif
