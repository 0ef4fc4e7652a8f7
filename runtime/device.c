/* pum_device: a Vulkan device with its kernels. */
#include "device.h"

#include "ops/ops.h"
#include "vk/pipeline_cache.h"

#include <stdlib.h>

pum_status pum_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err) {
    return vk_devices(infos, capacity, n_devices, err);
}

pum_status pum_device_open_with(const pum_device_params *params, pum_device **device, pum_error *err) {
    *device = NULL;
    pum_device_params p = params ? *params : (pum_device_params){0};
    pum_device *d = calloc(1, sizeof *d);
    if (!d) return pum_fail_memory(err, "a device", sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    pum_status status = vk_device_open(p.which, &d->vk, err);
    if (status == PUM_OK && p.cache_folder) vk_pipeline_cache_open(d->vk, p.cache_folder);
    if (status == PUM_OK) status = op_kernels_create(d->vk, &d->kernels, err);
    if (status != PUM_OK) {
        pum_device_destroy(&d);
        return status;
    }
    *device = d;
    return PUM_OK;
}

pum_status pum_device_open(const char *which, pum_device **device, pum_error *err) {
    return pum_device_open_with(&(pum_device_params){.which = which}, device, err);
}

void pum_device_destroy(pum_device **device) {
    if (!device || !*device) return;
    pum_device *d = *device;
    if (d->vk) vk_pipeline_cache_save(d->vk);
    op_kernels_destroy(&d->kernels);
    vk_device_close(&d->vk);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *device = NULL;
}

void device_save(pum_device *device) {
    pthread_mutex_lock(&device->lock);
    vk_pipeline_cache_save(device->vk);
    pthread_mutex_unlock(&device->lock);
}

void pum_device_get_info(pum_device *device, pum_device_info *info) { vk_device_describe(device->vk, info); }

void pum_device_ignore_results(pum_device *device) { device->vk->unchecked = true; }

pum_status pum_device_measure_peaks(pum_device *device, pum_device_peaks *peaks, pum_error *err) {
    return op_measure_peaks(device->kernels, peaks, err);
}
