/* What the other files of the library see of an opened device. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "ops/variants.h"

struct pum_device {
    vk_device *vk;
    op_kernels *kernels;
};

#endif
