/* What a lost device is for programs: several sessions and threads on it, models of random weights, calls from callbacks, the
 * size of chunks, what is told. That every place where a device can be lost is met is test_failing_device's.
 *
 * BestPractices-Error-Result: calls that fail are what this is about. */
#include "assert_ok.h"
#include "control.h"
#include "pumice.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_PROMPT = 20, N_TOKENS = 24, N_VOCAB = 512 };

static layer_control layer;
static char model_path[4096];
static pum_error error;
static int n_told;

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user;
    n_told += level == PUM_LOG_WARNING && strstr(message, "was lost and has been rebuilt");
}

/* ---- a model with a session */

static pum_device *device;
static pum_model *model;

static int open_all(void **state) {
    (void)state;
    pum_file *file;
    layer.begin("");
    n_told = 0;
    MUST(pum_device_open(NULL, &device, &error));
    MUST(pum_file_open(model_path, &file, &error));
    MUST(pum_model_load(device, file, NULL, &model, &error));
    pum_file_destroy(&file); // the model keeps what it needs
    return 0;
}

static int close_all(void **state) {
    (void)state;
    pum_model_destroy(&model);
    pum_device_destroy(&device);
    assert_int_equal(layer.handles(), 0);
    return 0;
}

static void fill_prompt(int32_t *tokens, int n, int kind) {
    for (int i = 0; i < n; i++) tokens[i] = i == 0 ? 1 : 3 + (i * 97 + kind * 31) % (N_VOCAB - 3);
}

typedef struct talk {
    pum_session *session;
    pum_sampler *sampler;
    int kind, n;
    int32_t tokens[N_TOKENS];
    pum_error error;
} talk;

static bool on_token(void *user, int32_t token) {
    talk *t = user;
    if (t->n < N_TOKENS) t->tokens[t->n++] = token;
    return true;
}

static void begin_talk(talk *t, const pum_model *of, int kind) {
    *t = (talk){.kind = kind};
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    MUST(pum_session_create(of, &(pum_session_params){.n_ctx = 128, .n_chunk = 8}, &t->session, &error));
    MUST(pum_sampler_create(&greedy, &t->sampler, &error));
}

static void end_talk(talk *t) {
    pum_sampler_destroy(&t->sampler);
    pum_session_destroy(&t->session);
}

static pum_status say(talk *t) {
    int32_t prompt[N_PROMPT];
    fill_prompt(prompt, N_PROMPT, t->kind);
    t->n = 0;
    pum_end end;
    pum_generate_params p = {
        .n_tokens = N_TOKENS, .on_token = on_token, .user = t, .path = t->kind % 2 ? PUM_DECODE_DEVICE : PUM_DECODE_HOST};
    pum_status status = pum_session_rewind(t->session, 0, &t->error);
    if (status == PUM_OK) status = pum_session_append(t->session, prompt, N_PROMPT, &t->error);
    return status == PUM_OK ? pum_session_generate(t->session, t->sampler, &p, &end, &t->error) : status;
}

static void must_say(talk *t, const int32_t *expected) {
    if (say(t) != PUM_OK) fail_msg("%s", t->error.message);
    assert_int_equal(t->n, N_TOKENS);
    if (expected) assert_memory_equal(t->tokens, expected, sizeof t->tokens);
}

static uint32_t n_rebuilds(const talk *t) {
    pum_stats stats;
    pum_session_get_stats(t->session, &stats);
    return stats.n_rebuilds;
}

/* ---- the tests */

static void *say_on_thread(void *argument) {
    talk *t = argument;
    t->error.status = say(t);
    return NULL;
}

/* Each meets the loss, one of them rebuilds, and all go on; one that sat idle goes on when it is asked. */
static void test_threads_share_a_lost_device(void **state) {
    (void)state;
    static const char *const words[] = {"lost=3", "lost=8", "lost=21", "lost=34", "drop=5", "drop=12", "hang=7", "hang=15"};
    talk talks[3];
    int32_t expected[3][N_TOKENS];
    for (int i = 0; i < 3; i++) {
        begin_talk(&talks[i], model, i);
        must_say(&talks[i], NULL);
        memcpy(expected[i], talks[i].tokens, sizeof expected[i]);
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        pthread_t threads[2];
        uint32_t before = n_rebuilds(&talks[2]);
        layer.begin(words[w]);
        for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, say_on_thread, &talks[i]), 0);
        for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
        assert_non_null(layer.fired());
        for (int i = 0; i < 2; i++) {
            if (talks[i].error.status != PUM_OK) fail_msg("%s: %s", words[w], talks[i].error.message);
            assert_memory_equal(talks[i].tokens, expected[i], sizeof expected[i]);
        }
        layer.begin("");
        int n_past = pum_session_n_past(talks[2].session);
        int32_t one = 5;
        MUST(pum_session_append(talks[2].session, &one, 1, &error));
        assert_int_equal(pum_session_n_past(talks[2].session), n_past + 1);
        assert_int_equal(n_rebuilds(&talks[2]), before + 1);
        must_say(&talks[2], expected[2]);
    }
    assert_int_equal(n_told, sizeof words / sizeof *words);
    for (int i = 0; i < 3; i++) end_talk(&talks[i]);
}

static void test_random_weights_come_back(void **state) {
    (void)state;
    pum_model *random;
    MUST(pum_model_random(device, "260k", "Q4_0", 7, NULL, &random, &error));
    talk t;
    begin_talk(&t, random, 1);
    must_say(&t, NULL);
    int32_t expected[N_TOKENS];
    memcpy(expected, t.tokens, sizeof expected);
    layer.begin("lost=9");
    must_say(&t, expected);
    assert_int_equal(n_rebuilds(&t), 1);
    end_talk(&t);
    pum_model_destroy(&random);
}

static void test_logits_of_every_token(void **state) {
    (void)state;
    static float expected[N_PROMPT * N_VOCAB], got[N_PROMPT * N_VOCAB];
    int32_t prompt[N_PROMPT];
    fill_prompt(prompt, N_PROMPT, 0);
    talk t;
    begin_talk(&t, model, 0);
    MUST(pum_session_append_logits(t.session, prompt, N_PROMPT, expected, &error));
    MUST(pum_session_rewind(t.session, 0, &error));
    layer.begin("lost=5");
    MUST(pum_session_append_logits(t.session, prompt, N_PROMPT, got, &error));
    assert_int_equal(n_rebuilds(&t), 1);
    assert_memory_equal(got, expected, sizeof got); // chunks of 8 are not halved
    end_talk(&t);
}

static uint64_t progress_at[64];
static int n_progress;
static bool on_progress(void *user, uint64_t done, uint64_t total) {
    (void)user, (void)total;
    if (n_progress < 64) progress_at[n_progress++] = done;
    return true;
}

static void test_chunks_are_halved(void **state) {
    (void)state;
    int32_t tokens[96];
    fill_prompt(tokens, 96, 0);
    pum_session *session;
    pum_session_params params = {.n_ctx = 128, .n_chunk = 32, .progress = on_progress};
    MUST(pum_session_create(model, &params, &session, &error));
    n_progress = 0;
    MUST(pum_session_append(session, tokens, 32, &error));
    assert_int_equal(n_progress, 1);
    layer.begin("drop=1");
    MUST(pum_session_append(session, tokens + 32, 64, &error));
    assert_int_equal(n_progress, 5); // 32, then four times 16
    for (int i = 1; i < 5; i++) assert_int_equal(progress_at[i], 16 * i);
    pum_session_destroy(&session);
}

/* ---- from within a callback nothing can be rebuilt: who calls there is inside */

typedef struct nesting {
    talk *other, *own;
    pum_status inner;
} nesting;

static bool ask_another(void *user, int32_t token) {
    nesting *n = user;
    if (n->own->n == 4) {
        int32_t one = 5;
        layer.begin("drop=1");
        n->inner = pum_session_append(n->other->session, &one, 1, &error);
    }
    return on_token(n->own, token);
}

static void test_callbacks_meet_an_error(void **state) {
    (void)state;
    talk own, other;
    begin_talk(&own, model, 1);
    begin_talk(&other, model, 0);
    must_say(&own, NULL);
    must_say(&other, NULL);
    int32_t expected[N_TOKENS];
    memcpy(expected, own.tokens, sizeof expected);
    int32_t prompt[N_PROMPT];
    fill_prompt(prompt, N_PROMPT, 1);
    MUST(pum_session_rewind(own.session, 0, &error));
    MUST(pum_session_append(own.session, prompt, N_PROMPT, &error));
    own.n = 0;
    nesting n = {&other, &own, PUM_OK};
    pum_end end;
    pum_generate_params p = {.n_tokens = N_TOKENS, .on_token = ask_another, .user = &n, .path = PUM_DECODE_DEVICE};
    MUST(pum_session_generate(own.session, own.sampler, &p, &end, &error));
    assert_int_equal(n.inner, PUM_ERR_DEVICE_LOST);
    assert_memory_equal(own.tokens, expected, sizeof expected);
    must_say(&other, NULL); // and the other one is as good as ever
    end_talk(&own);
    end_talk(&other);
}

/* A device that comes back: the error names what to do, and everything that was there goes on. */
static void test_a_vanished_device_comes_back(void **state) {
    (void)state;
    talk t;
    begin_talk(&t, model, 1);
    must_say(&t, NULL);
    int32_t expected[N_TOKENS];
    memcpy(expected, t.tokens, sizeof expected);
    layer.begin("vanish=6");
    assert_int_equal(say(&t), PUM_ERR_NO_DEVICE);
    assert_non_null(strstr(t.error.message, "--device"));
    assert_int_equal(say(&t), PUM_ERR_NO_DEVICE);
    pum_device_info info;
    pum_device_get_info(device, &info); // what is known of it is still told
    assert_true(info.name[0]);
    pum_plan plan;
    MUST(pum_model_plan(model, 64, PUM_KV_F16, &plan, &error));
    layer.begin("");
    must_say(&t, expected);
    end_talk(&t);
}

/* The model's file is needed again when the device is rebuilt. It may not be what it was: that is an error, and once the file is
 * whole again, all goes on. */
static void test_the_file_is_cut_short(void **state) {
    (void)state;
    static uint8_t bytes[2 << 20];
    FILE *whole = fopen(model_path, "rb");
    assert_non_null(whole);
    size_t n = fread(bytes, 1, sizeof bytes, whole);
    fclose(whole);
    assert_true(n > 0 && n < sizeof bytes);
    char path[] = "/tmp/pumice_test_recovery_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
    pum_file *file;
    pum_model *copy;
    MUST(pum_file_open(path, &file, &error));
    assert_int_equal(ftruncate(fd, (off_t)n / 2), 0);
    assert_int_equal(pum_model_load(device, file, NULL, &copy, &error), PUM_ERR_IO);
    assert_non_null(strstr(error.message, "cut short"));
    assert_true(pwrite(fd, bytes, n, 0) == (ssize_t)n);
    MUST(pum_model_load(device, file, NULL, &copy, &error));
    pum_file_destroy(&file);

    talk t;
    begin_talk(&t, copy, 1);
    must_say(&t, NULL);
    int32_t expected[N_TOKENS];
    memcpy(expected, t.tokens, sizeof expected);
    assert_int_equal(ftruncate(fd, (off_t)n / 2), 0);
    layer.begin("lost=6");
    assert_int_equal(say(&t), PUM_ERR_IO);
    assert_non_null(strstr(t.error.message, "cut short"));
    assert_int_equal(say(&t), PUM_ERR_IO);
    assert_true(pwrite(fd, bytes, n, 0) == (ssize_t)n);
    must_say(&t, expected);
    end_talk(&t);
    pum_model_destroy(&copy);
    close(fd);
    unlink(path);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_all, close_all)

int main(void) {
    static const struct CMUnitTest tests[] = {
        CASE(test_threads_share_a_lost_device), CASE(test_random_weights_come_back), CASE(test_logits_of_every_token),
        CASE(test_chunks_are_halved),           CASE(test_callbacks_meet_an_error),  CASE(test_a_vanished_device_comes_back),
        CASE(test_the_file_is_cut_short),
    };
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(model_path, sizeof model_path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    if (!layer_control_open(&layer)) return 1;
    layer.begin("");
    pum_set_log(on_log, NULL);
    pum_file *file;
    if (pum_device_open(NULL, &device, &error) != PUM_OK || pum_file_open(model_path, &file, &error) != PUM_OK) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    pum_file_destroy(&file);
    pum_device_destroy(&device);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
