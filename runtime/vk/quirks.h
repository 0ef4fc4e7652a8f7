/* What drivers are known to say wrongly about their devices. Rows of a table, no branches in code: a kernel that a device cannot
 * run right is found by checking it, so only what must be known before anything runs has a place here. */
#ifndef VK_QUIRKS_H
#define VK_QUIRKS_H

#include "vk/caps.h"

/// A row holds for a device if all of its conditions do; a condition that is 0 always does.
typedef struct vk_quirk {
    uint32_t vendor_id;
    uint32_t device_first, device_last;   ///< of device ids
    uint32_t drivers[2];                  ///< VkDriverId; one of them
    uint32_t version_first, version_last; ///< as the driver packs it: both are within
    uint32_t subgroup_size;               ///< as the driver reports it
    bool integrated;                      ///< a GPU that shares the host's memory
    bool no_required_size;                ///< it cannot promise a pipeline the size of its subgroups
    uint32_t registers;                   ///< in the place of vk_caps.registers; 0: as they are
    size_t clears[4];                     ///< offsets of bools in vk_caps that are not believed; ends with 0
    const char *what;                     ///< is changed, in words
    const char *reason;                   ///< a link or a measurement
} vk_quirk;

extern const vk_quirk vk_quirks[];
extern const size_t vk_n_quirks;

/// What a row is compared with.
typedef struct vk_quirk_device {
    uint32_t vendor_id, device_id, driver_id, driver_version;
} vk_quirk_device;

bool vk_quirk_holds(const vk_quirk *quirk, const vk_quirk_device *device, const vk_caps *caps);
/// Changes the capabilities by all rows that hold, and notes them in caps->quirks. May be called again as more becomes known.
void vk_quirks_apply(const vk_quirk_device *device, vk_caps *caps);

#endif
