#include "check/reference/attention.h"

#include <math.h>
#include <stdlib.h>

/* One query over n positions. scores [n] is scratch. */
static void attend(const float *q, const float *k, const float *v, size_t n, size_t head_dim, double *scores, double *a,
                   double *magnitude) {
    double scale = 1 / sqrt((double)head_dim), highest = -INFINITY, total = 0, terms = 0;
    for (size_t p = 0; p < n; p++) {
        double score = 0, sum = 0;
        for (size_t d = 0; d < head_dim; d++) {
            double term = (double)q[d] * (double)k[p * head_dim + d] * scale;
            score += term;
            sum += fabs(term);
        }
        scores[p] = score;
        highest = fmax(highest, score);
        terms = fmax(terms, sum);
    }
    for (size_t p = 0; p < n; p++) total += scores[p] = exp(scores[p] - highest);
    for (size_t d = 0; d < head_dim; d++) a[d] = magnitude[d] = 0;
    for (size_t p = 0; p < n; p++)
        for (size_t d = 0; d < head_dim; d++) {
            double term = scores[p] / total * (double)v[p * head_dim + d];
            a[d] += term;
            magnitude[d] += fabs(term) * (1 + terms);
        }
}

void reference_attention(const float *q, const float *k, const float *v, size_t n_tokens, size_t n_head, size_t n_head_kv,
                         size_t head_dim, size_t n_ctx, size_t n_past, double *a, double *magnitude) {
    double *scores = malloc((n_past + n_tokens) * sizeof *scores);
    if (!scores) abort();
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t h = 0; h < n_head; h++) {
            size_t row = (t * n_head + h) * head_dim, head = h / (n_head / n_head_kv) * n_ctx * head_dim;
            attend(q + row, k + head, v + head, n_past + t + 1, head_dim, scores, a + row, magnitude + row);
        }
    free(scores);
}
