/* What a process that checks kernels may say, whole or while it falls over: every answer is a verdict or an error that exists,
 * with numbers that are numbers and text that a terminal may see. An input: one byte for the question, then the words of one
 * child, and behind a separator those of the next, which is asked when the first has gone. */
#include "base/log.h"
#include "check/apart.h"
#include "check/tune.h"
#include "fuzz/fake_device.h"
#include "fuzz/fuzz.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The digits of ASCII are questions; others than these are for a check. */
enum { SEPARATOR = 0x1E, TIME = 1, MODEL = 2, GREET = 3, COMPILE = 4, QUESTIONS = 8 };

struct children {
    fuzz_input words;
    bool greets; ///< the first words of a child are those of an input
    int socket;  ///< of the running one
    pthread_t reader;
};
static struct children asked = {.socket = -1}, greeted = {.greets = true, .socket = -1};

/* It reads whatever it is told. */
static void *read_all(void *socket) {
    char bytes[4096];
    while (recv(*(int *)socket, bytes, sizeof bytes, 0) > 0) continue;
    return NULL;
}

static void end_child(void *user) {
    struct children *children = user;
    shutdown(children->socket, SHUT_RDWR);
    pthread_join(children->reader, NULL);
    close(children->socket);
    children->socket = -1;
}

static void say(const struct children *children, const char *bytes, size_t n_bytes) {
    must(send(children->socket, bytes, n_bytes, 0) == (ssize_t)n_bytes, "the words of a child do not fit its socket");
}

static int start_child(void *user) {
    struct children *children = user;
    int ends[2];
    must(children->socket < 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "no socket for a child");
    children->socket = ends[1];
    if (!children->greets) {
        char ready[1100] = "ready ";
        check_table_identity(fake_device(), ready + 6, sizeof ready - 8);
        strcat(ready, "\n");
        say(children, ready, strlen(ready));
    }
    size_t n;
    char *words = fuzz_text(&children->words, SEPARATOR, &n);
    say(children, words, n);
    free(words);
    shutdown(children->socket, SHUT_WR);
    must(pthread_create(&children->reader, NULL, read_all, &children->socket) == 0, "no thread for a child");
    return ends[0];
}

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user;
    must(level >= PUM_LOG_DEBUG && level <= PUM_LOG_WARNING, "a level of the log that does not exist");
    must_be_clean(message, "a line of the log with bytes that no terminal should see");
}

static bool on_watch(void *user, const char *what) {
    (void)user;
    if (what) must_be_clean(what, "what runs, with bytes that no terminal should see");
    return true;
}

static bool is_number(double value) { return value >= 0; }

static void check_answer(pum_status status, const check_result *r, const pum_error *err) {
    if (status != PUM_OK) {
        must_be_error(status, err);
        return;
    }
    must(r->verdict >= PUM_VERDICT_NONE && r->verdict <= PUM_VERDICT_UNSUPPORTED, "a verdict that does not exist");
    must(is_number(r->max_error_ratio) && is_number(r->time_us) && !isnan(r->mean_kl), "a verdict with what is no number");
    must(isfinite(r->time_us), "a time without an end");
    must(memchr(r->message, 0, sizeof r->message) != NULL, "a verdict's sentence without an end");
    must_be_clean(r->message, "a verdict's sentence with bytes that no terminal should see");
}

static void check_compiled_answer(pum_status status, const check_compilation *c, const pum_error *err) {
    if (status != PUM_OK) {
        must_be_error(status, err);
        return;
    }
    const vk_pipeline_statistics *n = &c->statistics;
    must(n->registers >= -1 && n->spills >= -1 && n->scratch_bytes >= -1 && n->shared_bytes >= -1 && n->occupancy >= -1 &&
             n->instructions >= -1 && n->code_bytes >= -1,
         "a count below -1");
    must(memchr(c->message, 0, sizeof c->message) != NULL, "a compiler's sentence without an end");
    must(c->compiled || c->message[0], "a kernel that did not compile, and no word why");
    must_be_clean(c->message, "a compiler's sentence with bytes that no terminal should see");
}

static check_apart *make(struct children *children) {
    const check_apart_params params = {.start = start_child, .stop = end_child, .user = children, .silent_s = 1};
    check_apart *apart;
    pum_error err = {0};
    pum_status status = check_apart_create(fake_device(), &params, &apart, &err);
    if (status != PUM_OK) must_be_error(status, &err);
    return status == PUM_OK ? apart : NULL;
}

static void greet(fuzz_input in) {
    greeted.words = in;
    check_apart *apart = make(&greeted);
    if (apart) check_apart_destroy(&apart);
}

static void ask(fuzz_input in, uint8_t question) {
    static check_apart *apart; // it lives as long as the program
    static check_job *jobs;
    static check_table *table;
    size_t n_jobs;
    if (!apart) {
        must((apart = make(&asked)) != NULL, "no child");
        must(check_jobs(&jobs, &n_jobs, NULL) == PUM_OK && check_table_create(&table, NULL) == PUM_OK, "no jobs");
    }
    check_runner runner = check_there(apart);
    runner.watch(runner.user, on_watch, NULL);
    check_result r = {.verdict = PUM_VERDICT_NONE};
    pum_error err = {0};
    // The child of the input before has no more to say: what it left is asked for until it has gone.
    asked.words = (fuzz_input){0};
    for (int i = 0; r.verdict != PUM_VERDICT_CRASHED; i++)
        must(i < 5000 && runner.variant(runner.user, jobs, &shader_variants[0], 1, 1, &r, &err) != PUM_ERR_ABORTED,
             "a child that never goes");
    asked.words = in;
    r = (check_result){.verdict = PUM_VERDICT_NONE};
    pum_status status;
    if (question == COMPILE) {
        check_compilation made;
        status = runner.compile(runner.user, &shader_variants[0], &(op_kernel_params){.n_bindings = 1}, &made, &err);
        check_compiled_answer(status, &made, &err);
        return;
    }
    if (question == MODEL)
        status = runner.model(runner.user, table, TENSOR_Q4_0, &r.mean_kl, &err);
    else if (question == TIME)
        status = runner.time(runner.user, jobs, &shader_variants[0], 1, &r, &err);
    else
        status = runner.variant(runner.user, jobs, &shader_variants[0], 1, 1, &r, &err);
    check_answer(status, &r, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = {data, size};
    uint8_t question = fuzz_byte(&in) % QUESTIONS;
    pum_set_log(on_log, NULL);
    if (question == GREET)
        greet(in);
    else
        ask(in, question);
    return 0;
}
