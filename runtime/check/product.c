/* The matrix products: y = W x, y += W x, y = W rmsnorm(x), and h = silu(W x) * (W1 x). */
#include "check/case.h"
#include "check/reference/matmul.h"
#include "check/reference/rmsnorm.h"
#include "check/reference/swiglu.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A sum of n terms is off by up to n roundings of its partial sums, in practice by their root; the norm and the function of
 * SwiGLU come on top. As the tests of the ops have them. */
static const double K = 16, NORM_K = 32;
static const float EPS = 1e-5f;

typedef struct shape {
    uint32_t n_rows, n_cols, n_tokens; ///< columns are rounded up to whole blocks
    bool add, norm;
} shape;

/* Awkward ones, one that is as large as those of a model, one with as many rows as there are words, and one with as many columns
 * as the largest models have. Fewer than eight rows, and columns that are no multiple of 32, are for few of the forms. */
enum { N_SHAPES = 6 };
static const shape shapes[OP_N_SIZES][N_SHAPES] = {
    [OP_ONE] = {{33, 352, 1, true, false},
                {100, 96, 1, false, true},
                {3, 36, 1, false, false},
                {2049, 1024, 1, false, false},
                {16411, 256, 1, false, true},
                {65, 14336, 1, true, false}},
    [OP_FEW] = {{33, 352, 5, true, false},
                {100, 96, 3, false, true},
                {3, 36, 7, false, false},
                {2049, 1024, 4, false, false},
                {16411, 256, 3, false, true},
                {65, 14336, 8, true, false}},
    [OP_MANY] = {{33, 352, 9, true, false},
                 {100, 96, 33, false, true},
                 {3, 36, 17, false, false},
                 {520, 1024, 31, false, false},
                 {16411, 256, 9, false, true},
                 {65, 14336, 12, true, false}},
};

static bool is_swiglu(const check_job *job) { return strstr(job->op, "swiglu") != NULL; }

static void record(const check_case *c, op_frame *f) {
    for (uint32_t i = 0; i < c->n_copies; i++) {
        const op_tensor *w = &c->w[i], *w1 = &c->w1[i];
        if (w1->n_rows && c->with_norm)
            op_norm_swiglu(f, c->x, &c->norm, EPS, w, w1, c->y, c->n, c->scratch);
        else if (w1->n_rows)
            op_matmul_swiglu(f, w, w1, c->x, c->y, c->scratch);
        else if (c->with_norm)
            op_norm_matmul(f, c->x, &c->norm, EPS, w, c->y, c->n);
        else
            (c->add ? op_matmul_add : op_matmul)(f, w, c->x, c->y);
    }
}

/* sum |w| of each row times the largest |x| of each token. */
static void find_peaks(const float *w, const double *x, const shape *s, double *peaks) {
    for (uint32_t t = 0; t < s->n_tokens; t++) {
        double largest = 0;
        for (uint32_t i = 0; i < s->n_cols; i++) largest = fmax(largest, fabs(x[(size_t)t * s->n_cols + i]));
        for (uint32_t r = 0; r < s->n_rows; r++) {
            double sum = 0;
            for (uint32_t i = 0; i < s->n_cols; i++) sum += fabs((double)w[(size_t)r * s->n_cols + i]);
            peaks[(size_t)t * s->n_rows + r] = sum * largest;
        }
    }
}

typedef struct sums {
    double *y, *terms, *peaks;
} sums;

static pum_status multiply(check_case *c, const shape *s, const float *w, const double *x, sums *out, pum_error *err) {
    size_t n = (size_t)s->n_tokens * s->n_rows;
    pum_status status = check_case_doubles(c, n, &out->y, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &out->terms, err);
    if (status == PUM_OK) status = check_case_doubles(c, n, &out->peaks, err);
    if (status != PUM_OK) return status;
    reference_matmul(w, x, s->n_tokens, s->n_rows, s->n_cols, out->y, out->terms);
    find_peaks(w, x, s, out->peaks);
    return PUM_OK;
}

static pum_status expect(check_case *c, const shape *s, const float *w, const float *w1, const float *norm, pum_error *err) {
    const float *x_floats = check_case_fill(c, c->x, 1);
    size_t n_x = (size_t)s->n_tokens * s->n_cols, n = (size_t)s->n_tokens * s->n_rows;
    double *x;
    pum_status status = check_case_doubles(c, n_x, &x, err);
    if (status != PUM_OK) return status;
    for (size_t i = 0; i < n_x; i++) x[i] = x_floats[i];
    if (norm) reference_rmsnorm(x_floats, norm, EPS, s->n_tokens, s->n_cols, x);
    sums a, b, h;
    if ((status = multiply(c, s, w, x, &a, err)) != PUM_OK) return status;
    if (s->add) {
        const float *before = check_case_fill(c, c->y, 1);
        for (size_t i = 0; i < n; i++) {
            a.y[i] += before[i];
            a.terms[i] += fabs((double)before[i]);
        }
    }
    if (w1) {
        if ((status = multiply(c, s, w1, x, &b, err)) != PUM_OK || (status = multiply(c, s, w1, x, &h, err)) != PUM_OK)
            return status;
        double *unused = h.y;
        reference_swiglu(a.y, a.peaks, b.y, b.peaks, n, unused, h.peaks);
        reference_swiglu(a.y, a.terms, b.y, b.terms, n, h.y, h.terms);
        a = h;
    }
    check_case_output(c, (check_output){"y", c->y.span, NULL, a.y, a.terms, a.peaks, norm ? NORM_K : K});
    if (c->n.n_rows) check_case_output(c, (check_output){.name = "n", .span = c->n.span});
    return PUM_OK;
}

/* Matrices enough that they do not all stay in a cache, as the layers of a model do; how many tokens, by what the device is. */
static shape timed_shape(const check_job *job, const vk_caps *caps, uint32_t *n_copies) {
    bool cpu = caps->type == PUM_DEVICE_CPU;
    uint32_t tokens[] = {1, 4, cpu ? 48 : 512};
    shape s = {.n_rows = cpu ? 1024 : 4096, .n_cols = cpu ? 1024 : 4096, .n_tokens = tokens[job->size]};
    uint64_t bytes = op_layout_bytes(job->type, s.n_rows, s.n_cols, caps->max_storage_range) * (is_swiglu(job) ? 2 : 1);
    uint64_t n = cpu ? 4 : (96u << 20) / bytes + 1;
    *n_copies = job->size == OP_MANY ? 1 : n > CASE_MAX_COPIES ? CASE_MAX_COPIES : (uint32_t)n;
    s.norm = is_swiglu(job) && job->size != OP_MANY;
    return s;
}

pum_status check_make_product(const check_job *job, uint32_t i, check_case *c, pum_error *err) {
    c->n_copies = 1;
    shape s = c->for_timing ? timed_shape(job, &op_kernels_device(c->kernels)->caps, &c->n_copies) : shapes[job->size][i];
    uint32_t block = tensor_type_find(job->type)->block_values;
    s.n_cols = (s.n_cols + block - 1) / block * block;
    bool swiglu = is_swiglu(job);
    if (swiglu) s.add = false;
    snprintf(c->what, sizeof c->what, "n_rows %u, n_cols %u, n_tokens %u%s%s", s.n_rows, s.n_cols, s.n_tokens,
             s.add ? ", add" : "", s.norm ? ", norm" : "");
    float *w, *w1 = NULL, *norm = NULL;
    double sigma = 1 / sqrt(s.n_cols);
    c->record = record;
    c->add = s.add;
    c->with_norm = s.norm;
    bool check = !c->for_timing;
    pum_status status = check_case_tensor(c, job->type, s.n_rows, s.n_cols, sigma, c->n_copies, c->w, check ? &w : NULL, err);
    if (status == PUM_OK && swiglu)
        status = check_case_tensor(c, job->type, s.n_rows, s.n_cols, sigma, c->n_copies, c->w1, check ? &w1 : NULL, err);
    if (status == PUM_OK && s.norm)
        status = check_case_tensor(c, TENSOR_F32, 1, s.n_cols, 1, 1, &c->norm, check ? &norm : NULL, err);
    if (status == PUM_OK) status = check_case_rows(c, s.n_tokens, s.n_cols, &c->x, err);
    if (status == PUM_OK) status = check_case_rows(c, s.n_tokens, s.n_rows, &c->y, err);
    if (status == PUM_OK && s.norm) status = check_case_rows(c, s.n_tokens, s.n_cols, &c->n, err);
    return status == PUM_OK && check ? expect(c, &s, w, w1, norm, err) : status;
}
