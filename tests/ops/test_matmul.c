/* y = W x and y += W x for every type of weights and every form of the product. Around the rows of x and y stand NaNs. */
#include "ops/buffers.h"
#include "ops/matmul_cases.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A sum of n terms is off by up to n roundings of its partial sums. Where the first terms are large, each of the later ones
 * rounds at their size: about sqrt(n) = 39 roundings of a part of the magnitude. 16 is twice what was measured. */
static const double K = 16;

static void add_before(const float *before, size_t n, double *reference, double *magnitude) {
    for (size_t i = 0; i < n; i++) {
        reference[i] += before[i];
        magnitude[i] += fabs((double)before[i]);
    }
}

static void run_case(harness *h, const matmul_case *c) {
    matmul_case_begin(h, c);
    const float *w_values;
    op_tensor w = matmul_case_tensor(h, c, c->type, &w_values);
    if (matmul_case_left_out(h, &w)) return;
    op_rows x = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_x),
            y = matmul_case_rows(h, c->n_tokens, c->n_rows, c->skip_y);
    float *y_values = matmul_case_view(y);
    size_t n = (size_t)c->n_tokens * c->n_rows;
    const double *x_values = matmul_case_fill(h, x, c->huge ? 1e5 : 1, NULL);
    double *reference = harness_alloc(h, n, sizeof *reference), *magnitude = harness_alloc(h, n, sizeof *magnitude);
    matmul_case_reference(h, c, w_values, x_values, reference, magnitude);
    for (size_t i = 0; i < n && c->add; i++) y_values[i] = (float)harness_normal(h);
    if (c->add) add_before(y_values, n, reference, magnitude);
    (c->add ? op_matmul_add : op_matmul)(harness_begin(h), &w, x, y);
    harness_end(h);
    harness_expect(h, "y", y_values, reference, magnitude, c->n_tokens, c->n_rows, K);
    matmul_case_expect_view_only(h, y);
}

/* The norm adds what test_rmsnorm allows it. Where a kernel applies it itself, the scratch rows stay as they were. */
static const double NORM_K = 32;

static void run_norm_case(harness *h, const matmul_case *c) {
    matmul_case_begin(h, c);
    const float *w_values, *norm_values;
    op_tensor w = matmul_case_tensor(h, c, c->type, &w_values),
              norm = harness_tensor(h, TENSOR_F32, 1, c->n_cols, 0, &norm_values);
    if (matmul_case_left_out(h, &w)) return;
    op_rows x = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_x),
            y = matmul_case_rows(h, c->n_tokens, c->n_rows, c->skip_y),
            scratch = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_y);
    size_t n = (size_t)c->n_tokens * c->n_rows;
    const double *normed = matmul_case_fill(h, x, c->skip_x ? 1 : 1e-3, norm_values); // eps counts with small ones
    double *reference = harness_alloc(h, n, sizeof *reference), *magnitude = harness_alloc(h, n, sizeof *magnitude);
    matmul_case_reference(h, c, w_values, normed, reference, magnitude);
    op_norm_matmul(harness_begin(h), x, &norm, MATMUL_CASE_EPS, &w, y, scratch);
    harness_end(h);
    harness_expect(h, "y", matmul_case_view(y), reference, magnitude, c->n_tokens, c->n_rows, NORM_K);
    matmul_case_expect_view_only(h, y);
    matmul_case_expect_view_only(h, scratch);
}

/* The form in lanes loads x in fours: for other numbers of columns a form for few tokens must be asked for, none of which is
 * there now. */
static void expect_fours_only(harness *h, tensor_type type) {
    if (tensor_type_find(type)->block_values > 1) return; // those have no such rows
    char few[48];
    snprintf(few, sizeof few, "matvec_%s", h->op + strlen("matmul_"));
    op_variant_force(h->kernels, few, "none");
    for (uint32_t n_cols = 29; n_cols <= 36; n_cols++) {
        matmul_case c = {.type = type, .n_rows = 3, .n_cols = n_cols, .n_tokens = 9};
        matmul_case_begin(h, &c);
        const float *values;
        op_tensor w = matmul_case_tensor(h, &c, type, &values);
        op_rows x = matmul_case_rows(h, c.n_tokens, n_cols, 0), y = matmul_case_rows(h, c.n_tokens, c.n_rows, 0);
        harness_fill_normal(h, x.span, 1);
        op_matmul(harness_begin(h), &w, x, y);
        pum_error error;
        pum_status status = op_frame_end(h->frame, &error), expected = n_cols % 4 ? PUM_ERR_UNSUPPORTED : PUM_OK;
        if (status != expected) harness_fail(h, "expected %s, got %s", pum_status_name(expected), pum_status_name(status));
    }
    op_variant_force(h->kernels, few, NULL);
}

/* A product of more than MAX_FLOP of ops/matmul.c, which is cut by tokens. Rows of x repeat, so that the reference is short. */
static void test_long(harness *h) {
    enum { N_ROWS = 512, N_COLS = 1024, N_TOKENS = 3840, N_DIFFERENT = 3 };
    if (h->every > 1) return; // for long runs
    harness_case(h, "Q8_0, n_rows %d, n_cols %d, n_tokens %d", N_ROWS, N_COLS, N_TOKENS);
    const float *w_values;
    op_tensor w = harness_tensor(h, TENSOR_Q8_0, N_ROWS, N_COLS, 0, &w_values);
    op_rows x = harness_rows(h, N_TOKENS, N_COLS), y = harness_rows(h, N_TOKENS, N_ROWS);
    float *x_values = harness_floats(x.span);
    const double *different = matmul_case_fill(h, op_rows_view(x, 0, N_DIFFERENT), 1, NULL);
    for (size_t t = N_DIFFERENT; t < N_TOKENS; t++)
        memcpy(x_values + t * N_COLS, x_values + t % N_DIFFERENT * N_COLS, N_COLS * sizeof(float));
    double *reference = harness_alloc(h, N_DIFFERENT * N_ROWS, sizeof(double)),
           *magnitude = harness_alloc(h, N_DIFFERENT * N_ROWS, sizeof(double));
    matmul_case few = {.n_rows = N_ROWS, .n_cols = N_COLS, .n_tokens = N_DIFFERENT};
    matmul_case_reference(h, &few, w_values, different, reference, magnitude);
    op_matmul(harness_begin(h), &w, x, y);
    harness_end(h);
    if (op_frame_get_counts(h->frame).dispatches < 2) harness_fail(h, "expected more than one dispatch");
    for (size_t t = 0; t < N_TOKENS; t += N_DIFFERENT)
        harness_expect(h, "y", harness_floats(y.span) + t * N_ROWS, reference, magnitude, N_DIFFERENT, N_ROWS, K);
}

static void test_many(harness *h) {
    tensor_type type = matmul_case_type(h->op);
    for (uint32_t i = 0; i < matmul_case_count(false); i += h->every) {
        matmul_case c = matmul_case_get(type, i, false);
        if (matmul_case_suits(h, &c)) run_case(h, &c);
    }
    matmul_case large = matmul_case_large(type);
    run_case(h, &large);
    large.huge = true;
    run_case(h, &large);
    run_case(h, &(matmul_case){type, 33, 256, 0});
    for (uint32_t i = 0; i < matmul_case_count(false); i += 3 * h->every) {
        matmul_case c = matmul_case_get(type, i, false);
        if (matmul_case_suits(h, &c)) run_norm_case(h, &c);
    }
    run_norm_case(h, &(matmul_case){type, 33, 256, 0});
    if (strstr(h->variant, "_lanes")) expect_fours_only(h, type);
}

static void test_few(harness *h) {
    tensor_type type = matmul_case_type(h->op);
    for (uint32_t i = 0; i < matmul_case_count(true); i += h->every) {
        matmul_case c = matmul_case_get(type, i, true);
        run_case(h, &c);
        if (i % 3 == 0) run_norm_case(h, &c);
    }
}

int main(void) {
    static const char *const types[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};
    static char names[2 * 8][48];
    harness_test tests[2 * 8 + 1];
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[2 * i], sizeof *names, "matmul_%s", types[i]);
        snprintf(names[2 * i + 1], sizeof *names, "matvec_%s", types[i]);
        tests[2 * i] = (harness_test){names[2 * i], test_many};
        tests[2 * i + 1] = (harness_test){names[2 * i + 1], test_few};
    }
    tests[2 * 8] = (harness_test){"matmul_q8_0", test_long};
    return harness_main("matmul", tests, 2 * 8 + 1);
}
