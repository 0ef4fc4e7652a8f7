/* What the other files of the library see of an opened device. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "check/apart.h"
#include "check/tune.h"

struct pum_device {
    vk_device *vk;
    op_kernels *kernels;
    pthread_mutex_t lock; ///< of the table
    check_table *table;   ///< what is known of its kernels
    char *folder;         ///< of caches, or NULL
    char *table_path;     ///< or NULL
    pum_device_params params;
};

/// At the first use, if it was opened for that: checks and times the kernels that a model needs. Errors: PUM_ERR_ABORTED;
/// PUM_ERR_UNSUPPORTED: an op of the model has no kernel that is right. Whatever else fails leaves the table's order. Any thread.
pum_status device_tune(pum_device *device, const check_needs *needs, pum_error *err);

/// Whether every op that is needed has a kernel that was checked and is right. Any thread.
bool device_is_checked(pum_device *device, const check_needs *needs);

/// Who checks its kernels: a child process, or this one where there can be none, which the log says.
typedef struct device_checks {
    check_apart *apart;
    checker *here;
    check_runner runner;
} device_checks;
pum_status device_checks_begin(pum_device *device, device_checks *checks, pum_error *err);
void device_checks_end(device_checks *checks);

#endif
