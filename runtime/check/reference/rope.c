#include "check/reference/rope.h"

#include <math.h>

void reference_rope(const float *x, size_t n_tokens, size_t n_head, size_t head_dim, size_t n_rot, double freq_base,
                    size_t n_past, double *y) {
    for (size_t t = 0; t < n_tokens; t++)
        for (size_t h = 0; h < n_head; h++, x += head_dim, y += head_dim) {
            for (size_t d = 0; d < head_dim; d++) y[d] = x[d];
            for (size_t j = 0; j < n_rot / 2; j++) {
                double angle = (double)(n_past + t) * pow(freq_base, -2.0 * (double)j / (double)n_rot);
                double c = cos(angle), s = sin(angle), a = x[2 * j], b = x[2 * j + 1];
                y[2 * j] = a * c - b * s;
                y[2 * j + 1] = a * s + b * c;
            }
        }
}
