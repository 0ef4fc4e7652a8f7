/* A mark, in $XDG_STATE_HOME/pumice/device-in-use, that a device is being opened or computes its first token: where drivers
 * crash, and take the program, or the whole machine, with them. A mark that is found at the start says which device it was.
 *
 * Where one is found the window opens on the CPU driver ("safe mode") and says so, with the device's name. The mark is gone by
 * then: that a device is not tried again until the person chooses it is the window's to keep, in the settings. */
#ifndef CHAT_CRASH_MARK_H
#define CHAT_CRASH_MARK_H

#include "pumice.h"

/// One thread at a time.
typedef struct crash_mark crash_mark;

enum { CRASH_MARK_DEVICE_BYTES = 256 };

/// Takes away the mark of a Pumice that ended without clearing it. To be called once, before a device is opened.
/// device   [CRASH_MARK_DEVICE_BYTES], receives the name that was set; "" where it had not been written yet.
/// Returns whether there was one. The mark of a Pumice that still runs is no crash, and stays.
bool crash_mark_take(char *device);

/// Sets the mark, on the disk before this returns; with a mark in *mark that one gets the new name. *mark is NULL with PUM_OK
/// where another Pumice holds the mark: only one can. device   what is shown to the person. Errors: PUM_ERR_IO, PUM_ERR_MEMORY.
/// To go on without it is fine.
pum_status crash_mark_set(crash_mark **mark, const char *device, pum_error *err);

/// Takes it away: the first token is there, or the program ends in order. NULL is fine.
void crash_mark_clear(crash_mark **mark);

#endif
