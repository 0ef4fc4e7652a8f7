#include "check/check.h"

#include "base/clock.h"
#include "check/case.h"
#include "check/tiny.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- jobs */

enum { ONE = 1 << OP_ONE, FEW = 1 << OP_FEW, MANY = 1 << OP_MANY };

/* The longer of two prefixes comes first. */
static const check_kind kinds[] = {
    {"matvec_swiglu_", "matmul_swiglu_", ONE | FEW, true, 6, false, check_make_product},
    {"matvec_", "matmul_", ONE | FEW, true, 6, false, check_make_product},
    {"matmul_swiglu_", "matvec_swiglu_", MANY, true, 6, false, check_make_product},
    {"matmul_", "matvec_", MANY, true, 6, false, check_make_product},
    {"embed_", NULL, MANY, true, 3, true, check_make_embed},
    {"rmsnorm", NULL, MANY, false, 4, false, check_make_rmsnorm},
    {"rope_store", NULL, MANY, false, 3, false, check_make_rope_store},
    {"rope_store_q8_0", NULL, MANY, false, 3, false, check_make_rope_store},
    {"attention_split", NULL, FEW, false, 3, false, check_make_attention},
    {"attention", NULL, MANY, false, 3, false, check_make_attention},
    {"attention_split_q8_0", NULL, FEW, false, 3, false, check_make_attention},
    {"attention_q8_0", NULL, MANY, false, 3, false, check_make_attention},
    {"swiglu", NULL, MANY, false, 2, true, check_make_swiglu},
    {"sample_top", NULL, ONE, false, 3, true, check_make_sample},
    {"sample_choose", NULL, ONE, false, 3, true, check_make_sample},
};

static const check_kind *find_kind(const char *op, tensor_type *type) {
    for (size_t i = 0; i < COUNT(kinds); i++) {
        size_t n = strlen(kinds[i].prefix);
        if (strncmp(op, kinds[i].prefix, n) != 0 || (!kinds[i].typed && op[n])) continue;
        const tensor_type_info *info = kinds[i].typed ? tensor_type_by_name(op + n) : tensor_type_find(TENSOR_F32);
        if (!info) continue;
        *type = info->type;
        return &kinds[i];
    }
    return NULL;
}

static bool is_listed(const check_job *jobs, size_t n, const char *op) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(jobs[i].op, op) == 0) return true;
    return false;
}

pum_status check_jobs(check_job **jobs, size_t *n_jobs, pum_error *err) {
    // A row names a few ops at most, each of them with a few sizes.
    check_job *list = calloc(n_shader_variants * 2 * OP_N_SIZES + 1, sizeof *list);
    if (!list) return pum_fail_memory(err, "the list of kernels", n_shader_variants * sizeof *list);
    size_t n = 0;
    for (size_t i = 0; i < n_shader_variants; i++)
        for (const char *at = shader_variants[i].op, *end; *at; at = *end ? end + 1 : end) {
            end = at + strcspn(at, ",");
            check_job job = {0};
            snprintf(job.op, sizeof job.op, "%.*s", (int)(end - at), at);
            job.kind = find_kind(job.op, &job.type);
            if (!job.kind || is_listed(list, n, job.op)) continue;
            for (job.size = OP_ONE; job.size < OP_N_SIZES; job.size++)
                if (job.kind->sizes >> job.size & 1) list[n++] = job;
        }
    *jobs = list;
    *n_jobs = n;
    return PUM_OK;
}

/* Returns whether there is one. */
static bool name_stand_in(const check_job *job, char op[sizeof job->op]) {
    if (!job->kind->stand_in) return false;
    snprintf(op, sizeof job->op, "%s%s", job->kind->stand_in, job->op + strlen(job->kind->prefix));
    return true;
}

bool check_job_is_served(const check_job *job, op_kernels *kernels) {
    char other[sizeof job->op];
    return op_variant_choose(kernels, job->op, job->size, NULL, NULL) ||
           (name_stand_in(job, other) && op_variant_choose(kernels, other, job->size, NULL, NULL));
}

bool check_job_is_typed(const check_job *job) { return job->kind->typed; }
const char *check_size_name(op_size size) { return (const char *const[]){"1", "2-8", "many"}[size]; }

/* What rounding the inputs costs a product: in float16 2^-11 of each of the two factors; in two planes of eight bits, with a
 * scale for a block, 2^-16 of the block's largest. */
check_precision check_precision_of(const shader_variant *variant) {
    static const struct {
        const char *need;
        check_precision precision;
    } rows[] = {
        {"coopmat", {0x1p-10, 0, 1e-5}},
        {"fp16", {0x1p-10, 0, 1e-5}},
        {"int_dot", {0, 0x1p-15, 2e-6}},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        if (strstr(variant->needs, rows[i].need)) return rows[i].precision;
    return (check_precision){0, 0, 2e-6};
}

/* ---- one variant */

enum { SEED = 20260623 };

struct checker {
    op_kernels *kernels;
    op_frame *frame;
    check_watch_fn watch; ///< or NULL
    void *watch_user;
    check_case timed; ///< that of the job that was timed last: its weights serve all variants
    check_job timed_job;
};

pum_status checker_create(vk_device *device, checker **created, pum_error *err) {
    checker *c = *created = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "checking kernels", sizeof *c);
    pum_status status = op_kernels_create(device, &c->kernels, err);
    if (status == PUM_OK) status = op_frame_create(c->kernels, &c->frame, err);
    if (status != PUM_OK) checker_destroy(created);
    return status;
}

void checker_destroy(checker **destroyed) {
    checker *c = *destroyed;
    if (!c) return;
    check_case_end(&c->timed);
    op_frame_destroy(&c->frame);
    op_kernels_destroy(&c->kernels);
    free(c);
    *destroyed = NULL;
}

op_kernels *checker_kernels(checker *c) { return c->kernels; }

void checker_watch(checker *c, check_watch_fn watch, void *user) {
    c->watch = watch;
    c->watch_user = user;
}

const shader_variant *check_find_variant(const char *name) {
    for (size_t i = 0; i < n_shader_variants; i++)
        if (strcmp(shader_variants[i].name, name) == 0) return &shader_variants[i];
    return NULL;
}

static pum_status make_case(checker *c, const check_job *job, uint32_t i, bool for_timing, check_case *made, pum_error *err) {
    *made = (check_case){.kernels = c->kernels, .random = SEED + i, .for_timing = for_timing};
    pum_status status = check_case_begin(made, err);
    return status == PUM_OK ? job->kind->make(job, i, made, err) : status;
}

/* From now on the variant serves the job alone (NULL: as the table says). */
static void force(checker *c, const check_job *job, const char *variant) {
    char other[sizeof job->op];
    op_variant_force(c->kernels, job->op, variant);
    if (name_stand_in(job, other)) op_variant_force(c->kernels, other, variant);
}

static pum_status run(checker *c, const check_case *k, pum_error *err) {
    if (c->watch && !c->watch(c->watch_user, k->what)) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    op_frame_begin(c->frame, NULL);
    k->record(k, c->frame);
    return op_frame_end(c->frame, err);
}

static bool is_finite(double value) { return value - value == 0; }

static double value_at(const check_output *o, size_t i) {
    if (!o->kv) return ((const float *)vk_span_mapped(o->span))[i];
    size_t row = i / o->kv->head_dim;
    return reference_kv_value(o->kv, row / o->kv->n_ctx, row % o->kv->n_ctx, i % o->kv->head_dim);
}

static double allowed_at(const check_output *o, const check_precision *p, size_t i) {
    double allowed = (o->k * 0x1p-24 + p->of_terms) * o->terms[i] + (o->peaks ? p->of_peaks * o->peaks[i] : 0) + 1e-30;
    if (!o->kv) return allowed;
    size_t d = i % o->kv->head_dim;
    return allowed + reference_kv_step(o->kv->type, o->expected + i - d, d);
}

static void compare(const check_case *k, const check_output *o, const check_precision *p, check_result *result) {
    size_t n = o->kv ? o->kv->n_heads * o->kv->n_ctx * o->kv->head_dim : o->expected ? o->span.n_bytes / sizeof(float) : 0;
    for (size_t i = 0; i < n; i++) {
        double got = value_at(o, i), ratio = fabs(got - o->expected[i]) / allowed_at(o, p, i);
        if (!is_finite(got)) ratio = INFINITY;
        if (ratio > result->max_error_ratio) result->max_error_ratio = ratio;
        if (ratio <= 1 || result->verdict == PUM_VERDICT_WRONG) continue;
        result->verdict = PUM_VERDICT_WRONG;
        snprintf(result->message, sizeof result->message, "%s: %s[%zu]: expected %.9g, got %.9g, %.3g times what is allowed",
                 k->what, o->name, i, o->expected[i], got, ratio);
    }
}

static void copy_outputs(const check_case *k, char *to, const char *from, bool scratch_only) {
    for (uint32_t i = 0; i < k->n_outputs; i++) {
        const check_output *o = &k->outputs[i];
        if (!scratch_only || !o->expected) memcpy(to + o->span.offset, from + o->span.offset, o->span.n_bytes);
    }
}

/* Runs a case again and again. initial, first [CASE_MAPPED_BYTES]: room for the memory of the case. */
static pum_status run_case(checker *c, const check_case *k, const check_precision *p, uint32_t n_repeats, char *initial,
                           char *first, check_result *result, pum_error *err) {
    char *mapped = k->mapped.buffer.mapped;
    size_t n_used = check_case_bytes(k); // all of it is looked at once
    memcpy(initial, mapped, CASE_MAPPED_BYTES);
    for (uint32_t r = 0; r < n_repeats; r++) {
        if (r > 0) memcpy(mapped, initial, n_used);
        pum_status status = run(c, k, err);
        if (status != PUM_OK) return status;
        if (r == 0) {
            for (uint32_t i = 0; i < k->n_outputs; i++) compare(k, &k->outputs[i], p, result);
            if (k->is_right && !k->is_right(k, result->message, sizeof result->message)) result->verdict = PUM_VERDICT_WRONG;
            copy_outputs(k, mapped, initial, true);
            memcpy(first, mapped, CASE_MAPPED_BYTES);
            copy_outputs(k, mapped, initial, false);
            if (result->verdict == PUM_VERDICT_OK && memcmp(mapped, initial, CASE_MAPPED_BYTES) != 0) {
                result->verdict = PUM_VERDICT_WRONG;
                snprintf(result->message, sizeof result->message, "%s: something was written beside the results", k->what);
            }
        } else {
            copy_outputs(k, mapped, initial, true);
            if (result->verdict == PUM_VERDICT_OK && memcmp(mapped, first, n_used) != 0) {
                result->verdict = PUM_VERDICT_UNREPEATABLE;
                snprintf(result->message, sizeof result->message, "%s: run %u gave other bits than the first", k->what, r + 1);
            }
        }
        if (result->verdict != PUM_VERDICT_OK) break;
    }
    return PUM_OK;
}

static bool is_memory(pum_status status) { return status == PUM_ERR_MEMORY || status == PUM_ERR_DEVICE_MEMORY; }
static bool says_nothing(pum_status status) { return is_memory(status) || status == PUM_ERR_ABORTED; } // about the kernel
static bool ends_the_check(pum_status status) { return says_nothing(status) || status == PUM_ERR_DEVICE_LOST; }

/* What its roundings cost a model. The variant is forced. */
static pum_status check_kl(checker *c, const check_job *job, const shader_variant *variant, const check_precision *precision,
                           check_result *result, pum_error *err) {
    pum_error error;
    if (c->watch && !c->watch(c->watch_user, "a tiny model")) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    pum_status status = check_tiny_kl(c->kernels, job->type, &result->mean_kl, &error);
    if (says_nothing(status)) result->verdict = PUM_VERDICT_NONE;
    if (says_nothing(status)) return pum_fail(err, status, "%s: %s", variant->name, error.message);
    if (status == PUM_OK && result->mean_kl <= precision->max_kl) return PUM_OK;
    result->verdict = status == PUM_OK ? PUM_VERDICT_WRONG : PUM_VERDICT_FAILED;
    if (status == PUM_OK)
        snprintf(result->message, sizeof result->message,
                 "a tiny model's mean KL to the float64 reference: expected at most %.2g, got %.2g", precision->max_kl,
                 result->mean_kl);
    else
        snprintf(result->message, sizeof result->message, "%.199s", error.message);
    return ends_the_check(status) ? pum_fail(err, status, "%s: %s", variant->name, error.message) : PUM_OK;
}

pum_status check_variant(checker *c, const check_job *job, const shader_variant *variant, uint32_t most_cases, uint32_t n_repeats,
                         check_result *result, pum_error *err) {
    *result = (check_result){.verdict = PUM_VERDICT_UNSUPPORTED};
    if (!op_needs_met(&op_kernels_device(c->kernels)->caps, variant->needs)) {
        snprintf(result->message, sizeof result->message, "it needs %s", variant->needs);
        return PUM_OK;
    }
    check_precision precision = check_precision_of(variant);
    char *initial = malloc(CASE_MAPPED_BYTES), *first = malloc(CASE_MAPPED_BYTES);
    pum_status status = initial && first ? PUM_OK : pum_fail_memory(err, "checking kernels", 2 * CASE_MAPPED_BYTES);
    force(c, job, variant->name);
    for (uint32_t i = 0; i < job->kind->n_cases && i < most_cases && status == PUM_OK; i++) {
        pum_error error = {.message = ""};
        check_result part = {.verdict = PUM_VERDICT_OK};
        pum_status ran = PUM_ERR_DEVICE;
        // Work that a driver dropped once may have been no fault of the kernel.
        for (int attempt = 0; attempt < 2 && ran == PUM_ERR_DEVICE && status == PUM_OK; attempt++) {
            check_case k;
            status = make_case(c, job, i, false, &k, err);
            ran = status == PUM_OK ? run_case(c, &k, &precision, n_repeats, initial, first, &part, &error) : PUM_OK;
            check_case_end(&k);
        }
        if (ran == PUM_ERR_UNSUPPORTED) continue; // a form need not do every shape
        if (ends_the_check(ran)) status = pum_fail(err, ran, "%s: %s", variant->name, error.message);
        if (says_nothing(ran)) part.verdict = PUM_VERDICT_NONE;
        if (ran != PUM_OK && !says_nothing(ran)) {
            part.verdict = PUM_VERDICT_FAILED;
            snprintf(part.message, sizeof part.message, "%.199s", error.message);
        }
        part.max_error_ratio = fmax(part.max_error_ratio, result->max_error_ratio);
        *result = part;
        if (part.verdict != PUM_VERDICT_OK) break;
    }
    bool rounds = precision.of_terms > 0 || precision.of_peaks > 0;
    if (status == PUM_OK && result->verdict == PUM_VERDICT_OK && rounds)
        status = check_kl(c, job, variant, &precision, result, err);
    force(c, job, NULL);
    free(initial);
    free(first);
    return status;
}

/* ---- time */

enum { MAX_SAMPLES = 7 };
static const double ENOUGH_US = 30e3; ///< of one variant

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static pum_status run_timed(checker *c, const check_case *k, double *us, pum_error *err) {
    uint64_t begin = clock_now_ns();
    pum_status status = run(c, k, err);
    double device_ns = op_frame_get_counts(c->frame).device_ns;
    *us = (device_ns > 0 ? device_ns : (double)(clock_now_ns() - begin)) / 1e3;
    return status;
}

static pum_status sample(checker *c, const check_case *k, double enough_us, double *median_us, pum_error *err) {
    double samples[MAX_SAMPLES], total = 0, us;
    pum_status status = run_timed(c, k, &us, err); // a driver may compile now
    int n = 0;
    while (status == PUM_OK && n < MAX_SAMPLES) {
        status = run_timed(c, k, &us, err);
        samples[n++] = us;
        total += us;
        if (total >= ENOUGH_US && n >= 3) break;
        if (enough_us > 0 && us > 2 * enough_us) break;
    }
    if (status != PUM_OK) return status;
    qsort(samples, (size_t)n, sizeof *samples, by_size);
    *median_us = n % 2 ? samples[n / 2] : (samples[n / 2 - 1] + samples[n / 2]) / 2;
    return PUM_OK;
}

pum_status check_time(checker *c, const check_job *job, const shader_variant *variant, double enough_us, check_result *result,
                      pum_error *err) {
    pum_status status = PUM_OK;
    if (job->kind->untimed) return PUM_OK;
    if (strcmp(c->timed_job.op, job->op) != 0 || c->timed_job.size != job->size) {
        check_case_end(&c->timed);
        c->timed_job = *job;
        status = make_case(c, job, 0, true, &c->timed, err);
        if (status == PUM_OK) {
            vk_span cache[] = {c->timed.kv.n_slices ? c->timed.kv.k[0] : (vk_span){0},
                               c->timed.kv.n_slices ? c->timed.kv.v[0] : (vk_span){0}};
            // Ones: numbers that are neither tiny nor large, as float32 and nearly so as float16.
            op_frame_begin(c->frame, NULL);
            op_rows rows[] = {c->timed.x, c->timed.y, c->timed.n};
            for (size_t i = 0; i < COUNT(rows); i++)
                if (rows[i].n_rows) op_frame_fill(c->frame, rows[i].span, 0x3f803f80);
            for (size_t i = 0; i < COUNT(cache); i++) op_frame_fill(c->frame, cache[i], 0x3c003c00);
            status = op_frame_end(c->frame, err);
        }
        if (status != PUM_OK) c->timed_job.op[0] = 0;
    }
    if (status != PUM_OK) return status;
    force(c, job, variant->name);
    pum_error error;
    status = sample(c, &c->timed, enough_us, &result->time_us, &error);
    if (status == PUM_ERR_DEVICE) status = sample(c, &c->timed, enough_us, &result->time_us, &error);
    force(c, job, NULL);
    if (status == PUM_OK || status == PUM_ERR_UNSUPPORTED) return PUM_OK; // a form need not do this shape
    if (!says_nothing(status)) {
        result->verdict = PUM_VERDICT_FAILED;
        snprintf(result->message, sizeof result->message, "%.199s", error.message);
    }
    return ends_the_check(status) ? pum_fail(err, status, "%s: %s", variant->name, error.message) : PUM_OK;
}
