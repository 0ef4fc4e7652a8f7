/* Checks in a child process: a kernel that crashes it, hangs it or loses its device is known by name, and the next one has a new
 * process. */
#ifndef CHECK_APART_H
#define CHECK_APART_H

#include "check/runner.h"

/// The child process, as far as one is running. One thread at a time. It opens the device a second time, so that an open one can
/// be checked.
typedef struct check_apart check_apart;

typedef struct check_apart_params {
    const char *folder;       ///< where compiled pipelines are kept, or NULL; borrowed
    int (*start)(void *user); ///< as in pum_check_service; NULL: the program beside the library
    void (*stop)(void *user);
    void *user;
    double silent_s; ///< a child that says nothing for so long hangs; 0: what suits the device
} check_apart_params;

/// Starts a child. device must outlive it. Errors: PUM_ERR_MEMORY; PUM_ERR_UNSUPPORTED: there is no such program, or it cannot
/// open the device, or it is of another build; the message says which, and the checks have to run here.
pum_status check_apart_create(vk_device *device, const check_apart_params *params, check_apart **apart, pum_error *err);
void check_apart_destroy(check_apart **apart);

/// The child. What happens to it is a verdict; its errors are PUM_ERR_MEMORY, PUM_ERR_DEVICE_MEMORY, PUM_ERR_ABORTED, and
/// PUM_ERR_DEVICE where no further child could be started.
check_runner check_there(check_apart *apart);

#endif
