#include "check/reference/rmsnorm.h"

#include <math.h>

void reference_rmsnorm(const float *x, const float *w, double eps, size_t n_rows, size_t n_cols, double *y) {
    for (size_t t = 0; t < n_rows; t++, x += n_cols, y += n_cols) {
        double sum = 0;
        for (size_t c = 0; c < n_cols; c++) sum += (double)x[c] * x[c];
        double factor = 1 / sqrt(sum / (double)n_cols + eps);
        for (size_t c = 0; c < n_cols; c++) y[c] = x[c] * factor * w[c];
    }
}
