/* The drivers that the Vulkan loader finds by files, their manifests. */
#ifndef VK_DRIVERS_H
#define VK_DRIVERS_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct vk_drivers {
    char **manifests; ///< [n], paths in order of their bytes
    int n;
    bool unlisted; ///< the loader finds them in other ways: there may be any (Windows)
    uint64_t hash; ///< another as soon as one of the manifests is another file, or one of the implicit layers'
} vk_drivers;

/// Those that the loader would load now. To be freed with vk_drivers_free, whatever is returned. Errors: PUM_ERR_MEMORY.
pum_status vk_drivers_find(vk_drivers *found, pum_error *err);
void vk_drivers_free(vk_drivers *drivers);

/// The loader of this process loads these alone, if it is told before the instance is made: sets environment variables, which no
/// other thread may read meanwhile. manifests: paths with colons between. Returns whether that was possible.
bool vk_drivers_use(const char *manifests);
/// The same for implicit layers, which are loaded into every program: none is.
bool vk_drivers_without_layers(void);

#endif
