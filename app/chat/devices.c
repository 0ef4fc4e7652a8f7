#include "chat/devices.h"

#include "chat/paths.h"

pum_status devices_open(const char *which, bool tune, pum_progress_fn progress, void *user, pum_device **device, pum_error *err) {
    char folder[PATHS_MAX];
    bool known = paths_of(PATH_CACHE, "", folder, sizeof folder);
    pum_device_params params = {
        .which = which, .cache_folder = known ? folder : NULL, .tune = tune, .tune_progress = progress, .tune_user = user};
    return pum_device_open_with(&params, device, err);
}
