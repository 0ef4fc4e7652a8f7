#include "check/serve.h"

#include "base/child.h"
#include "base/log.h"
#include "base/words.h"
#include "check/protocol.h"
#include "check/runner.h"
#include "check/tiny.h"
#include "vk/drivers.h"
#include "vk/pipeline_cache.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct server {
    int in, out;
    pthread_mutex_t writing; ///< the log may come from any thread
    vk_device *device;
    checker *checker;
    check_job *jobs;
    size_t n_jobs;
    const char *running; ///< the name of the variant
} server;

/* ---- writing */

static void say(server *s, const char *format, ...) BASE_PRINTF(2, 3);
static void say(server *s, const char *format, ...) {
    char line[CHILD_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    for (char *at = line; *at; at++)
        if (*at == '\n') *at = ' ';
    strcat(line, "\n");
    pthread_mutex_lock(&s->writing);
    if (!child_answer(s->out, line, strlen(line))) _Exit(1); // nobody wants to know
    pthread_mutex_unlock(&s->writing);
}

static void on_log(void *user, pum_log_level level, const char *message) { say(user, "log %d %s", (int)level, message); }

static bool on_watch(void *user, const char *what) {
    server *s = user;
    say(s, "at %s %s", s->running, what);
    return true;
}

/* ---- what is asked */

static pum_status open_device(server *s, char *words, pum_error *err) {
    char index[16];
    int n = 0;
    if (s->device || sscanf(words, "%15s %n", index, &n) != 1)
        return pum_fail(err, PUM_ERR_ARGUMENT, "open: expected an index and a folder, once");
    const char *folder = words + n;
    pum_status status = vk_device_open(index, &s->device, err);
    if (status == PUM_OK && folder[0] && strcmp(folder, "-") != 0) vk_pipeline_cache_open(s->device, folder);
    if (status == PUM_OK) status = checker_create(s->device, &s->checker, err);
    if (status == PUM_OK) status = check_jobs(&s->jobs, &s->n_jobs, err);
    if (status == PUM_OK) checker_watch(s->checker, on_watch, s);
    return status;
}

static void answer_open(server *s, char *words) {
    pum_error error;
    pum_status status = open_device(s, words, &error);
    char identity[1024];
    if (status == PUM_OK) check_table_identity(s->device, identity, sizeof identity);
    if (status == PUM_OK)
        say(s, "ready %s", identity);
    else
        say(s, "failed %d %s", (int)status, error.message);
}

static void say_done(server *s, pum_status status, const check_result *r, const pum_error *error) {
    say(s, "done %d %d %" PRIx64 " %" PRIx64 " %" PRIx64 " %s", (int)status, (int)r->verdict, protocol_bits(r->max_error_ratio),
        protocol_bits(r->time_us), protocol_bits(r->mean_kl), status == PUM_OK ? r->message : error->message);
}

static const check_job *find_job(const server *s, const char *op, int size) {
    for (size_t i = 0; i < s->n_jobs; i++)
        if (strcmp(s->jobs[i].op, op) == 0 && (int)s->jobs[i].size == size) return &s->jobs[i];
    return NULL;
}

/* Loads drivers, before anything else has, and opens each device. Who asks needs no more of the answer than that there is one. */
static void answer_look(server *s, const char *words) {
    enum { MOST = 16 };
    static pum_device_info infos[MOST];
    pum_error error;
    int64_t layers;
    int n;
    if (!words_int(&words, 0, 1, &layers)) return;
    if ((layers == 0 && !vk_drivers_without_layers()) || (strcmp(words, "-") != 0 && !vk_drivers_use(words))) return;
    pum_status status = vk_devices(infos, MOST, &n, &error);
    for (int i = 0; i < n && status == PUM_OK; i++) {
        char index[12];
        vk_device *device;
        snprintf(index, sizeof index, "%d", i);
        if (vk_device_open(index, &device, &error) == PUM_OK) vk_device_close(&device);
    }
    say(s, "seen %d", (int)status);
}

/* OP SIZE VARIANT and two numbers or one. */
static void answer_variant(server *s, const char *words, bool timing) {
    char op[48], variant[64];
    int size, n = 0;
    uint32_t cases = 0, repeats = 0;
    uint64_t enough = 0;
    check_result result = {.verdict = PUM_VERDICT_NONE};
    pum_error error;
    bool read = sscanf(words, "%47s %d %63s %n", op, &size, variant, &n) == 3;
    read = read && (timing ? sscanf(words + n, "%" SCNx64, &enough) == 1
                           : sscanf(words + n, "%" SCNu32 " %" SCNu32, &cases, &repeats) == 2);
    const check_job *job = read && s->checker ? find_job(s, op, size) : NULL;
    const shader_variant *v = job ? check_find_variant(variant) : NULL;
    if (!v) {
        say_done(s, pum_fail(&error, PUM_ERR_ARGUMENT, "expected a kernel to check, got \"%.200s\"", words), &result, &error);
        return;
    }
    s->running = v->name;
    on_watch(s, job->op);
    result.verdict = timing ? PUM_VERDICT_OK : PUM_VERDICT_NONE;
    pum_status status = timing ? check_time(s->checker, job, v, protocol_value(enough), &result, &error)
                               : check_variant(s->checker, job, v, cases, repeats, &result, &error);
    say_done(s, status, &result, &error);
}

static void hear_knowledge(server *s, const char *words) {
    char variant[64];
    int left_out;
    uint64_t us[OP_N_SIZES];
    if (sscanf(words, "%63s %d %" SCNx64 " %" SCNx64 " %" SCNx64, variant, &left_out, &us[0], &us[1], &us[2]) != 5) return;
    const shader_variant *v = check_find_variant(variant);
    op_variant_knowledge known = {.left_out = left_out != 0};
    for (int i = 0; i < OP_N_SIZES; i++) known.time_us[i] = protocol_value(us[i]);
    if (v && s->checker) op_variant_know(checker_kernels(s->checker), v, &known);
}

static void answer_model(server *s, const char *words) {
    check_result result = {.verdict = PUM_VERDICT_NONE};
    pum_error error;
    int type;
    pum_status status = PUM_ERR_ARGUMENT;
    s->running = "model";
    if (!s->checker || sscanf(words, "%d", &type) != 1 || !tensor_type_find((uint32_t)type))
        pum_fail(&error, status, "expected a type of tensors, got \"%.200s\"", words);
    else if (on_watch(s, "a tiny model"))
        status = check_tiny_kl(checker_kernels(s->checker), (tensor_type)type, &result.mean_kl, &error);
    say_done(s, status, &result, &error);
}

static bool read_params(const char *words, const shader_variant **variant, op_kernel_params *params, uint32_t *constants) {
    char name[64];
    uint32_t *const numbers[] = {&params->n_bindings, &params->push_bytes, &params->require_subgroup_size, &params->n_constants};
    int64_t value;
    if (!words_text(&words, name, sizeof name) || !(*variant = check_find_variant(name))) return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (!words_int(&words, 0, UINT32_MAX, &value)) return false;
        *numbers[i] = (uint32_t)value;
    }
    if (params->n_constants > VK_MAX_CONSTANTS) return false;
    for (uint32_t i = 0; i < params->n_constants; i++) {
        if (!words_int(&words, 0, UINT32_MAX, &value)) return false;
        constants[i] = (uint32_t)value;
    }
    params->constants = constants;
    return true;
}

static void answer_compile(server *s, const char *words) {
    uint32_t constants[VK_MAX_CONSTANTS];
    op_kernel_params params;
    const shader_variant *variant;
    check_compilation made = CHECK_NOT_COMPILED;
    pum_error error;
    pum_status status = PUM_ERR_ARGUMENT;
    if (!s->checker || !read_params(words, &variant, &params, constants))
        pum_fail(&error, status, "expected a kernel to compile, got \"%.200s\"", words);
    else {
        s->running = variant->name;
        on_watch(s, "its compilation");
        status = check_here(s->checker).compile(s->checker, variant, &params, &made, &error);
    }
    const vk_pipeline_statistics *n = &made.statistics;
    say(s, "compiled %d %d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s", (int)status,
        made.compiled, n->registers, n->spills, n->scratch_bytes, n->shared_bytes, n->occupancy, n->instructions, n->code_bytes,
        status == PUM_OK ? made.message : error.message);
}

/* Returns whether to go on. */
static bool obey(server *s, char *line) {
    char *words = line + strcspn(line, " ");
    if (*words) *words++ = 0;
    if (strcmp(line, "close") == 0) return false;
    if (strcmp(line, "look") == 0) answer_look(s, words);
    if (strcmp(line, "open") == 0) answer_open(s, words);
    if (strcmp(line, "check") == 0) answer_variant(s, words, false);
    if (strcmp(line, "time") == 0) answer_variant(s, words, true);
    if (strcmp(line, "know") == 0) hear_knowledge(s, words);
    if (strcmp(line, "model") == 0) answer_model(s, words);
    if (strcmp(line, "compile") == 0) answer_compile(s, words);
    return true;
}

int check_serve(int in, int out) {
    server s = {.in = in, .out = out, .writing = PTHREAD_MUTEX_INITIALIZER, .running = "-"};
    FILE *lines = fdopen(in, "r");
    // A kernel that never ends must not outlive the program that wanted it checked.
    if (!lines || !child_go_along(in)) return 1;
    pum_set_log(on_log, &s);
    char line[2 * CHILD_LINE_BYTES];
    while (fgets(line, sizeof line, lines)) {
        line[strcspn(line, "\n")] = 0;
        if (!obey(&s, line)) break;
    }
    pum_set_log(NULL, NULL);
    if (s.device) vk_pipeline_cache_save(s.device);
    return 0;
}
