#include "check/tune.h"

#include "base/cache_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "check/case.h"
#include "check/tiny.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATES = 32, MAX_FILE_BYTES = 1 << 20, LINE_BYTES = 160 };

/* ---- the table */

struct check_table {
    check_result *results; ///< [n_shader_variants, OP_N_SIZES]
};

static size_t n_results(void) { return n_shader_variants * OP_N_SIZES; }

pum_status check_table_create(check_table **table, pum_error *err) {
    check_table *t = *table = calloc(1, sizeof *t);
    if (t) t->results = calloc(n_results() + 1, sizeof *t->results);
    if (t && t->results) return PUM_OK;
    check_table_destroy(table);
    return pum_fail_memory(err, "what is known of kernels", n_results() * sizeof *t->results);
}

void check_table_destroy(check_table **table) {
    if (*table) free((*table)->results);
    free(*table);
    *table = NULL;
}

check_result *check_table_at(const check_table *t, const shader_variant *variant, op_size size) {
    return &t->results[(size_t)(variant - shader_variants) * OP_N_SIZES + size];
}

void check_table_clear(check_table *t) { memset(t->results, 0, n_results() * sizeof *t->results); }

void check_table_forget(check_table *t, const check_job *job) {
    for (size_t i = 0; i < n_shader_variants; i++)
        if (op_variant_serves(&shader_variants[i], job->op))
            *check_table_at(t, &shader_variants[i], job->size) = (check_result){.verdict = PUM_VERDICT_NONE};
}

static bool is_bad(pum_verdict verdict) {
    return verdict == PUM_VERDICT_WRONG || verdict == PUM_VERDICT_UNREPEATABLE || verdict == PUM_VERDICT_FAILED ||
           verdict == PUM_VERDICT_CRASHED || verdict == PUM_VERDICT_HUNG;
}

static bool is_untried(const check_result *r) { return r->verdict == PUM_VERDICT_NONE && !r->passed_over; }

void check_table_apply(const check_table *t, op_kernels *kernels, bool use_times) {
    for (size_t i = 0; i < n_shader_variants; i++) {
        op_variant_knowledge known = {0};
        for (int size = 0; size < OP_N_SIZES; size++) {
            const check_result *r = check_table_at(t, &shader_variants[i], (op_size)size);
            known.left_out = known.left_out || is_bad(r->verdict);
            known.time_us[size] = use_times && r->verdict == PUM_VERDICT_OK ? r->time_us : 0;
        }
        op_variant_know(kernels, &shader_variants[i], &known);
    }
}

/* ---- its file: a line for each result */

static const char KIND[] = "kernels";

char *check_table_file(const vk_device *device, const char *folder) { return vk_device_file(device, folder, KIND); }

/* Another set of kernels is another table. */
static void make_identity(const vk_device *device, char *text, size_t n_bytes) {
    uint64_t hash = 0;
    for (size_t i = 0; i < n_shader_variants; i++) {
        const shader_variant *v = &shader_variants[i];
        const char *texts[] = {v->name, v->op, v->needs};
        for (int k = 0; k < 3; k++) hash = cache_file_hash(hash, texts[k], strlen(texts[k]) + 1);
        hash = cache_file_hash(hash, v->n_words, sizeof *v->n_words);
    }
    char what[64];
    snprintf(what, sizeof what, "%s %016" PRIx64, KIND, hash);
    vk_device_identity(device, what, text, n_bytes);
}

static const shader_variant *find_variant(const char *name) {
    for (size_t i = 0; i < n_shader_variants; i++)
        if (strcmp(shader_variants[i].name, name) == 0) return &shader_variants[i];
    return NULL;
}

static bool read_line(check_table *t, const char *line) {
    char name[64];
    int size, verdict;
    check_result r = {0};
    if (sscanf(line, "%63s %d %d %lf %lf", name, &size, &verdict, &r.max_error_ratio, &r.time_us) != 5) return false;
    const shader_variant *v = find_variant(name);
    if (!v || size < 0 || size >= OP_N_SIZES || verdict < PUM_VERDICT_NONE || verdict > PUM_VERDICT_UNSUPPORTED) return false;
    if (!(r.time_us >= 0)) return false;
    r.verdict = (pum_verdict)verdict;
    r.passed_over = verdict == PUM_VERDICT_NONE;
    *check_table_at(t, v, (op_size)size) = r;
    return true;
}

bool check_table_read(check_table *t, const vk_device *device, const char *path) {
    char identity[1024];
    void *bytes;
    size_t n_bytes;
    make_identity(device, identity, sizeof identity);
    if (!cache_file_read(path, identity, MAX_FILE_BYTES, &bytes, &n_bytes)) return false;
    bool ok = true;
    for (char *line = bytes, *end; ok && *line; line = end) {
        end = line + strcspn(line, "\n");
        if (*end) *end++ = 0;
        ok = read_line(t, line);
    }
    free(bytes);
    if (ok) return true;
    base_log(PUM_LOG_DEBUG, "%s is not used: a line in it cannot be read", path);
    check_table_clear(t);
    return false;
}

void check_table_write(const check_table *t, const vk_device *device, const char *path) {
    char identity[1024], *text = malloc(n_results() * LINE_BYTES + 1);
    size_t n = 0;
    if (!text) return;
    for (size_t i = 0; i < n_results(); i++) {
        const check_result *r = &t->results[i];
        if (is_untried(r)) continue;
        n += (size_t)snprintf(text + n, LINE_BYTES, "%.63s %zu %d %.9g %.9g\n", shader_variants[i / OP_N_SIZES].name,
                              i % OP_N_SIZES, r->verdict, r->max_error_ratio, r->time_us);
    }
    make_identity(device, identity, sizeof identity);
    cache_file_write(path, identity, text, n);
    free(text);
}

/* ---- checking and timing */

bool check_needed(const check_needs *needs, const check_job *job) {
    if (!needs || !check_job_is_typed(job)) return true;
    bool swiglu = strstr(job->op, "swiglu"), embedding = strstr(job->op, "embed");
    return (swiglu ? needs->swiglus : embedding ? needs->embeddings : needs->products) >> job->type & 1;
}

/* The variants of a job that the device can run, the likely ones first: on a CPU driver those that are made for it, then the
 * table's choices. */
typedef struct candidates {
    const shader_variant *of[MAX_CANDIDATES];
    size_t n, n_likely;
} candidates;

static candidates find_candidates(const check_job *job, const vk_caps *caps) {
    candidates c = {.n = 0};
    for (int rank = 0; rank < 4; rank++) {
        for (size_t i = 0; i < n_shader_variants && c.n < MAX_CANDIDATES; i++) {
            const shader_variant *v = &shader_variants[i];
            bool for_it = caps->type != PUM_DEVICE_CPU || strstr(v->needs, "cpu");
            if (op_variant_serves(v, job->op) && op_needs_met(caps, v->needs) &&
                rank == (for_it ? 0 : 2) + !op_wishes_met(caps, v->needs))
                c.of[c.n++] = v;
        }
        if (rank <= 1 || c.n_likely == 0) c.n_likely = c.n;
    }
    return c;
}

static size_t count_untried(const check_table *t, const vk_caps *caps, const check_needs *needs, const check_job *jobs,
                            size_t n_jobs) {
    size_t n_untried = 0;
    for (size_t i = 0; i < n_jobs; i++) {
        if (!check_needed(needs, &jobs[i])) continue;
        candidates c = find_candidates(&jobs[i], caps);
        for (size_t k = 0; k < c.n; k++) n_untried += is_untried(check_table_at(t, c.of[k], jobs[i].size));
    }
    return n_untried;
}

bool check_tune_wanted(const check_table *t, const vk_caps *caps, const check_needs *needs) {
    check_job *jobs;
    size_t n_jobs;
    if (check_jobs(&jobs, &n_jobs, NULL) != PUM_OK) return false;
    size_t n = count_untried(t, caps, needs, jobs, n_jobs);
    free(jobs);
    return n > 0;
}

typedef struct tuning {
    checker *checker;
    const check_tune_params *params;
    check_table *table;
    const check_job *jobs;
    size_t n_jobs;
    uint64_t begin, n_done, n_total;
} tuning;

static check_result *result_of(const tuning *t, const check_job *job, const shader_variant *v) {
    return check_table_at(t->table, v, job->size);
}

static bool time_is_out(const tuning *t) {
    return t->params->most_s > 0 && (double)(clock_now_ns() - t->begin) * 1e-9 > t->params->most_s;
}

static double best_time(const tuning *t, const check_job *job, const candidates *c) {
    double best = 0;
    for (size_t i = 0; i < c->n; i++) {
        const check_result *r = result_of(t, job, c->of[i]);
        double us = is_bad(r->verdict) ? 0 : r->time_us;
        if (us > 0 && (best == 0 || us < best)) best = us;
    }
    return best;
}

static pum_status check_one(tuning *t, const check_job *job, const shader_variant *v, pum_error *err) {
    check_result *r = result_of(t, job, v);
    double time_us = r->time_us;
    uint32_t most_cases = t->params->n_cases ? t->params->n_cases : UINT32_MAX;
    pum_status status = check_variant(t->checker, job, v, most_cases, t->params->n_repeats, r, err);
    r->time_us = time_us;
    if (status == PUM_OK && is_bad(r->verdict)) base_log(PUM_LOG_WARNING, "kernel %s is left out: %s", v->name, r->message);
    return status;
}

static pum_status time_one(tuning *t, const check_job *job, const candidates *c, size_t k, pum_error *err) {
    return check_time(t->checker, job, c->of[k], best_time(t, job, c), result_of(t, job, c->of[k]), err);
}

/* What disturbs a measurement makes it longer: variants that are close to the best are timed once more, in turns, and the shorter
 * time counts. */
static pum_status time_again(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    static const double CLOSE = 1.5;
    enum { ROUNDS = 2 };
    double limit = CLOSE * best_time(t, job, c);
    size_t close[MAX_CANDIDATES], n = 0;
    for (size_t k = 0; k < c->n; k++) {
        const check_result *r = result_of(t, job, c->of[k]);
        if (r->time_us > 0 && r->time_us <= limit && !is_bad(r->verdict)) close[n++] = k;
    }
    pum_status status = PUM_OK;
    for (size_t i = 0; i < ROUNDS * n && n > 1 && status == PUM_OK; i++) {
        check_result *r = result_of(t, job, c->of[close[i % n]]);
        double before = r->time_us;
        status = time_one(t, job, c, close[i % n], err);
        r->time_us = fmin(r->time_us, before);
    }
    return status;
}

/* Everything about a job: each variant is checked, and timed where there is a choice. */
static pum_status try_all(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    pum_status status = PUM_OK;
    for (size_t k = 0; k < c->n && status == PUM_OK; k++) {
        status = check_one(t, job, c->of[k], err);
        if (status == PUM_OK && c->n > 1 && result_of(t, job, c->of[k])->verdict == PUM_VERDICT_OK)
            status = time_one(t, job, c, k, err);
        t->n_done++;
        if (status == PUM_OK && t->params->progress && !t->params->progress(t->params->user, t->n_done, t->n_total))
            status = pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    }
    return status == PUM_OK ? time_again(t, job, c, err) : status;
}

/* The form of a product: the name of the variant without its first word and without the type of the weights. */
typedef struct form {
    const char *name;
    size_t length;
} form;

static form form_of(const check_job *job, const char *variant) {
    const char *first = strchr(variant, '_');
    form f = {first ? first : variant, 0};
    size_t n_type = strlen(job->op) - strlen(job->kind->prefix), n = strlen(f.name);
    f.length = n > n_type ? n - n_type : n;
    return f;
}

/* Whether a variant of the same form was far from the best for other weights or sizes. What is compiled only to lose costs more
 * than it can bring. */
static bool is_slow_elsewhere(const tuning *t, const check_job *job, const shader_variant *v) {
    static const double FAR = 2.5;
    form f = form_of(job, v->name);
    for (size_t i = 0; i < t->n_jobs; i++) {
        const check_job *other = &t->jobs[i];
        if (other == job || !check_job_is_typed(job) || !check_job_is_typed(other)) continue;
        candidates c = find_candidates(other, &op_kernels_device(checker_kernels(t->checker))->caps);
        for (size_t k = 0; k < c.n; k++) {
            form g = form_of(other, c.of[k]->name);
            if (g.length == f.length && memcmp(g.name, f.name, f.length) == 0 &&
                result_of(t, other, c.of[k])->time_us > FAR * best_time(t, other, &c))
                return true;
        }
    }
    return false;
}

/* The candidate that took the shortest time of those that have not been checked; c->n: none. */
static size_t next_fastest(const tuning *t, const check_job *job, const candidates *c, size_t n) {
    size_t best = c->n;
    for (size_t k = 0; k < n; k++) {
        const check_result *r = result_of(t, job, c->of[k]);
        if (r->verdict != PUM_VERDICT_NONE || (r->time_us <= 0 && !job->kind->untimed)) continue;
        if (best == c->n || r->time_us < result_of(t, job, c->of[best])->time_us) best = k;
    }
    return best;
}

/* Times the first n candidates and then checks the fastest until one passes: drivers take long to compile what is never used.
 * doubtful: those too that were slow elsewhere. */
static pum_status try_some(tuning *t, const check_job *job, const candidates *c, size_t n, bool doubtful, bool *found,
                           pum_error *err) {
    pum_status status = PUM_OK;
    for (size_t k = 0; k < n && status == PUM_OK; k++) {
        const check_result *r = result_of(t, job, c->of[k]);
        if (r->time_us <= 0 && r->verdict == PUM_VERDICT_NONE && (doubtful || !is_slow_elsewhere(t, job, c->of[k])))
            status = time_one(t, job, c, k, err);
    }
    if (status == PUM_OK) status = time_again(t, job, c, err);
    for (size_t k; status == PUM_OK && !*found && (k = next_fastest(t, job, c, n)) < c->n;) {
        status = check_one(t, job, c->of[k], err);
        *found = result_of(t, job, c->of[k])->verdict == PUM_VERDICT_OK;
    }
    return status;
}

/* What is needed to begin: of several likely candidates the best, the others where none of them is right. Where there is nothing
 * to choose pipelines are made when they are needed. */
static pum_status try_quickly(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    bool found = false;
    for (size_t k = 0; k < c->n; k++) {
        const check_result *r = result_of(t, job, c->of[k]);
        if (r->passed_over || r->verdict == PUM_VERDICT_OK) return PUM_OK;
    }
    bool leave = c->n_likely < 2 || time_is_out(t);
    pum_status status = leave ? PUM_OK : try_some(t, job, c, c->n_likely, false, &found, err);
    if (status == PUM_OK && !leave && !found) status = try_some(t, job, c, c->n, true, &found, err);
    for (size_t k = 0; k < c->n; k++) {
        check_result *r = result_of(t, job, c->of[k]);
        r->passed_over = r->verdict == PUM_VERDICT_NONE;
    }
    t->n_done += c->n;
    if (status == PUM_OK && t->params->progress && !t->params->progress(t->params->user, t->n_done, t->n_total))
        status = pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    return status;
}

pum_status check_model(checker *c, const check_table *table, const check_needs *needs, double *mean_kl, double *limit,
                       pum_error *err) {
    op_kernels *kernels = checker_kernels(c);
    check_table_apply(table, kernels, true);
    check_job *jobs;
    size_t n_jobs;
    pum_status status = check_jobs(&jobs, &n_jobs, err);
    *mean_kl = *limit = 0;
    for (size_t i = 0; i < n_jobs && status == PUM_OK; i++) {
        if (!check_needed(needs, &jobs[i])) continue;
        const shader_variant *v = op_variant_choose(kernels, jobs[i].op, jobs[i].size, NULL, NULL);
        if (v) *limit = fmax(*limit, check_precision_of(v).max_kl);
        if (strncmp(jobs[i].op, "embed_", 6) != 0) continue; // one for each type
        double kl;
        status = check_tiny_kl(kernels, jobs[i].type, &kl, err);
        if (status == PUM_OK) *mean_kl = fmax(*mean_kl, kl);
    }
    free(jobs);
    return status;
}

pum_status check_tune(checker *checking, const check_tune_params *params, check_table *table, pum_error *err) {
    const vk_caps *caps = &op_kernels_device(checker_kernels(checking))->caps;
    check_job *jobs;
    size_t n_jobs;
    pum_status status = check_jobs(&jobs, &n_jobs, err);
    if (status != PUM_OK) return status;
    tuning t = {.checker = checking, .params = params, .table = table, .jobs = jobs, .n_jobs = n_jobs, .begin = clock_now_ns()};
    t.n_total = count_untried(table, caps, params->needs, jobs, n_jobs);
    if (params->progress && !params->progress(params->user, 0, t.n_total))
        status = pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    for (op_size size = OP_ONE; size < OP_N_SIZES; size++)
        for (size_t i = 0; i < n_jobs && status == PUM_OK; i++) {
            if (jobs[i].size != size || !check_needed(params->needs, &jobs[i])) continue;
            candidates c = find_candidates(&jobs[i], caps);
            status = (params->most_s > 0 ? try_quickly : try_all)(&t, &jobs[i], &c, err);
        }
    free(jobs);
    return status;
}
