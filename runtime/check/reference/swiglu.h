#ifndef REFERENCE_SWIGLU_H
#define REFERENCE_SWIGLU_H
#include <stddef.h>

/// h[i] = silu(gate[i]) * up[i], silu(a) = a / (1 + exp(-a)). arXiv:2002.05202.
/// gate_terms, up_terms: the magnitudes of gate and up. magnitude: what one unit of error in either, and in the function itself,
/// makes of h: 1.1 |up| gate_terms + |silu(gate)| up_terms + |h| (1 + |gate|), because silu is at most 1.1 steep and because the
/// error of exp(-a) grows with |a|.
void reference_swiglu(const double *gate, const double *gate_terms, const double *up, const double *up_terms, size_t n, double *h,
                      double *magnitude);

#endif
