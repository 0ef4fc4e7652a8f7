/* h = silu(Wgate x) * (Wup x), with gate and up of one type, which one kernel makes, and of different types, which take three. */
#include "ops/matmul_cases.h"

#include "check/reference/swiglu.h"

#include <stdio.h>
#include <string.h>

/* The sums as in test_matmul; then exp (3 + 2 |a| units in Vulkan), a quotient (2.5) and two products. */
static const double K = 16;
/* What test_rmsnorm allows its norm comes on top. */
static const double NORM_K = 32;

static void run_case(harness *h, const matmul_case *c, tensor_type up_type, bool with_norm) {
    matmul_case_begin(h, c);
    const float *gate_values, *up_values, *norm_values = NULL;
    op_tensor norm;
    if (with_norm) norm = harness_tensor(h, TENSOR_F32, 1, c->n_cols, 0, &norm_values);
    op_tensor gate = matmul_case_tensor(h, c, c->type, &gate_values), up = matmul_case_tensor(h, c, up_type, &up_values);
    if (matmul_case_left_out(h, &gate)) return;
    op_rows x = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_x),
            y = matmul_case_rows(h, c->n_tokens, c->n_rows, c->skip_y);
    op_rows scratch = matmul_case_rows(h, c->n_tokens, c->n_rows, c->skip_x);
    op_rows normed = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_y);
    const double *x_values = matmul_case_fill(h, x, c->skip_x ? 0.1 : 1, norm_values); // large ones leave silu at its ends
    size_t n = (size_t)c->n_tokens * c->n_rows;
    double *sums[6]; // gate, its terms, up, its terms, h, its magnitude
    for (int i = 0; i < 6; i++) sums[i] = harness_alloc(h, n, sizeof(double));
    matmul_case_reference(h, c, gate_values, x_values, sums[0], sums[1]);
    matmul_case_reference(h, c, up_values, x_values, sums[2], sums[3]);
    reference_swiglu(sums[0], sums[1], sums[2], sums[3], n, sums[4], sums[5]);
    if (with_norm)
        op_norm_swiglu(harness_begin(h), x, &norm, MATMUL_CASE_EPS, &gate, &up, y, normed, scratch);
    else
        op_matmul_swiglu(harness_begin(h), &gate, &up, x, y, scratch);
    harness_end(h);
    harness_expect(h, "h", matmul_case_view(y), sums[4], sums[5], c->n_tokens, c->n_rows, with_norm ? NORM_K : K);
    matmul_case_expect_view_only(h, normed);
    matmul_case_expect_view_only(h, y);
    matmul_case_expect_view_only(h, scratch);
}

static void test_many(harness *h) {
    tensor_type type = matmul_case_type(h->op);
    for (uint32_t i = 0; i < matmul_case_count(false); i += 2 * h->every) {
        matmul_case c = matmul_case_get(type, i, false);
        c.add = false;
        if (matmul_case_suits(h, &c)) run_case(h, &c, type, i / 2 % 3 == 0);
    }
    matmul_case large = matmul_case_large(type);
    run_case(h, &large, type, false);
    run_case(h, &(matmul_case){type, 33, 256, 0}, type, false);
    run_case(h, &(matmul_case){type, 33, 256, 0}, type, true);
}

static void test_few(harness *h) {
    tensor_type type = matmul_case_type(h->op);
    for (uint32_t i = 0; i < matmul_case_count(true); i += 2 * h->every) {
        matmul_case c = matmul_case_get(type, i, true);
        c.add = false;
        run_case(h, &c, type, i / 2 % 3 == 0);
    }
}

static void test_different_types(harness *h) {
    static const tensor_type pairs[][2] = {{TENSOR_Q4_K, TENSOR_Q6_K},
                                           {TENSOR_Q6_K, TENSOR_Q4_K},
                                           {TENSOR_F16, TENSOR_Q8_0},
                                           {TENSOR_Q4_0, TENSOR_Q4_1},
                                           {TENSOR_F32, TENSOR_BF16}};
    for (uint32_t i = 0; i < 40; i += h->every) {
        const tensor_type *pair = pairs[i % 5];
        // The columns must suit both types: those of the K types do.
        matmul_case c = matmul_case_get(TENSOR_Q4_K, i, false);
        c.type = pair[0];
        c.add = false;
        run_case(h, &c, pair[1], i % 3 == 0);
    }
    run_case(h, &(matmul_case){TENSOR_F32, 3, 31, 5, 1, 2}, TENSOR_F16, false);
    run_case(h, &(matmul_case){TENSOR_F32, 3, 32, 0}, TENSOR_F16, false);
    // More values than one line of workgroups has threads for.
    run_case(h, &(matmul_case){TENSOR_F32, 8192, 1, 257}, TENSOR_F16, false);
}

int main(void) {
    static const char *const types[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};
    static char names[2 * 8][48];
    harness_test tests[2 * 8 + 1];
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[2 * i], sizeof *names, "matmul_swiglu_%s", types[i]);
        snprintf(names[2 * i + 1], sizeof *names, "matvec_swiglu_%s", types[i]);
        tests[2 * i] = (harness_test){names[2 * i], test_many};
        tests[2 * i + 1] = (harness_test){names[2 * i + 1], test_few};
    }
    tests[2 * 8] = (harness_test){"swiglu", test_different_types};
    return harness_main("swiglu", tests, 2 * 8 + 1);
}
