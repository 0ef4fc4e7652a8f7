/* The ops that are no matrix products. The bounds are those of their tests, which say why. */
#include "check/case.h"
#include "check/reference/attention.h"
#include "check/reference/matmul.h"
#include "check/reference/rmsnorm.h"
#include "check/reference/rope.h"
#include "check/reference/swiglu.h"
#include "ops/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool on_cpu(const check_case *c) { return op_kernels_device(c->kernels)->caps.type == PUM_DEVICE_CPU; }

/* ---- rmsnorm */

enum { RMSNORM_K = 16 };
static const float EPS = 1e-5f;

static void record_rmsnorm(const check_case *c, op_frame *f) { op_rmsnorm(f, c->x, &c->norm, EPS, c->y); }

pum_status check_make_rmsnorm(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const uint32_t shapes[][2] = {{1, 1}, {3, 31}, {33, 129}, {5, 4096}};
    (void)job;
    uint32_t n_rows = c->for_timing ? 64 : shapes[i][0], n_cols = c->for_timing ? 4096 : shapes[i][1];
    size_t n = (size_t)n_rows * n_cols;
    snprintf(c->what, sizeof c->what, "n_rows %u, n_cols %u", n_rows, n_cols);
    c->record = record_rmsnorm;
    float *w;
    double *expected, *terms;
    pum_status status = check_case_tensor(c, TENSOR_F32, 1, n_cols, 1, 1, &c->norm, &w, err);
    if (status == PUM_OK) status = check_case_rows(c, n_rows, n_cols, &c->x, err);
    if (status == PUM_OK) status = check_case_rows(c, n_rows, n_cols, &c->y, err);
    if (status != PUM_OK || c->for_timing) return status;
    if ((status = check_case_doubles(c, n, &expected, err)) != PUM_OK ||
        (status = check_case_doubles(c, n, &terms, err)) != PUM_OK)
        return status;
    reference_rmsnorm(check_case_fill(c, c->x, i == 1 ? 1e-4 : 1), w, EPS, n_rows, n_cols,
                      expected); // eps counts with small ones
    for (size_t k = 0; k < n; k++) terms[k] = fabs(expected[k]);
    check_case_output(c, (check_output){"y", c->y.span, NULL, expected, terms, NULL, RMSNORM_K});
    return PUM_OK;
}

/* ---- embedding */

enum { EMBED_K = 4, EMBED_TOKENS = 5 };

static void record_embed(const check_case *c, op_frame *f) { op_embed(f, &c->w[0], c->tokens, c->x); }

pum_status check_make_embed(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const uint32_t shapes[][2] = {{3, 36}, {100, 352}, {33, 4352}};
    uint32_t block = tensor_type_find(job->type)->block_values, n_rows = shapes[i][0];
    uint32_t n_cols = (shapes[i][1] + block - 1) / block * block;
    snprintf(c->what, sizeof c->what, "n_rows %u, n_cols %u, n_tokens %d", n_rows, n_cols, EMBED_TOKENS);
    c->record = record_embed;
    float *w;
    double *expected, *terms;
    size_t n = (size_t)EMBED_TOKENS * n_cols;
    pum_status status = check_case_tensor(c, job->type, n_rows, n_cols, 1, 1, c->w, &w, err);
    if (status == PUM_OK) status = check_case_span(c, EMBED_TOKENS * sizeof(int32_t), &c->tokens, err);
    if (status == PUM_OK) status = check_case_rows(c, EMBED_TOKENS, n_cols, &c->x, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &expected, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &terms, err);
    if (status != PUM_OK) return status;
    int32_t *tokens = vk_span_mapped(c->tokens);
    for (uint32_t t = 0; t < EMBED_TOKENS; t++) {
        tokens[t] = (int32_t)(t * 7919 % n_rows);
        const float *row = w + (size_t)tokens[t] * n_cols;
        for (uint32_t k = 0; k < n_cols; k++) {
            double largest = 0;
            for (uint32_t b = k / block * block; b < (k / block + 1) * block; b++) largest = fmax(largest, fabs((double)row[b]));
            expected[(size_t)t * n_cols + k] = row[k];
            terms[(size_t)t * n_cols + k] = block == 1 ? 0 : largest; // what stands in the file as it is comes out as it is
        }
    }
    check_case_output(c, (check_output){"x", c->x.span, NULL, expected, terms, NULL, EMBED_K});
    return PUM_OK;
}

/* ---- K, V and q */

static tensor_type kv_type_of(const check_job *job) { return strstr(job->op, "_q8_0") ? TENSOR_Q8_0 : TENSOR_F16; }

typedef struct heads {
    uint32_t n_head, n_head_kv, head_dim, n_past, n_tokens, n_ctx;
} heads;

static pum_status make_kv(check_case *c, tensor_type type, const heads *s, pum_error *err) {
    if (c->for_timing) return op_memory_kv(c->device, type, s->n_head_kv, s->n_ctx, s->head_dim, &c->kv, err);
    c->kv = (op_kv){type, s->n_head_kv, s->n_ctx, s->head_dim, 1, s->n_head_kv, c->kv_spans, c->kv_spans + 1};
    for (int i = 0; i < 2; i++) {
        pum_status status =
            check_case_span(c, op_kv_slice_bytes(type, s->n_head_kv, s->n_ctx, s->head_dim), &c->kv_spans[i], err);
        if (status != PUM_OK) return status;
        c->slices[i] = (reference_kv){type, vk_span_mapped(c->kv_spans[i]), s->n_head_kv, s->n_ctx, s->head_dim};
    }
    return PUM_OK;
}

static pum_status make_position(check_case *c, const heads *s, pum_error *err) {
    c->position.most = c->position.depth = s->n_past;
    pum_status status = check_case_span(c, sizeof(uint32_t), &c->position.n_past, err);
    if (status == PUM_OK) *(uint32_t *)vk_span_mapped(c->position.n_past) = s->n_past;
    return status;
}

static pum_status make_qkv(check_case *c, const heads *s, pum_error *err) {
    return check_case_rows(c, s->n_tokens, (s->n_head + 2 * s->n_head_kv) * s->head_dim, &c->x, err);
}

/* Columns [first, first + n) of every row. */
static pum_status copy_columns(check_case *c, uint32_t first, uint32_t n, float **copy, pum_error *err) {
    *copy = arena_alloc(&c->host, (size_t)c->x.n_rows * n, sizeof **copy);
    if (!*copy) return pum_fail_memory(err, "checking kernels", (size_t)c->x.n_rows * n * sizeof **copy);
    for (uint32_t t = 0; t < c->x.n_rows; t++)
        memcpy(*copy + (size_t)t * n, check_case_floats(c->x.span) + (size_t)t * c->x.n_cols + first, n * sizeof **copy);
    return PUM_OK;
}

/* ---- rope and the store */

static const double FREQ_BASE = 10000;

static void record_rope_store(const check_case *c, op_frame *f) { op_rope_store(f, &c->rope, c->x, c->position, &c->kv); }

/* What stands in the cache afterwards: nothing but zeros where no token is. rows [n_tokens, n_head_kv, head_dim]. */
static pum_status expect_stored(check_case *c, const heads *s, int which, const double *rows, const double *sizes,
                                pum_error *err) {
    double *expected, *terms;
    size_t n = (size_t)s->n_head_kv * s->n_ctx * s->head_dim;
    pum_status status = check_case_doubles(c, n, &expected, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &terms, err);
    if (status != PUM_OK) return status;
    vk_span span = c->kv_spans[which];
    memset(vk_span_mapped(span), 0, span.n_bytes);
    for (uint32_t t = 0; t < s->n_tokens; t++)
        for (uint32_t h = 0; h < s->n_head_kv; h++)
            for (uint32_t d = 0; d < s->head_dim; d++) {
                size_t from = ((size_t)t * s->n_head_kv + h) * s->head_dim + d;
                size_t to = ((size_t)h * s->n_ctx + s->n_past + t) * s->head_dim + d;
                expected[to] = rows[from];
                terms[to] = sizes[from];
            }
    check_case_output(c, (check_output){which ? "V" : "K", span, &c->slices[which], expected, terms, NULL, 4});
    return PUM_OK;
}

/* The pairs of some heads, rotated; sizes: |a| + |b| of each pair. */
static pum_status rotate(check_case *c, const heads *s, uint32_t first, uint32_t n_heads, double **rotated, double **sizes,
                         pum_error *err) {
    float *values;
    uint32_t n_cols = n_heads * s->head_dim;
    size_t n = (size_t)s->n_tokens * n_cols;
    pum_status status = copy_columns(c, first, n_cols, &values, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, rotated, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, sizes, err);
    if (status != PUM_OK) return status;
    reference_rope(values, s->n_tokens, n_heads, s->head_dim, c->rope.n_rot, FREQ_BASE, s->n_past, *rotated);
    for (size_t i = 0; i < n; i += 2) (*sizes)[i] = (*sizes)[i + 1] = fabs((double)values[i]) + fabs((double)values[i + 1]);
    return PUM_OK;
}

static pum_status expect_rope_store(check_case *c, const heads *s, pum_error *err) {
    check_case_fill(c, c->x, 1);
    uint32_t n_q = s->n_head * s->head_dim, n_kv = s->n_head_kv * s->head_dim;
    size_t n = (size_t)s->n_tokens * c->x.n_cols, n_v = (size_t)s->n_tokens * n_kv;
    double *q, *q_sizes, *k, *k_sizes, *v, *v_sizes, *all, *terms;
    float *v_floats;
    pum_status status = rotate(c, s, 0, s->n_head, &q, &q_sizes, err);
    if (status == PUM_OK) status = rotate(c, s, n_q, s->n_head_kv, &k, &k_sizes, err);
    if (status == PUM_OK) status = copy_columns(c, n_q + n_kv, n_kv, &v_floats, err);
    if (status == PUM_OK) status = check_case_doubles(c, n_v, &v, err);
    if (status == PUM_OK) status = check_case_doubles(c, n_v, &v_sizes, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &all, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &terms, err);
    if (status != PUM_OK) return status;
    for (size_t i = 0; i < n_v; i++) v[i] = v_floats[i];
    for (size_t i = 0; i < n; i++) { // q is rotated where it stands, k and v stay as they are
        size_t t = i / c->x.n_cols, col = i % c->x.n_cols;
        all[i] = col < n_q ? q[t * n_q + col] : check_case_floats(c->x.span)[i];
        terms[i] = col < n_q ? q_sizes[t * n_q + col] : 0;
    }
    check_case_output(c, (check_output){"qkv", c->x.span, NULL, all, terms, NULL, 4});
    if ((status = expect_stored(c, s, 0, k, k_sizes, err)) != PUM_OK) return status;
    return expect_stored(c, s, 1, v, v_sizes, err);
}

pum_status check_make_rope_store(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const heads shapes[] = {{9, 3, 64, 7, 1, 11}, {8, 4, 96, 0, 31, 31}, {4, 1, 128, 33, 3, 40}};
    static const heads timed = {32, 8, 128, 0, 64, 64};
    const heads *s = c->for_timing ? &timed : &shapes[i];
    snprintf(c->what, sizeof c->what, "heads %u/%u, head_dim %u, n_past %u, n_tokens %u", s->n_head, s->n_head_kv, s->head_dim,
             s->n_past, s->n_tokens);
    c->record = record_rope_store;
    double frequencies[128];
    for (uint32_t k = 0; k < s->head_dim / 2; k++) frequencies[k] = pow(FREQ_BASE, -2.0 * k / s->head_dim);
    pum_status status = make_qkv(c, s, err);
    if (status == PUM_OK) status = make_kv(c, kv_type_of(job), s, err);
    if (status == PUM_OK) status = make_position(c, s, err);
    if (status == PUM_OK) status = op_memory_rope(c->device, s->n_ctx, s->head_dim, frequencies, &c->rope, err);
    if (status == PUM_OK) status = op_memory_sent(c->device, err);
    return status == PUM_OK && !c->for_timing ? expect_rope_store(c, s, err) : status;
}

/* ---- attention */

enum { ATTENTION_K = 8 };

static void record_attention(const check_case *c, op_frame *f) {
    op_attention_begin(f, c->scratch);
    for (uint32_t i = 0; i < c->n_copies; i++) op_attention(f, c->x, &c->kv, c->position, c->y, c->scratch);
}

/* Random values; what stands behind the last position stays NaN. values: receives what a kernel reads there. */
static pum_status fill_cache(check_case *c, const heads *s, const reference_kv *kv, float **values, pum_error *err) {
    size_t n = (size_t)s->n_head_kv * s->n_ctx * s->head_dim;
    float *all = *values = arena_alloc(&c->host, n, sizeof *all);
    if (!all) return pum_fail_memory(err, "checking kernels", n * sizeof *all);
    for (uint32_t h = 0; h < s->n_head_kv; h++)
        for (uint32_t p = 0; p < s->n_past + s->n_tokens; p++) {
            float *row = all + ((size_t)h * s->n_ctx + p) * s->head_dim;
            for (uint32_t d = 0; d < s->head_dim; d++) {
                c->random = c->random * 6364136223846793005u + 1442695040888963407u;
                row[d] = (float)(c->random >> 40) * 0x1p-23f - 1;
            }
            reference_kv_store(kv, h, p, row);
            for (uint32_t d = 0; d < s->head_dim; d++) row[d] = reference_kv_value(kv, h, p, d);
        }
    return PUM_OK;
}

static pum_status expect_attention(check_case *c, const heads *s, pum_error *err) {
    check_case_fill(c, c->x, 1);
    float *q, *k, *v;
    double *expected, *terms;
    size_t n = (size_t)s->n_tokens * s->n_head * s->head_dim;
    pum_status status = fill_cache(c, s, &c->slices[0], &k, err);
    if (status == PUM_OK) status = fill_cache(c, s, &c->slices[1], &v, err);
    if (status == PUM_OK) status = copy_columns(c, 0, s->n_head * s->head_dim, &q, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &expected, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &terms, err);
    if (status != PUM_OK) return status;
    reference_attention(q, k, v, s->n_tokens, s->n_head, s->n_head_kv, s->head_dim, s->n_ctx, s->n_past, expected, terms);
    // Where the inputs of its products are rounded, each weight and each value is off by so much of itself: the terms count
    // twice.
    check_case_output(c, (check_output){"a", c->y.span, NULL, expected, terms, NULL, ATTENTION_K});
    check_case_output(c, (check_output){.name = "scratch", .span = c->scratch.span});
    return PUM_OK;
}

pum_status check_make_attention(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const heads few[] = {{8, 4, 64, 33, 1, 40}, {9, 3, 64, 1000, 3, 1010}, {4, 1, 128, 511, 2, 513}};
    static const heads many[] = {{9, 3, 64, 0, 33, 33}, {4, 1, 128, 31, 17, 64}, {8, 4, 64, 513, 31, 545}};
    heads timed = {32, 8, 64, 1023, 1, 1024};
    if (job->size == OP_MANY) timed = (heads){32, 8, 64, 512, 512, 1024};
    if (on_cpu(c)) timed.n_head = 8, timed.n_head_kv = 2;
    if (on_cpu(c) && job->size == OP_MANY) timed.n_tokens = 64;
    const heads *s = c->for_timing ? &timed : job->size == OP_MANY ? &many[i] : &few[i];
    snprintf(c->what, sizeof c->what, "heads %u/%u, head_dim %u, n_past %u, n_tokens %u", s->n_head, s->n_head_kv, s->head_dim,
             s->n_past, s->n_tokens);
    c->record = record_attention;
    c->n_copies = c->for_timing && job->size != OP_MANY ? 8 : 1;
    pum_status status = make_qkv(c, s, err);
    if (status == PUM_OK) status = make_kv(c, kv_type_of(job), s, err);
    if (status == PUM_OK) status = make_position(c, s, err);
    if (status == PUM_OK) status = check_case_rows(c, s->n_tokens, s->n_head * s->head_dim, &c->y, err);
    if (status == PUM_OK) status = check_case_rows(c, 1, op_attention_scratch_floats(s->head_dim), &c->scratch, err);
    return status == PUM_OK && !c->for_timing ? expect_attention(c, s, err) : status;
}

/* ---- the function of SwiGLU alone: where gate and up are of different types */

enum { SWIGLU_K = 16 };

static void record_swiglu(const check_case *c, op_frame *f) { op_matmul_swiglu(f, &c->w[0], &c->w1[0], c->x, c->y, c->n); }

pum_status check_make_swiglu(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const uint32_t shapes[][3] = {{33, 32, 5}, {4100, 8, 9}};
    (void)job;
    uint32_t n_rows = shapes[i][0], n_cols = shapes[i][1], n_tokens = shapes[i][2];
    size_t n = (size_t)n_tokens * n_rows;
    snprintf(c->what, sizeof c->what, "n_rows %u, n_cols %u, n_tokens %u", n_rows, n_cols, n_tokens);
    c->record = record_swiglu;
    float *w, *w1;
    double *x, *y[6]; // gate, its terms, up, its terms, h, its terms
    pum_status status = check_case_tensor(c, TENSOR_F32, n_rows, n_cols, 1, 1, c->w, &w, err);
    if (status == PUM_OK) status = check_case_tensor(c, TENSOR_F16, n_rows, n_cols, 1, 1, c->w1, &w1, err);
    if (status == PUM_OK) status = check_case_rows(c, n_tokens, n_cols, &c->x, err);
    if (status == PUM_OK) status = check_case_rows(c, n_tokens, n_rows, &c->y, err);
    if (status == PUM_OK) status = check_case_rows(c, n_tokens, n_rows, &c->n, err);
    if (status == PUM_OK) status = check_case_doubles(c, (size_t)n_tokens * n_cols, &x, err);
    for (int k = 0; k < 6 && status == PUM_OK; k++) status = check_case_doubles(c, n, &y[k], err);
    if (status != PUM_OK) return status;
    const float *floats = check_case_fill(c, c->x, 1);
    for (size_t k = 0; k < (size_t)n_tokens * n_cols; k++) x[k] = floats[k];
    reference_matmul(w, x, n_tokens, n_rows, n_cols, y[0], y[1]);
    reference_matmul(w1, x, n_tokens, n_rows, n_cols, y[2], y[3]);
    reference_swiglu(y[0], y[1], y[2], y[3], n, y[4], y[5]);
    check_case_output(c, (check_output){"h", c->y.span, NULL, y[4], y[5], NULL, SWIGLU_K});
    check_case_output(c, (check_output){.name = "scratch", .span = c->n.span});
    return PUM_OK;
}

/* ---- sampling: what must come out whatever number is drawn */

enum { N_RING = 4 };

static void record_sample(const check_case *c, op_frame *f) { op_sample(f, &c->sampling, c->x, c->state, c->ring, c->scratch); }

/* The token is one of the best `allowed`, apart from the one that a penalty puts out. */
static bool is_right_sample(const check_case *c, char *message, size_t n_bytes) {
    op_step_record record;
    if (!op_step_read(vk_span_mapped(c->ring), N_RING, 0, &record) || record.stopped != STEP_RUNS || record.token < 0 ||
        (uint32_t)record.token >= c->x.n_cols) {
        snprintf(message, n_bytes, "%s: no token in the ring", c->what);
        return false;
    }
    const float *logits = check_case_floats(c->x.span);
    uint32_t n_better = 0;
    for (uint32_t i = 0; i < c->x.n_cols; i++) {
        bool better = logits[i] > logits[record.token] || (logits[i] == logits[record.token] && i < (uint32_t)record.token);
        n_better += better && (int32_t)i != c->put_out;
    }
    if (n_better < c->n_allowed && record.token != c->put_out) return true;
    snprintf(message, n_bytes, "%s: token %d was chosen, %u are better", c->what, record.token, n_better);
    return false;
}

pum_status check_make_sample(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    static const struct {
        const char *what;
        uint32_t n_vocab;
        float temp, presence;
        int32_t top_k;
    } cases[] = {
        {"greedy", 32003, 0, 0, 0}, {"the best one is penalised", 1000, 0, 100, 0}, {"one of the best 40", 4099, 1, 0, 40}};
    (void)job;
    snprintf(c->what, sizeof c->what, "%s, n_vocab %u", cases[i].what, cases[i].n_vocab);
    c->record = record_sample;
    c->is_right = is_right_sample;
    c->sampling = pum_sampler_defaults();
    c->sampling.temp = cases[i].temp;
    c->sampling.top_k = cases[i].top_k;
    c->sampling.presence_penalty = cases[i].presence;
    c->n_allowed = cases[i].top_k ? (uint32_t)cases[i].top_k : 1;
    pum_status status = check_case_rows(c, 1, cases[i].n_vocab, &c->x, err);
    if (status == PUM_OK) status = check_case_span(c, sizeof(struct step_state), &c->state, err);
    if (status == PUM_OK) status = check_case_span(c, N_RING * sizeof(uint32_t), &c->ring, err);
    if (status == PUM_OK) status = check_case_rows(c, 1, OP_SAMPLE_SCRATCH_BYTES / sizeof(float), &c->scratch, err);
    if (status != PUM_OK) return status;
    float *logits = check_case_fill(c, c->x, 1);
    int32_t best = (int32_t)(cases[i].n_vocab * 2 / 3);
    logits[best] = logits[best + 1] = 20; // of two that are equal the first
    c->put_out = cases[i].presence > 0 ? best : -1;
    op_step_start start = {.params = &c->sampling, .history = &best, .n_history = 1, .n_end = UINT32_MAX};
    op_step_fill(vk_span_mapped(c->state), &start);
    memset(vk_span_mapped(c->ring), 0xff, c->ring.n_bytes);
    check_case_output(c, (check_output){.name = "state", .span = c->state});
    check_case_output(c, (check_output){.name = "ring", .span = c->ring});
    check_case_output(c, (check_output){.name = "scratch", .span = c->scratch.span});
    return PUM_OK;
}
