/* x[t,:] = W[tokens[t],:], with repeated tokens, the first and the last row, tensors in one slice and in many. */
#include "ops/matmul_cases.h"

#include <math.h>
#include <stdio.h>

/* No sum: a weight is at most a product and an offset, each rounded once, where host and device may round in another order. The
 * offset may be as large as the weight is small, so that its own size has to count: the magnitude is the largest of the block. */
static const double K = 4;

static void run_case(harness *h, const matmul_case *c) {
    matmul_case_begin(h, c);
    const float *w_values;
    op_tensor w = matmul_case_tensor(h, c, c->type, &w_values);
    vk_span tokens = harness_span(h, c->n_tokens * sizeof(int32_t));
    op_rows x = matmul_case_rows(h, c->n_tokens, c->n_cols, c->skip_x);
    size_t n = (size_t)c->n_tokens * c->n_cols;
    double *reference = harness_alloc(h, n, sizeof *reference), *magnitude = harness_alloc(h, n, sizeof *magnitude);
    uint32_t block = tensor_type_find(c->type)->block_values;
    for (uint32_t t = 0; t < c->n_tokens; t++) {
        uint32_t token = t == 0 ? c->n_rows - 1 : t == 1 ? 0 : harness_bits(h) % c->n_rows;
        harness_words(tokens)[t] = token;
        for (uint32_t col = 0; col < c->n_cols; col++) {
            const float *values = w_values + (size_t)token * c->n_cols;
            double largest = 0;
            for (uint32_t i = col / block * block; i < col / block * block + block; i++)
                largest = fmax(largest, fabs((double)values[i]));
            reference[(size_t)t * c->n_cols + col] = values[col];
            // Values that stand in the file as they are come out as they are.
            magnitude[(size_t)t * c->n_cols + col] = block == 1 ? 0 : largest;
        }
    }
    op_embed(harness_begin(h), &w, tokens, x);
    harness_end(h);
    harness_expect(h, "x", matmul_case_view(x), reference, magnitude, c->n_tokens, c->n_cols, K);
    matmul_case_expect_view_only(h, x);
}

static void test_embed(harness *h) {
    tensor_type type = matmul_case_type(h->op);
    for (uint32_t i = 0; i < matmul_case_count(false); i += h->every) {
        matmul_case c = matmul_case_get(type, i, false);
        c.add = false;
        run_case(h, &c);
    }
    run_case(h, &(matmul_case){type, 5, 4096 + 256, 3});
    run_case(h, &(matmul_case){type, 33, 256, 0, 1});
}

int main(void) {
    static const char *const types[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};
    static char names[8][48];
    harness_test tests[8];
    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof *names, "embed_%s", types[i]);
        tests[i] = (harness_test){names[i], test_embed};
    }
    return harness_main("embed", tests, 8);
}
