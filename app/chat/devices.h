/* Devices as the programs want them: with Pumice's cache folder, and without the drivers that would end the program. */
#ifndef CHAT_DEVICES_H
#define CHAT_DEVICES_H

#include "pumice.h"

/// From now on kernels are checked in that process; NULL: in the program beside the library. To be called before the first device
/// is opened.
void devices_use_check_service(const pum_check_service *service);

/// As pum_drivers_check. The other functions do it by themselves.
pum_status devices_check_drivers(pum_error *err);
/// As pum_devices.
pum_status devices_list(pum_device_info *infos, int capacity, int *n_devices, pum_error *err);
/// As pum_device_open_with, with the cache folder and the check service of this program in place of those in params.
pum_status devices_open(const pum_device_params *params, pum_device **device, pum_error *err);

/// The names of the devices that were opened together, joined by " + ". Returns whether all of them are CPU drivers.
bool devices_names(pum_device *device, char *text, size_t text_bytes);
/// One line that says what of a model is in the computer's memory; false: nothing is.
bool devices_memory_notice(const pum_plan *plan, char *text, size_t text_bytes);

#endif
