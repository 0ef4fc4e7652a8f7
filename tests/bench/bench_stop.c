/* How soon Stop answers: a long prefill of random weights is stopped at random moments and gone on with, from its first token to
 * its last. bench_stop [SHAPE [N_TOKENS [SEED]]]      default: 15m 30000 1 Milliseconds from pum_session_abort to the return of
 * pum_session_append: median, 95 of 100, worst, and where that was; and the same for generating behind it. --no-tune order of
 * kernels; the pipelines are warm. */
#define _DEFAULT_SOURCE // usleep
#include "base/clock.h"
#include "base/random.h"
#include "pumice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_STOPS = 4096, LEAST_WAIT_MS = 20, MOST_WAIT_MS = 700, N_GENERATED = 200, CHUNK = 512 };

static const uint64_t REPORT_NS = 30000000000;

typedef struct stop {
    double ms;
    int n_past;
} stop;

typedef struct stopping {
    pum_session *session;
    uint64_t random;
    _Atomic uint64_t began_ns; ///< of the abort that has not been answered; 0: none
    atomic_bool running, quit;
} stopping;

static void must(pum_status status, const pum_error *error) {
    if (status == PUM_OK) return;
    fprintf(stderr, "bench_stop: error: %s\n", error->message);
    exit(1);
}

/* Presses Stop at random moments of what runs. */
static void *press(void *argument) {
    stopping *s = argument;
    for (uint64_t n = 0; !atomic_load(&s->quit);) {
        uint32_t wait_ms = LEAST_WAIT_MS + (uint32_t)(random_uniform(s->random, n++) * (MOST_WAIT_MS - LEAST_WAIT_MS));
        usleep(wait_ms * 1000);
        if (!atomic_load(&s->running) || atomic_load(&s->began_ns)) continue;
        atomic_store(&s->began_ns, clock_now_ns());
        pum_session_abort(s->session);
    }
    return NULL;
}

static int by_ms(const void *a, const void *b) {
    double x = ((const stop *)a)->ms, y = ((const stop *)b)->ms;
    return (x > y) - (x < y);
}

static void report(const char *what, stop *stops, int n) {
    if (n == 0) {
        printf("%s: no stop came in\n", what);
        return;
    }
    qsort(stops, (size_t)n, sizeof *stops, by_ms);
    printf("%s: %d stops; median %.1f ms, 95 of 100 %.1f ms, 99 of 100 %.1f ms, worst %.1f ms, behind %d tokens\n", what, n,
           stops[n / 2].ms, stops[n * 95 / 100].ms, stops[n * 99 / 100].ms, stops[n - 1].ms, stops[n - 1].n_past);
    fflush(stdout);
}

/* Whether it was stopped, and how soon. */
static bool note(stopping *s, pum_status status, const pum_error *error, stop *stops, int *n) {
    atomic_store(&s->running, false);
    uint64_t began = atomic_load(&s->began_ns);
    if (status != PUM_ERR_ABORTED) must(status, error);
    if (status == PUM_ERR_ABORTED && began && *n < MAX_STOPS)
        stops[(*n)++] = (stop){(double)(clock_now_ns() - began) / 1e6, pum_session_n_past(s->session)};
    pum_session_clear_abort(s->session);
    atomic_store(&s->began_ns, 0);
    return status == PUM_ERR_ABORTED;
}

int main(int argc, char **argv) {
    const char *shape = argc > 1 ? argv[1] : "15m";
    int n_tokens = argc > 2 ? atoi(argv[2]) : 30000;
    stopping s = {.random = argc > 3 ? strtoull(argv[3], NULL, 10) : 1};
    pum_error error;
    pum_device *device;
    pum_model *model;
    pum_sampler *sampler;
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    must(pum_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error), &error);
    must(pum_model_random(device, shape, "Q4_0", 1, NULL, &model, &error), &error);
    must(pum_session_create(model, &(pum_session_params){.n_ctx = n_tokens + N_GENERATED + 8}, &s.session, &error), &error);
    must(pum_sampler_create(&greedy, &sampler, &error), &error);
    pum_model_info info;
    pum_model_get_info(model, &info);
    int32_t *tokens = calloc((size_t)n_tokens, sizeof *tokens);
    static stop stops[MAX_STOPS], in_decode[MAX_STOPS];
    int n_stops = 0, n_in_decode = 0;
    if (!tokens) return 1;
    for (int i = 0; i < n_tokens; i++) tokens[i] = (int32_t)(i * 7919LL % info.n_vocab);
    must(pum_session_append(s.session, tokens, n_tokens < 600 ? n_tokens : 600, &error), &error); // makes the kernels
    must(pum_session_append(s.session, tokens, 1, &error), &error);
    must(pum_session_rewind(s.session, 0, &error), &error);

    pthread_t thread;
    pthread_create(&thread, NULL, press, &s);
    uint64_t begin = clock_now_ns(), next = begin + REPORT_NS;
    for (int n_past = 0; n_past < n_tokens; n_past = pum_session_n_past(s.session)) {
        atomic_store(&s.running, true);
        note(&s, pum_session_append(s.session, tokens + n_past, n_tokens - n_past, &error), &error, stops, &n_stops);
        n_past = pum_session_n_past(s.session);
        int n = n_tokens - n_past < CHUNK ? n_tokens - n_past : CHUNK;
        if (n > 0) must(pum_session_append(s.session, tokens + n_past, n, &error), &error);
        if (clock_now_ns() < next) continue;
        next += REPORT_NS;
        report("so far", stops, n_stops);
    }
    double seconds = (double)(clock_now_ns() - begin) / 1e9;
    for (int n = 0; n < N_GENERATED / 4; n++) {
        must(pum_session_rewind(s.session, n_tokens - 1, &error), &error);
        must(pum_session_append(s.session, tokens, 1, &error), &error);
        pum_end end;
        pum_generate_params p = {.n_tokens = N_GENERATED};
        atomic_store(&s.running, true);
        note(&s, pum_session_generate(s.session, sampler, &p, &end, &error), &error, in_decode, &n_in_decode);
    }
    atomic_store(&s.quit, true);
    pthread_join(thread, NULL);
    pum_device_info d;
    pum_device_get_info(device, &d);
    printf("%s, %s; %s, %d tokens in %.1f s\n", d.name, d.driver_version, shape, n_tokens, seconds);
    report("prefill", stops, n_stops);
    report("decode", in_decode, n_in_decode);
    free(tokens);
    pum_sampler_destroy(&sampler);
    pum_session_destroy(&s.session);
    pum_model_destroy(&model);
    pum_device_destroy(&device);
    return 0;
}
