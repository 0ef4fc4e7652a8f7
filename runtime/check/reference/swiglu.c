#include "check/reference/swiglu.h"

#include <math.h>

void reference_swiglu(const double *gate, const double *gate_terms, const double *up, const double *up_terms, size_t n, double *h,
                      double *magnitude) {
    for (size_t i = 0; i < n; i++) {
        double silu = gate[i] / (1 + exp(-gate[i]));
        h[i] = silu * up[i];
        magnitude[i] = 1.1 * fabs(up[i]) * gate_terms[i] + fabs(silu) * up_terms[i] + fabs(h[i]) * (1 + fabs(gate[i]));
    }
}
