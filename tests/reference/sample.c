#include "reference/sample.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MOST = 1024 };

void reference_penalise(const pum_sampler_params *p, const int32_t *window, size_t n_window, float *logits, size_t n_vocab) {
    for (size_t i = 0; i < n_window; i++) {
        int32_t id = window[i];
        int count = 0, before = 0;
        for (size_t j = 0; j < n_window; j++) count += window[j] == id;
        for (size_t j = 0; j < i; j++) before += window[j] == id;
        if (id < 0 || (size_t)id >= n_vocab || before > 0 || !(fabsf(logits[id]) <= FLT_MAX)) continue;
        float inverse = 1 / p->repeat_penalty, scaled = logits[id] * (logits[id] > 0 ? inverse : p->repeat_penalty);
        float penalty = p->frequency_penalty * (float)count + p->presence_penalty, changed = scaled - penalty;
        logits[id] = changed > FLT_MAX ? FLT_MAX : changed < -FLT_MAX ? -FLT_MAX : changed;
    }
}

static int by_rank(const void *a, const void *b) {
    const reference_candidate *x = a, *y = b;
    return x->logit != y->logit ? (x->logit < y->logit) - (x->logit > y->logit) : (x->id > y->id) - (x->id < y->id);
}

void reference_sort(const float *logits, size_t n_vocab, reference_candidate *candidates) {
    for (size_t i = 0; i < n_vocab; i++) candidates[i] = (reference_candidate){logits[i], (int32_t)i};
    qsort(candidates, n_vocab, sizeof *candidates, by_rank);
}

/* Running sums of exp((logit - best) / temp), divided by the last one; returns how far one may be off. */
static double running_sums(const reference_candidate *c, size_t n, double temp, double *sums) {
    double total = 0, error = (double)n / 2;
    for (size_t i = 0; i < n; i++) {
        double y = ((double)c[i].logit - (double)c[0].logit) / temp, weight = exp(y);
        sums[i] = total += weight;
        if (weight > 0) error += (3 + 4 * fabs(y)) * weight;
    }
    for (size_t i = 0; i < n; i++) sums[i] /= total;
    return error / total * 0x1p-23;
}

static size_t first_reaching(const double *sums, size_t n, double line) {
    for (size_t i = 0; i < n; i++)
        if (sums[i] >= line) return i + 1;
    return n;
}

static size_t above(const reference_candidate *c, size_t n, double line) {
    while (n > 1 && (double)c[n - 1].logit - (double)c[0].logit < line) n--;
    return n;
}

bool reference_may_choose(const pum_sampler_params *p, const reference_candidate *c, size_t n, double u, int32_t token,
                          double slack) {
    double sums[MOST];
    if (n > MOST) return false;
    if (p->temp == 0) return c[0].id == token;
    size_t fewest = n, most = n;
    if (p->top_p < 1) {
        double error = slack * running_sums(c, n, 1, sums);
        fewest = first_reaching(sums, n, (double)p->top_p - error);
        most = first_reaching(sums, n, (double)p->top_p + error);
    }
    double line = log((double)p->min_p), error = p->min_p > 0 ? slack * 0x1p-22 * fabs(line) : 0;
    fewest = above(c, fewest, line + error);
    most = above(c, most, line - error);
    for (size_t kept = fewest; kept <= most; kept++) {
        error = slack * running_sums(c, kept, (double)p->temp, sums);
        for (size_t i = 0; i < kept; i++)
            if (c[i].id == token && u < sums[i] + error && u >= (i > 0 ? sums[i - 1] : 0) - error) return true;
    }
    return false;
}

void reference_probabilities(const pum_sampler_params *p, const reference_candidate *c, size_t n, double *probabilities) {
    size_t kept = n;
    running_sums(c, n, 1, probabilities);
    if (p->top_p < 1) kept = first_reaching(probabilities, n, (double)p->top_p);
    kept = above(c, kept, log((double)p->min_p));
    running_sums(c, kept, (double)p->temp, probabilities);
    for (size_t i = kept; i-- > 1;) probabilities[i] -= probabilities[i - 1];
    for (size_t i = kept; i < n; i++) probabilities[i] = 0;
}
