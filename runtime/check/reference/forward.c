#include "check/reference/forward.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* y[t,:] = W x[t,:], or += . */
static void multiply(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, bool add, double *y) {
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t r = 0; r < n_rows; r++) {
            double sum = add ? y[t * n_rows + r] : 0;
            for (size_t c = 0; c < n_cols; c++) sum += (double)w[r * n_cols + c] * x[t * n_cols + c];
            y[t * n_rows + r] = sum;
        }
}

static void norm(const double *x, const float *w, double eps, size_t n_tokens, size_t n_cols, double *y) {
    for (size_t t = 0; t < n_tokens; t++, x += n_cols, y += n_cols) {
        double sum = 0;
        for (size_t c = 0; c < n_cols; c++) sum += x[c] * x[c];
        for (size_t c = 0; c < n_cols; c++) y[c] = x[c] / sqrt(sum / (double)n_cols + eps) * w[c];
    }
}

static void rotate(const llama_config *g, double *x, size_t n_tokens, size_t n_head) {
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t h = 0; h < n_head; h++, x += g->head_dim)
            for (size_t j = 0; j < g->n_rot / 2; j++) {
                double angle = (double)t * g->rope_freq_scale * pow(g->rope_freq_base, -2.0 * (double)j / g->n_rot);
                double a = x[2 * j], b = x[2 * j + 1];
                x[2 * j] = a * cos(angle) - b * sin(angle);
                x[2 * j + 1] = a * sin(angle) + b * cos(angle);
            }
}

/* One head of one token over positions 0 … t. */
static void attend(const double *q, const double *k, const double *v, size_t t, size_t stride, size_t head_dim, double *a) {
    double highest = -INFINITY, total = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t p = 0; p <= t; p++) {
            double score = 0;
            for (size_t d = 0; d < head_dim; d++) score += q[d] * k[p * stride + d] / sqrt((double)head_dim);
            if (pass == 0) {
                highest = fmax(highest, score);
                continue;
            }
            double weight = exp(score - highest);
            total += weight;
            for (size_t d = 0; d < head_dim; d++) a[d] += weight * v[p * stride + d];
        }
    for (size_t d = 0; d < head_dim; d++) a[d] /= total;
}

typedef struct rows {
    double *x, *n, *q, *k, *v, *a, *gate, *up;
} rows;

static void run_layer(const llama_config *g, const reference_layer *l, size_t n_tokens, rows *r) {
    size_t n_q = g->n_head * g->head_dim, n_kv = g->n_head_kv * g->head_dim;
    norm(r->x, l->attn_norm, g->norm_eps, n_tokens, g->n_embd, r->n);
    multiply(l->attn_q, r->n, n_tokens, n_q, g->n_embd, false, r->q);
    multiply(l->attn_k, r->n, n_tokens, n_kv, g->n_embd, false, r->k);
    multiply(l->attn_v, r->n, n_tokens, n_kv, g->n_embd, false, r->v);
    rotate(g, r->q, n_tokens, g->n_head);
    rotate(g, r->k, n_tokens, g->n_head_kv);
    memset(r->a, 0, n_tokens * n_q * sizeof *r->a);
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t h = 0; h < g->n_head; h++) {
            size_t at = t * n_q + h * g->head_dim, kv = h / (g->n_head / g->n_head_kv) * g->head_dim;
            attend(r->q + at, r->k + kv, r->v + kv, t, n_kv, g->head_dim, r->a + at);
        }
    multiply(l->attn_output, r->a, n_tokens, g->n_embd, n_q, true, r->x);
    norm(r->x, l->ffn_norm, g->norm_eps, n_tokens, g->n_embd, r->n);
    multiply(l->ffn_gate, r->n, n_tokens, g->n_ff, g->n_embd, false, r->gate);
    multiply(l->ffn_up, r->n, n_tokens, g->n_ff, g->n_embd, false, r->up);
    for (size_t i = 0; i < n_tokens * g->n_ff; i++) r->gate[i] *= r->up[i] / (1 + exp(-r->gate[i]));
    multiply(l->ffn_down, r->gate, n_tokens, g->n_embd, g->n_ff, true, r->x);
}

bool reference_forward(const reference_model *m, const int32_t *tokens, size_t n_tokens, double *logits) {
    const llama_config *g = &m->config;
    const size_t n_q = g->n_head * g->head_dim, n_kv = g->n_head_kv * g->head_dim;
    const size_t sizes[] = {g->n_embd, g->n_embd, n_q, n_kv, n_kv, n_q, g->n_ff, g->n_ff};
    rows r = {0};
    double **all[] = {&r.x, &r.n, &r.q, &r.k, &r.v, &r.a, &r.gate, &r.up};
    bool ok = true;
    for (int i = 0; i < 8; i++) {
        *all[i] = calloc(n_tokens * sizes[i] + 1, sizeof(double));
        ok = ok && *all[i];
    }
    if (ok) {
        for (size_t i = 0; i < n_tokens * g->n_embd; i++)
            r.x[i] = m->token_embd[(size_t)tokens[i / g->n_embd] * g->n_embd + i % g->n_embd];
        for (uint32_t il = 0; il < g->n_layer; il++) run_layer(g, &m->layers[il], n_tokens, &r);
        norm(r.x, m->output_norm, g->norm_eps, n_tokens, g->n_embd, r.n);
        multiply(m->output, r.n, n_tokens, g->n_vocab, g->n_embd, false, logits);
    }
    for (int i = 0; i < 8; i++) free(*all[i]);
    return ok;
}
