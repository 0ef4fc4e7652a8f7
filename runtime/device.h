/* What the other files of the library see of an opened device. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "check/tune.h"

struct pum_device {
    vk_device *vk;
    op_kernels *kernels;
    pthread_mutex_t lock; ///< of the table
    check_table *table;   ///< what is known of its kernels
    char *table_path;     ///< or NULL
    pum_device_params params;
};

/// At the first use, if it was opened for that: checks and times the kernels that a model needs. Nothing here is a failure but an
/// abort: then the table's order stays. Any thread.
pum_status device_tune(pum_device *device, const check_needs *needs, pum_error *err);

#endif
