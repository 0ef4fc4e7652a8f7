/* pum_device: a Vulkan device with its kernels. */
#include "device.h"

#include "ops/ops.h"

#include <stdlib.h>

pum_status pum_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err) {
    return vk_devices(infos, capacity, n_devices, err);
}

pum_status pum_device_open(const char *which, pum_device **device, pum_error *err) {
    *device = NULL;
    pum_device *d = calloc(1, sizeof *d);
    if (!d) return pum_fail_memory(err, "a device", sizeof *d);
    pum_status status = vk_device_open(which, &d->vk, err);
    if (status == PUM_OK) status = op_kernels_create(d->vk, &d->kernels, err);
    if (status != PUM_OK) {
        pum_device_destroy(&d);
        return status;
    }
    *device = d;
    return PUM_OK;
}

void pum_device_destroy(pum_device **device) {
    if (!device || !*device) return;
    op_kernels_destroy(&(*device)->kernels);
    vk_device_close(&(*device)->vk);
    free(*device);
    *device = NULL;
}

void pum_device_get_info(pum_device *device, pum_device_info *info) { vk_device_describe(device->vk, info); }

void pum_device_ignore_results(pum_device *device) { device->vk->unchecked = true; }

pum_status pum_device_measure_peaks(pum_device *device, pum_device_peaks *peaks, pum_error *err) {
    return op_measure_peaks(device->kernels, peaks, err);
}
