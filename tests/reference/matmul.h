#ifndef REFERENCE_MATMUL_H
#define REFERENCE_MATMUL_H
#include <stddef.h>

/// y[t,r] = sum of W[r,c] * x[t,c]. w [n_rows, n_cols], x [n_tokens, n_cols]; y and magnitude [n_tokens, n_rows].
/// magnitude: the sum of |W[r,c] * x[t,c]|.
void reference_matmul(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, double *y,
                      double *magnitude);

#endif
