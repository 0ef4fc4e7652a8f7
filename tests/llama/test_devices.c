/* A model whose layers are divided among two devices: the text of one device, whatever the chunks, after a rewind, an abort. */
#include "llama/model_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_VOCAB = 512, N_PROMPT = 100, N_MORE = 40 };

static model_fixture single; ///< on the default device
static pum_device *devices;  ///< both
static pum_model *model;     ///< on both

static pum_session *session_of(const pum_model *m, int n_ctx, int n_chunk) {
    pum_session *s;
    pum_error err = {0};
    pum_session_params params = {.n_ctx = n_ctx, .n_chunk = n_chunk};
    assert_ok(pum_session_create(m, &params, &s, &err), err);
    return s;
}

/* A story of the model itself, and how it goes on, on one device. */
static int32_t prompt[N_PROMPT], expected[N_MORE];
static float margins[N_MORE];

static void tell_story(void) {
    pum_session *s = session_of(single.model, 256, 0);
    prompt[0] = pum_tokenizer_bos(single.tokenizer);
    greedy(s, prompt, 1, N_PROMPT - 1, prompt + 1, NULL);
    pum_session_destroy(&s);
    s = session_of(single.model, 256, 0);
    greedy(s, prompt, N_PROMPT, N_MORE, expected, margins);
    pum_session_destroy(&s);
}

/* The same tokens, up to where the best two are nearly as good on one device. */
static void expect_story(const char *what, const int32_t *got) {
    for (int t = 0; t < N_MORE; t++) {
        if (got[t] == expected[t]) continue;
        if (margins[t] > 1e-2f)
            fail_msg("%s, token %d: expected %d, got %d (margin %g)", what, t, expected[t], got[t], margins[t]);
        printf("    %s: a near tie at token %d (margin %g)\n", what, t, margins[t]);
        return;
    }
}

static void test_text_is_that_of_one_device(void **state) {
    (void)state;
    const int chunks[] = {0, 1, 7, 32};
    for (int i = 0; i < 4; i++) {
        char what[32];
        int32_t got[N_MORE];
        pum_session *s = session_of(model, 256, chunks[i]);
        greedy(s, prompt, N_PROMPT, N_MORE, got, NULL);
        pum_session_destroy(&s);
        snprintf(what, sizeof what, "chunk %d", chunks[i]);
        expect_story(what, got);
    }
}

static void test_logits_of_every_token(void **state) {
    (void)state;
    static float all[N_PROMPT * N_VOCAB], one[N_PROMPT * N_VOCAB];
    pum_error err = {0};
    pum_session *a = session_of(model, 128, 32), *b = session_of(single.model, 128, 32);
    assert_ok(pum_session_append_logits(a, prompt, N_PROMPT, all, &err), err);
    assert_ok(pum_session_append_logits(b, prompt, N_PROMPT, one, &err), err);
    for (int i = 0; i < N_PROMPT * N_VOCAB; i++)
        if (!(fabsf(all[i] - one[i]) <= 1e-2f)) // a last bit may turn a K or V into its neighbour in float16
            fail_msg("token %d, logit %d: one device %g, two %g", i / N_VOCAB, i % N_VOCAB, one[i], all[i]);
    assert_memory_equal(pum_session_logits(a), all + (N_PROMPT - 1) * N_VOCAB, N_VOCAB * sizeof *all);
    pum_session_destroy(&a);
    pum_session_destroy(&b);
}

static void test_rewind_and_abort(void **state) {
    (void)state;
    int32_t got[N_MORE];
    pum_error err = {0};
    pum_session *s = session_of(model, 256, 16);
    pum_session_abort(s);
    assert_int_equal(pum_session_append(s, prompt, N_PROMPT, &err), PUM_ERR_ABORTED);
    int n_past = pum_session_n_past(s);
    assert_true(n_past < N_PROMPT);
    greedy(s, prompt + n_past, N_PROMPT - n_past, N_MORE, got, NULL);
    expect_story("after an abort", got);
    assert_ok(pum_session_rewind(s, 60, &err), err);
    greedy(s, prompt + 60, N_PROMPT - 60, N_MORE, got, NULL);
    expect_story("after a rewind", got);
    pum_session_destroy(&s);
}

typedef struct heard {
    int32_t tokens[N_MORE];
    int n;
} heard;

static bool on_token(void *user, int32_t token) {
    heard *h = user;
    h->tokens[h->n++] = token;
    return true;
}

/* Steps that live on a device are those of one: asked for on several, the host chooses. */
static void test_generate_on_either_path(void **state) {
    (void)state;
    pum_error err = {0};
    pum_sampler_params params = pum_sampler_defaults();
    params.temp = 0;
    for (int path = PUM_DECODE_AUTO; path <= PUM_DECODE_DEVICE; path++) {
        heard h = {.n = 0};
        pum_end end;
        pum_sampler *sampler;
        pum_session *s = session_of(model, 256, 0);
        assert_ok(pum_sampler_create(&params, &sampler, &err), err);
        assert_ok(pum_session_append(s, prompt, N_PROMPT, &err), err);
        pum_generate_params generate = {.n_tokens = N_MORE, .on_token = on_token, .user = &h, .path = (pum_decode_path)path};
        assert_ok(pum_session_generate(s, sampler, &generate, &end, &err), err);
        assert_int_equal(h.n, N_MORE);
        expect_story("generated", h.tokens);
        pum_sampler_destroy(&sampler);
        pum_session_destroy(&s);
    }
}

static void test_plan_and_statistics_add_up(void **state) {
    (void)state;
    pum_error err = {0};
    pum_session *s = session_of(model, 256, 0), *alone = session_of(single.model, 256, 0);
    pum_plan plan;
    pum_session_get_plan(s, &plan);
    assert_int_equal(plan.n_parts, 2);
    assert_int_equal(plan.parts[0].first_layer, 0);
    assert_true(plan.parts[0].n_layers >= 1 && plan.parts[1].n_layers >= 1);
    assert_int_equal(plan.parts[1].first_layer, plan.parts[0].n_layers);
    assert_int_equal(plan.parts[0].n_layers + plan.parts[1].n_layers, plan.n_layers);
    assert_int_equal(plan.parts[0].device_bytes + plan.parts[1].device_bytes, plan.device_bytes);
    assert_int_equal(plan.device_bytes, plan.weights_bytes + plan.kv_bytes + plan.scratch_bytes);
    assert_int_equal(plan.host_bytes, 0);
    pum_stats two, one;
    for (int t = 0; t < 3; t++) {
        assert_ok(pum_session_append(s, &prompt[t], 1, &err), err);
        assert_ok(pum_session_append(alone, &prompt[t], 1, &err), err);
    }
    pum_session_get_stats(s, &two);
    pum_session_get_stats(alone, &one);
    assert_int_equal(two.decode_tokens, 3);
    assert_in_range(two.device_bytes, two.plan_bytes, two.plan_bytes + (2 << 14)); // beside the plan: sentinels of submissions
    assert_int_equal(two.kv_bytes_per_position, one.kv_bytes_per_position);
    assert_int_equal(two.weight_bytes_per_token, one.weight_bytes_per_token);
    assert_true(two.dispatches_per_token > 0 && two.n_pipelines > 0);
    // Every layer and the head ran once, embedding too, whoever has them.
    assert_in_range(two.dispatches_per_token, one.dispatches_per_token * 2 / 3, one.dispatches_per_token * 3 / 2);
    pum_op_time ops[PUM_MAX_OPS];
    int n_ops, n_layers = 0;
    assert_ok(pum_session_measure_ops(s, prompt + 3, 1, ops, &n_ops, &err), err);
    for (int i = 0; i < n_ops; i++)
        if (strcmp(ops[i].op, "rope+store") == 0) n_layers = ops[i].n_dispatches;
    assert_int_equal(n_layers, plan.n_layers);
    pum_session_destroy(&s);
    pum_session_destroy(&alone);
}

static void test_random_models_of_either_kind_run(void **state) {
    (void)state;
    pum_model *random;
    pum_error err = {0};
    int32_t out[4];
    assert_ok(pum_model_random(devices, "260k", "Q4_0", 7, NULL, &random, &err), err);
    pum_session *s = session_of(random, 64, 0);
    greedy(s, prompt, 20, 4, out, NULL);
    pum_session_destroy(&s);
    pum_model_destroy(&random);
}

static void test_lists_that_are_no_lists(void **state) {
    (void)state;
    static const struct {
        const char *list, *sentence;
        pum_status status;
    } cases[] = {
        {"0,0", "twice", PUM_ERR_ARGUMENT},
        {"0,99", "99", PUM_ERR_NO_DEVICE},
        {"0,no such device", "no such device", PUM_ERR_NO_DEVICE},
        {"", "expected an index", PUM_ERR_NO_DEVICE},
        {"0,1,0,1,0,1,0,1,0", "twice", PUM_ERR_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pum_device *d = NULL;
        pum_error err = {0};
        assert_int_equal(pum_device_open_with(&(pum_device_params){.devices = cases[i].list}, &d, &err), cases[i].status);
        assert_null(d);
        if (!strstr(err.message, cases[i].sentence)) fail_msg("\"%s\": %s", cases[i].list, err.message);
    }
    pum_device *d = NULL; // one is a list too
    pum_error err = {0};
    assert_ok(pum_device_open_with(&(pum_device_params){.devices = "1"}, &d, &err), err);
    assert_int_equal(pum_device_n_parts(d), 1);
    pum_device_destroy(&d);
}

int main(void) {
    pum_error err = {0};
    int n = 0;
    single = model_fixture_open();
    if (pum_devices(NULL, 0, &n, &err) != PUM_OK || n < 2) {
        printf("skipped: expected two devices, got %d\n", n);
        return 77;
    }
    assert_ok(pum_device_open_with(&(pum_device_params){.devices = "0,1"}, &devices, &err), err);
    for (int i = 0; i < pum_device_n_parts(devices); i++) {
        pum_device_info info;
        pum_device_get_info(pum_device_part(devices, i), &info);
        printf("device %d: %s, %s %s\n", i, info.name, info.driver, info.driver_version);
    }
    assert_ok(pum_model_load(devices, single.file, NULL, &model, &err), err);
    tell_story();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_that_of_one_device), cmocka_unit_test(test_logits_of_every_token),
        cmocka_unit_test(test_rewind_and_abort),           cmocka_unit_test(test_generate_on_either_path),
        cmocka_unit_test(test_plan_and_statistics_add_up), cmocka_unit_test(test_random_models_of_either_kind_run),
        cmocka_unit_test(test_lists_that_are_no_lists),
    };
    int failed = cmocka_run_group_tests_name("devices", tests, NULL, NULL);
    pum_model_destroy(&model);
    pum_device_destroy(&devices);
    model_fixture_close(&single);
    return failed;
}
