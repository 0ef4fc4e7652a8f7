/* A model on a device whose own memory is too small for it, under the test layer (layer.c): what does not fit is in the host's
 * memory, is said, and computes the same; what fits nowhere is refused, and memory that is denied leaves the program, the model
 * and the session usable. Each case is a process of its own, because the layer is read once in a process.
 *
 *   test_memory [WORDS]: also these words for the layer, with a comma */
#include "pumice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_TOKENS = 40, N_VOCAB = 512, N_CTX = 128, SECONDS = 120 };

typedef enum step { OPENING, LOADING, MAKING, APPENDING, N_STEPS } step;

/* What a run tells, through a pipe. */
typedef struct outcome {
    pum_error error; ///< the first failure
    step failed;     ///< where
    pum_plan file_plan, plan;
    float logits[N_VOCAB];
    uint64_t device_bytes;
} outcome;

typedef struct things {
    pum_device *device;
    pum_file *file;
    pum_model *model;
    pum_session *session;
} things;

static pum_status open_all(things *t, pum_error *err) {
    char path[4096];
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(path, sizeof path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    pum_status status = t->device ? PUM_OK : pum_device_open(NULL, &t->device, err);
    return status != PUM_OK || t->file ? status : pum_file_open(path, &t->file, err);
}
static pum_status load(things *t, pum_error *err) {
    return pum_model_load(t->device, t->file, &(pum_model_params){.n_ctx = N_CTX}, &t->model, err);
}
static pum_status make(things *t, pum_error *err) {
    return pum_session_create(t->model, &(pum_session_params){.n_ctx = N_CTX}, &t->session, err);
}
static pum_status append(things *t, pum_error *err) {
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) tokens[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    int n_past = pum_session_n_past(t->session);
    return pum_session_append(t->session, tokens + n_past, N_TOKENS - n_past, err);
}

/* Each step is tried twice: what fails once may be done again, with all that there was before it. */
static void run_model(outcome *o) {
    static pum_status (*const steps[N_STEPS])(things *, pum_error *) = {open_all, load, make, append};
    things t = {0};
    pum_error second;
    bool ok = true;
    for (int i = 0; i < N_STEPS && ok; i++) {
        pum_error error;
        ok = steps[i](&t, &error) == PUM_OK;
        if (i == OPENING && ok) ok = pum_file_plan(t.file, t.device, N_CTX, PUM_KV_F16, &o->file_plan, NULL) == PUM_OK;
        if (ok) continue;
        if (o->error.status == PUM_OK) {
            o->error = error;
            o->failed = (step)i;
        }
        ok = steps[i](&t, &second) == PUM_OK;
    }
    if (ok) {
        memcpy(o->logits, pum_session_logits(t.session), sizeof o->logits);
        pum_session_get_plan(t.session, &o->plan);
        pum_stats stats;
        pum_session_get_stats(t.session, &stats);
        o->device_bytes = stats.device_bytes;
    }
    pum_session_destroy(&t.session);
    pum_model_destroy(&t.model);
    pum_file_destroy(&t.file);
    pum_device_destroy(&t.device);
}

static const char *also = "";

static outcome run(const char *words) {
    char all[160];
    snprintf(all, sizeof all, "discrete,%s%s", also, words);
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        setenv("PUMICE_LAYER", all, 1);
        outcome o = {0};
        run_model(&o);
        for (size_t done = 0; done < sizeof o;) {
            ssize_t n = write(ends[1], (char *)&o + done, sizeof o - done);
            if (n <= 0) _exit(3);
            done += (size_t)n;
        }
        exit(0); // with the leak checker's own verdict, where there is one
    }
    close(ends[1]);
    outcome o = {0};
    size_t n = 0;
    for (ssize_t got; n < sizeof o && (got = read(ends[0], (char *)&o + n, sizeof o - n)) > 0;) n += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || n != sizeof o) fail_msg("%s: wait status %x", all, status);
    return o;
}

static outcome clean;

static void expect_same_logits(const char *words, const outcome *o) {
    for (int i = 0; i < N_VOCAB; i++)
        if (memcmp(&o->logits[i], &clean.logits[i], sizeof(float)) != 0)
            fail_msg("%s: logit %d: expected %.9g, got %.9g", words, i, (double)clean.logits[i], (double)o->logits[i]);
}

static void expect_fine(const char *words, const outcome *o) {
    if (o->error.status != PUM_OK) fail_msg("%s: %s", words, o->error.message);
    expect_same_logits(words, o);
    // What was planned from the header is what was taken, and where.
    assert_true(o->file_plan.fits && o->plan.fits);
    assert_int_equal(o->plan.weights_bytes, o->file_plan.weights_bytes);
    assert_int_equal(o->plan.kv_bytes, o->file_plan.kv_bytes);
    assert_int_equal(o->plan.device_bytes + o->plan.host_bytes, o->plan.weights_bytes + o->plan.kv_bytes + o->plan.scratch_bytes);
    uint64_t planned = o->plan.weights_bytes + o->plan.kv_bytes + o->plan.scratch_bytes;
    assert_in_range(o->device_bytes, planned, planned + (1 << 14)); // beside it: sentinels of submissions
}

static outcome run_with(uint64_t heap_bytes, uint64_t host_bytes, char words[64]) {
    snprintf(words, 64, "heap=%llu,hostheap=%llu", (unsigned long long)heap_bytes, (unsigned long long)host_bytes);
    return run(words);
}

static void test_all_of_it_fits(void **state) {
    (void)state;
    expect_fine("", &clean);
    assert_int_equal(clean.plan.host_bytes, 0);
    assert_int_equal(clean.plan.n_layers_in_host, 0);
}

/* The embedding, then K and V of one layer after the other, then weights of one after the other, until nothing is left on the
 * device. */
static void test_layer_by_layer(void **state) {
    (void)state;
    const pum_plan *p = &clean.plan;
    const uint64_t all = p->device_bytes + 256; // the frame's unused binding is the device's too
    int n_last = 0, n_without = 0;
    for (uint64_t less = 40000; less < all; less += less < 200000 ? 40000 : p->weights_bytes / 5) {
        char words[64];
        outcome o = run_with(all - less, 2 * all, words);
        expect_fine(words, &o);
        printf("    %s: %d of %d layers, %llu of %llu bytes\n", words, o.plan.n_layers_in_host, o.plan.n_layers,
               (unsigned long long)o.plan.host_bytes, (unsigned long long)(o.plan.host_bytes + o.plan.device_bytes));
        assert_true(o.plan.host_bytes >= less && o.plan.device_bytes <= all - less);
        assert_true(o.plan.host_bytes < less + p->weights_bytes / 4); // no more than a layer too much
        n_without += o.plan.n_layers_in_host == 0;
        n_last = o.plan.n_layers_in_host;
    }
    assert_true(n_without >= 1); // the embedding was enough
    assert_int_equal(n_last, p->n_layers);
}

static void test_refused_where_neither_fits(void **state) {
    (void)state;
    const pum_plan *p = &clean.plan;
    char words[64];
    outcome o = run_with(p->weights_bytes / 2, p->weights_bytes / 3, words);
    assert_int_equal(o.error.status, PUM_ERR_DEVICE_MEMORY);
    assert_int_equal(o.failed, LOADING);
    assert_non_null(strstr(o.error.message, "of the computer's memory"));
    assert_non_null(strstr(o.error.message, "use a smaller"));
    assert_false(o.file_plan.fits);
    o = run_with(p->weights_bytes, p->kv_bytes, words); // the weights alone fit
    assert_int_equal(o.error.status, PUM_ERR_DEVICE_MEMORY);
    assert_int_equal(o.failed, MAKING);
}

/* Each allocation finds nothing once: other memory is taken, or the call fails with a sentence and succeeds when it is made
 * again. */
static void test_denied_once(void **state) {
    (void)state;
    enum { IN_A_ROW = 8, MOST = 200 };
    int n_told = 0;
    for (int n = 1, n_fine = 0; n_fine < IN_A_ROW && n < MOST; n++) {
        char words[64];
        snprintf(words, sizeof words, "deny=%d", n);
        outcome o = run(words);
        expect_same_logits(words, &o);
        n_fine = o.error.status == PUM_OK ? n_fine + 1 : 0;
        if (o.error.status == PUM_OK) continue;
        n_told++;
        assert_int_equal(o.error.status, PUM_ERR_DEVICE_MEMORY);
        assert_non_null(strstr(o.error.message, "got none though"));
    }
    printf("    %d calls failed, and succeeded when they were made again\n", n_told);
    assert_true(n_told >= 5);
}

int main(int argc, char **argv) {
    if (argc > 1) also = argv[1];
    clean = run("");
    pum_status status = clean.error.status;
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE || status == PUM_ERR_IO) {
        printf("skipped: %s\n", clean.error.message);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_of_it_fits),
        cmocka_unit_test(test_layer_by_layer),
        cmocka_unit_test(test_refused_where_neither_fits),
        cmocka_unit_test(test_denied_once),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
