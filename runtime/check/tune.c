#include "check/tune.h"

#include "base/cache_file.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/words.h"
#include "check/case.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CANDIDATES = 32, MAX_FILE_BYTES = 1 << 20, LINE_BYTES = 160, ASK_NS = 100000000 };

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

bool check_is_bad(pum_verdict verdict) {
    return verdict == PUM_VERDICT_WRONG || verdict == PUM_VERDICT_UNREPEATABLE || verdict == PUM_VERDICT_FAILED ||
           verdict == PUM_VERDICT_CRASHED || verdict == PUM_VERDICT_HUNG;
}

static bool is_untried(const check_result *r) { return r->verdict == PUM_VERDICT_NONE && !r->passed_over; }

op_variant_knowledge check_table_knowledge(const check_table *t, const shader_variant *variant, bool use_times) {
    op_variant_knowledge known = {0};
    for (int size = 0; size < OP_N_SIZES; size++) {
        const check_result *r = check_table_at(t, variant, (op_size)size);
        known.left_out = known.left_out || check_is_bad(r->verdict);
        known.time_us[size] = use_times && r->verdict == PUM_VERDICT_OK ? r->time_us : 0;
    }
    return known;
}

void check_table_apply(const check_table *t, op_kernels *kernels, bool use_times) {
    for (size_t i = 0; i < n_shader_variants; i++) {
        op_variant_knowledge known = check_table_knowledge(t, &shader_variants[i], use_times);
        op_variant_know(kernels, &shader_variants[i], &known);
    }
}

/* ---- its file: a line for each result */

static const char KIND[] = "kernels";

char *check_table_file(const vk_device *device, const char *folder) { return vk_device_file(device, folder, KIND); }

/* Another set of kernels is another table. */
void check_table_identity(const vk_device *device, char *text, size_t n_bytes) {
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

static bool read_line(check_table *t, const char *line) {
    char name[64];
    int64_t size, verdict;
    check_result r = {0};
    if (!words_text(&line, name, sizeof name) || !words_int(&line, 0, OP_N_SIZES - 1, &size) ||
        !words_int(&line, PUM_VERDICT_NONE, PUM_VERDICT_UNSUPPORTED, &verdict) || !words_amount(&line, &r.max_error_ratio) ||
        !words_amount(&line, &r.time_us) || !isfinite(r.time_us) || *line)
        return false;
    const shader_variant *v = check_find_variant(name);
    if (!v) return false;
    r.verdict = (pum_verdict)verdict;
    r.passed_over = verdict == PUM_VERDICT_NONE;
    *check_table_at(t, v, (op_size)size) = r;
    return true;
}

bool check_table_read(check_table *t, const vk_device *device, const char *path) {
    char identity[1024];
    void *bytes;
    size_t n_bytes;
    check_table_identity(device, identity, sizeof identity);
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
    check_table_identity(device, identity, sizeof identity);
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
    const check_runner *runner;
    const check_tune_params *params;
    check_table *table;
    const check_job *jobs;
    size_t n_jobs;
    uint64_t begin, n_done, n_total;
    uint64_t said_ns, n_said; ///< progress was told last
} tuning;

static check_result *result_of(const tuning *t, const check_job *job, const shader_variant *v) {
    return check_table_at(t->table, v, job->size);
}

static bool time_is_out(const tuning *t) {
    return t->params->most_s > 0 && (double)(clock_now_ns() - t->begin) * 1e-9 > t->params->most_s;
}

/* Whoever waits is told how far it is, and asked whether to go on: when that has changed, and several times a second. */
static bool on_watch(void *user, const char *what) {
    tuning *t = user;
    (void)what;
    uint64_t now = clock_now_ns();
    if (!t->params->progress || (t->n_done == t->n_said && now - t->said_ns < ASK_NS)) return true;
    t->said_ns = now;
    t->n_said = t->n_done;
    return t->params->progress(t->params->user, t->n_done, t->n_total);
}

static pum_status tell(tuning *t, pum_error *err) {
    return on_watch(t, NULL) ? PUM_OK : pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
}

/* A bound that nothing but a kernel on its way passes. */
static bool time_is_spent(const tuning *t) { return (double)(clock_now_ns() - t->begin) * 1e-9 > 1.25 * t->params->most_s; }

static double best_time(const tuning *t, const check_job *job, const candidates *c) {
    double best = 0;
    for (size_t i = 0; i < c->n; i++) {
        const check_result *r = result_of(t, job, c->of[i]);
        double us = check_is_bad(r->verdict) ? 0 : r->time_us;
        if (us > 0 && (best == 0 || us < best)) best = us;
    }
    return best;
}

static pum_status check_one(tuning *t, const check_job *job, const shader_variant *v, pum_error *err) {
    check_result *r = result_of(t, job, v);
    double time_us = r->time_us;
    uint32_t most_cases = t->params->n_cases ? t->params->n_cases : UINT32_MAX;
    pum_status status = t->runner->variant(t->runner->user, job, v, most_cases, t->params->n_repeats, r, err);
    r->time_us = time_us;
    if (status == PUM_OK && check_is_bad(r->verdict)) base_log(PUM_LOG_WARNING, "kernel %s is left out: %s", v->name, r->message);
    return status;
}

static pum_status time_one(tuning *t, const check_job *job, const candidates *c, size_t k, pum_error *err) {
    return t->runner->time(t->runner->user, job, c->of[k], best_time(t, job, c), result_of(t, job, c->of[k]), err);
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
        if (r->time_us > 0 && r->time_us <= limit && !check_is_bad(r->verdict)) close[n++] = k;
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

static void count_done(tuning *t) {
    t->n_done = t->n_total - count_untried(t->table, t->runner->caps, t->params->needs, t->jobs, t->n_jobs);
}

/* Everything about a job: each variant is checked, and timed where there is a choice. */
static pum_status try_all(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    pum_status status = PUM_OK;
    for (size_t k = 0; k < c->n && status == PUM_OK; k++) {
        status = check_one(t, job, c->of[k], err);
        if (status == PUM_OK && c->n > 1 && result_of(t, job, c->of[k])->verdict == PUM_VERDICT_OK)
            status = time_one(t, job, c, k, err);
        count_done(t);
        if (status == PUM_OK) status = tell(t, err);
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
        candidates c = find_candidates(other, t->runner->caps);
        for (size_t k = 0; k < c.n; k++) {
            form g = form_of(other, c.of[k]->name);
            if (g.length == f.length && memcmp(g.name, f.name, f.length) == 0 &&
                result_of(t, other, c.of[k])->time_us > FAR * best_time(t, other, &c))
                return true;
        }
    }
    return false;
}

/* The candidate that took the shortest time of the first n that have not been checked; c->n: none. */
static size_t next_fastest(const tuning *t, const check_job *job, const candidates *c, size_t n) {
    size_t best = c->n;
    for (size_t k = 0; k < n; k++) {
        const check_result *r = result_of(t, job, c->of[k]);
        if (r->verdict != PUM_VERDICT_NONE || (r->time_us <= 0 && !job->kind->untimed && n > 1)) continue;
        if (best == c->n || r->time_us < result_of(t, job, c->of[best])->time_us) best = k;
    }
    return best;
}

/* Times the first n candidates and then checks the fastest until one passes: drivers take long to compile what is never used.
 * doubtful: those too that were slow elsewhere. */
static pum_status try_some(tuning *t, const check_job *job, const candidates *c, size_t n, bool doubtful, bool *found,
                           pum_error *err) {
    pum_status status = PUM_OK;
    for (size_t k = 0; k < n && n > 1 && !job->kind->untimed && status == PUM_OK; k++) {
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

static bool has_a_right_one(const tuning *t, const check_job *job, const candidates *c) {
    for (size_t k = 0; k < c->n; k++)
        if (result_of(t, job, c->of[k])->verdict == PUM_VERDICT_OK) return true;
    return false;
}

/* Of the likely candidates the fastest that is right, of all where none of those is. Not for the time's sake left out: a kernel
 * has to be right, but where the time is out the first that is right will do. */
static pum_status find_one(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    if (has_a_right_one(t, job, c)) return PUM_OK;
    bool found = false;
    pum_status status = PUM_OK;
    if (!time_is_out(t)) status = try_some(t, job, c, c->n_likely, false, &found, err);
    if (!time_is_out(t) && status == PUM_OK && !found) status = try_some(t, job, c, c->n, true, &found, err);
    for (size_t k = 0; k < c->n && status == PUM_OK && !found && !time_is_spent(t); k++) {
        check_result *r = result_of(t, job, c->of[k]);
        if (r->verdict == PUM_VERDICT_NONE) status = check_one(t, job, c->of[k], err);
        found = r->verdict == PUM_VERDICT_OK;
    }
    return status;
}

/* Those that are left, as far as the time goes. On a CPU driver each takes long to compile, and none of them is faster: there
 * they wait for `pumice doctor`. */
static pum_status try_rest(tuning *t, const check_job *job, const candidates *c, pum_error *err) {
    bool cpu = t->runner->caps->type == PUM_DEVICE_CPU;
    pum_status status = PUM_OK;
    for (size_t k = 0; k < c->n && status == PUM_OK; k++) {
        check_result *r = result_of(t, job, c->of[k]);
        if (!is_untried(r)) continue;
        r->passed_over = cpu || time_is_out(t);
        if (!r->passed_over) status = check_one(t, job, c->of[k], err);
        if (!r->passed_over && status == PUM_OK && r->verdict == PUM_VERDICT_OK && r->time_us <= 0)
            status = time_one(t, job, c, k, err);
        count_done(t);
        if (status == PUM_OK) status = tell(t, err);
    }
    return status;
}

pum_status check_model(const check_runner *runner, op_kernels *kernels, const check_table *table, const check_needs *needs,
                       double *mean_kl, double *limit, pum_error *err) {
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
        status = runner->model(runner->user, table, jobs[i].type, &kl, err);
        if (status == PUM_OK) *mean_kl = fmax(*mean_kl, kl);
    }
    free(jobs);
    return status;
}

static pum_status for_jobs(tuning *t, pum_status (*try)(tuning *, const check_job *, const candidates *, pum_error *),
                           pum_error *err) {
    pum_status status = PUM_OK;
    for (op_size size = OP_ONE; size < OP_N_SIZES; size++)
        for (size_t i = 0; i < t->n_jobs && status == PUM_OK; i++) {
            if (t->jobs[i].size != size || !check_needed(t->params->needs, &t->jobs[i])) continue;
            candidates c = find_candidates(&t->jobs[i], t->runner->caps);
            status = try(t, &t->jobs[i], &c, err);
            count_done(t);
            if (status == PUM_OK) status = tell(t, err);
        }
    return status;
}

pum_status check_tune(const check_runner *runner, const check_tune_params *params, check_table *table, pum_error *err) {
    check_job *jobs;
    size_t n_jobs;
    pum_status status = check_jobs(&jobs, &n_jobs, err);
    if (status != PUM_OK) return status;
    tuning t = {.runner = runner, .params = params, .table = table, .jobs = jobs, .n_jobs = n_jobs, .begin = clock_now_ns()};
    t.n_total = count_untried(table, runner->caps, params->needs, jobs, n_jobs);
    status = tell(&t, err);
    runner->watch(runner->user, on_watch, &t);
    if (params->most_s > 0) {
        if (status == PUM_OK) status = for_jobs(&t, find_one, err);
        if (status == PUM_OK) status = for_jobs(&t, try_rest, err);
    } else if (status == PUM_OK) {
        status = for_jobs(&t, try_all, err);
    }
    runner->watch(runner->user, NULL, NULL);
    free(jobs);
    return status;
}
