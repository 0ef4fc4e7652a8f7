/* Under Windows drivers are in the registry and among what describes each device: none that this could leave out. */
#include "vk/drivers.h"

pum_status vk_drivers_find(vk_drivers *found, pum_error *err) {
    (void)err;
    *found = (vk_drivers){0};
    return PUM_OK;
}

void vk_drivers_free(vk_drivers *drivers) { *drivers = (vk_drivers){0}; }

bool vk_drivers_use(const char *manifests) {
    (void)manifests;
    return false;
}

bool vk_drivers_without_layers(void) { return false; }
