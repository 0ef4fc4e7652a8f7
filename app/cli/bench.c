/* pumice bench: prefill and decode, at several depths, beside the peaks of the device. */
#include "chat/devices.h"
#include "commands.h"
#include "json.h"

#include "chat/models.h"

#include <stdio.h>
#include <time.h>

enum { MAX_REPEATS = 1000 };

typedef struct spread {
    double median, min, max;
} spread;

/* The ops of one pass. */
typedef struct op_list {
    pum_op_time ops[PUM_MAX_OPS];
    spread ms[PUM_MAX_OPS];
    int n;
} op_list;

/* One depth. */
typedef struct bench_run {
    int depth;
    spread prefill, decode; ///< tokens per second
    double prefill_gflop_per_s, decode_gb_per_s;
    double first_token_ms;
    op_list prefill_ops, decode_ops;
    pum_stats stats;
} bench_run;

typedef struct bench {
    engine e;
    pum_model_info info;
    char device[512], driver[512]; ///< of several devices joined by " + "
    bool cpu;                      ///< all of them are CPU drivers
    pum_plan plan;
    pum_device_peaks peaks, part_peaks[PUM_MAX_DEVICES];
    double load_ms;
    bench_run runs[MAX_DEPTHS];
} bench;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static spread spread_of(double *values, int n) {
    if (n == 0) return (spread){0};
    qsort(values, (size_t)n, sizeof *values, compare);
    return (spread){n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2, values[0], values[n - 1]};
}

/* Any ids will do: the work does not depend on them. */
static void fill_ids(int32_t *ids, int n, int n_vocab) {
    uint32_t random = 12345;
    for (int i = 0; i < n; i++) ids[i] = (int32_t)((random = random * 1664525u + 1013904223u) >> 8) % n_vocab;
}

/* Attention of one token over `position` earlier ones: two products of head_dim for each head and layer. */
static double attention_flop(const pum_model_info *m, double position) {
    return 4.0 * m->n_layer * m->n_head * m->head_dim * (position + 1);
}

static bool on_device(const options *o) { return strcmp(o->path, "gpu") == 0; }

static bool measure_once(const options *o, pum_session *s, pum_sampler *sampler, int depth, const int32_t *ids,
                         double *prefill_ms, double *first_ms, double *decode_ms) {
    pum_error err;
    double begin = now_ms();
    if (o->n_prompt > 0 && pum_session_append(s, ids, o->n_prompt, &err) != PUM_OK) return engine_error(&err);
    *prefill_ms = *first_ms = now_ms() - begin;
    // Decoding is measured at the same depth as prefill, not behind it. The first token is any; the others are the best each
    // time.
    if (pum_session_rewind(s, depth, &err) != PUM_OK) return engine_error(&err);
    if (o->n_tokens == 0) return true;
    pum_generate_params params = {.n_tokens = o->n_tokens, .path = on_device(o) ? PUM_DECODE_DEVICE : PUM_DECODE_HOST};
    pum_end end;
    begin = now_ms();
    if (pum_session_append(s, ids, 1, &err) != PUM_OK) return engine_error(&err);
    if (o->n_prompt == 0) *first_ms = now_ms() - begin;
    // The token of that append and n - 1 others go through the model, and n are chosen.
    if (pum_session_generate(s, sampler, &params, &end, &err) != PUM_OK) return engine_error(&err);
    *decode_ms = now_ms() - begin;
    return true;
}

static bool measure_depth(bench *b, const options *o, pum_session *s, pum_sampler *sampler, const int32_t *ids, bench_run *run) {
    static double prefill[MAX_REPEATS], decode[MAX_REPEATS];
    pum_error err;
    for (int r = -1; r < o->n_repeats; r++) { // the first one warms up: drivers compile then
        double prefill_ms = 0, decode_ms = 0, first_ms = 0;
        if (pum_session_rewind(s, run->depth, &err) != PUM_OK) return engine_error(&err);
        if (r == 0) pum_session_reset_stats(s);
        if (!measure_once(o, s, sampler, run->depth, ids, &prefill_ms, &first_ms, &decode_ms)) return false;
        if (r < 0) {
            run->first_token_ms = first_ms;
            continue;
        }
        prefill[r] = o->n_prompt / prefill_ms * 1e3;
        decode[r] = o->n_tokens / decode_ms * 1e3;
    }
    pum_session_get_stats(s, &run->stats);
    run->prefill = spread_of(prefill, o->n_repeats);
    run->decode = spread_of(decode, o->n_repeats);
    double middle_prefill = run->depth + o->n_prompt / 2.0, middle_decode = run->depth + o->n_tokens / 2.0;
    run->prefill_gflop_per_s = run->prefill.median * (run->stats.flop_per_token + attention_flop(&b->info, middle_prefill)) / 1e9;
    double bytes = (double)run->stats.weight_bytes_per_token + middle_decode * (double)run->stats.kv_bytes_per_position;
    run->decode_gb_per_s = run->decode.median * bytes / 1e9;
    return true;
}

/* The medians of some passes over n tokens, after one that warms up. */
static bool measure_ops(const options *o, pum_session *s, const int32_t *ids, int n, op_list *list) {
    static pum_op_time runs[MAX_REPEATS][PUM_MAX_OPS];
    static double ms[MAX_REPEATS];
    pum_error err;
    for (int r = -1; r < o->n_repeats; r++)
        if (pum_session_measure_ops(s, ids, n, runs[r < 0 ? 0 : r], &list->n, &err) != PUM_OK) return engine_error(&err);
    for (int i = 0; i < list->n; i++) {
        for (int r = 0; r < o->n_repeats; r++) ms[r] = runs[r][i].device_ms;
        list->ops[i] = runs[0][i];
        list->ms[i] = spread_of(ms, o->n_repeats);
        list->ops[i].device_ms = list->ms[i].median;
    }
    return true;
}

static bool measure_all_ops(const options *o, pum_session *s, const int32_t *ids, bench_run *run) {
    enum { MOST = 512 }; // the library's chunk
    pum_error err;
    int n = o->n_prompt < MOST ? o->n_prompt : MOST;
    if (pum_session_rewind(s, run->depth, &err) != PUM_OK) return engine_error(&err);
    return (n == 0 || measure_ops(o, s, ids, n, &run->prefill_ops)) && measure_ops(o, s, ids, 1, &run->decode_ops);
}

static int compare_depths(const void *a, const void *b) {
    return (*(bench_run *const *)a)->depth - (*(bench_run *const *)b)->depth;
}

/* From the depth that was measured last to the next: what that one left behind it goes. */
static bool deepen(pum_session *s, const int32_t *ids, int filled, int depth) {
    enum { LONG = 1024 }; // tokens that take a while
    pum_error err;
    if (pum_session_rewind(s, filled, &err) != PUM_OK) return engine_error(&err);
    if (depth - filled >= LONG) engine_notice("filling the context with %d tokens, up to depth %d", depth - filled, depth);
    return depth == filled || pum_session_append(s, ids + filled, depth - filled, &err) == PUM_OK || engine_error(&err);
}

static bool measure(bench *b, const options *o) {
    int deepest = 0;
    for (int i = 0; i < o->n_depths; i++) deepest = o->depths[i] > deepest ? o->depths[i] : deepest;
    int n_ids = (deepest > o->n_prompt ? deepest : o->n_prompt) + 1;
    int32_t *ids = malloc((size_t)n_ids * sizeof *ids);
    pum_session *s = NULL;
    pum_sampler *sampler = NULL;
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    pum_error err;
    pum_session_params params = {.n_ctx = deepest + (o->n_prompt > o->n_tokens ? o->n_prompt : o->n_tokens), .kv = o->kv};
    bool ok = ids != NULL;
    if (ok) ok = pum_session_create(b->e.model, &params, &s, &err) == PUM_OK || engine_error(&err);
    if (ok) engine_session_notice(s);
    if (ok) pum_session_get_plan(s, &b->plan);
    if (ok) ok = pum_sampler_create(&greedy, &sampler, &err) == PUM_OK || engine_error(&err);
    if (ok) fill_ids(ids, n_ids, b->info.n_vocab);
    bench_run *by_depth[MAX_DEPTHS];
    for (int i = 0; i < o->n_depths; i++) {
        b->runs[i].depth = o->depths[i];
        by_depth[i] = &b->runs[i];
    }
    qsort(by_depth, (size_t)o->n_depths, sizeof *by_depth, compare_depths);
    for (int i = 0, filled = 0; i < o->n_depths && ok; filled = by_depth[i++]->depth)
        ok = deepen(s, ids, filled, by_depth[i]->depth) && measure_depth(b, o, s, sampler, ids, by_depth[i]) &&
             (!o->ops || measure_all_ops(o, s, ids, by_depth[i]));
    pum_sampler_destroy(&sampler);
    pum_session_destroy(&s);
    free(ids);
    return ok;
}

static double percent(double part, double whole) { return whole > 0 ? 100 * part / whole : 0; }
static json_t *measured(double value) { return value > 0 ? json_number(value) : json_null(); }
/* More than the peak says that the peak is none (a cache's, a gather's), so there is no such part of it. */
static json_t *part_of_peak(double value) { return value <= 100 ? measured(value) : json_null(); }

static const char *peak_text(char text[16], double value) {
    snprintf(text, 16, value > 0 && value <= 100 ? "%.1f" : "-", value);
    return text;
}

/* The part of the roofline at which an op runs: the larger of the two, for that peak is the one in its way. */
static double roofline_percent(const bench *b, const pum_op_time *t) {
    double s = t->device_ms / 1e3;
    if (s <= 0) return 0;
    double multiply = percent(t->flop / s / 1e9, b->peaks.multiply_gflop_per_s);
    double read = percent(t->bytes / s / 1e9, b->peaks.read_gb_per_s);
    return multiply > read ? multiply : read;
}

static json_t *ops_json(const bench *b, const op_list *list) {
    json_t *all = json_array();
    for (int i = 0; i < list->n; i++) {
        const pum_op_time *t = &list->ops[i];
        json_t *op = json_object();
        json_object_set_new(op, "op", json_string(t->op));
        json_object_set_new(op, "dispatches", json_integer(t->n_dispatches));
        json_object_set_new(op, "device_ms", measured(t->device_ms));
        json_object_set_new(op, "device_ms_min", measured(list->ms[i].min));
        json_object_set_new(op, "device_ms_max", measured(list->ms[i].max));
        json_object_set_new(op, "flop", json_number(t->flop));
        json_object_set_new(op, "bytes", json_number(t->bytes));
        json_object_set_new(op, "percent_of_peak", part_of_peak(roofline_percent(b, t)));
        json_array_append_new(all, op);
    }
    return all;
}

static void put_run(json_t *o, const bench *b, const options *opt, const bench_run *r) {
    const char *version = pum_version(), *commit = strchr(version, '(');
    json_t *commit_text = commit ? json_stringn(commit + 1, strcspn(commit + 1, ")")) : json_null();
    json_object_set_new(o, "device", json_text(b->device));
    json_object_set_new(o, "driver", json_text(b->driver));
    json_object_set_new(o, "model", json_text(b->info.name));
    json_object_set_new(o, "n_layer", json_integer(b->info.n_layer));
    json_object_set_new(o, "depth", json_integer(r->depth));
    json_object_set_new(o, "repeats", json_integer(opt->n_repeats));
    json_object_set_new(o, "commit", commit_text);
    json_object_set_new(o, "path", json_text(opt->path));
    json_object_set_new(o, "kv", json_string(opt->kv == PUM_KV_Q8_0 ? "q8_0" : "f16"));
    json_object_set_new(o, "prefill_tokens", json_integer(opt->n_prompt));
    json_object_set_new(o, "prefill_tokens_per_s", measured(r->prefill.median));
    json_object_set_new(o, "prefill_tokens_per_s_min", measured(r->prefill.min));
    json_object_set_new(o, "prefill_tokens_per_s_max", measured(r->prefill.max));
    json_object_set_new(o, "prefill_gflop_per_s", measured(r->prefill_gflop_per_s));
    json_object_set_new(o, "decode_tokens", json_integer(opt->n_tokens));
    json_object_set_new(o, "decode_tokens_per_s", measured(r->decode.median));
    json_object_set_new(o, "decode_tokens_per_s_min", measured(r->decode.min));
    json_object_set_new(o, "decode_tokens_per_s_max", measured(r->decode.max));
    json_object_set_new(o, "decode_gb_per_s", measured(r->decode_gb_per_s));
    json_object_set_new(o, "read_peak_gb_per_s", measured(b->peaks.read_gb_per_s));
    json_object_set_new(o, "multiply_peak_gflop_per_s", measured(b->peaks.multiply_gflop_per_s));
    json_object_set_new(o, "decode_percent_of_peak", part_of_peak(percent(r->decode_gb_per_s, b->peaks.read_gb_per_s)));
    json_object_set_new(o, "prefill_percent_of_peak",
                        part_of_peak(percent(r->prefill_gflop_per_s, b->peaks.multiply_gflop_per_s)));
    json_object_set_new(o, "dispatches_per_token", json_integer(r->stats.dispatches_per_token));
    json_object_set_new(o, "barriers_per_token", json_integer(r->stats.barriers_per_token));
    json_object_set_new(o, "host_us_per_token", json_number(r->stats.host_us_per_token));
    json_object_set_new(o, "load_ms", json_number(b->load_ms));
    json_object_set_new(o, "first_token_ms", json_number(r->first_token_ms));
    json_object_set_new(o, "pipelines", json_integer(r->stats.n_pipelines));
    json_object_set_new(o, "device_bytes", json_integer((json_int_t)r->stats.device_bytes));
    json_object_set_new(o, "plan_bytes", json_integer((json_int_t)r->stats.plan_bytes));
    if (!opt->ops) return;
    json_object_set_new(o, "prefill_ops", ops_json(b, &r->prefill_ops));
    json_object_set_new(o, "decode_ops", ops_json(b, &r->decode_ops));
}

static int print_json(const bench *b, const options *o) {
    json_t *all = json_object(), *runs = json_array();
    put_run(all, b, o, &b->runs[0]);
    for (int i = 0; i < o->n_depths; i++) {
        json_t *run = json_object();
        put_run(run, b, o, &b->runs[i]);
        json_array_append_new(runs, run);
    }
    json_object_set_new(all, "runs", runs);
    return json_print(all);
}

static void print_ops(const bench *b, const char *what, int depth, const op_list *list) {
    double all_ms = 0;
    for (int i = 0; i < list->n; i++) all_ms += list->ops[i].device_ms;
    printf("\n%s at depth %d, each dispatch alone: %.2f ms\n", what, depth, all_ms);
    printf("%-14s %10s %27s %6s %9s %7s %6s\n", "op", "dispatches", "ms (min-max)", "share%", "GFLOP/s", "GB/s", "peak%");
    for (int i = 0; i < list->n; i++) {
        const pum_op_time *t = &list->ops[i];
        double s = t->device_ms / 1e3, per_s = s > 0 ? 1e-9 / s : 0;
        char peak[16];
        printf("%-14s %10d %9.3f (%7.3f-%7.3f) %6.1f %9.1f %7.2f %6s\n", t->op, t->n_dispatches, t->device_ms, list->ms[i].min,
               list->ms[i].max, percent(t->device_ms, all_ms), t->flop * per_s, t->bytes * per_s,
               peak_text(peak, roofline_percent(b, t)));
    }
}

static int print_table(const bench *b, const options *o) {
    printf("%s, %s; %s; pumice %s\n", b->device, b->driver, b->info.name, pum_version());
    if (!o->host_only)
        printf("peaks: %.1f GB/s read, %.1f GFLOP/s multiplied\n", b->peaks.read_gb_per_s, b->peaks.multiply_gflop_per_s);
    printf("ready after %.0f ms, first token after %.0f ms more, %u pipelines, %.3f GB on the device (planned %.3f)\n",
           b->load_ms, b->runs[0].first_token_ms, b->runs[0].stats.n_pipelines, (double)b->runs[0].stats.device_bytes / 1e9,
           (double)b->runs[0].stats.plan_bytes / 1e9);
    printf("%8s  %24s %9s %6s  %24s %7s %6s  %s\n", "depth", "prefill tok/s (min-max)", "GFLOP/s", "peak%",
           "decode tok/s (min-max)", "GB/s", "peak%", "dispatches");
    for (int i = 0; i < o->n_depths; i++) {
        const bench_run *r = &b->runs[i];
        char multiply[16], read[16];
        printf("%8d  %8.2f (%.2f-%.2f) %9.1f %6s  %8.2f (%.2f-%.2f) %7.2f %6s  %u, %u barriers, host %.0f us\n", r->depth,
               r->prefill.median, r->prefill.min, r->prefill.max, r->prefill_gflop_per_s,
               peak_text(multiply, percent(r->prefill_gflop_per_s, b->peaks.multiply_gflop_per_s)), r->decode.median,
               r->decode.min, r->decode.max, r->decode_gb_per_s,
               peak_text(read, percent(r->decode_gb_per_s, b->peaks.read_gb_per_s)), r->stats.dispatches_per_token,
               r->stats.barriers_per_token, r->stats.host_us_per_token);
    }
    for (int i = 0; i < o->n_depths && o->ops; i++) {
        const bench_run *r = &b->runs[i];
        if (r->prefill_ops.n) print_ops(b, "prefill", r->depth, &r->prefill_ops);
        print_ops(b, "decode", r->depth, &r->decode_ops);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}

static bool load(bench *b, const options *o) {
    pum_error err;
    if (!o->shape && !engine_open_file(&b->e, o)) return false;
    if (!engine_open_device(&b->e, o)) return false;
    if (!o->shape) return engine_load(&b->e, o);
    return pum_model_random(b->e.device, o->shape, o->type, 1, NULL, &b->e.model, &err) == PUM_OK || engine_error(&err);
}

static void name_drivers(bench *b) {
    size_t used = 0;
    for (int i = 0; i < pum_device_n_parts(b->e.device) && used < sizeof b->driver; i++) {
        pum_device_info info;
        pum_device_get_info(pum_device_part(b->e.device, i), &info);
        used += (size_t)snprintf(b->driver + used, sizeof b->driver - used, "%s%s %s", i ? " + " : "", info.driver,
                                 info.driver_version);
    }
}

static bool measure_peaks(bench *b) {
    pum_error err;
    for (int i = 0; i < pum_device_n_parts(b->e.device); i++)
        if (pum_device_measure_peaks(pum_device_part(b->e.device, i), &b->part_peaks[i], &err) != PUM_OK)
            return engine_error(&err);
    return true;
}

/* The devices work one after the other: their peaks together are those of what each of them has to do. */
static void join_peaks(bench *b) {
    double bytes = 0, layers = 0, read_s = 0, multiply_s = 0;
    for (int i = 0; i < b->plan.n_parts; i++) {
        const pum_plan_part *p = &b->plan.parts[i];
        double of_part = (double)(p->device_bytes + p->host_bytes);
        bytes += of_part;
        layers += p->n_layers;
        read_s += b->part_peaks[i].read_gb_per_s > 0 ? of_part / b->part_peaks[i].read_gb_per_s : 0;
        multiply_s += b->part_peaks[i].multiply_gflop_per_s > 0 ? p->n_layers / b->part_peaks[i].multiply_gflop_per_s : 0;
    }
    b->peaks.read_gb_per_s = read_s > 0 ? bytes / read_s : 0;
    b->peaks.multiply_gflop_per_s = multiply_s > 0 ? layers / multiply_s : 0;
}

int command_bench(options *o) {
    if (o->path && strcmp(o->path, "host") != 0 && strcmp(o->path, "gpu") != 0) {
        fprintf(stderr, "pumice: error: --path: expected gpu or host, got \"%s\"\n", o->path);
        return 2;
    }
    if (o->n_tokens < 0) o->n_tokens = 128;
    static bench b;
    double begin = now_ms();
    bool ok = load(&b, o);
    b.load_ms = now_ms() - begin;
    if (ok) {
        pum_model_get_info(b.e.model, &b.info);
        b.cpu = devices_names(b.e.device, b.device, sizeof b.device);
        name_drivers(&b);
        bool several = pum_device_n_parts(b.e.device) > 1; // their steps meet at the host
        if (!o->path || several) o->path = b.cpu || several ? "host" : "gpu";
        if (o->host_only)
            engine_notice("host only: nothing is checked, and the times are those of the host");
        else
            ok = measure_peaks(&b);
    }
    ok = ok && measure(&b, o);
    if (ok) join_peaks(&b);
    int status = !ok ? 1 : o->json ? print_json(&b, o) : print_table(&b, o);
    engine_close(&b.e);
    return status;
}
