#include "chat/devices.h"

#include "chat/paths.h"

#include <stdio.h>

static const pum_check_service *check_service;

void devices_use_check_service(const pum_check_service *service) { check_service = service; }

pum_status devices_check_drivers(pum_error *err) {
    char folder[PATHS_MAX];
    return pum_drivers_check(paths_of(PATH_CACHE, "", folder, sizeof folder) ? folder : NULL, err);
}

pum_status devices_list(pum_device_info *infos, int capacity, int *n_devices, pum_error *err) {
    pum_status status = devices_check_drivers(err);
    *n_devices = 0;
    return status == PUM_OK ? pum_devices(infos, capacity, n_devices, err) : status;
}

pum_status devices_open(const pum_device_params *wanted, pum_device **device, pum_error *err) {
    char folder[PATHS_MAX];
    pum_status status = devices_check_drivers(err);
    if (status != PUM_OK) return status;
    pum_device_params params = *wanted;
    params.cache_folder = paths_of(PATH_CACHE, "", folder, sizeof folder) ? folder : NULL;
    params.check_service = check_service;
    return pum_device_open_with(&params, device, err);
}

bool devices_names(pum_device *device, char *text, size_t text_bytes) {
    bool all_cpu = true;
    size_t used = 0;
    text[0] = 0;
    for (int i = 0; i < pum_device_n_parts(device); i++) {
        pum_device_info info;
        pum_device_get_info(pum_device_part(device, i), &info);
        all_cpu = all_cpu && info.type == PUM_DEVICE_CPU;
        if (used < text_bytes) used += (size_t)snprintf(text + used, text_bytes - used, "%s%s", i ? " + " : "", info.name);
    }
    return all_cpu;
}

bool devices_memory_notice(const pum_plan *plan, char *text, size_t text_bytes) {
    if (plan->host_bytes == 0 && plan->n_layers_in_host == 0) return false;
    char much[80] = "tokens/s will be lower";
    if (plan->slowdown > 1.05) snprintf(much, sizeof much, "a token takes about %.1f times as long", plan->slowdown);
    if (plan->slowdown > 0 && plan->slowdown <= 1.05) snprintf(much, sizeof much, "the device reads it as fast as its own");
    char what[80] = "the embedding is";
    if (plan->n_layers_in_host > 0)
        snprintf(what, sizeof what, "%d of %d layers, whole or in part, are", plan->n_layers_in_host, plan->n_layers);
    uint64_t all = plan->host_bytes + plan->device_bytes;
    bool giga = all >= 1000000000;
    double unit = giga ? 1e9 : 1e6;
    snprintf(text, text_bytes, "%s in the computer's memory (%.2f of %.2f %s): %s", what, (double)plan->host_bytes / unit,
             (double)all / unit, giga ? "GB" : "MB", much);
    return true;
}
