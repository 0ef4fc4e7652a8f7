/* The sampler on distributions that are small enough to say what must come out. */
#include "base/random.h"
#include "sample/sampler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Nothing but a temperature of 1. */
static pum_sampler_params plain(void) {
    return (pum_sampler_params){.temp = 1, .top_p = 1, .repeat_penalty = 1, .penalty_last_n = 64, .seed = 7};
}

static pum_sampler *make(pum_sampler_params params) {
    pum_sampler *s;
    pum_error err = {0};
    if (pum_sampler_create(&params, &s, &err) != PUM_OK) fail_msg("%s", err.message);
    return s;
}

static int32_t sample(pum_sampler *s, const float *logits, int n) {
    int32_t token = -1;
    pum_error err = {0};
    if (pum_sampler_sample(s, logits, n, &token, &err) != PUM_OK) fail_msg("%s", err.message);
    assert_in_range(token, 0, n - 1);
    return token;
}

enum { N_DRAWS = 20000, MOST = 8 };

/* Draws many times and compares how often each token came with its probability: within five deviations. */
static void expect_probabilities(const char *what, pum_sampler_params params, const float *logits, const double *p, int n) {
    pum_sampler *s = make(params);
    int counts[MOST] = {0};
    for (int i = 0; i < N_DRAWS; i++) counts[sample(s, logits, n)]++;
    for (int i = 0; i < n; i++) {
        double deviation = sqrt(p[i] * (1 - p[i]) * N_DRAWS);
        if (!(fabs(counts[i] - p[i] * N_DRAWS) <= 5 * deviation))
            fail_msg("%s: token %d: expected %.0f of %d draws, got %d", what, i, p[i] * N_DRAWS, N_DRAWS, counts[i]);
    }
    pum_sampler_destroy(&s);
}

/* Logits whose softmax is 1/2, 1/4, 1/8, 1/8, in another order than by size. */
static const float HALVES[4] = {-1.3862944f, 0.0f, -0.6931472f, -1.3862944f};

static void test_greedy(void **state) {
    (void)state;
    pum_sampler_params params = pum_sampler_defaults();
    params.temp = 0;
    pum_sampler *s = make(params);
    assert_int_equal(sample(s, HALVES, 4), 1);
    assert_int_equal(sample(s, (float[]){3, 5, 5, 4}, 4), 1);
    assert_int_equal(sample(s, (float[]){-INFINITY, -5, -5, -INFINITY}, 4), 1);
    assert_int_equal(sample(s, (float[]){0, 0, 0}, 3), 0);
    assert_int_equal(sample(s, (float[]){-3e38f}, 1), 0);
    pum_sampler_destroy(&s);
}

static void test_ties(void **state) {
    (void)state;
    // Of equal tokens top-k keeps those with the lower ids.
    const float logits[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (int k = 1; k <= 8; k++) {
        pum_sampler_params params = plain();
        params.top_k = k;
        double p[8] = {0};
        for (int i = 0; i < k; i++) p[i] = 1.0 / k;
        expect_probabilities("ties", params, logits, p, 8);
    }
}

static void test_temperature(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    expect_probabilities("temp 1", params, HALVES, (double[]){0.125, 0.5, 0.25, 0.125}, 4);
    params.temp = 0.5f; // squares them: 1, 16, 4, 1 of 22
    expect_probabilities("temp 0.5", params, HALVES, (double[]){1.0 / 22, 16.0 / 22, 4.0 / 22, 1.0 / 22}, 4);
    params.temp = 1e-6f;
    expect_probabilities("temp nearly 0", params, HALVES, (double[]){0, 1, 0, 0}, 4);
    params.temp = 100;
    expect_probabilities("temp 100", params, (float[]){0, 0, 0, 0}, (double[]){0.25, 0.25, 0.25, 0.25}, 4);
    // Logits that exp could not take on their own.
    params.temp = 1;
    expect_probabilities("large", params, (float[]){1e30f, 1e30f, -1e30f}, (double[]){0.5, 0.5, 0}, 3);
}

static void test_top_k(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    params.top_k = 2;
    expect_probabilities("top-k 2", params, HALVES, (double[]){0, 2.0 / 3, 1.0 / 3, 0}, 4);
    params.top_k = 1;
    expect_probabilities("top-k 1", params, HALVES, (double[]){0, 1, 0, 0}, 4);
    params.top_k = 3;
    expect_probabilities("top-k 3", params, HALVES, (double[]){1.0 / 7, 4.0 / 7, 2.0 / 7, 0}, 4);
    params.top_k = 100;
    expect_probabilities("top-k over the vocabulary", params, HALVES, (double[]){0.125, 0.5, 0.25, 0.125}, 4);
}

static void test_top_p(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    const struct {
        float top_p;
        double p[4];
    } cases[] = {
        {0.0f, {0, 1, 0, 0}},                   // at least one
        {0.45f, {0, 1, 0, 0}},                  // the token that crosses the line belongs
        {0.55f, {0, 2.0 / 3, 1.0 / 3, 0}},      //
        {0.8f, {1.0 / 7, 4.0 / 7, 2.0 / 7, 0}}, //
        {0.999f, {0.125, 0.5, 0.25, 0.125}},    //
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        params.top_p = cases[i].top_p;
        expect_probabilities("top-p", params, HALVES, cases[i].p, 4);
    }
    // Measured after top-k, and before the temperature.
    params.top_k = 2;
    params.top_p = 0.6f;
    expect_probabilities("top-p after top-k", params, HALVES, (double[]){0, 1, 0, 0}, 4);
    params.top_k = 0;
    params.top_p = 0.55f;
    params.temp = 0.5f;
    expect_probabilities("top-p before temp", params, HALVES, (double[]){0, 0.8, 0.2, 0}, 4);
}

static void test_min_p(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    params.min_p = 0.3f; // of the best: 1/2, 1/4
    expect_probabilities("min-p 0.3", params, HALVES, (double[]){0, 2.0 / 3, 1.0 / 3, 0}, 4);
    params.min_p = 0.2f;
    expect_probabilities("min-p 0.2", params, HALVES, (double[]){0.125, 0.5, 0.25, 0.125}, 4);
    params.min_p = 1;
    expect_probabilities("min-p 1", params, HALVES, (double[]){0, 1, 0, 0}, 4);
    expect_probabilities("min-p 1, equal", params, (float[]){2, 2, 1}, (double[]){0.5, 0.5, 0}, 3);
}

static void test_penalties(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    params.temp = 0;
    const float logits[4] = {2, 1.5f, -1, -3};
    params.repeat_penalty = 2; // divides what is positive, multiplies what is not
    pum_sampler *s = make(params);
    assert_int_equal(sample(s, logits, 4), 0);
    pum_sampler_accept(s, 0); // 1, 1.5, -1, -3
    assert_int_equal(sample(s, logits, 4), 1);
    pum_sampler_accept(s, 0); // repeating it further changes nothing
    pum_sampler_accept(s, 1); // 1, 0.75
    assert_int_equal(sample(s, logits, 4), 0);
    assert_int_equal(sample(s, (float[]){-1, -1.5f, -1.9f, -3}, 4), 2); // -2, -3, -1.9
    pum_sampler_destroy(&s);

    params = plain();
    params.temp = 0;
    params.presence_penalty = 0.4f;
    s = make(params);
    for (int i = 0; i < 3; i++) pum_sampler_accept(s, 0); // 1.6: once, however often
    assert_int_equal(sample(s, logits, 4), 0);
    assert_int_equal(sample(s, (float[]){2, 1.7f}, 2), 1);
    pum_sampler_destroy(&s);

    params.presence_penalty = 0;
    params.frequency_penalty = 0.2f;
    s = make(params);
    pum_sampler_accept(s, 0);
    pum_sampler_accept(s, 0); // 1.6
    assert_int_equal(sample(s, logits, 4), 0);
    pum_sampler_accept(s, 0); // 1.4
    assert_int_equal(sample(s, logits, 4), 1);
    pum_sampler_reset(s);
    assert_int_equal(sample(s, logits, 4), 0);
    pum_sampler_accept(s, 1000); // not of this vocabulary
    pum_sampler_accept(s, -1);
    assert_int_equal(sample(s, logits, 4), 0);
    pum_sampler_destroy(&s);
}

static void test_penalty_window(void **state) {
    (void)state;
    const float logits[3] = {2, 1.5f, -9};
    const struct {
        int last_n, n_after, expected;
    } cases[] = {{1, 0, 1}, {1, 1, 0}, {3, 2, 1}, {3, 3, 0}, {-1, 1000, 1}, {0, 0, 0}, {64, 63, 1}, {64, 64, 0}, {64, 5000, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pum_sampler_params params = plain();
        params.temp = 0;
        params.repeat_penalty = 2;
        params.penalty_last_n = cases[i].last_n;
        pum_sampler *s = make(params);
        pum_sampler_accept(s, 0);
        for (int k = 0; k < cases[i].n_after; k++) pum_sampler_accept(s, 2);
        if (sample(s, logits, 3) != cases[i].expected) fail_msg("case %zu: expected token %d", i, cases[i].expected);
        pum_sampler_destroy(&s);
    }
}

static void test_seeds(void **state) {
    (void)state;
    float logits[MOST] = {0};
    pum_sampler_params params = plain();
    int32_t first[100];
    pum_sampler *a = make(params), *b = make(params);
    for (int i = 0; i < 100; i++) assert_int_equal(first[i] = sample(a, logits, MOST), sample(b, logits, MOST));
    pum_sampler_reset(a);
    for (int i = 0; i < 100; i++) assert_int_equal(first[i], sample(a, logits, MOST));
    pum_sampler_destroy(&b);
    params.seed = 8;
    b = make(params);
    int n_same = 0;
    for (int i = 0; i < 100; i++) n_same += first[i] == sample(b, logits, MOST);
    assert_in_range(n_same, 1, 40); // one of eight by chance
    pum_sampler_destroy(&a);
    pum_sampler_destroy(&b);
}

/* What a device that samples itself is given, and gives back. */
static void test_continuing_elsewhere(void **state) {
    (void)state;
    const float equal[MOST] = {0};
    pum_sampler_params params = plain();
    params.repeat_penalty = 2;
    params.penalty_last_n = 100;
    params.seed = 0x123456789abcdef0u;
    pum_sampler *s = make(params);
    assert_memory_equal(sampler_params(s), &params, sizeof params);
    for (uint64_t i = 0; i < 100; i++) {
        assert_true(sampler_n_draws(s) == i);
        // Of eight equal tokens the eighth of [0, 1) says which.
        assert_int_equal(sample(s, equal, MOST), (int)(random_uniform(params.seed, i) * MOST));
    }
    sampler_skip_draws(s, 1ull << 40);
    assert_int_equal(sample(s, equal, MOST), (int)(random_uniform(params.seed, (1ull << 40) + 100) * MOST));
    for (int32_t i = 0; i < 1000; i++) {
        pum_sampler_accept(s, i);
        size_t n, window = i < 99 ? (size_t)i + 1 : 100;
        const int32_t *history = sampler_history(s, &n);
        assert_true(n >= window);
        for (size_t k = 0; k < window; k++) assert_int_equal(history[n - 1 - k], i - (int32_t)k);
    }
    pum_sampler_reset(s);
    size_t n;
    sampler_history(s, &n);
    assert_true(n == 0 && sampler_n_draws(s) == 0);
    pum_sampler_destroy(&s);

    params.temp = 0;
    s = make(params);
    sample(s, equal, MOST);
    assert_true(sampler_n_draws(s) == 0);
    pum_sampler_destroy(&s);
}

/* A penalty does not make an infinity of a finite logit. */
static void test_penalties_stay_finite(void **state) {
    (void)state;
    pum_sampler_params params = plain();
    params.repeat_penalty = 0.01f;
    params.penalty_last_n = 8;
    pum_sampler *s = make(params);
    pum_sampler_accept(s, 1);
    for (int i = 0; i < 100; i++) assert_in_range(sample(s, (float[]){3e38f, 3e38f, 3e38f}, 3), 1, 1);
    pum_sampler_destroy(&s);
    params.repeat_penalty = 100;
    s = make(params);
    pum_sampler_accept(s, 1);
    assert_int_equal(sample(s, (float[]){-INFINITY, -3e38f, -INFINITY}, 3), 1);
    pum_sampler_destroy(&s);
}

static void test_what_a_device_must_not_give(void **state) {
    (void)state;
    for (int greedy = 0; greedy < 2; greedy++) {
        pum_sampler_params params = pum_sampler_defaults();
        if (greedy) params.temp = 0;
        pum_sampler *s = make(params);
        const float bad[][3] = {{1, NAN, 2}, {1, 2, -NAN}, {-INFINITY, -INFINITY, -INFINITY}, {1, INFINITY, 2}};
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            int32_t token = 42;
            pum_error err = {0};
            assert_int_equal(pum_sampler_sample(s, bad[i], 3, &token, &err), PUM_ERR_DEVICE);
            assert_int_equal(token, 42);
            assert_int_equal(err.status, PUM_ERR_DEVICE);
            assert_non_null(strstr(err.message, "--device"));
        }
        int32_t token = 42;
        assert_int_equal(pum_sampler_sample(s, bad[0], 0, &token, NULL), PUM_ERR_ARGUMENT);
        assert_int_equal(sample(s, (float[]){-INFINITY, 0, -INFINITY}, 3), 1); // and it goes on
        pum_sampler_destroy(&s);
    }
}

static void test_parameters(void **state) {
    (void)state;
    const struct {
        const char *name;
        pum_sampler_params params;
    } cases[] = {
        {"temp", {.temp = -0.1f, .repeat_penalty = 1}},
        {"temp", {.temp = NAN, .repeat_penalty = 1}},
        {"top-k", {.top_k = -1, .repeat_penalty = 1}},
        {"top-p", {.top_p = 1.01f, .repeat_penalty = 1}},
        {"top-p", {.top_p = NAN, .repeat_penalty = 1}},
        {"min-p", {.min_p = -0.5f, .repeat_penalty = 1}},
        {"repeat-penalty", {.repeat_penalty = 0}},
        {"repeat-penalty", {.repeat_penalty = INFINITY}},
        {"presence-penalty", {.repeat_penalty = 1, .presence_penalty = 1000}},
        {"frequency-penalty", {.repeat_penalty = 1, .frequency_penalty = -1000}},
        {"penalty-last-n", {.repeat_penalty = 1, .penalty_last_n = -2}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pum_sampler *s = (pum_sampler *)1;
        pum_error err = {0};
        assert_int_equal(pum_sampler_create(&cases[i].params, &s, &err), PUM_ERR_ARGUMENT);
        assert_null(s);
        if (strncmp(err.message, cases[i].name, strlen(cases[i].name)) != 0 || !strstr(err.message, "expected"))
            fail_msg("case %zu: expected a sentence about %s, got \"%s\"", i, cases[i].name, err.message);
    }
    pum_sampler_params defaults = pum_sampler_defaults();
    assert_true(defaults.temp == 0.8f && defaults.top_k == 40 && defaults.top_p == 0.95f && defaults.min_p == 0.05f);
    assert_true(defaults.repeat_penalty == 1 && defaults.presence_penalty == 0 && defaults.frequency_penalty == 0);
    assert_true(defaults.penalty_last_n == 64 && defaults.seed == 0);
    pum_sampler_destroy(NULL);
}

/* A vocabulary that grows and shrinks between calls, sorted against a plain sort. */
static void test_large_vocabulary(void **state) {
    (void)state;
    enum { N = 5000 };
    static float logits[N];
    uint64_t random = 1;
    for (int round = 0; round < 20; round++) {
        int n = round % 2 ? N : 300 + round;
        for (int i = 0; i < n; i++) logits[i] = (float)((random = random * 6364136223846793005u + 1442695040888963407u) >> 58);
        pum_sampler_params params = plain();
        params.top_k = 7;
        params.temp = 100; // all seven come
        params.seed = (uint64_t)round;
        pum_sampler *s = make(params);
        for (int k = 0; k < 100; k++) {
            int32_t token = sample(s, logits, n);
            int n_better = 0;
            for (int i = 0; i < n; i++) n_better += logits[i] > logits[token] || (logits[i] == logits[token] && i < token);
            assert_in_range(n_better, 0, 6);
        }
        pum_sampler_destroy(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_ties),
        cmocka_unit_test(test_temperature),
        cmocka_unit_test(test_top_k),
        cmocka_unit_test(test_top_p),
        cmocka_unit_test(test_min_p),
        cmocka_unit_test(test_penalties),
        cmocka_unit_test(test_penalty_window),
        cmocka_unit_test(test_continuing_elsewhere),
        cmocka_unit_test(test_penalties_stay_finite),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_what_a_device_must_not_give),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_large_vocabulary),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
