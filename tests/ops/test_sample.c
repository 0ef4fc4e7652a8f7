/* Sampling on the device beside the double reference and beside the host's sampler, which must give the same tokens: their random
 * numbers are the same, and their arithmetic is but for the float32 of exp and of the sums. */
#include "ops/harness.h"

#include "base/random.h"
#include "ops/sample.h"
#include "reference/sample.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64 }; // steps in flight

/* A run of steps over the same logits: an empty model whose answer does not depend on the token. */
typedef struct run {
    harness *h;
    op_step_start start;
    pum_sampler_params params;
    uint32_t n_vocab, n_ring;
    op_rows logits, scratch;
    vk_span state, ring;
    float *values;
    struct step_state *s;
    int32_t *history; ///< what was there, then what was chosen
    size_t n_history;
    pum_sampler *host;
    reference_candidate *sorted; ///< without penalties it is the same for all steps
    bool is_sorted;
    uint32_t n_made, n_off; ///< n_off: not what exact arithmetic gives, but within its bound
} run;

static pum_sampler_params plain(void) { return (pum_sampler_params){.temp = 1, .top_k = 64, .top_p = 1, .repeat_penalty = 1}; }

static bool has_penalties(const pum_sampler_params *p) {
    return p->repeat_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0;
}

/* The logits stand behind others, which are NaN, in the same buffer. */
static run make(harness *h, pum_sampler_params params, uint32_t n_vocab, uint32_t n_ring) {
    run r = {.h = h, .params = params, .n_vocab = n_vocab, .n_ring = n_ring};
    r.logits = harness_rows(h, 2, n_vocab);
    r.logits.first_row = r.logits.n_rows = 1;
    r.values = harness_floats(r.logits.span) + n_vocab;
    r.scratch = harness_rows(h, OP_SAMPLE_SCRATCH_BYTES / 4, 1);
    r.state = harness_span(h, sizeof(struct step_state));
    r.s = (struct step_state *)(void *)harness_words(r.state);
    r.ring = harness_span(h, n_ring * sizeof(uint32_t));
    r.history = harness_alloc(h, 20000, sizeof *r.history);
    r.sorted = harness_alloc(h, n_vocab, sizeof *r.sorted);
    r.start.n_end = UINT32_MAX;
    return r;
}

/* After the logits, the history and the rest of the start are set. */
static void begin(run *r) {
    r->start.params = &r->params;
    r->start.history = r->history;
    r->start.n_history = r->n_history;
    op_step_fill(r->s, &r->start);
    memset(harness_words(r->ring), 0xff, r->n_ring * sizeof(uint32_t));
    pum_error error;
    pum_sampler_destroy(&r->host);
    if (pum_sampler_create(&r->params, &r->host, &error) != PUM_OK) harness_fail(r->h, "%s", error.message);
    for (size_t i = 0; i < r->n_history; i++) pum_sampler_accept(r->host, r->history[i]);
}

static void steps(run *r, uint32_t n_steps) {
    op_frame *f = harness_begin(r->h);
    for (uint32_t i = 0; i < n_steps; i++) op_sample(f, &r->params, r->logits, r->state, r->ring, r->scratch);
    harness_end(r->h);
}

static op_step_record read(run *r) {
    op_step_record record;
    uint32_t word = harness_words(r->ring)[r->n_made % r->n_ring];
    if (!op_step_read(harness_words(r->ring), r->n_ring, r->n_made, &record))
        harness_fail(r->h, "token %u: expected a record in the ring, got 0x%08x", r->n_made, word);
    return record;
}

static void sort_candidates(run *r) {
    if (r->is_sorted && !has_penalties(&r->params)) return;
    float *logits = malloc(r->n_vocab * sizeof *logits);
    assert_non_null(logits);
    memcpy(logits, r->values, r->n_vocab * sizeof *logits);
    size_t last_n = (size_t)r->params.penalty_last_n, n = r->n_history < last_n ? r->n_history : last_n;
    if (has_penalties(&r->params)) reference_penalise(&r->params, r->history + r->n_history - n, n, logits, r->n_vocab);
    reference_sort(logits, r->n_vocab, r->sorted);
    free(logits);
    r->is_sorted = true;
}

/* The next token in the ring, which must be the reference's. */
static int32_t check_next(run *r) {
    op_step_record record = read(r);
    sort_candidates(r);
    uint32_t n = (uint32_t)r->params.top_k < r->n_vocab ? (uint32_t)r->params.top_k : r->n_vocab;
    double u = (double)random_uniform(r->params.seed, r->start.n_draws + r->n_made);
    int32_t by_host = -1;
    pum_error error;
    if (r->start.n_draws == 0 && pum_sampler_sample(r->host, r->values, (int)r->n_vocab, &by_host, &error) != PUM_OK)
        harness_fail(r->h, "%s", error.message);
    if (!reference_may_choose(&r->params, r->sorted, n, u, record.token, 1))
        harness_fail(r->h, "token %u: got %d, which u = %.9g does not choose; the host chooses %d", r->n_made, record.token, u,
                     by_host);
    bool exact = reference_may_choose(&r->params, r->sorted, n, u, record.token, 0);
    if (exact && r->start.n_draws == 0 && record.token != by_host)
        harness_fail(r->h, "token %u: got %d as the reference, but the host chooses %d", r->n_made, record.token, by_host);
    r->n_off += !exact;
    pum_sampler_accept(r->host, record.token);
    r->history[r->n_history++] = record.token;
    r->n_made++;
    return record.token;
}

static void end(run *r) {
    if (r->s->n_made != r->n_made || r->s->n_past != r->start.n_past + r->n_made ||
        r->s->token != (uint32_t)r->history[r->n_history - 1] || r->s->stopped != STEP_RUNS)
        harness_fail(r->h, "state: expected %u made, token %d, got %u made, n_past %u, token %u, stopped %u", r->n_made,
                     r->history[r->n_history - 1], r->s->n_made, r->s->n_past, r->s->token, r->s->stopped);
    uint64_t n_draws = r->s->n_draws[0] | (uint64_t)r->s->n_draws[1] << 32;
    if (n_draws != r->start.n_draws + (r->params.temp == 0 ? 0 : r->n_made))
        harness_fail(r->h, "random numbers: got %llu used up", (unsigned long long)n_draws);
    // A border is met by chance once in some 10^5 draws.
    if (r->n_off > 1 + r->n_made / 1000) harness_fail(r->h, "%u of %u tokens are off", r->n_off, r->n_made);
    pum_sampler_destroy(&r->host);
}

/* Makes n tokens, as many at once as the ring takes, and checks each of them. counts [n_vocab]: how often each came, or NULL. */
static void make_tokens(run *r, uint32_t n, uint32_t *counts) {
    begin(r);
    for (uint32_t left = n, now; left > 0; left -= now) {
        now = left < r->n_ring ? left : r->n_ring;
        steps(r, now);
        for (uint32_t i = 0; i < now; i++) {
            int32_t token = check_next(r);
            if (counts) counts[token]++;
        }
    }
    end(r);
}

/* ---- which candidates: every shape of input that a selection could stumble over */

static void fill_normal(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = (float)(4 * harness_normal(r->h));
}
static void fill_equal(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = i % 2 ? 0.0f : -0.0f;
}
static void fill_rising(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = (float)i * 0x1p-18f;
}
static void fill_falling(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = -1 - (float)i * 0x1p-18f;
}
static void fill_few_levels(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = (float)(harness_bits(r->h) % 3) - 1;
}
/* The best stand in one residue class: one thread of a workgroup sees all of them, and the bound of a bucket's best is worthless.
 */
static void fill_one_bucket(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = (float)harness_uniform(r->h) + (i % 128 == 5 ? 2.0f : i % 128 < 60);
}
/* Ever better ones behind each other: a list of candidates overflows and overflows. */
static void fill_waves(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = (float)(i / 512) * 0x1p-9f + (float)harness_uniform(r->h) * 0x1p-10f;
}
/* Both at once, in as many buckets as leave the worst bound: the most work there is. */
static void fill_worst(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = i % 128 < 63 ? 1 + (float)i * 0x1p-20f : -(float)i;
}
static void fill_mostly_nothing(run *r) {
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = i % 61 == 60 || i == r->n_vocab - 1 ? -3.0f : -INFINITY;
}
static void fill_extremes(run *r) {
    static const float extremes[] = {FLT_MAX, -FLT_MAX, -INFINITY, 0.0f, -0.0f, 1e30f, FLT_MAX, -1e-30f};
    for (uint32_t i = 0; i < r->n_vocab; i++) r->values[i] = extremes[harness_bits(r->h) % 8];
    r->values[r->n_vocab / 2] = 1;
}

static void test_selection(harness *h) {
    static const struct {
        const char *name;
        void (*fill)(run *r);
    } inputs[] = {{"normal", fill_normal},    {"equal", fill_equal},           {"rising", fill_rising},
                  {"falling", fill_falling},  {"few levels", fill_few_levels}, {"one bucket", fill_one_bucket},
                  {"waves", fill_waves},      {"worst", fill_worst},           {"-inf", fill_mostly_nothing},
                  {"extremes", fill_extremes}};
    static const uint32_t sizes[] = {1, 3, 127, 128, 129, 1000, 1024, 1025, 4099, 49152, 128256, 262144};
    static const int ks[] = {1, 2, 40, 63, 64};
    const uint32_t n_inputs = sizeof inputs / sizeof *inputs, n_sizes = sizeof sizes / sizeof *sizes;
    for (uint32_t i = 0; i < n_inputs * n_sizes; i += h->every)
        for (uint32_t k = i % 2; k < 5; k += 2) { // greedy, some, most; or two, nearly most: in turns
            uint32_t input = i % n_inputs, n_vocab = sizes[i / n_inputs];
            pum_sampler_params params = plain();
            params.temp = 100; // all that are kept come
            params.top_k = ks[k];
            params.seed = i;
            harness_case(h, "n_vocab %u, top_k %d, %s", n_vocab, params.top_k, inputs[input].name);
            run r = make(h, params, n_vocab, AT_ONCE);
            inputs[input].fill(&r);
            make_tokens(&r, n_vocab > 10000 ? AT_ONCE / 4 : 3 * AT_ONCE, NULL);
        }
}

/* ---- how often: 10000 draws against probabilities, and each draw against the reference */

typedef struct setting {
    const char *name;
    pum_sampler_params params;
} setting;

static void expect_frequencies(run *r, const uint32_t *counts, uint32_t n_draws) {
    uint32_t n = (uint32_t)r->params.top_k < r->n_vocab ? (uint32_t)r->params.top_k : r->n_vocab, n_cells = 0, others = n_draws;
    double probabilities[STEP_MAX_TOP_K], chi2 = 0, rest = n_draws;
    reference_probabilities(&r->params, r->sorted, n, probabilities);
    for (uint32_t i = 0; i < n; i++) {
        double expected = probabilities[i] * n_draws;
        if (expected < 20) continue; // they are counted together
        uint32_t got = counts[r->sorted[i].id];
        chi2 += (got - expected) * (got - expected) / expected;
        rest -= expected;
        others -= got;
        n_cells++;
    }
    if (rest >= 20) {
        chi2 += (others - rest) * (others - rest) / rest;
        n_cells++;
    }
    // Five deviations above the mean of a chi-square of n_cells - 1 degrees of freedom.
    double degrees = n_cells > 1 ? n_cells - 1 : 1, most = degrees + 5 * sqrt(2 * degrees);
    if (!(chi2 <= most))
        harness_fail(r->h, "frequencies: chi-square %.1f of %u cells, expected at most %.1f", chi2, n_cells, most);
}

static void test_frequencies(harness *h) {
    enum { N_DRAWS = 10000, N_VOCAB = 200 };
    const setting settings[] = {
        {"temp 1", {.temp = 1, .top_k = 64, .top_p = 1}},
        {"temp 0.3", {.temp = 0.3f, .top_k = 64, .top_p = 1}},
        {"temp 5", {.temp = 5, .top_k = 64, .top_p = 1}},
        {"top-k 3", {.temp = 1, .top_k = 3, .top_p = 1}},
        {"top-p 0.7", {.temp = 1, .top_k = 64, .top_p = 0.7f}},
        {"top-p 0", {.temp = 1, .top_k = 64, .top_p = 0}},
        {"min-p 0.1", {.temp = 1, .top_k = 64, .top_p = 1, .min_p = 0.1f}},
        {"min-p 1", {.temp = 1, .top_k = 64, .top_p = 1, .min_p = 1}},
        {"the defaults", {.temp = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f}},
        {"all", {.temp = 1.5f, .top_k = 20, .top_p = 0.9f, .min_p = 0.02f}},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i += h->every) {
        harness_case(h, "frequencies, %s", settings[i].name);
        pum_sampler_params params = settings[i].params;
        params.repeat_penalty = 1;
        params.seed = h->seed + i;
        run r = make(h, params, N_VOCAB, 1000);
        for (uint32_t v = 0; v < N_VOCAB; v++) r.values[v] = (float)round(16 * harness_normal(h)) / 8; // with ties
        r.values[20] = r.values[150] = 9;
        uint32_t counts[N_VOCAB] = {0};
        make_tokens(&r, N_DRAWS, counts);
        expect_frequencies(&r, counts, N_DRAWS);
    }
}

/* ---- random numbers */

static void test_seeds(harness *h) {
    static const uint64_t seeds[] = {0, 1, UINT32_MAX, 1ull << 32, UINT64_MAX}, draws[] = {0, 1000, UINT32_MAX - 10, 1ull << 60};
    int32_t first[5][AT_ONCE];
    for (size_t s = 0; s < 5; s++)
        for (size_t d = 0; d < 4; d++) {
            harness_case(h, "seed %llu, from draw %llu", (unsigned long long)seeds[s], (unsigned long long)draws[d]);
            pum_sampler_params params = plain();
            params.seed = seeds[s];
            run r = make(h, params, 1000, AT_ONCE);
            fill_equal(&r);
            r.start.n_draws = draws[d];
            r.start.n_past = 7;
            make_tokens(&r, AT_ONCE, NULL);
            if (d == 0) memcpy(first[s], r.history, sizeof first[s]);
        }
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < a; b++)
            if (memcmp(first[a], first[b], sizeof first[a]) == 0) harness_fail(h, "seeds %d and %d give the same tokens", a, b);
}

/* ---- penalties */

static void test_penalties(harness *h) {
    static const int windows[] = {1, 2, 3, 63, 64, 65, 255, 256, 0};
    static const uint32_t histories[] = {0, 1, 64, 300}, sizes[] = {5, 50, 3000, 49152};
    static const setting settings[] = {
        {"repeat", {.repeat_penalty = 1.3f}},
        {"repeat below 1", {.repeat_penalty = 0.9f}},
        {"presence", {.repeat_penalty = 1, .presence_penalty = 0.7f}},
        {"frequency", {.repeat_penalty = 1, .frequency_penalty = 0.11f}},
        {"all", {.repeat_penalty = 1.1f, .presence_penalty = -0.4f, .frequency_penalty = 0.07f}},
        {"the most", {.repeat_penalty = 100, .presence_penalty = 100, .frequency_penalty = 100}},
    };
    for (uint32_t i = 0; i < 9 * 6; i++) {
        uint32_t n_history = histories[(i + i / 6) % 4], n_vocab = sizes[(i + i / 4) % 4];
        pum_sampler_params params = settings[i % 6].params;
        params.temp = i % 5 ? 0.7f : 0;
        params.top_k = 40;
        params.top_p = 0.98f;
        params.min_p = 0.01f;
        params.penalty_last_n = windows[i / 6];
        params.seed = i;
        harness_case(h, "penalties: %s, last_n %d, history %u, n_vocab %u, temp %g", settings[i % 6].name, params.penalty_last_n,
                     n_history, n_vocab, (double)params.temp);
        run r = make(h, params, n_vocab, AT_ONCE);
        for (uint32_t v = 0; v < n_vocab; v++) r.values[v] = (float)(1 + harness_normal(h));
        for (uint32_t v = 0; v < 8; v++) r.values[harness_bits(h) % n_vocab] = v < 4 ? 5.0f : -INFINITY; // the ones to come
        if (i % 9 == 8) r.values[harness_bits(h) % n_vocab] = FLT_MAX;                                   // nothing else comes
        for (uint32_t j = 0; j < n_history; j++) {
            r.history[j] = (int32_t)(harness_bits(h) % n_vocab);
            if (j % 7 == 3) r.history[j] = j % 2 ? -1 : INT32_MAX; // not of this vocabulary
        }
        r.n_history = n_history;
        make_tokens(&r, n_vocab > 10000 ? AT_ONCE / 2 : 6 * AT_ONCE, NULL);
    }
}

/* ---- stopping */

static void expect_stopped(run *r, uint32_t stopped, int32_t token, uint32_t n_past) {
    op_step_record record = read(r);
    if (record.stopped != stopped || record.token != token)
        harness_fail(r->h, "record: expected token %d, stopped %u, got token %d, stopped %u", token, stopped, record.token,
                     record.stopped);
    if (r->s->stopped != stopped || r->s->n_past != n_past || r->s->n_made != r->n_made + (stopped != STEP_WRONG))
        harness_fail(r->h, "state: expected stopped %u, n_past %u, got stopped %u, n_past %u, n_made %u", stopped, n_past,
                     r->s->stopped, r->s->n_past, r->s->n_made);
    struct step_state before = *r->s;
    uint32_t ring[AT_ONCE];
    memcpy(ring, harness_words(r->ring), sizeof ring);
    steps(r, 3);
    if (memcmp(&before, r->s, sizeof before) != 0) harness_fail(r->h, "a step behind the last one has changed the state");
    if (memcmp(ring, harness_words(r->ring), sizeof ring) != 0)
        harness_fail(r->h, "a step behind the last one has written a token");
}

static void test_stop_ids(harness *h) {
    for (uint32_t n_ids = 1; n_ids <= STEP_MAX_STOP_IDS; n_ids += 5)
        for (uint32_t n_steps = 1; n_steps <= AT_ONCE; n_steps += 21) {
            harness_case(h, "%u stop ids, %u steps at once", n_ids, n_steps);
            pum_sampler_params params = plain();
            params.seed = n_steps;
            params.frequency_penalty = 0.1f;
            params.penalty_last_n = 16;
            run r = make(h, params, 300, AT_ONCE);
            int32_t ids[STEP_MAX_STOP_IDS];
            for (uint32_t i = 0; i < n_ids; i++) ids[i] = (int32_t)(300 - 7 * (n_ids - i)); // the last one comes sometimes
            fill_equal(&r);
            for (int i = 0; i < 300; i++) r.values[i] = i == ids[n_ids - 1] ? 1.0f : i < 30 ? 0.5f : -9.0f;
            r.start.stop_ids = ids;
            r.start.n_stop_ids = n_ids;
            r.start.n_past = 100;
            r.start.token = 299;
            begin(&r);
            while (r.s->stopped == STEP_RUNS && r.n_made < 10000) {
                steps(&r, n_steps);
                uint32_t n_now = r.s->n_made - r.n_made;
                for (uint32_t i = 0; i < n_now; i++) {
                    bool last = i + 1 == n_now && r.s->stopped != STEP_RUNS;
                    if (last) break;
                    if (read(&r).stopped != STEP_RUNS) harness_fail(h, "token %u: stopped before the end", r.n_made);
                    if (check_next(&r) == ids[n_ids - 1]) harness_fail(h, "token %u: did not stop", r.n_made - 1);
                }
            }
            int32_t before = r.n_made > 0 ? r.history[r.n_history - 1] : 299;
            if (r.s->token != (uint32_t)before) harness_fail(h, "token: expected %d, got %u", before, r.s->token);
            expect_stopped(&r, STEP_STOP_TOKEN, ids[n_ids - 1], 100 + r.n_made);
            pum_sampler_destroy(&r.host);
        }
}

static void test_end(harness *h) {
    for (uint32_t n_tokens = 1; n_tokens <= 40; n_tokens += 13) {
        harness_case(h, "%u tokens to the end", n_tokens);
        run r = make(h, plain(), 300, AT_ONCE);
        fill_normal(&r);
        r.start.n_past = 1000;
        r.start.n_end = 1000 + n_tokens;
        begin(&r);
        steps(&r, AT_ONCE);
        for (uint32_t i = 0; i + 1 < n_tokens; i++) check_next(&r);
        int32_t last = read(&r).token;
        uint32_t n_past = 1000 + r.n_made;
        expect_stopped(&r, STEP_FULL, last, n_past);
        check_next(&r); // it is the right one all the same
        pum_sampler_destroy(&r.host);
    }
}

/* What a device must not give. */
static void test_wrong_logits(harness *h) {
    static const float wrong[] = {NAN, -NAN, INFINITY};
    static const uint32_t sizes[] = {1, 3, 1000, 1025, 49152};
    for (uint32_t i = 0; i < 5 * 3 * 4; i++) {
        uint32_t n_vocab = sizes[i % 5], place = i / 15 == 0 ? 0 : i / 15 == 1 ? n_vocab - 1 : n_vocab / 2;
        pum_sampler_params params = plain();
        params.top_k = i % 2 ? 64 : 1;
        params.temp = i % 7 ? 1 : 0;
        params.repeat_penalty = i % 4 ? 1 : 1.5f;
        params.penalty_last_n = 64;
        harness_case(h, "logit %u of %u is %g, top_k %d", place, n_vocab, (double)wrong[i % 3], params.top_k);
        run r = make(h, params, n_vocab, AT_ONCE);
        fill_normal(&r);
        if (i / 15 < 3) {
            r.values[place] = wrong[i % 3];
            r.values[n_vocab - 1] = wrong[(i + 1) % 3]; // the first one counts
            if (place == n_vocab - 1) r.values[place] = wrong[i % 3];
        } else {
            for (uint32_t v = 0; v < n_vocab; v++) r.values[v] = -INFINITY;
            place = 0;
        }
        r.history[0] = (int32_t)place; // no penalty makes it right
        r.n_history = 1;
        r.start.token = 2;
        r.start.n_past = 5;
        begin(&r);
        steps(&r, 1 + i % 3);
        expect_stopped(&r, STEP_WRONG, (int32_t)place, 5);
        if (r.s->token != 2) harness_fail(h, "token: expected 2, got %u", r.s->token);
        pum_sampler_destroy(&r.host);
    }
}

/* ---- what the host says and reads */

static void test_host_side(harness *h) {
    harness_case(h, "op_sample_supported");
    pum_sampler_params p = pum_sampler_defaults();
    assert_true(op_sample_supported(&p, 128256, 16));
    assert_true(op_sample_supported(&p, 262144, 0));
    assert_false(op_sample_supported(&p, 262145, 0));
    assert_false(op_sample_supported(&p, 100, 17));
    p.penalty_last_n = -1;
    assert_true(op_sample_supported(&p, 100, 0)); // there is no penalty
    p.presence_penalty = 1;
    assert_false(op_sample_supported(&p, 100, 0));
    p.penalty_last_n = 256;
    assert_true(op_sample_supported(&p, 100, 0));
    p.penalty_last_n = 257;
    assert_false(op_sample_supported(&p, 100, 0));
    p.penalty_last_n = 0;
    assert_true(op_sample_supported(&p, 100, 0));
    p.top_k = 64;
    assert_true(op_sample_supported(&p, 100, 0));
    p.top_k = 65;
    assert_false(op_sample_supported(&p, 100, 0));
    p.top_k = 0;
    assert_false(op_sample_supported(&p, 100, 0));
    p.temp = 0;
    assert_true(op_sample_supported(&p, 100, 0));

    harness_case(h, "op_sample_same");
    pum_sampler_params a = pum_sampler_defaults(), b = a;
    b.temp = 0.1f, b.top_p = 0.3f, b.min_p = 0.2f, b.seed = 3, b.penalty_last_n = 7;
    assert_true(op_sample_same(&a, &b));
    b.temp = 0;
    assert_false(op_sample_same(&a, &b));
    b.temp = 1, b.top_k = 1, a.temp = 0;
    assert_true(op_sample_same(&a, &b));
    b.frequency_penalty = 1;
    assert_false(op_sample_same(&a, &b));
    b.penalty_last_n = 0;
    assert_true(op_sample_same(&a, &b));

    harness_case(h, "op_step_read");
    uint32_t ring[5] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX};
    op_step_record record = {9, 9};
    for (uint32_t n = 0; n < 5; n++) assert_false(op_step_read(ring, 5, n, &record));
    ring[1] = STEP_RECORD(2u, STEP_STOP_TOKEN, 262143u);
    assert_false(op_step_read(ring, 5, 0, &record));
    assert_false(op_step_read(ring, 5, 6, &record));
    assert_true(op_step_read(ring, 5, 1, &record));
    assert_true(record.stopped == STEP_STOP_TOKEN && record.token == 262143);
    ring[4] = STEP_RECORD(5000u, STEP_RUNS, 1u); // the number goes round
    assert_false(op_step_read(ring, 5, 4, &record));
    assert_true(op_step_read(ring, 5, 4999, &record));
    assert_true(record.stopped == STEP_RUNS && record.token == 1);
}

int main(void) {
    const harness_test tests[] = {
        {"sample_top", test_selection},       {"sample_top", test_penalties},    {"sample_choose", test_frequencies},
        {"sample_choose", test_seeds},        {"sample_choose", test_stop_ids},  {"sample_choose", test_end},
        {"sample_choose", test_wrong_logits}, {"sample_choose", test_host_side},
    };
    return harness_main("sample", tests, sizeof tests / sizeof *tests);
}
