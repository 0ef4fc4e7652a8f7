/* Generating on the device and on the host: the same tokens, the same ends, and a session that goes on from any of them. */
#include "llama/model_fixture.h"

#include <stdlib.h>
#include <string.h>

static model_fixture fixture;

enum { MOST = 300 };

/* One run: what was handed out, and how it ended. */
typedef struct run {
    pum_session *s;
    pum_sampler *sampler;
    int32_t tokens[MOST];
    int n;
    int n_wanted; ///< on_token ends it after this many; 0: never
    bool aborts;  ///< by pum_session_abort instead
    pum_end end;
    pum_status status;
} run;

static bool take(void *user, int32_t token) {
    run *r = user;
    assert_true(r->n < MOST);
    r->tokens[r->n++] = token;
    if (r->n != r->n_wanted) return true;
    if (r->aborts) pum_session_abort(r->s);
    return r->aborts;
}

static void begin(run *r, int n_ctx, const pum_sampler_params *params) {
    *r = (run){0};
    pum_error err = {0};
    assert_ok(pum_session_create(fixture.model, &(pum_session_params){.n_ctx = n_ctx}, &r->s, &err), err);
    assert_ok(pum_sampler_create(params, &r->sampler, &err), err);
    int32_t bos = pum_tokenizer_bos(fixture.tokenizer);
    assert_ok(pum_session_append(r->s, &bos, 1, &err), err);
    pum_sampler_accept(r->sampler, bos);
}

static void generate(run *r, int n, pum_decode_path path, const int32_t *stop) {
    pum_error err = {0};
    pum_generate_params params = {
        .n_tokens = n, .stop_tokens = stop, .n_stop_tokens = stop ? 1 : 0, .on_token = take, .user = r, .path = path};
    int before = r->n, n_past = pum_session_n_past(r->s);
    r->status = pum_session_generate(r->s, r->sampler, &params, &r->end, &err);
    if (r->status != PUM_OK && r->status != PUM_ERR_ABORTED) fail_msg("%s", err.message);
    if (n != 0) assert_null(pum_session_logits(r->s));
    // All but the last of what was handed out is on the timeline; all of it where a stop token came behind it.
    int n_appended = r->n - before - (r->status == PUM_OK && r->end == PUM_END_STOP_TOKEN ? 0 : 1);
    if (r->n == before) n_appended = 0;
    assert_int_equal(pum_session_n_past(r->s), n_past + n_appended);
    assert_memory_equal(pum_session_tokens(r->s) + n_past, r->tokens + before, (size_t)n_appended * sizeof *r->tokens);
}

static void append_last(run *r) {
    pum_error err = {0};
    assert_ok(pum_session_append(r->s, &r->tokens[r->n - 1], 1, &err), err);
}

static void finish(run *r) {
    pum_sampler_destroy(&r->sampler);
    pum_session_destroy(&r->s);
}

static pum_sampler_params samplers[4];

static void make_samplers(void) {
    for (int i = 0; i < 4; i++) samplers[i] = pum_sampler_defaults();
    samplers[0].temp = 0;
    samplers[1].seed = 1;
    samplers[2].top_k = 12;
    samplers[2].temp = 1.2f;
    samplers[2].seed = 77;
    samplers[2].repeat_penalty = 1.2f;
    samplers[2].frequency_penalty = 0.1f;
    samplers[3].top_k = 0; // for the host alone
    samplers[3].seed = 5;
}

/* The loop that a program would write itself. */
static void test_same_as_by_hand(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        run r, hand;
        begin(&hand, 512, &samplers[i]);
        pum_error err = {0};
        for (; hand.n < 60; hand.n++) {
            assert_ok(pum_session_sample(hand.s, hand.sampler, &hand.tokens[hand.n], &err), err);
            pum_sampler_accept(hand.sampler, hand.tokens[hand.n]);
            assert_ok(pum_session_append(hand.s, &hand.tokens[hand.n], 1, &err), err);
        }
        begin(&r, 512, &samplers[i]);
        generate(&r, 60, PUM_DECODE_HOST, NULL);
        assert_int_equal(r.end, PUM_END_LENGTH);
        assert_int_equal(r.n, 60);
        assert_memory_equal(r.tokens, hand.tokens, 60 * sizeof *r.tokens);
        finish(&r);
        finish(&hand);
    }
}

/* Far enough that steps are laid out anew. */
static void test_paths_agree(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        run host, device;
        begin(&host, 512, &samplers[i]);
        begin(&device, 512, &samplers[i]);
        generate(&host, MOST, PUM_DECODE_HOST, NULL);
        generate(&device, MOST, PUM_DECODE_DEVICE, NULL);
        assert_int_equal(device.n, MOST);
        assert_memory_equal(host.tokens, device.tokens, sizeof host.tokens);
        finish(&host);
        finish(&device);
    }
}

static void test_ends(void **state) {
    (void)state;
    for (pum_decode_path path = PUM_DECODE_AUTO; path <= PUM_DECODE_DEVICE; path++) {
        run all, r;
        begin(&all, 512, &samplers[0]);
        generate(&all, 40, path, NULL);
        assert_int_equal(all.end, PUM_END_LENGTH);
        // The first token that had not come before it.
        int at = 10;
        for (int i = 0; i < at; i++)
            if (all.tokens[i] == all.tokens[at]) i = -1, at++;
        begin(&r, 512, &samplers[0]);
        generate(&r, -1, path, &all.tokens[at]);
        assert_int_equal(r.end, PUM_END_STOP_TOKEN);
        assert_int_equal(r.n, at);
        finish(&r);

        begin(&r, 512, &samplers[0]);
        r.n_wanted = 7;
        generate(&r, -1, path, NULL);
        assert_int_equal(r.end, PUM_END_CALLER);
        assert_int_equal(r.n, 7);
        finish(&r);

        begin(&r, 24, &samplers[0]); // one is there already, and the last one has no room
        generate(&r, -1, path, NULL);
        assert_int_equal(r.end, PUM_END_CONTEXT_FULL);
        assert_int_equal(r.n, 24);
        assert_int_equal(pum_session_n_past(r.s), 24);
        assert_memory_equal(r.tokens, all.tokens, 24 * sizeof *r.tokens);
        finish(&r);

        begin(&r, 512, &samplers[0]);
        generate(&r, 0, path, NULL);
        assert_int_equal(r.end, PUM_END_LENGTH);
        assert_int_equal(r.n, 0);
        finish(&r);
        finish(&all);
    }
}

/* Whatever ended a run, and whichever path goes on: the text is that of a run which nothing ended. */
static void test_going_on(void **state) {
    (void)state;
    const pum_decode_path paths[][2] = {
        {PUM_DECODE_DEVICE, PUM_DECODE_DEVICE}, {PUM_DECODE_DEVICE, PUM_DECODE_HOST}, {PUM_DECODE_HOST, PUM_DECODE_DEVICE}};
    for (int i = 0; i < 3 * 3; i++) {
        run all, r;
        begin(&all, 512, &samplers[i % 3]);
        generate(&all, 60, PUM_DECODE_HOST, NULL);
        begin(&r, 512, &samplers[i % 3]);
        r.n_wanted = 20;
        r.aborts = i / 3 == 1;
        generate(&r, i / 3 == 2 ? 20 : -1, paths[i / 3][0], NULL);
        assert_int_equal(r.status, r.aborts ? PUM_ERR_ABORTED : PUM_OK);
        assert_int_equal(r.n, 20);
        append_last(&r);
        r.n_wanted = 0;
        generate(&r, 40, paths[i / 3][1], NULL);
        assert_int_equal(r.n, 60);
        assert_memory_equal(r.tokens, all.tokens, 60 * sizeof *r.tokens);
        finish(&r);
        finish(&all);
    }
}

static void test_needs_logits(void **state) {
    (void)state;
    run r;
    begin(&r, 64, &samplers[0]);
    generate(&r, 4, PUM_DECODE_DEVICE, NULL);
    pum_error err = {0};
    pum_generate_params params = {.n_tokens = 1};
    assert_int_equal(pum_session_generate(r.s, r.sampler, &params, &r.end, &err), PUM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "append a token first"));
    finish(&r);
}

int main(void) {
    fixture = model_fixture_open();
    make_samplers();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_by_hand), cmocka_unit_test(test_paths_agree),  cmocka_unit_test(test_ends),
        cmocka_unit_test(test_going_on),        cmocka_unit_test(test_needs_logits),
    };
    int failed = cmocka_run_group_tests_name("generate", tests, NULL, NULL);
    model_fixture_close(&fixture);
    return failed;
}
