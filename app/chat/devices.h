/* Opening a device as the programs do: with Pumice's cache folder. */
#ifndef CHAT_DEVICES_H
#define CHAT_DEVICES_H

#include "pumice.h"

/// which: as pum_device_open, and so are the errors.
pum_status devices_open(const char *which, pum_device **device, pum_error *err);

#endif
