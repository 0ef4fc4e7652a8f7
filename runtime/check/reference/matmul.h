#ifndef REFERENCE_MATMUL_H
#define REFERENCE_MATMUL_H
#include <stddef.h>

/// y[t,r] = sum of W[r,c] * x[t,c]. w [n_rows, n_cols], x [n_tokens, n_cols]; y and magnitude [n_tokens, n_rows].
/// magnitude: the sum of |W[r,c] * x[t,c]|.
void reference_matmul(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, double *y,
                      double *magnitude);

/// A value as float16: to nearest even, and +-65504 beyond its range.
double reference_half(double value);

/// The same for W and x that were rounded so, beside a product that does the rounding.
/// magnitude: the sum of the terms' absolute values and 2^10 of the largest. With 2^-20 of it allowed, a term may be off by
/// 2^-10 of itself, the distance to the next float16: a weight that was made in float32 may round to the other side.
void reference_matmul_half(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, double *y,
                           double *magnitude);

#endif
