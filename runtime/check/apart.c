#include "check/apart.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "base/words.h"
#include "check/protocol.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    POLL_MS = 50,       ///< so soon an abort is heard
    START_S = 60,       ///< for the drivers of a slow machine
    PATIENCE_MS = 2000, ///< with a child that was asked to end
    MOST_STARTS = 5,    ///< in a row, before there is no child: a GPU that was reset is away for a moment
    PAUSE_MS = 300
};

/* A kernel that runs longer than the watchdog of a GPU has no place; compiling one takes seconds on phones. A CPU driver compiles
 * when a kernel first runs, some for half a minute where the machine is busy. */
static const double SILENT_S = 20, SILENT_S_CPU = 45;

/* On a machine that is busy a CPU driver gets little of that time, and is not to blame: there the limit is for the processor time
 * of the child too. One that waits uses none: it has so many times the limit. */
static const double MOST_LIMITS = 5;

struct check_apart {
    vk_device *device;
    child *child; ///< NULL: none is running
    char path[CHILD_PATH_BYTES], folder[CHILD_PATH_BYTES];
    int (*start)(void *user); ///< in the place of the program at path, or NULL
    void (*stop)(void *user);
    void *user;
    int index;
    double silent_s;
    bool by_cpu;         ///< the device is a CPU driver: silent_s is of the child's processor time too
    double was_silent_s; ///< when it was given up
    int n_starts_lost;
    check_watch_fn watch;
    void *watch_user;
    const check_table *told; ///< whose choice the child knows, or NULL
    char at[96];             ///< what it was about to run last
};

/* ---- waiting for an answer */

typedef enum outcome { ANSWERED, GONE, SILENT, STOPPED } outcome;

static bool go_on(const check_apart *a) { return !a->watch || a->watch(a->watch_user, a->at[0] ? a->at : NULL); }

/* What may come at any time. Returns whether the line is one of those. */
static bool hear(check_apart *a, const char *line) {
    int64_t level;
    char word[64];
    if (!words_text(&line, word, sizeof word)) return false;
    if (strcmp(word, "log") == 0 && words_int(&line, PUM_LOG_DEBUG, PUM_LOG_WARNING, &level)) {
        base_log((pum_log_level)level, "%s", line);
        return true;
    }
    if (strcmp(word, "at") == 0 && words_text(&line, word, sizeof word)) {
        snprintf(a->at, sizeof a->at, "%s", line);
        utf8_make_clean(a->at);
        return true;
    }
    return false;
}

/* Whether a child has had its time, which has been silent for so long. cpu_s: what it had used before. */
static bool is_over(const check_apart *a, double limit_s, bool by_cpu, double silent_s, double cpu_s) {
    if (silent_s < limit_s) return false;
    double used_s = by_cpu && cpu_s >= 0 ? child_cpu_s(a->child) - cpu_s : limit_s;
    return used_s >= limit_s || silent_s >= MOST_LIMITS * limit_s;
}

/* Counts the time in which the child was silent while this process ran: one that was stopped is not to blame for it. */
static outcome wait_for_answer(check_apart *a, double limit_s, bool by_cpu, const char **answer) {
    double silent = 0, cpu_s = child_cpu_s(a->child);
    for (uint64_t asked = 0;;) {
        if (clock_now_ns() - asked >= POLL_MS * 1000000ull) {
            if (!go_on(a)) return STOPPED;
            asked = clock_now_ns();
        }
        uint64_t begin = clock_now_ns();
        switch (child_read(a->child, POLL_MS, answer)) {
        case CHILD_LINE:
            if (!hear(a, *answer)) return ANSWERED;
            silent = 0;
            cpu_s = child_cpu_s(a->child);
            break;
        case CHILD_GONE:
            return GONE;
        case CHILD_SILENT: {
            double s = (double)(clock_now_ns() - begin) * 1e-9;
            silent += s < 4 * POLL_MS * 1e-3 ? s : 4 * POLL_MS * 1e-3;
            if (!is_over(a, limit_s, by_cpu, silent, cpu_s)) break;
            a->was_silent_s = silent;
            return SILENT;
        }
        }
    }
}

/* ---- the child */

static void drop_child(check_apart *a, int patience_ms, char *how, size_t n_bytes) {
    child_end(&a->child, patience_ms, how, n_bytes);
    a->told = NULL;
    a->at[0] = 0;
}

static bool send(check_apart *a, const char *format, ...) BASE_PRINTF(2, 3);
static bool send(check_apart *a, const char *format, ...) {
    char line[CHILD_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    return child_send(a->child, line);
}

/* The first words of a new child. */
static pum_status greet(check_apart *a, pum_error *err) {
    const char *answer;
    char identity[1024], how[64], word[16];
    int64_t failure;
    check_table_identity(a->device, identity, sizeof identity);
    outcome o = send(a, "open %d %s", a->index, a->folder) ? wait_for_answer(a, START_S, a->by_cpu, &answer) : GONE;
    if (o == STOPPED) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    if (o == SILENT)
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: it did not open the device in %.0f s", a->path, a->was_silent_s);
    if (o == GONE) {
        drop_child(a, PATIENCE_MS, how, sizeof how);
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: it ended while it opened the device (%s)", a->path, how);
    }
    const char *words = answer;
    if (words_text(&words, word, sizeof word) && strcmp(word, "failed") == 0 && words_int(&words, INT32_MIN, -1, &failure))
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: it could not open the device: %s", a->path, words);
    if (strncmp(answer, "ready ", 6) != 0 || strcmp(answer + 6, identity) != 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: it is of another build, or sees another device", a->path);
    return PUM_OK;
}

static pum_status adopt(check_apart *a, pum_error *err) {
    int socket = a->start(a->user);
    if (socket < 0) return pum_fail(err, PUM_ERR_IO, "%s: it could not be started", a->path);
    return child_adopt(socket, a->stop, a->user, &a->child, err);
}

static pum_status start(check_apart *a, pum_error *err) {
    if (a->child) return PUM_OK;
    pum_status status = a->start ? adopt(a, err) : child_start(a->path, &a->child, err);
    if (status == PUM_OK) status = greet(a, err);
    if (status == PUM_OK) return PUM_OK;
    drop_child(a, 0, NULL, 0);
    return status == PUM_ERR_IO ? pum_fail_in(err, PUM_ERR_UNSUPPORTED, "no process for checks") : status;
}

pum_status check_apart_create(vk_device *device, const check_apart_params *params, check_apart **apart, pum_error *err) {
    check_apart *a = *apart = calloc(1, sizeof *a);
    if (!a) return pum_fail_memory(err, "checking kernels", sizeof *a);
    bool cpu = device->caps.type == PUM_DEVICE_CPU;
    a->device = device;
    a->by_cpu = cpu;
    a->silent_s = params->silent_s > 0 ? params->silent_s : cpu ? SILENT_S_CPU : SILENT_S;
    const char *folder = params->folder && !strpbrk(params->folder, "\n\r") ? params->folder : "-";
    snprintf(a->folder, sizeof a->folder, "%s", strlen(folder) < CHILD_LINE_BYTES - 64 ? folder : "-");
    pum_device_info info;
    vk_device_describe(device, &info);
    a->index = info.index;
    pum_status status = PUM_OK;
    a->start = params->start;
    a->stop = params->stop;
    a->user = params->user;
    if (a->start)
        snprintf(a->path, sizeof a->path, "the program's service for checks");
    else if (!child_find(CHECK_PROGRAM, a->path))
        status = pum_fail(err, PUM_ERR_UNSUPPORTED, "libexec/pumice/%s is not where this library was installed", CHECK_PROGRAM);
    if (status == PUM_OK) status = start(a, err);
    if (status != PUM_OK) check_apart_destroy(apart);
    return status;
}

void check_apart_destroy(check_apart **apart) {
    check_apart *a = *apart;
    if (!a) return;
    if (a->child) drop_child(a, child_send(a->child, "close") ? PATIENCE_MS : 0, NULL, 0);
    free(a);
    *apart = NULL;
}

/* ---- one question */

/* Starts a child where there is none, and asks it. by_cpu: what it does is work for the processor. o: an answer to read, or what
 * has happened to the child. */
static pum_status ask(check_apart *a, const char *question, bool by_cpu, const char **answer, outcome *o, pum_error *err) {
    pum_error error;
    pum_status status;
    while ((status = start(a, &error)) != PUM_OK) {
        if (status == PUM_ERR_UNSUPPORTED && ++a->n_starts_lost < MOST_STARTS) {
            clock_sleep_ms(PAUSE_MS * a->n_starts_lost);
            continue;
        }
        return pum_fail(err, status == PUM_ERR_UNSUPPORTED ? PUM_ERR_DEVICE : status, "%s", error.message);
    }
    a->n_starts_lost = 0;
    a->at[0] = 0;
    *o = child_send(a->child, question) ? wait_for_answer(a, a->silent_s, by_cpu, answer) : GONE;
    if (*o == STOPPED) {
        drop_child(a, 0, NULL, 0);
        return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    }
    return PUM_OK;
}

/* What a child says at the end of a check. Returns false for what no child of this build says. */
static bool read_done(const char *answer, pum_status *status, check_result *result, const char **text) {
    char word[16];
    int64_t code, verdict;
    uint64_t ratio, us, kl;
    if (!words_text(&answer, word, sizeof word) || strcmp(word, "done") != 0 ||
        !words_int(&answer, PUM_ERR_ABORTED, PUM_OK, &code) ||
        !words_int(&answer, PUM_VERDICT_NONE, PUM_VERDICT_UNSUPPORTED, &verdict) || !words_bits(&answer, &ratio) ||
        !words_bits(&answer, &us) || !words_bits(&answer, &kl))
        return false;
    check_result read = {.verdict = (pum_verdict)verdict,
                         .max_error_ratio = protocol_value(ratio),
                         .time_us = protocol_value(us),
                         .mean_kl = protocol_value(kl)};
    // What is wrong may be infinitely so, but no choice goes by a NaN.
    if (isnan(read.mean_kl)) read.mean_kl = INFINITY;
    if (!(read.max_error_ratio >= 0) || !(read.time_us >= 0) || !isfinite(read.time_us)) return false;
    *result = read;
    *status = (pum_status)code;
    *text = answer;
    return true;
}

/* What became of a child that gave no answer: a verdict about what it ran. */
static void blame(check_apart *a, outcome o, check_result *result) {
    char at[sizeof a->at], how[48];
    snprintf(at, sizeof at, "%s", a->at[0] ? a->at : "its beginning");
    drop_child(a, o == GONE ? PATIENCE_MS : 0, how, sizeof how);
    result->verdict = o == GONE ? PUM_VERDICT_CRASHED : PUM_VERDICT_HUNG;
    if (o == GONE)
        snprintf(result->message, sizeof result->message, "it ends the process that runs it (%s), at %s", how, at);
    else
        snprintf(result->message, sizeof result->message, "it did not end in %.0f s, at %s", a->was_silent_s, at);
}

/* The answer to a question about one variant, or what became of the child. */
static pum_status judge(check_apart *a, const char *question, check_result *result, pum_error *err) {
    for (int attempt = 0;; attempt++) {
        const char *answer, *text;
        outcome o;
        pum_status status = ask(a, question, a->by_cpu, &answer, &o, err), done;
        if (status != PUM_OK) return status;
        if (o == ANSWERED && read_done(answer, &done, result, &text)) {
            bool lost = done == PUM_ERR_DEVICE_LOST;
            snprintf(result->message, sizeof result->message, "%s", text);
            utf8_make_clean(result->message);
            if (lost) drop_child(a, 0, NULL, 0); // the next one has a new device
            if (done == PUM_OK || lost) return PUM_OK;
            return pum_fail(err, done, "the process for checks: %s", text);
        }
        // Once may have been the end of the system's memory; twice is the kernel.
        if (o == GONE && attempt == 0) {
            drop_child(a, PATIENCE_MS, NULL, 0);
            continue;
        }
        blame(a, o == ANSWERED ? GONE : o, result);
        return PUM_OK;
    }
}

static void watch_there(void *user, check_watch_fn watch, void *watch_user) {
    check_apart *a = user;
    a->watch = watch;
    a->watch_user = watch_user;
}

static pum_status variant_there(void *user, const check_job *job, const shader_variant *variant, uint32_t most_cases,
                                uint32_t n_repeats, check_result *result, pum_error *err) {
    char question[256];
    snprintf(question, sizeof question, "check %s %d %s %" PRIu32 " %" PRIu32, job->op, (int)job->size, variant->name, most_cases,
             n_repeats);
    *result = (check_result){.verdict = PUM_VERDICT_NONE};
    return judge(user, question, result, err);
}

static pum_status time_there(void *user, const check_job *job, const shader_variant *variant, double enough_us,
                             check_result *result, pum_error *err) {
    char question[256];
    check_result timed = {.verdict = PUM_VERDICT_NONE};
    snprintf(question, sizeof question, "time %s %d %s %" PRIx64, job->op, (int)job->size, variant->name,
             protocol_bits(enough_us));
    pum_status status = judge(user, question, &timed, err);
    if (status != PUM_OK) return status;
    result->time_us = timed.time_us;
    if (timed.verdict == PUM_VERDICT_OK) return PUM_OK;
    result->verdict = timed.verdict;
    memcpy(result->message, timed.message, sizeof result->message);
    return PUM_OK;
}

static bool tell_choice(check_apart *a, const check_table *table) {
    for (size_t i = 0; i < n_shader_variants; i++) {
        op_variant_knowledge known = check_table_knowledge(table, &shader_variants[i], true);
        if (!send(a, "know %s %d %" PRIx64 " %" PRIx64 " %" PRIx64, shader_variants[i].name, known.left_out,
                  protocol_bits(known.time_us[0]), protocol_bits(known.time_us[1]), protocol_bits(known.time_us[2])))
            return false;
    }
    return true;
}

static pum_status model_there(void *user, const check_table *table, tensor_type type, double *mean_kl, pum_error *err) {
    check_apart *a = user;
    char question[64];
    const char *answer, *text;
    check_result result = {.verdict = PUM_VERDICT_NONE};
    outcome o;
    pum_status status = start(a, err), done;
    if (status != PUM_OK) return status;
    if (a->told != table && !tell_choice(a, table)) return pum_fail(err, PUM_ERR_DEVICE, "the process for checks has ended");
    a->told = table;
    snprintf(question, sizeof question, "model %d", (int)type);
    if ((status = ask(a, question, a->by_cpu, &answer, &o, err)) != PUM_OK) return status;
    if (o == ANSWERED && read_done(answer, &done, &result, &text)) {
        *mean_kl = result.mean_kl;
        return done == PUM_OK ? PUM_OK : pum_fail(err, done, "the process for checks: %s", text);
    }
    blame(a, o == ANSWERED ? GONE : o, &result);
    return pum_fail(err, PUM_ERR_DEVICE, "a tiny model: %s", result.message);
}

static bool read_compiled(const char *answer, pum_status *status, check_compilation *result, const char **text) {
    char word[16];
    int64_t code, compiled;
    check_compilation read;
    vk_pipeline_statistics *n = &read.statistics;
    int64_t *const numbers[] = {&n->registers, &n->spills,       &n->scratch_bytes, &n->shared_bytes,
                                &n->occupancy, &n->instructions, &n->code_bytes};
    if (!words_text(&answer, word, sizeof word) || strcmp(word, "compiled") != 0 ||
        !words_int(&answer, PUM_ERR_ABORTED, PUM_OK, &code) || !words_int(&answer, 0, 1, &compiled))
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!words_int(&answer, -1, INT64_MAX, numbers[i])) return false;
    if (!compiled && !*answer) return false; // without a reason
    read.compiled = compiled != 0;
    snprintf(read.message, sizeof read.message, "%s", answer);
    utf8_make_clean(read.message);
    *result = read;
    *status = (pum_status)code;
    *text = answer;
    return true;
}

/* Unlike judge, the first end of a child is the compiler's: this is no verdict that lasts. */
static pum_status compile_there(void *user, const shader_variant *variant, const op_kernel_params *params,
                                check_compilation *result, pum_error *err) {
    char question[CHILD_LINE_BYTES];
    const char *answer, *text;
    outcome o;
    size_t n = (size_t)snprintf(question, sizeof question, "compile %s %u %u %u %u", variant->name, params->n_bindings,
                                params->push_bytes, params->require_subgroup_size, params->n_constants);
    for (uint32_t i = 0; i < params->n_constants && n < sizeof question; i++)
        n += (size_t)snprintf(question + n, sizeof question - n, " %u", params->constants[i]);
    pum_status status = ask(user, question, true, &answer, &o, err), done; // a compiler works on the CPU, whatever the device
    if (status != PUM_OK) return status;
    *result = CHECK_NOT_COMPILED;
    if (o == ANSWERED && read_compiled(answer, &done, result, &text))
        return done == PUM_OK ? PUM_OK : pum_fail(err, done, "the process for checks: %s", text);
    check_result blamed;
    blame(user, o == ANSWERED ? GONE : o, &blamed);
    snprintf(result->message, sizeof result->message, "%s", blamed.message);
    return PUM_OK;
}

check_runner check_there(check_apart *a) {
    return (check_runner){a, &a->device->caps, watch_there, variant_there, time_there, model_there, compile_there};
}
