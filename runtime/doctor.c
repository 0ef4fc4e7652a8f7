/* pum_device_check: what `pumice doctor` shows. */
#include "device.h"

#include "base/log.h"
#include "ops/layout.h"
#include "vk/quirks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Somebody asked to know: a driver on the CPU whose compiler is slow is not called hung as soon as at a start. LLVM 15 with
 * vectors of 512 bits takes 100 s for some kernels. */
enum { QUICK_REPEATS = 3, FULL_REPEATS = 50, QUICK_CASES = 2, SILENT_S_CPU = 200 };

static bool serves_at(const shader_variant *v, const check_job *job) { return op_variant_serves(v, job->op); }

static size_t count_rows(const check_job *jobs, size_t n_jobs) {
    size_t n = 0;
    for (size_t i = 0; i < n_jobs; i++)
        for (size_t k = 0; k < n_shader_variants; k++) n += serves_at(&shader_variants[k], &jobs[i]);
    return n;
}

/* chosen: the one that serves the job, or NULL. */
static void explain(pum_device *d, const check_job *job, const shader_variant *v, const shader_variant *chosen,
                    pum_variant_report *row) {
    const vk_caps *caps = &d->vk->caps;
    const char *meaning, *wished, *word = op_need_unmet(caps, v->needs, false, &meaning);
    const char *wish = op_need_unmet(caps, v->needs, true, &wished);
    double best_us = chosen ? check_table_at(d->table, chosen, job->size)->time_us : 0;
    size_t n = sizeof row->why;
    if (word)
        snprintf(row->why, n, "needs %s: %s", word, meaning);
    else if (check_is_bad(row->verdict))
        snprintf(row->why, n, "left out: %.200s", row->message);
    else if (v == chosen && row->time_us > 0)
        snprintf(row->why, n, "chosen: the fastest of those that were timed");
    else if (v == chosen)
        snprintf(row->why, n, "chosen: the first whose needs the device meets");
    else if (row->time_us > 0 && best_us > 0)
        snprintf(row->why, n, "slower: %.0f us, %s takes %.0f", row->time_us, chosen->name, best_us);
    else if (wish)
        snprintf(row->why, n, "only where it measures best: the device lacks %s (%s)", wish, wished);
    else
        snprintf(row->why, n, "not timed: %s comes first", chosen ? chosen->name : "none");
}

static pum_variant_report describe(pum_device *d, const check_job *job, const shader_variant *v, const shader_variant *chosen) {
    const check_result *r = check_table_at(d->table, v, job->size);
    pum_variant_report row = {
        .variant = v->name,
        .tokens = check_size_name(job->size),
        .verdict = op_needs_met(&d->vk->caps, v->needs) ? r->verdict : PUM_VERDICT_UNSUPPORTED,
        .max_error_ratio = r->max_error_ratio,
        .time_us = r->time_us,
        .mean_kl = r->mean_kl,
        .chosen = v == chosen,
    };
    snprintf(row.op, sizeof row.op, "%s", job->op);
    snprintf(row.message, sizeof row.message, "%s", r->message);
    explain(d, job, v, chosen, &row);
    return row;
}

/* Every variant of every job, and the verdict that follows. */
static void fill(pum_device *d, const check_job *jobs, size_t n_jobs, pum_device_report *report) {
    for (size_t i = 0; i < n_jobs; i++) {
        const shader_variant *chosen = op_variant_choose(d->kernels, jobs[i].op, jobs[i].size, NULL, NULL);
        for (size_t k = 0; k < n_shader_variants; k++) {
            if (!serves_at(&shader_variants[k], &jobs[i])) continue;
            pum_variant_report row = describe(d, &jobs[i], &shader_variants[k], chosen);
            if (check_is_bad(row.verdict) && report->verdict == PUM_DEVICE_OK) report->verdict = PUM_DEVICE_PARTLY;
            report->variants[report->n_variants++] = row;
        }
        if (check_job_is_served(&jobs[i], d->kernels)) continue;
        report->verdict = PUM_DEVICE_UNUSABLE;
        snprintf(report->unserved, sizeof report->unserved, "%s", jobs[i].op);
    }
    for (size_t i = 0; i < vk_n_quirks; i++)
        if (d->vk->caps.quirks >> i & 1) report->quirks[report->n_quirks++] = (pum_quirk){vk_quirks[i].what, vk_quirks[i].reason};
}

static pum_status check_all(pum_device *d, const pum_device_check_params *p, const check_needs *needs, pum_device_report *report,
                            pum_error *err) {
    device_checks checks;
    pum_status status = device_checks_begin(d, d->vk->caps.type == PUM_DEVICE_CPU ? SILENT_S_CPU : 0, &checks, err);
    if (status != PUM_OK) return status;
    check_tune_params params = {.needs = needs,
                                .n_repeats = p->full ? FULL_REPEATS : QUICK_REPEATS,
                                .n_cases = p->full ? 0 : QUICK_CASES,
                                .progress = p->progress,
                                .user = p->user};
    status = check_tune(&checks.runner, &params, d->table, err);
    pum_error error;
    if (status == PUM_OK &&
        check_model(&checks.runner, d->kernels, d->table, needs, &report->mean_kl, &report->mean_kl_limit, &error) != PUM_OK) {
        base_log(PUM_LOG_WARNING, "no tiny model can run: %s", error.message);
        report->mean_kl = NAN;
    }
    device_checks_end(&checks);
    check_table_apply(d->table, d->kernels, true);
    if (d->table_path) check_table_write(d->table, d->vk, d->table_path); // of one that was stopped as far as it came
    return status;
}

/* The jobs of one type of weights and of no type, or all; what is known of them is forgotten. */
static pum_status choose_jobs(pum_device *d, const char *type, check_needs *needs, check_job **jobs, size_t *n_jobs,
                              pum_error *err) {
    const tensor_type_info *info = type ? tensor_type_by_name(type) : NULL;
    if (type && (!info || !op_layout_supports(info->type)))
        return pum_fail(err, PUM_ERR_ARGUMENT, "type: expected a tensor type that the device can use, such as Q4_0, got \"%s\"",
                        type);
    uint64_t of_type = info ? (uint64_t)1 << info->type : UINT64_MAX;
    *needs = (check_needs){of_type, of_type, of_type};
    pum_status status = check_jobs(jobs, n_jobs, err);
    size_t n = 0;
    for (size_t i = 0; i < *n_jobs && status == PUM_OK; i++) {
        if (!check_needed(needs, &(*jobs)[i])) continue;
        (*jobs)[n++] = (*jobs)[i];
        check_table_forget(d->table, &(*jobs)[i]);
    }
    *n_jobs = n;
    return status;
}

static pum_status check(pum_device *d, const pum_device_check_params *p, pum_device_report *r, pum_error *err) {
    check_job *jobs = NULL;
    size_t n_jobs = 0;
    check_needs needs;
    pum_status status = choose_jobs(d, p->type, &needs, &jobs, &n_jobs, err);
    size_t n = count_rows(jobs, n_jobs);
    r->variants = calloc(n + 1, sizeof *r->variants);
    if (status == PUM_OK && !r->variants) status = pum_fail_memory(err, "a report", n * sizeof *r->variants);
    if (status == PUM_OK) status = check_all(d, p, &needs, r, err);
    if (status == PUM_OK) fill(d, jobs, n_jobs, r);
    if (status == PUM_OK && !(r->mean_kl <= r->mean_kl_limit)) r->verdict = PUM_DEVICE_UNUSABLE;
    free(jobs);
    return status;
}

pum_status pum_device_check(pum_device *device, const pum_device_check_params *params, pum_device_report **report,
                            pum_error *err) {
    pum_device_check_params p = params ? *params : (pum_device_check_params){0};
    pum_device_report *r = *report = calloc(1, sizeof *r);
    if (!r) return pum_fail_memory(err, "a report", sizeof *r);
    r->mean_kl = r->mean_kl_limit = NAN;
    pum_status status = device_enter(device, err);
    if (status == PUM_OK) {
        pthread_mutex_lock(&device->lock);
        status = check(device, &p, r, err);
        pthread_mutex_unlock(&device->lock);
        device_leave(device, status);
    }
    if (status != PUM_OK) pum_device_report_destroy(report);
    return status;
}

static pum_status list_choices(pum_device *d, pum_device_report *r, pum_error *err) {
    check_job *jobs;
    size_t n_jobs;
    pum_status status = check_jobs(&jobs, &n_jobs, err);
    if (status != PUM_OK) return status;
    r->variants = calloc(count_rows(jobs, n_jobs) + 1, sizeof *r->variants);
    if (r->variants)
        fill(d, jobs, n_jobs, r);
    else
        status = pum_fail_memory(err, "a report", count_rows(jobs, n_jobs) * sizeof *r->variants);
    free(jobs);
    return status;
}

pum_status pum_device_choices(pum_device *device, pum_device_report **report, pum_error *err) {
    pum_device_report *r = *report = calloc(1, sizeof *r);
    if (!r) return pum_fail_memory(err, "a report", sizeof *r);
    r->mean_kl = r->mean_kl_limit = NAN;
    pthread_mutex_lock(&device->lock);
    pum_status status = list_choices(device, r, err);
    pthread_mutex_unlock(&device->lock);
    if (status != PUM_OK) pum_device_report_destroy(report);
    return status;
}

char *pum_device_caps_text(pum_device *device) { return vk_caps_text(&device->vk->caps); }

void pum_device_report_destroy(pum_device_report **report) {
    if (!report || !*report) return;
    free((*report)->variants);
    free(*report);
    *report = NULL;
}
