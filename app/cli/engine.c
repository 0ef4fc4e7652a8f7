#include "engine.h"

#include "chat/devices.h"
#include "chat/models.h"
#include "chat/system.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pum_error last_error;

const char *engine_last_error(void) { return last_error.message; }

bool engine_error(const pum_error *err) {
    last_error = *err;
    fprintf(stderr, "pumice: error: %s\n", err->message);
    fflush(stderr);
    return false;
}

static bool mid_line; ///< what was written to standard output last did not end its line

void engine_notice(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (mid_line && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO)) fputc('\n', stderr);
    fputs("pumice: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    fflush(stderr);
    va_end(args);
}

bool engine_open_file(engine *e, const options *o) {
    char path[PATHS_MAX];
    pum_error err;
    if (models_find(o->model, path, &err) != PUM_OK || pum_file_open(path, &e->file, &err) != PUM_OK ||
        pum_file_tokenizer(e->file, &e->tokenizer, &err) != PUM_OK)
        return engine_error(&err);
    return true;
}

static bool on_tune(void *user, uint64_t done, uint64_t total) {
    bool *said = user; // it is called again and again
    if (!*said)
        engine_notice("checking and timing %llu kernels on this device, once; this takes some seconds",
                      (unsigned long long)(total - done));
    *said = true;
    return true;
}

bool engine_open_device(engine *e, const options *o) {
    static bool said;
    pum_error err;
    const pum_device_params params = {.which = o->device,
                                      .devices = o->devices,
                                      .tune = !o->no_tune,
                                      .tune_progress = on_tune,
                                      .tune_user = &said,
                                      .ignore_results = o->host_only || o->compile};
    if (devices_open(&params, &e->device, &err) != PUM_OK) return engine_error(&err);
    char names[512];
    bool cpu = devices_names(e->device, names, sizeof names);
    if (cpu) engine_notice("running on the CPU driver %s: right, but much slower than a GPU", names);
    if (!cpu && o->devices) engine_notice("running on %s", names);
    return true;
}

void engine_memory_notice(const pum_plan *plan) {
    char text[256];
    if (devices_memory_notice(plan, text, sizeof text)) engine_notice("%s", text);
}

void engine_session_notice(const pum_session *session) {
    pum_plan plan;
    pum_session_get_plan(session, &plan);
    engine_memory_notice(&plan);
}

bool engine_load(engine *e, const options *o) {
    pum_error err;
    const pum_model_params params = {.n_ctx = o->n_ctx, .kv = o->kv};
    return pum_model_load(e->device, e->file, &params, &e->model, &err) == PUM_OK || engine_error(&err);
}

bool engine_open(engine *e, const options *o) { return engine_open_file(e, o) && engine_open_device(e, o) && engine_load(e, o); }

void engine_close(engine *e) {
    pum_model_destroy(&e->model);
    pum_tokenizer_destroy(&e->tokenizer);
    pum_file_destroy(&e->file);
    pum_device_destroy(&e->device);
}

void engine_seed(options *o) {
    if (o->seed_given || o->sampling.temp == 0) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    o->sampling.seed = ((uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec << 8 ^ (uint64_t)getpid()) & 0xFFFFFFFF;
    engine_notice("seed %llu", (unsigned long long)o->sampling.seed);
}

/* ---- Ctrl-C */

static volatile sig_atomic_t interrupted;
static pum_session *volatile interrupted_session;

static void on_interrupt(void) {
    interrupted = 1;
    if (interrupted_session) pum_session_abort(interrupted_session); // an atomic store: safe in a handler
}

void engine_catch_interrupt(pum_session *session) {
    interrupted = 0;
    interrupted_session = session;
    system_catch_interrupt(on_interrupt);
}

bool engine_interrupted(void) { return interrupted; }
void engine_clear_interrupt(void) { interrupted = 0; }

/* ---- files */

char *engine_read_all(const char *path, size_t *n_bytes) {
    FILE *file = path ? system_open(path, "rb") : stdin;
    size_t n = 0, capacity = 1 << 16;
    char *bytes = file ? malloc(capacity) : NULL;
    while (bytes) {
        n += fread(bytes + n, 1, capacity - n - 1, file);
        if (n + 1 < capacity) break;
        char *grown = realloc(bytes, capacity *= 2);
        if (!grown) free(bytes);
        bytes = grown;
    }
    if (!bytes || ferror(file)) {
        fprintf(stderr, "pumice: error: %s: cannot be read: %s\n", path ? path : "standard input", strerror(errno));
        free(bytes);
        bytes = NULL;
    }
    if (file && file != stdin) fclose(file);
    if (bytes) bytes[n] = 0;
    *n_bytes = n;
    return bytes;
}

bool engine_write(const char *bytes, size_t n_bytes) {
    if (n_bytes > 0) mid_line = bytes[n_bytes - 1] != '\n';
    if (fwrite(bytes, 1, n_bytes, stdout) == n_bytes && fflush(stdout) == 0) return true;
    fprintf(stderr, "pumice: error: standard output: cannot be written: %s\n", strerror(errno));
    return false;
}
