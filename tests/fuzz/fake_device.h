/* A device without a driver, for targets that need its capabilities or its memory: calls that nobody should make are not there.
 */
#ifndef FUZZ_FAKE_DEVICE_H
#define FUZZ_FAKE_DEVICE_H

#include "vk/device.h"

/// A device of the least that Pumice runs on, with nothing but host memory, of which a pool's blocks are pieces of just their
/// size. It has no queue. One per process; do not close it.
vk_device *fake_device(void);

#endif
