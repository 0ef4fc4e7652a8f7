/* Opening a device as the programs do: with Pumice's cache folder. */
#ifndef CHAT_DEVICES_H
#define CHAT_DEVICES_H

#include "pumice.h"

/// which: as pum_device_open, and so are the errors. tune: whether kernels are timed at the device's first use; progress, which
/// may be NULL, is told of that.
pum_status devices_open(const char *which, bool tune, pum_progress_fn progress, void *user, pum_device **device, pum_error *err);

#endif
