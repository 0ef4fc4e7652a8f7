/* A device that is lost is rebuilt: who wants to use it next drops everything that stood on it, opens the GPU again and goes on;
 * weights and contexts are made anew by their owners when they need them. A lost device tells every thread so at its next call,
 * so that all of them come out soon. Devices that were opened together have models on all of them: when one is lost, what stands
 * on any of them goes, and those that are lost are rebuilt. */
#include "base/clock.h"
#include "base/log.h"
#include "device.h"
#include "vk/pipeline_cache.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* How many devices this thread is in: from within (a callback of its own) it cannot wait for itself to leave. */
static _Thread_local int n_entered;
/* Devices are rebuilt one at a time, because a part may stand on several. */
static pthread_mutex_t rebuilding = PTHREAD_MUTEX_INITIALIZER;

/* Whether one of those that were opened together is lost. */
static bool is_lost(const pum_device *d) {
    for (d = d->first; d; d = d->next)
        if (atomic_load(&d->vk->lost)) return true;
    return false;
}

/* ---- parts */

void device_add(pum_device *d, device_part *part, void (*drop)(void *owner), void *owner) {
    d = d->first;
    pthread_mutex_lock(&d->parts_lock);
    *part = (device_part){.next = d->parts, .at = &d->parts, .drop = drop, .owner = owner};
    if (d->parts) d->parts->at = &part->next;
    d->parts = part;
    pthread_mutex_unlock(&d->parts_lock);
}

void device_remove(pum_device *d, device_part *part) {
    d = d->first;
    pthread_mutex_lock(&d->parts_lock);
    if (part->at) {
        *part->at = part->next;
        if (part->next) part->next->at = part->at;
        part->at = NULL;
    }
    pthread_mutex_unlock(&d->parts_lock);
}

static void drop_parts(pum_device *d) {
    while (d->parts) {
        device_part *part = d->parts;
        device_remove(d, part);
        part->drop(part->owner);
    }
}

/* ---- rebuilding */

/* A GPU that is being reset refuses for a while. */
static pum_status reopen(pum_device *d, pum_error *err) {
    static const long waits_ms[] = {0, 100, 1000};
    pum_status status = PUM_OK;
    for (size_t i = 0; i < sizeof waits_ms / sizeof *waits_ms; i++) {
        nanosleep(&(struct timespec){waits_ms[i] / 1000, waits_ms[i] % 1000 * 1000000}, NULL);
        status = vk_device_reopen(d->vk, err);
        if (status != PUM_ERR_DEVICE_LOST && status != PUM_ERR_DEVICE) return status;
    }
    pum_error last = {.message = ""};
    if (err) last = *err;
    return pum_fail(
        err, PUM_ERR_NO_DEVICE,
        "%s: the device was lost and cannot be opened again; connect it again, or choose another with --device. %.700s",
        d->vk->caps.name, last.message);
}

static pum_status rebuild(pum_device *d, pum_error *err) {
    uint64_t begin = clock_now_ns();
    op_kernels_forget(d->kernels);
    pum_status status = reopen(d, err);
    if (status != PUM_OK) return status;
    vk_pipeline_cache_reopen(d->vk);
    base_log(PUM_LOG_WARNING,
             "%s: the device was lost and has been rebuilt in %.1f s; the model is loaded again, and the text goes on",
             d->vk->caps.name, (double)(clock_now_ns() - begin) / 1e9);
    return PUM_OK;
}

static pum_status rebuild_lost(pum_device *d, pum_error *err) {
    pum_status status = PUM_OK;
    drop_parts(d);
    for (; d && status == PUM_OK; d = d->next)
        if (atomic_load(&d->vk->lost)) status = rebuild(d, err);
    return status;
}

pum_status device_enter(pum_device *d, pum_error *err) {
    d = d->first;
    for (;;) {
        pthread_rwlock_rdlock(&d->in_use);
        n_entered++;
        if (!is_lost(d)) return PUM_OK;
        device_release(d);
        if (n_entered > 0)
            return pum_fail(err, PUM_ERR_DEVICE_LOST,
                            "%s: the device is lost, and cannot be rebuilt from within a callback; try again after it",
                            d->vk->caps.name);
        pthread_mutex_lock(&rebuilding);
        pthread_rwlock_wrlock(&d->in_use);
        pum_status status = is_lost(d) ? rebuild_lost(d, err) : PUM_OK;
        pthread_rwlock_unlock(&d->in_use);
        pthread_mutex_unlock(&rebuilding);
        if (status != PUM_OK) return status;
    }
}

void device_hold(pum_device *d) {
    pthread_rwlock_rdlock(&d->first->in_use);
    n_entered++;
}

void device_release(pum_device *d) {
    n_entered--;
    pthread_rwlock_unlock(&d->first->in_use);
}

bool device_leave(pum_device *d, pum_status status) {
    // The one that is lost says so itself, mostly; else it may be any of them.
    bool unknown = status == PUM_ERR_DEVICE_LOST && !is_lost(d);
    for (pum_device *one = d->first; unknown && one; one = one->next) atomic_store(&one->vk->lost, true);
    bool lost = is_lost(d);
    device_release(d);
    return status != PUM_OK && status != PUM_ERR_ABORTED && lost && n_entered == 0;
}

pum_status device_fail_lost(const pum_device *d, pum_error *err) {
    pum_error last = {.message = ""};
    if (err) last = *err;
    return pum_fail(err, PUM_ERR_DEVICE_LOST,
                    "%s: the device was lost %d times in a row and nothing got done in between; choose another --device, or "
                    "update its driver. The last time: %.700s",
                    d->vk->caps.name, DEVICE_MOST_LOST + 1, last.message);
}

pum_status device_do(pum_device *d, pum_status (*work)(void *argument, pum_error *err), void *argument, pum_error *err) {
    for (int n_lost = 0;; n_lost++) {
        pum_status status = device_enter(d, err);
        if (status != PUM_OK) return status;
        status = work(argument, err);
        if (!device_leave(d, status)) return status;
        if (n_lost == DEVICE_MOST_LOST) return device_fail_lost(d, err);
    }
}
