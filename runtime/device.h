/* What the other files of the library see of an opened device. */
#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "check/apart.h"
#include "check/tune.h"

/// What stands on a device and goes with it when it is lost: weights, contexts. Its owner makes it anew when it needs it again.
typedef struct device_part {
    struct device_part *next, **at; ///< at: NULL while it is in no list
    void (*drop)(void *owner);      ///< destroys it; called while nobody uses the device
    void *owner;
} device_part;

struct pum_device {
    vk_device *vk;
    op_kernels *kernels;
    pthread_mutex_t lock; ///< of the table
    check_table *table;   ///< what is known of its kernels
    char *folder;         ///< of caches, or NULL
    char *table_path;     ///< or NULL
    pum_device_params params;
    pum_check_service service; ///< of params
    pum_device *next;          ///< the one that was opened together with it and stands behind it in the list, or NULL
    pum_device *first;         ///< of those: they are used, lost and rebuilt together, and what follows is the first one's
    pthread_rwlock_t in_use;   ///< shared by whoever uses it, exclusive while it is rebuilt
    pthread_mutex_t parts_lock;
    device_part *parts;                            ///< the newest first: contexts before the weights that they read
    bool reads_known;                              ///< under `lock`: whether these were measured
    _Atomic double device_gb_per_s, host_gb_per_s; ///< how fast it reads its own memory and the host's; 0: not known
};

/// Measures once how fast it reads. What cannot be measured stays unknown. Any thread.
void device_measure_reads(pum_device *device);

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
/// silent_s: as in check_apart_params.
pum_status device_checks_begin(pum_device *device, double silent_s, device_checks *checks, pum_error *err);
void device_checks_end(device_checks *checks);

/* ---- using a device that may be lost: recovery.c */

/// Begins to use a device; one that is lost is rebuilt first: every part is dropped, the GPU opened again. Several threads may be
/// in at once. Errors: those of vk_device_reopen; nothing has begun then.
pum_status device_enter(pum_device *device, pum_error *err);
/// The same without rebuilding, to look at it or to destroy what is on it.
void device_hold(pum_device *device);
void device_release(pum_device *device);
/// Ends what device_enter began. status: of what was done. Returns whether that failed because the device is lost, so that it may
/// be done again after another device_enter.
bool device_leave(pum_device *device, pum_status status);
/// How often something is done again behind a lost device before its failure counts.
enum { DEVICE_MOST_LOST = 3 };
/// The sentence for that; err holds the last failure's.
pum_status device_fail_lost(const pum_device *device, pum_error *err);

/// All of that around work that can be done again from its beginning.
pum_status device_do(pum_device *device, pum_status (*work)(void *argument, pum_error *err), void *argument, pum_error *err);

/// While the device is in use. owner's drop is called before the device is rebuilt, unless device_remove came first.
void device_add(pum_device *device, device_part *part, void (*drop)(void *owner), void *owner);
void device_remove(pum_device *device, device_part *part);

#endif
