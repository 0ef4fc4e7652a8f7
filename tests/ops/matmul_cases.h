/* The shapes that the matrix products are tested with. */
#ifndef TESTS_OPS_MATMUL_CASES_H
#define TESTS_OPS_MATMUL_CASES_H

#include "ops/harness.h"

typedef struct matmul_case {
    tensor_type type;
    uint32_t n_rows, n_cols, n_tokens;
    uint32_t skip_x, skip_y; ///< rows in front of the views
    uint32_t runs_per_slice; ///< 0: one slice; else slices of this many runs of OP_LAYOUT_ROWS
    bool add;
    bool huge; ///< x beyond the range of float16
} matmul_case;

/// The type in the name of an op such as matvec_swiglu_q4_k.
tensor_type matmul_case_type(const char *op);
/// How many cases there are, and case i: every number of rows with every number of tokens, the rest taking turns. few: as many
/// tokens as the matvec is meant for.
uint32_t matmul_case_count(bool few);
matmul_case matmul_case_get(tensor_type type, uint32_t i, bool few);
/// Whether the variant under test cannot do this matrix: those that read blocks of eight rows.
bool matmul_case_left_out(const harness *h, const op_tensor *w);
/// Several tiles of every form in both directions, and none of them whole.
matmul_case matmul_case_large(tensor_type type);
/// Whether the running variant multiplies with cooperative matrices, of inputs rounded to float16.
bool matmul_case_is_coop(const harness *h);
/// Whether the case is for the running variant: with few tokens those with cooperative matrices leave it to the matvec.
bool matmul_case_suits(const harness *h, const matmul_case *c);
/// y and magnitude [n_tokens, n_rows] of w [n_rows, n_cols] and x [n_tokens, n_cols], as the running variant rounds them.
void matmul_case_reference(harness *h, const matmul_case *c, const float *w, const double *x, double *y, double *magnitude);
/// Says what the case is, and starts it.
void matmul_case_begin(harness *h, const matmul_case *c);
/// A random weight matrix of the case.
op_tensor matmul_case_tensor(harness *h, const matmul_case *c, tensor_type type, const float **values);
/// Rows of which the view begins behind skip others and ends before one more, which are all poisoned.
op_rows matmul_case_rows(harness *h, uint32_t n_rows, uint32_t n_cols, uint32_t skip);
/// Where the view begins.
float *matmul_case_view(op_rows rows);
/// Fills the view with random values, and gives them in double: as they are, or with norm as rmsnorm makes them.
const double *matmul_case_fill(harness *h, op_rows rows, double scale, const float *norm);
/// The eps of that norm.
static const float MATMUL_CASE_EPS = 1e-5f;
/// Fails if something outside of the view was written.
void matmul_case_expect_view_only(harness *h, op_rows rows);

#endif
