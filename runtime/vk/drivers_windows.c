/* Under Windows drivers are named in the registry and by what describes each device: there is none that this could leave out. */
#include "vk/drivers.h"

#include <stdlib.h>

pum_status vk_drivers_find(vk_drivers *found, pum_error *err) {
    (void)err;
    *found = (vk_drivers){.unlisted = true};
    return PUM_OK;
}

void vk_drivers_free(vk_drivers *drivers) { *drivers = (vk_drivers){0}; }

bool vk_drivers_use(const char *manifests) {
    (void)manifests;
    return false;
}

bool vk_drivers_without_layers(void) { return _putenv_s("VK_LOADER_LAYERS_DISABLE", "~implicit~") == 0; }
