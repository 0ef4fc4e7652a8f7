/* What the other files of the library see of an opened device. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "ops/variants.h"

struct pum_device {
    vk_device *vk;
    op_kernels *kernels;
    pthread_mutex_t lock; ///< of what is kept in files
};

/// Keeps what has been compiled for the next time. Any thread.
void device_save(pum_device *device);

#endif
