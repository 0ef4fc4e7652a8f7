/* pum_device: a Vulkan device with its kernels. */
#include "device.h"

#include "base/log.h"
#include "ops/ops.h"
#include "vk/pipeline_cache.h"

#include <stdlib.h>
#include <string.h>

pum_status pum_devices(pum_device_info *infos, int capacity, int *n_devices, pum_error *err) {
    return vk_devices(infos, capacity, n_devices, err);
}

static pum_status open_one(const pum_device_params *params, pum_device **device, pum_error *err) {
    *device = NULL;
    pum_device_params p = *params;
    pum_device *d = calloc(1, sizeof *d);
    if (!d) return pum_fail_memory(err, "a device", sizeof *d);
    d->first = d;
    pthread_mutex_init(&d->lock, NULL);
    pthread_mutex_init(&d->parts_lock, NULL);
    pthread_rwlock_init(&d->in_use, NULL);
    pum_status status = vk_device_open(p.which, &d->vk, err);
    if (status == PUM_OK) d->vk->unchecked = p.ignore_results;
    if (status == PUM_OK && p.cache_folder) vk_pipeline_cache_open(d->vk, p.cache_folder);
    if (status == PUM_OK) status = op_kernels_create(d->vk, &d->kernels, err);
    if (status == PUM_OK) status = check_table_create(&d->table, err);
    if (status == PUM_OK && p.cache_folder) d->folder = strdup(p.cache_folder);
    if (status == PUM_OK && p.cache_folder) d->table_path = check_table_file(d->vk, p.cache_folder);
    if (d->table_path && check_table_read(d->table, d->vk, d->table_path)) check_table_apply(d->table, d->kernels, p.tune);
    d->params = p;
    d->params.which = d->params.devices = d->params.cache_folder = NULL; // borrowed
    d->params.check_service = NULL;
    if (p.check_service) d->service = *p.check_service;
    if (status != PUM_OK) {
        pum_device_destroy(&d);
        return status;
    }
    *device = d;
    return PUM_OK;
}

/* The devices of a list, chained in its order. */
static pum_status open_list(const pum_device_params *params, pum_device **device, pum_error *err) {
    pum_device *first = NULL, **last = &first;
    pum_status status = PUM_OK;
    int n = 0;
    for (const char *at = params->devices; at && status == PUM_OK; n++) {
        char which[256];
        size_t n_bytes = strcspn(at, ",");
        if (n == PUM_MAX_DEVICES || n_bytes >= sizeof which) {
            status = pum_fail(err, PUM_ERR_ARGUMENT, "devices: expected at most %d of them, got \"%.200s\"", PUM_MAX_DEVICES,
                              params->devices);
            break;
        }
        memcpy(which, at, n_bytes);
        which[n_bytes] = 0;
        pum_device_params one = *params;
        one.which = which;
        status = open_one(&one, last, err);
        for (const pum_device *d = first; status == PUM_OK && d != *last; d = d->next)
            if (vk_device_same(d->vk, (*last)->vk))
                status = pum_fail(err, PUM_ERR_ARGUMENT, "devices: expected different ones, got %s twice in \"%.200s\"",
                                  d->vk->caps.name, params->devices);
        if (*last) {
            (*last)->first = first;
            last = &(*last)->next;
        }
        at = at[n_bytes] ? at + n_bytes + 1 : NULL;
    }
    if (status != PUM_OK) pum_device_destroy(&first);
    *device = first;
    return status;
}

pum_status pum_device_open_with(const pum_device_params *params, pum_device **device, pum_error *err) {
    const pum_device_params p = params ? *params : (pum_device_params){0};
    return p.devices ? open_list(&p, device, err) : open_one(&p, device, err);
}

pum_status pum_device_open(const char *which, pum_device **device, pum_error *err) {
    return pum_device_open_with(&(pum_device_params){.which = which}, device, err);
}

void pum_device_destroy(pum_device **device) {
    if (!device || !*device) return;
    pum_device *d = *device;
    pum_device_destroy(&d->next);
    op_kernels_destroy(&d->kernels);
    check_table_destroy(&d->table);
    free(d->table_path);
    free(d->folder);
    if (d->vk) vk_pipeline_cache_save(d->vk);
    vk_device_close(&d->vk);
    pthread_rwlock_destroy(&d->in_use);
    pthread_mutex_destroy(&d->parts_lock);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *device = NULL;
}

/* ---- checking and timing its kernels */

pum_status device_checks_begin(pum_device *d, double silent_s, device_checks *checks, pum_error *err) {
    pum_error error;
    *checks = (device_checks){0};
    check_apart_params params = {
        .folder = d->folder, .start = d->service.start, .stop = d->service.stop, .user = d->service.user, .silent_s = silent_s};
    pum_status status = check_apart_create(d->vk, &params, &checks->apart, &error);
    if (status == PUM_OK) checks->runner = check_there(checks->apart);
    if (status == PUM_OK) return status;
    if (status != PUM_ERR_UNSUPPORTED) return pum_fail(err, status, "%s", error.message);
    base_log(PUM_LOG_INFO, "kernels are checked in this process, which a bad one can take down: %s", error.message);
    if ((status = checker_create(d->vk, &checks->here, err)) == PUM_OK) checks->runner = check_here(checks->here);
    return status;
}

void device_checks_end(device_checks *checks) {
    check_apart_destroy(&checks->apart);
    checker_destroy(&checks->here);
}

static pum_status tune(pum_device *d, const check_needs *needs, pum_error *err) {
    static const double most_s = 8, most_s_cpu = 40;
    device_checks checks;
    pum_status status = device_checks_begin(d, 0, &checks, err);
    if (status != PUM_OK) return status;
    check_tune_params params = {
        .needs = needs,
        .n_repeats = 50,
        .most_s = d->vk->caps.type == PUM_DEVICE_CPU ? most_s_cpu : most_s,
        .progress = d->params.tune_progress,
        .user = d->params.tune_user,
    };
    status = check_tune(&checks.runner, &params, d->table, err);
    check_table_apply(d->table, d->kernels, true);
    if (d->table_path) check_table_write(d->table, d->vk, d->table_path); // of one that was stopped as far as it came
    bool apart = checks.apart;
    device_checks_end(&checks);
    // What the child has compiled need not be compiled again. Nobody makes kernels now: who would waits for the lock.
    if (apart && d->folder && op_kernels_count(d->kernels) == 0) vk_pipeline_cache_open(d->vk, d->folder);
    return status;
}

/* A model must not answer gibberish: what is known to be wrong is not used, even where there is nothing else. */
static pum_status refuse_unserved(pum_device *d, const check_needs *needs, pum_error *err) {
    check_job *jobs;
    size_t n_jobs;
    pum_status status = check_jobs(&jobs, &n_jobs, err);
    for (size_t i = 0; i < n_jobs && status == PUM_OK; i++)
        if (check_needed(needs, &jobs[i]) && !check_job_is_served(&jobs[i], d->kernels))
            status = pum_fail(err, PUM_ERR_UNSUPPORTED,
                              "%s: none of the kernels for %s is right on this device; update its driver, or choose another with "
                              "--device (`pumice doctor` shows what is wrong)",
                              d->vk->caps.name, jobs[i].op);
    free(jobs);
    return status;
}

pum_status device_tune(pum_device *d, const check_needs *needs, pum_error *err) {
    if (d->vk->unchecked) return PUM_OK;
    pum_error error;
    pum_status status = PUM_OK;
    pthread_mutex_lock(&d->lock);
    if (d->params.tune && check_tune_wanted(d->table, &d->vk->caps, needs)) status = tune(d, needs, &error);
    pthread_mutex_unlock(&d->lock);
    if (status == PUM_ERR_ABORTED) return pum_fail(err, status, "%s", error.message);
    if (status != PUM_OK) base_log(PUM_LOG_WARNING, "not all kernels are checked: %s", error.message);
    return refuse_unserved(d, needs, err);
}

bool device_is_checked(pum_device *d, const check_needs *needs) {
    check_job *jobs;
    size_t n_jobs;
    bool all = check_jobs(&jobs, &n_jobs, NULL) == PUM_OK;
    if (!all) return false;
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < n_jobs && all; i++) {
        if (!check_needed(needs, &jobs[i])) continue;
        const shader_variant *v = op_variant_choose(d->kernels, jobs[i].op, jobs[i].size, NULL, NULL);
        all = v && check_table_at(d->table, v, jobs[i].size)->verdict == PUM_VERDICT_OK;
    }
    pthread_mutex_unlock(&d->lock);
    free(jobs);
    return all;
}

typedef struct reading {
    op_kernels *kernels;
    double *device_gb_per_s, *host_gb_per_s;
} reading;

static pum_status measure_reads(void *argument, pum_error *err) {
    reading *r = argument;
    return op_measure_reads(r->kernels, r->device_gb_per_s, r->host_gb_per_s, err);
}

void device_measure_reads(pum_device *d) {
    double device_gb_per_s = 0, host_gb_per_s = 0;
    pum_error error;
    pthread_mutex_lock(&d->lock);
    bool known = d->reads_known || d->vk->unchecked;
    d->reads_known = true;
    pthread_mutex_unlock(&d->lock);
    if (known) return;
    reading r = {d->kernels, &device_gb_per_s, &host_gb_per_s};
    if (device_do(d, measure_reads, &r, &error) != PUM_OK)
        base_log(PUM_LOG_WARNING, "how fast memory is read is not known: %s", error.message);
    pthread_mutex_lock(&d->lock);
    d->device_gb_per_s = device_gb_per_s;
    d->host_gb_per_s = host_gb_per_s;
    pthread_mutex_unlock(&d->lock);
}

/* ---- several */

int pum_device_n_parts(const pum_device *device) {
    int n = 0;
    for (; device; device = device->next) n++;
    return n;
}

pum_device *pum_device_part(pum_device *device, int index) {
    while (device && index-- > 0) device = device->next;
    return device;
}

void pum_device_get_info(pum_device *device, pum_device_info *info) {
    device_hold(device);
    vk_device_describe(device->vk, info);
    device_release(device);
}

typedef struct measuring {
    op_kernels *kernels;
    pum_device_peaks *peaks;
} measuring;

static pum_status measure_peaks(void *argument, pum_error *err) {
    measuring *m = argument;
    return op_measure_peaks(m->kernels, m->peaks, err);
}

pum_status pum_device_measure_peaks(pum_device *device, pum_device_peaks *peaks, pum_error *err) {
    return device_do(device, measure_peaks, &(measuring){device->kernels, peaks}, err);
}
