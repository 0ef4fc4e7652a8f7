/* A model on a device that fails at every place where it can: each allocation denied, the device lost at each submission, each
 * submission dropped. Every run is a process of its own; each must end with the right status and a sentence, with nothing leaked,
 * and after a dropped submission the session must go on to the very logits of an undisturbed run. */
#include "pumice.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_TOKENS = 40, N_VOCAB = 512, MOST = 400, SECONDS = 120 };

/* What a run tells: written through a pipe. */
typedef struct outcome {
    pum_error error;       ///< the first failure
    bool appending;        ///< whether it came while tokens were appended
    pum_error second;      ///< of going on after it
    float logits[N_VOCAB]; ///< of the last token, if it came to that
} outcome;

static const char *also = ""; ///< words for the layer in every run, with a comma

static void append_all(pum_session *session, outcome *o) {
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) tokens[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    pum_error *error = &o->error;
    for (int i = 0; i < 2; i++, error = &o->second) {
        int n_past = pum_session_n_past(session);
        error->status = PUM_OK;
        if (pum_session_append(session, tokens + n_past, N_TOKENS - n_past, error) != PUM_OK) continue;
        memcpy(o->logits, pum_session_logits(session), sizeof o->logits);
        return;
    }
}

static void run_model(outcome *o) {
    char path[4096];
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(path, sizeof path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    pum_device *device = NULL;
    pum_file *file = NULL;
    pum_model *model = NULL;
    pum_session *session = NULL;
    pum_session_params params = {.n_ctx = 128, .n_chunk = 8};
    pum_status status = pum_device_open(NULL, &device, &o->error);
    if (status == PUM_OK) status = pum_file_open(path, &file, &o->error);
    if (status == PUM_OK) status = pum_model_load(device, file, NULL, &model, &o->error);
    if (status == PUM_OK) status = pum_session_create(model, &params, &session, &o->error);
    if (status == PUM_OK) {
        o->appending = true;
        append_all(session, o);
    }
    pum_session_destroy(&session);
    pum_model_destroy(&model);
    pum_file_destroy(&file);
    pum_device_destroy(&device);
}

static void write_all(int fd, const void *bytes, size_t n) {
    for (ssize_t done; n > 0; bytes = (const char *)bytes + done, n -= (size_t)done)
        if ((done = write(fd, bytes, n)) <= 0) _exit(3);
}

/* Runs the model under the layer with these words; fails the test unless the process ends well. */
static outcome run(const char *words) {
    char all[128];
    snprintf(all, sizeof all, "%s%s", also, words);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        setenv("PUMICE_LAYER", all, 1);
        outcome o = {0};
        run_model(&o);
        write_all(ends[1], &o, sizeof o);
        exit(0); // with the leak checker's own verdict, where there is one
    }
    close(ends[1]);
    outcome o = {0};
    size_t n = 0;
    for (ssize_t got; n < sizeof o && (got = read(ends[0], (char *)&o + n, sizeof o - n)) > 0;) n += (size_t)got;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        fail_msg("%s: ended by signal %d%s", all, WTERMSIG(status), WTERMSIG(status) == SIGALRM ? " (it hung)" : "");
    if (WEXITSTATUS(status) != 0 || n != sizeof o) fail_msg("%s: exit status %d", all, WEXITSTATUS(status));
    return o;
}

static outcome clean;

static void expect_failure(const char *words, const outcome *o, pum_status expected, const char *sentence) {
    if (o->error.status != expected || !strstr(o->error.message, sentence))
        fail_msg("%s: expected %s with \"%s\", got %s: %s", words, pum_status_name(expected), sentence,
                 pum_status_name(o->error.status), o->error.message);
}

static void expect_same_logits(const char *words, const outcome *o) {
    for (int i = 0; i < N_VOCAB; i++)
        if (memcmp(&o->logits[i], &clean.logits[i], sizeof(float)) != 0)
            fail_msg("%s: logit %d: expected %.9g, got %.9g", words, i, clean.logits[i], o->logits[i]);
}

/* The n-th of all, until a run is not touched any more. Returns how many failed. */
static int fail_everywhere(const char *how, pum_status expected, const char *sentence, bool goes_on) {
    int n_failed = 0, n_appending = 0;
    for (int n = 1, step = 1; n <= MOST; n += step) {
        char words[64];
        snprintf(words, sizeof words, "%s=%d", how, n);
        outcome o = run(words);
        if (o.error.status == PUM_OK) {
            expect_same_logits(words, &o);
            printf("    %d runs failed, %d of them while tokens were appended\n", n_failed, n_appending);
            return n_failed;
        }
        expect_failure(words, &o, expected, sentence);
        n_failed++;
        n_appending += o.appending;
        step = o.appending || n < 12 ? 1 : 9; // the many uploads of staged weights are all alike
        if (!o.appending || !goes_on) continue;
        if (o.second.status != PUM_OK) fail_msg("%s: going on: %s", words, o.second.message);
        expect_same_logits(words, &o);
    }
    fail_msg("%s: more than %d places", how, MOST);
    return 0;
}

static void test_denied_memory(void **state) {
    (void)state;
    assert_true(fail_everywhere("deny", PUM_ERR_DEVICE_MEMORY, "got none though", false) >= 5);
}

static void test_lost_device(void **state) {
    (void)state;
    assert_true(fail_everywhere("lose", PUM_ERR_DEVICE_LOST, "DEVICE_LOST", false) >= 5);
}

static void test_dropped_submission(void **state) {
    (void)state;
    assert_true(fail_everywhere("drop", PUM_ERR_DEVICE, "dropped the work", true) >= 5);
}

static void test_small_heap(void **state) {
    (void)state;
    outcome o = run("heap=500000");
    expect_failure("heap=500000", &o, PUM_ERR_DEVICE_MEMORY, "use a smaller");
    assert_false(o.appending);
}

int main(int argc, char **argv) {
    if (argc > 1) also = argv[1];
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_heap),
        cmocka_unit_test(test_denied_memory),
        cmocka_unit_test(test_lost_device),
        cmocka_unit_test(test_dropped_submission),
    };
    clean = run("");
    if (clean.error.status == PUM_ERR_NO_VULKAN || clean.error.status == PUM_ERR_NO_DEVICE || clean.error.status == PUM_ERR_IO) {
        printf("skipped: %s\n", clean.error.message);
        return 77;
    }
    if (clean.error.status != PUM_OK) {
        printf("the undisturbed run failed: %s\n", clean.error.message);
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
