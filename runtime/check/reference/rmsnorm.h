#ifndef REFERENCE_RMSNORM_H
#define REFERENCE_RMSNORM_H
#include <stddef.h>

/// y[t,c] = x[t,c] * w[c] / sqrt(mean of x[t,:]^2 + eps). x, y [n_rows, n_cols], w [n_cols]. arXiv:1910.07467.
void reference_rmsnorm(const float *x, const float *w, double eps, size_t n_rows, size_t n_cols, double *y);

#endif
