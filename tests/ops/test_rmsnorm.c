/* y = x * w / sqrt(mean x² + eps) over awkward widths, in place and not, and in views that begin inside a buffer. */
#include "ops/harness.h"

#include "check/reference/rmsnorm.h"

#include <math.h>
#include <string.h>

/* The sum of n squares is off by at most about n/2 roundings but on average by their root, halved by the square root; then the
 * root, the quotient (2.5 units in Vulkan) and three products: 16 is four times what was measured. */
static const double K = 16;

static void run_case(harness *h, uint32_t n_rows, uint32_t n_cols, uint32_t first_row, bool in_place, double scale) {
    harness_case(h, "n_rows %u, n_cols %u, first_row %u, %s, scale %g", n_rows, n_cols, first_row, in_place ? "in place" : "to y",
                 scale);
    const float *w_values;
    op_tensor w = harness_tensor(h, TENSOR_F32, 1, n_cols, 0, &w_values);
    op_rows x = harness_rows(h, n_rows + first_row, n_cols), y = in_place ? x : harness_rows(h, n_rows + first_row, n_cols);
    harness_fill_normal(h, x.span, scale);
    x.first_row = y.first_row = first_row;
    x.n_rows = y.n_rows = n_rows;
    size_t n = (size_t)n_rows * n_cols;
    float *x_values = harness_floats(x.span), *y_values = harness_floats(y.span),
          *before = harness_alloc(h, first_row, n_cols * sizeof(float));
    double *reference = harness_alloc(h, n, sizeof *reference), *magnitude = harness_alloc(h, n, sizeof *magnitude);
    reference_rmsnorm(x_values + (size_t)first_row * n_cols, w_values, 1e-5f, n_rows, n_cols, reference);
    for (size_t i = 0; i < n; i++) magnitude[i] = fabs(reference[i]);
    memcpy(before, y_values, first_row * n_cols * sizeof(float));
    op_rmsnorm(harness_begin(h), x, &w, 1e-5f, y);
    harness_end(h);
    harness_expect(h, "y", y_values + (size_t)first_row * n_cols, reference, magnitude, n_rows, n_cols, K);
    if (memcmp(before, y_values, first_row * n_cols * sizeof(float)) != 0) harness_fail(h, "a row before the view was written");
}

static void test_rmsnorm(harness *h) {
    static const uint32_t n_cols[] = {1, 3, 31, 64, 127, 129, 576, 4096}, n_rows[] = {0, 1, 3, 33};
    for (size_t c = 0; c < sizeof n_cols / sizeof *n_cols; c++)
        for (size_t r = 0; r < sizeof n_rows / sizeof *n_rows; r++)
            run_case(h, n_rows[r], n_cols[c], (uint32_t)(c + r) % 3, (c + r) % 2, 1);
    run_case(h, 5, 100, 0, false, 1e-4); // eps counts
    run_case(h, 5, 100, 0, false, 1e8);
}

int main(void) { return harness_main("rmsnorm", (harness_test[]){{"rmsnorm", test_rmsnorm}}, 1); }
