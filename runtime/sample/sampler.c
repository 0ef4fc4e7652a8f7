/* Choosing a token: penalties → top-k → top-p → min-p → temperature → draw, in that order. Ties go to the lower id.
 * shaders/sample_choose.comp does the same on the device, in float32 from the temperature on. */
#include "sample/sampler.h"

#include "base/error.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct candidate {
    float logit;
    int32_t id;
} candidate;

struct pum_sampler {
    pum_sampler_params params;
    uint64_t n_draws; ///< random numbers taken
    int32_t *history; ///< tokens accepted, oldest first
    size_t n_history, history_capacity;
    candidate *candidates; ///< [n_vocab] of the last sample
    uint16_t *counts;      ///< [n_vocab] how often a token is in the window of the penalties
    int n_vocab;
};

/* ---- making */

pum_sampler_params pum_sampler_defaults(void) {
    return (pum_sampler_params){
        .temp = 0.8f, .top_k = 40, .top_p = 0.95f, .min_p = 0.05f, .repeat_penalty = 1, .penalty_last_n = 64};
}

static pum_status check_params(const pum_sampler_params *p, pum_error *err) {
    const struct {
        const char *name;
        double value, min, max;
    } checks[] = {
        {"temp", (double)p->temp, 0, 100},
        {"top-k", p->top_k, 0, INT32_MAX},
        {"top-p", (double)p->top_p, 0, 1},
        {"min-p", (double)p->min_p, 0, 1},
        {"repeat-penalty", (double)p->repeat_penalty, (double)0.01f, 100},
        {"presence-penalty", (double)p->presence_penalty, -100, 100},
        {"frequency-penalty", (double)p->frequency_penalty, -100, 100},
        {"penalty-last-n", p->penalty_last_n, -1, INT32_MAX},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!(checks[i].value >= checks[i].min && checks[i].value <= checks[i].max))
            return pum_fail(err, PUM_ERR_ARGUMENT, "%s: expected %g to %g, got %g", checks[i].name, checks[i].min, checks[i].max,
                            checks[i].value);
    return PUM_OK;
}

pum_status pum_sampler_create(const pum_sampler_params *params, pum_sampler **sampler, pum_error *err) {
    *sampler = NULL;
    pum_status status = check_params(params, err);
    if (status != PUM_OK) return status;
    pum_sampler *s = calloc(1, sizeof *s);
    if (!s) return pum_fail_memory(err, "a sampler", sizeof *s);
    s->params = *params;
    *sampler = s;
    return PUM_OK;
}

void pum_sampler_destroy(pum_sampler **sampler) {
    if (!sampler || !*sampler) return;
    free((*sampler)->history);
    free((*sampler)->candidates);
    free((*sampler)->counts);
    free(*sampler);
    *sampler = NULL;
}

void pum_sampler_reset(pum_sampler *sampler) {
    sampler->n_history = 0;
    sampler->n_draws = 0;
}

const pum_sampler_params *sampler_params(const pum_sampler *sampler) { return &sampler->params; }
uint64_t sampler_n_draws(const pum_sampler *sampler) { return sampler->n_draws; }
void sampler_skip_draws(pum_sampler *sampler, uint64_t n_draws) { sampler->n_draws += n_draws; }

const int32_t *sampler_history(const pum_sampler *sampler, size_t *n_tokens) {
    *n_tokens = sampler->n_history;
    return sampler->history;
}

static bool has_penalties(const pum_sampler_params *p) {
    return (p->repeat_penalty != 1 || p->presence_penalty != 0 || p->frequency_penalty != 0) && p->penalty_last_n != 0;
}

void pum_sampler_accept(pum_sampler *s, int32_t token) {
    if (!has_penalties(&s->params)) return;
    size_t most = s->params.penalty_last_n < 0 ? SIZE_MAX : (size_t)s->params.penalty_last_n;
    if (s->n_history == s->history_capacity) {
        // Half of a full list may be older than the window: it goes before the list grows.
        if (most <= s->n_history / 2) {
            memmove(s->history, s->history + s->n_history - most, most * sizeof *s->history);
            s->n_history = most;
        } else {
            size_t capacity = s->history_capacity ? 2 * s->history_capacity : 256;
            int32_t *history = realloc(s->history, capacity * sizeof *history);
            if (!history) return; // the penalties forget a token, nothing else is lost
            s->history = history;
            s->history_capacity = capacity;
        }
    }
    s->history[s->n_history++] = token;
}

/* ---- choosing */

static bool better(candidate a, candidate b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

static pum_status take_logits(pum_sampler *s, const float *logits, int n_vocab, pum_error *err) {
    if (s->n_vocab != n_vocab) {
        candidate *candidates = realloc(s->candidates, (size_t)n_vocab * sizeof *candidates);
        if (candidates) s->candidates = candidates;
        uint16_t *counts = realloc(s->counts, (size_t)n_vocab * sizeof *counts);
        if (counts) s->counts = counts;
        if (!candidates || !counts) return pum_fail_memory(err, "a sampler", (size_t)n_vocab * sizeof *candidates);
        memset(s->counts, 0, (size_t)n_vocab * sizeof *counts);
        s->n_vocab = n_vocab;
    }
    bool any = false;
    for (int i = 0; i < n_vocab; i++) {
        if (isnan(logits[i]) || logits[i] == INFINITY)
            return pum_fail(err, PUM_ERR_DEVICE,
                            "logit %d: expected a number, got %g: the device computes wrongly; choose another --device", i,
                            (double)logits[i]);
        any = any || logits[i] > -INFINITY;
        s->candidates[i] = (candidate){logits[i], i};
    }
    return any ? PUM_OK
               : pum_fail(err, PUM_ERR_DEVICE, "all logits are -inf: the device computes wrongly; choose another --device");
}

/* A finite logit stays finite. The product with 1 / penalty is a rounding away from the quotient, but it is the same on every
 * device, where quotients are not. */
static float penalised(const pum_sampler_params *p, float logit, int count) {
    if (logit == -INFINITY) return logit;
    float inverse = 1 / p->repeat_penalty, changed = logit > 0 ? logit * inverse : logit * p->repeat_penalty;
    changed -= p->frequency_penalty * (float)count + p->presence_penalty;
    return fmaxf(-FLT_MAX, fminf(changed, FLT_MAX));
}

static void penalise(pum_sampler *s) {
    const pum_sampler_params *p = &s->params;
    if (!has_penalties(p)) return;
    size_t window = p->penalty_last_n < 0 || (size_t)p->penalty_last_n > s->n_history ? s->n_history : (size_t)p->penalty_last_n;
    if (window == 0) return; // no list yet, perhaps
    const int32_t *recent = s->history + s->n_history - window;
    for (size_t i = 0; i < window; i++)
        if (recent[i] >= 0 && recent[i] < s->n_vocab && s->counts[recent[i]] < UINT16_MAX) s->counts[recent[i]]++;
    for (size_t i = 0; i < window; i++) {
        int32_t id = recent[i];
        if (id < 0 || id >= s->n_vocab || s->counts[id] == 0) continue;
        s->candidates[id].logit = penalised(p, s->candidates[id].logit, s->counts[id]);
        s->counts[id] = 0; // once for each token, and clean for the next time
    }
}

static void sift(candidate *heap, size_t n, size_t i) { // the worst on top
    candidate moving = heap[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && better(heap[child], heap[child + 1])) child++;
        if (!better(moving, heap[child])) break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

/* Sorts the best k to the front, best first: a heap of k that the others try to enter. */
static void select_best(candidate *all, size_t n, size_t k) {
    for (size_t i = k / 2; i-- > 0;) sift(all, k, i);
    for (size_t i = k; i < n; i++)
        if (better(all[i], all[0])) {
            all[0] = all[i];
            sift(all, k, 0);
        }
    for (size_t left = k; left > 1; left--) {
        candidate worst = all[0];
        all[0] = all[left - 1];
        all[left - 1] = worst;
        sift(all, left - 1, 0);
    }
}

static int32_t best(const pum_sampler *s) {
    candidate top = s->candidates[0];
    for (int i = 1; i < s->n_vocab; i++)
        if (better(s->candidates[i], top)) top = s->candidates[i];
    return top.id;
}

/* How many of the sorted candidates remain after top-p and min-p, both measured before the temperature. */
static size_t cut(const pum_sampler_params *p, const candidate *c, size_t n) {
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) total += exp((double)c[i].logit - (double)c[0].logit);
    size_t kept = 0;
    while (kept < n) {
        sum += exp((double)c[kept].logit - (double)c[0].logit) / total;
        kept++;
        if (sum >= (double)p->top_p && p->top_p < 1) break;
    }
    while (kept > 1 && exp((double)c[kept - 1].logit - (double)c[0].logit) < (double)p->min_p) kept--;
    return kept;
}

pum_status pum_sampler_sample(pum_sampler *s, const float *logits, int n_vocab, int32_t *token, pum_error *err) {
    if (n_vocab < 1) return pum_fail(err, PUM_ERR_ARGUMENT, "sample: expected at least one logit, got %d", n_vocab);
    pum_status status = take_logits(s, logits, n_vocab, err);
    if (status != PUM_OK) return status;
    penalise(s);
    const pum_sampler_params *p = &s->params;
    if (p->temp == 0) {
        *token = best(s);
        return PUM_OK;
    }
    candidate *c = s->candidates;
    size_t n = p->top_k > 0 && p->top_k < n_vocab ? (size_t)p->top_k : (size_t)n_vocab;
    select_best(c, (size_t)n_vocab, n);
    n = cut(p, c, n);
    double total = 0;
    for (size_t i = 0; i < n; i++) total += exp(((double)c[i].logit - (double)c[0].logit) / (double)p->temp);
    double at = (double)random_uniform(p->seed, s->n_draws++) * total;
    size_t chosen = 0;
    for (; chosen + 1 < n; chosen++) {
        at -= exp(((double)c[chosen].logit - (double)c[0].logit) / (double)p->temp);
        if (at < 0) break;
    }
    *token = c[chosen].id;
    return PUM_OK;
}
