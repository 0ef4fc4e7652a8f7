#include "chat/devices.h"

#include "chat/paths.h"

pum_status devices_open(const char *which, pum_device **device, pum_error *err) {
    char folder[PATHS_MAX];
    bool known = paths_of(PATH_CACHE, "", folder, sizeof folder);
    return pum_device_open_with(&(pum_device_params){.which = which, .cache_folder = known ? folder : NULL}, device, err);
}
