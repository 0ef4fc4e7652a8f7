/* One timeline: greedy text of a real model, chunk sizes, rewinding, errors that leave the session usable. */
#include "device.h"
#include "llama/model_fixture.h"
#include "vk/device.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static model_fixture fixture;

static pum_session *session_with(int n_ctx, int n_chunk) {
    pum_session *s;
    pum_error err = {0};
    pum_session_params params = {.n_ctx = n_ctx, .n_chunk = n_chunk};
    assert_ok(pum_session_create(fixture.model, &params, &s, &err), err);
    return s;
}

static void test_greedy_text(void **state) {
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/models/stories260K/expected_greedy_n200.txt", getenv("PUMICE_TEST_DATA"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char expected[4096];
    size_t n = fread(expected, 1, sizeof expected - 1, file);
    fclose(file);
    expected[n] = 0;
    if (n && expected[n - 1] == '\n') expected[n - 1] = 0;

    pum_session *s = session_with(512, 0);
    int32_t bos = pum_tokenizer_bos(fixture.tokenizer), tokens[200];
    greedy(s, &bos, 1, 200, tokens, NULL);
    char *text;
    size_t n_bytes;
    pum_error err = {0};
    assert_ok(pum_tokenizer_decode(fixture.tokenizer, tokens, 200, false, &text, &n_bytes, &err), err);
    assert_string_equal(text[0] == ' ' ? text + 1 : text, expected);
    pum_free(text);
    pum_session_destroy(&s);
}

enum { N_PROMPT = 150, N_MORE = 60 };

/* A prompt of N_PROMPT real tokens: the model's own story, made once. */
static void make_prompt(int32_t *prompt) {
    static int32_t story[N_PROMPT];
    static bool made;
    if (!made) {
        pum_session *s = session_with(512, 0);
        story[0] = pum_tokenizer_bos(fixture.tokenizer);
        greedy(s, story, 1, N_PROMPT - 1, story + 1, NULL);
        pum_session_destroy(&s);
        made = true;
    }
    memcpy(prompt, story, sizeof story);
}

static void test_chunk_sizes_agree(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], first[N_MORE], other[N_MORE];
    float margins[N_MORE];
    make_prompt(prompt);
    const int chunks[] = {512, 1, 7, 32};
    for (int i = 0; i < 4; i++) {
        pum_session *s = session_with(512, chunks[i]);
        greedy(s, prompt, N_PROMPT, N_MORE, i ? other : first, i ? NULL : margins);
        pum_session_destroy(&s);
        for (int t = 0; i && t < N_MORE; t++) {
            if (first[t] == other[t]) continue;
            if (margins[t] > 1e-2f)
                fail_msg("chunk %d, token %d: expected %d, got %d (margin %g)", chunks[i], t, first[t], other[t], margins[t]);
            break; // a near tie: the texts part ways here
        }
    }
}

static void test_logits_of_every_token(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT];
    make_prompt(prompt);
    float *all = calloc((size_t)N_PROMPT * 512, sizeof *all);
    assert_non_null(all);
    pum_error err = {0};
    pum_session *s = session_with(512, 64), *single = session_with(512, 0);
    assert_ok(pum_session_append_logits(s, prompt, N_PROMPT, all, &err), err);
    assert_memory_equal(pum_session_logits(s), all + (size_t)(N_PROMPT - 1) * 512, 512 * sizeof *all);
    for (int t = 0; t < N_PROMPT; t++) {
        assert_ok(pum_session_append(single, &prompt[t], 1, &err), err);
        const float *logits = pum_session_logits(single);
        for (int i = 0; i < 512; i++) {
            float difference = fabsf(logits[i] - all[(size_t)t * 512 + (size_t)i]);
            // A last bit of float32 may turn a K or V into its neighbour in float16.
            if (!(difference <= 1e-2f))
                fail_msg("token %d, logit %d: one by one %g, in chunks %g", t, i, logits[i], all[(size_t)t * 512 + (size_t)i]);
        }
    }
    pum_session_destroy(&s);
    pum_session_destroy(&single);
    free(all);
}

static void test_rewind_and_go_on(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], straight[N_MORE], again[N_MORE];
    make_prompt(prompt);
    pum_session *s = session_with(512, 0);
    greedy(s, prompt, N_PROMPT, N_MORE, straight, NULL);
    pum_error err = {0};
    assert_ok(pum_session_rewind(s, 100, &err), err);
    assert_int_equal(pum_session_n_past(s), 100);
    assert_null(pum_session_logits(s));
    assert_memory_equal(pum_session_tokens(s), prompt, 100 * sizeof *prompt);
    greedy(s, prompt + 100, N_PROMPT - 100, N_MORE, again, NULL);
    assert_memory_equal(straight, again, sizeof straight);
    assert_int_equal(pum_session_rewind(s, 1000, &err), PUM_ERR_ARGUMENT);
    pum_session_destroy(&s);
}

static void test_full_context_leaves_the_session_usable(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], out[8];
    make_prompt(prompt);
    pum_session *s = session_with(100, 0);
    pum_error err = {0};
    assert_int_equal(pum_session_append(s, prompt, 101, &err), PUM_ERR_CONTEXT_FULL);
    assert_non_null(strstr(err.message, "100"));
    assert_int_equal(pum_session_n_past(s), 0);
    assert_ok(pum_session_append(s, prompt, 100, &err), err);
    assert_int_equal(pum_session_append(s, prompt, 1, &err), PUM_ERR_CONTEXT_FULL);
    assert_non_null(pum_session_logits(s));
    assert_ok(pum_session_rewind(s, 50, &err), err);
    greedy(s, prompt + 50, 10, 8, out, NULL);
    pum_session_destroy(&s);
}

/* On a device whose bindings cover no longer context. stories260K: 8 angles, 32 bytes a position; its K takes 16. */
static void test_context_too_long_for_a_binding(void **state) {
    (void)state;
    vk_caps *caps = &fixture.device->vk->caps;
    uint64_t own = caps->max_storage_range;
    pum_plan plan;
    pum_error err;
    caps->max_storage_range = 300 * 32;
    assert_int_equal(pum_model_plan(fixture.model, 400, PUM_KV_F16, &plan, &err), PUM_ERR_UNSUPPORTED);
    if (!strstr(err.message, "300") || !strstr(err.message, "400") || !strstr(err.message, "--ctx")) fail_msg("%s", err.message);
    pum_session *s;
    assert_int_equal(pum_session_create(fixture.model, &(pum_session_params){.n_ctx = 400}, &s, &err), PUM_ERR_UNSUPPORTED);
    assert_ok(pum_model_plan(fixture.model, 300, PUM_KV_F16, &plan, &err), err);
    assert_int_equal(plan.n_ctx, 300);
    assert_ok(pum_model_plan(fixture.model, 0, PUM_KV_F16, &plan, &err), err); // as much as there can be
    assert_int_equal(plan.n_ctx, 256);
    caps->max_storage_range = own;
}

static void test_bad_arguments_are_sentences(void **state) {
    (void)state;
    pum_session *s = session_with(64, 0);
    pum_error err = {0};
    const int32_t outside[] = {1, 512}, negative[] = {-1};
    assert_int_equal(pum_session_append(s, outside, 2, &err), PUM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "512"));
    assert_int_equal(pum_session_append(s, negative, 1, &err), PUM_ERR_ARGUMENT);
    assert_int_equal(pum_session_append(s, outside, 0, &err), PUM_ERR_ARGUMENT);
    assert_int_equal(pum_session_n_past(s), 0);
    pum_session_destroy(&s);
    pum_session_params too_long = {.n_ctx = 100000};
    assert_int_equal(pum_session_create(fixture.model, &too_long, &s, &err), PUM_ERR_ARGUMENT);
    assert_null(s);
    pum_model *model;
    assert_int_equal(pum_model_random(fixture.device, "260k", "Q9_9", 1, NULL, &model, &err), PUM_ERR_ARGUMENT);
    assert_int_equal(pum_model_random(fixture.device, "2b", "Q4_0", 1, NULL, &model, &err), PUM_ERR_ARGUMENT);
}

static void test_abort_before_and_between(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], straight[N_MORE], again[N_MORE];
    make_prompt(prompt);
    pum_session *s = session_with(512, 16);
    pum_error err = {0};
    pum_session_abort(s);
    assert_int_equal(pum_session_append(s, prompt, N_PROMPT, &err), PUM_ERR_ABORTED);
    int n_past = pum_session_n_past(s);
    assert_true(n_past < N_PROMPT);
    // What was asked for once stops one append; the rest goes on from where it stopped.
    greedy(s, prompt + n_past, N_PROMPT - n_past, N_MORE, again, NULL);
    pum_session *other = session_with(512, 0);
    greedy(other, prompt, N_PROMPT, N_MORE, straight, NULL);
    assert_memory_equal(straight, again, sizeof straight);
    pum_session_abort(s);
    pum_session_clear_abort(s);
    assert_ok(pum_session_append(s, prompt, 1, &err), err);
    pum_session_destroy(&s);
    pum_session_destroy(&other);
}

static bool stop_after_two(void *user, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    return ++*(int *)user < 2;
}

static void test_progress_can_stop(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT];
    make_prompt(prompt);
    int calls = 0;
    pum_session_params params = {.n_ctx = 512, .n_chunk = 10, .progress = stop_after_two, .progress_user = &calls};
    pum_session *s;
    pum_error err = {0};
    assert_ok(pum_session_create(fixture.model, &params, &s, &err), err);
    assert_int_equal(pum_session_append(s, prompt, N_PROMPT, &err), PUM_ERR_ABORTED);
    assert_int_equal(pum_session_n_past(s), 20);
    pum_session_destroy(&s);
}

static void test_two_sessions_do_not_meet(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], a[N_MORE], b[N_MORE];
    make_prompt(prompt);
    pum_session *one = session_with(512, 0), *two = session_with(256, 0);
    pum_error err = {0};
    assert_ok(pum_session_append(one, prompt, 40, &err), err);
    greedy(two, prompt + 60, 40, 10, b, NULL);
    greedy(one, prompt + 40, 40, N_MORE, a, NULL);
    pum_session *alone = session_with(512, 0);
    greedy(alone, prompt, 80, N_MORE, b, NULL);
    assert_memory_equal(a, b, sizeof a);
    pum_session_destroy(&one);
    pum_session_destroy(&two);
    pum_session_destroy(&alone);
}

static void test_plan_is_what_is_taken(void **state) {
    (void)state;
    pum_session *s = session_with(512, 0);
    pum_stats stats;
    pum_session_get_stats(s, &stats);
    assert_true(stats.plan_bytes > 0);
    // Beside the plan: sentinels of submissions.
    assert_in_range(stats.device_bytes, stats.plan_bytes, stats.plan_bytes + (1 << 14));
    pum_session_destroy(&s);
}

static void test_random_models_run(void **state) {
    (void)state;
    const char *types[] = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"};
    for (int i = 0; i < 8; i++) {
        pum_model *model;
        pum_session *s;
        pum_error err = {0};
        assert_ok(pum_model_random(fixture.device, "260k", types[i], 7, NULL, &model, &err), err);
        assert_ok(pum_session_create(model, NULL, &s, &err), err);
        int32_t tokens[40], out[4];
        for (int t = 0; t < 40; t++) tokens[t] = (t * 37 + 11) % 512;
        greedy(s, tokens, 40, 4, out, NULL);
        pum_session_destroy(&s);
        pum_model_destroy(&model);
    }
}

/* The first pass cuts its work as for a slow device, later ones by what they have learnt: the numbers are the same. */
static void test_results_do_not_depend_on_where_work_is_cut(void **state) {
    (void)state;
    enum { N = 357 };
    pum_error err = {0};
    pum_model *model;
    pum_session *session;
    int32_t tokens[N];
    for (int i = 0; i < N; i++) tokens[i] = i * 7919 % 32000;
    assert_ok(pum_model_random(fixture.device, "15m", "Q4_0", 1, NULL, &model, &err), err);
    assert_ok(pum_session_create(model, &(pum_session_params){.n_ctx = 512}, &session, &err), err);
    pum_model_info info;
    pum_model_get_info(model, &info);
    size_t n_bytes = (size_t)info.n_vocab * sizeof(float);
    float *first = malloc(n_bytes);
    assert_non_null(first);
    for (int i = 0; i < 3; i++) {
        assert_ok(pum_session_rewind(session, 0, &err), err);
        assert_ok(pum_session_append(session, tokens, N, &err), err);
        if (i == 0) memcpy(first, pum_session_logits(session), n_bytes);
        assert_memory_equal(first, pum_session_logits(session), n_bytes);
    }
    free(first);
    pum_session_destroy(&session);
    pum_model_destroy(&model);
}

/* Heads of 64, which q8_0 can keep: whatever the chunks and after a rewind, the same tokens, near those of f16, in less memory.
 * The fixture's heads are 8 wide. */
static void test_kv_in_q8_0(void **state) {
    (void)state;
    pum_model *model;
    pum_session *s;
    pum_error err = {0};
    assert_int_equal(pum_session_create(fixture.model, &(pum_session_params){.kv = PUM_KV_Q8_0}, &s, &err), PUM_ERR_UNSUPPORTED);
    assert_null(s);
    assert_non_null(strstr(err.message, "multiple of 32"));
    assert_int_equal(pum_session_create(fixture.model, &(pum_session_params){.kv = (pum_kv_type)7}, &s, &err), PUM_ERR_ARGUMENT);
    pum_session *other = session_with(64, 0);
    pum_stats before;
    pum_session_get_stats(other, &before);
    assert_ok(pum_model_random(fixture.device, "135m", "Q4_0", 7, NULL, &model, &err), err);
    enum { N = 40, N_OUT = 4 };
    int32_t tokens[N], out[3][N_OUT];
    for (int t = 0; t < N; t++) tokens[t] = (t * 37 + 11) % 512;
    uint64_t kv_bytes[2];
    for (int i = 0; i < 2; i++) {
        const pum_session_params params = {.n_ctx = 256, .n_chunk = i ? 7 : 0, .kv = PUM_KV_Q8_0};
        assert_ok(pum_session_create(model, &params, &s, &err), err);
        greedy(s, tokens, N, N_OUT, out[i], NULL);
        if (i == 0) {
            assert_ok(pum_session_rewind(s, N / 2, &err), err);
            greedy(s, tokens + N / 2, N / 2, N_OUT, out[2], NULL);
        }
        pum_stats stats;
        pum_session_get_stats(s, &stats);
        assert_in_range(stats.device_bytes - before.device_bytes, stats.plan_bytes, stats.plan_bytes + (1 << 14));
        pum_session_destroy(&s);
    }
    pum_session_destroy(&other);
    assert_memory_equal(out[0], out[1], sizeof out[0]);
    assert_memory_equal(out[0], out[2], sizeof out[0]);
    for (int i = 0; i < 2; i++) {
        pum_plan plan;
        assert_ok(pum_model_plan(model, 256, i ? PUM_KV_Q8_0 : PUM_KV_F16, &plan, &err), err);
        kv_bytes[i] = plan.kv_bytes;
    }
    assert_in_range(kv_bytes[1], kv_bytes[0] * 17 / 32, kv_bytes[0] * 17 / 32 + (1 << 14));
    pum_model_destroy(&model);
}

/* Every dispatch of a pass has a name and a time, and the timeline does not notice. */
static void test_ops_are_measured(void **state) {
    (void)state;
    int32_t prompt[N_PROMPT], expected[N_MORE], got[N_MORE];
    make_prompt(prompt);
    pum_session *s = session_with(512, 0);
    pum_error err = {0};
    greedy(s, prompt, 40, N_MORE, expected, NULL);
    pum_stats stats;
    pum_session_get_stats(s, &stats);
    assert_ok(pum_session_rewind(s, 39, &err), err);
    pum_op_time ops[PUM_MAX_OPS];
    int n_ops;
    for (int n = 1; n <= 33; n += 32) {
        uint32_t n_dispatches = 0;
        assert_ok(pum_session_measure_ops(s, prompt + 40, n, ops, &n_ops, &err), err);
        assert_int_equal(n_ops, 9);
        assert_string_equal(ops[0].op, "copies, fills");
        for (int i = 0; i < n_ops; i++) {
            assert_true(ops[i].bytes > 0 && ops[i].device_ms >= 0);
            if (i > 0) n_dispatches += (uint32_t)ops[i].n_dispatches;
        }
        assert_string_equal(ops[1].op, "embed");
        assert_string_equal(ops[8].op, "norm+logits");
        if (n > 1) continue;
        assert_int_equal(n_dispatches, stats.dispatches_per_token);
        // What a token sees is read once, itself too; the cache has a little room at the ends of its parts.
        assert_string_equal(ops[4].op, "attention");
        double seen = 40 * (double)stats.kv_bytes_per_position;
        assert_true(ops[4].bytes > 0.99 * seen && ops[4].bytes <= seen);
    }
    assert_int_equal(pum_session_measure_ops(s, prompt, 0, ops, &n_ops, &err), PUM_ERR_ARGUMENT);
    assert_int_equal(pum_session_measure_ops(s, prompt, 513, ops, &n_ops, &err), PUM_ERR_CONTEXT_FULL);
    assert_int_equal(n_ops, 0);
    assert_int_equal(pum_session_n_past(s), 39);
    greedy(s, prompt + 39, 1, N_MORE, got, NULL);
    assert_memory_equal(expected, got, sizeof got);
    pum_session_destroy(&s);
}

int main(void) {
    fixture = model_fixture_open();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy_text),
        cmocka_unit_test(test_chunk_sizes_agree),
        cmocka_unit_test(test_logits_of_every_token),
        cmocka_unit_test(test_rewind_and_go_on),
        cmocka_unit_test(test_full_context_leaves_the_session_usable),
        cmocka_unit_test(test_context_too_long_for_a_binding),
        cmocka_unit_test(test_bad_arguments_are_sentences),
        cmocka_unit_test(test_abort_before_and_between),
        cmocka_unit_test(test_progress_can_stop),
        cmocka_unit_test(test_two_sessions_do_not_meet),
        cmocka_unit_test(test_plan_is_what_is_taken),
        cmocka_unit_test(test_random_models_run),
        cmocka_unit_test(test_results_do_not_depend_on_where_work_is_cut),
        cmocka_unit_test(test_kv_in_q8_0),
        cmocka_unit_test(test_ops_are_measured),
    };
    int failed = cmocka_run_group_tests_name("session", tests, NULL, NULL);
    model_fixture_close(&fixture);
    return failed;
}
