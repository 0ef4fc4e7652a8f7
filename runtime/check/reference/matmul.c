#include "check/reference/matmul.h"

#include <math.h>

void reference_matmul(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, double *y,
                      double *magnitude) {
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t r = 0; r < n_rows; r++) {
            double sum = 0, terms = 0;
            for (size_t c = 0; c < n_cols; c++) {
                double term = (double)w[r * n_cols + c] * x[t * n_cols + c];
                sum += term;
                terms += fabs(term);
            }
            y[t * n_rows + r] = sum;
            magnitude[t * n_rows + r] = terms;
        }
}

double reference_half(double value) {
    double unit = fabs(value) < 0x1p-14 ? 0x1p-24 : ldexp(1, ilogb(value) - 10);
    return fabs(value) > 65504 ? copysign(65504, value) : nearbyint(value / unit) * unit;
}

void reference_matmul_half(const float *w, const double *x, size_t n_tokens, size_t n_rows, size_t n_cols, double *y,
                           double *magnitude) {
    reference_matmul(w, x, n_tokens, n_rows, n_cols, y, magnitude);
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t r = 0; r < n_rows; r++) {
            double largest = 0;
            for (size_t c = 0; c < n_cols; c++) largest = fmax(largest, fabs((double)w[r * n_cols + c] * x[t * n_cols + c]));
            magnitude[t * n_rows + r] += 0x1p10 * largest;
        }
}
