/* Running ops on a device beside plain references. A test is a function over one op; harness_main runs it once for each variant
 * of that op that the device can run. Every buffer is poisoned and stands between guard zones, so that an element that was not
 * written and a write past the end are both seen, and a read past the end gives a NaN.
 *
 *     static void test_rmsnorm(harness *h) {
 *         harness_case(h, "n_rows %d n_cols %d", n_rows, n_cols);
 *         op_rows x = harness_rows(h, n_rows, n_cols), y = harness_rows(h, n_rows, n_cols);
 *         harness_fill_normal(h, x.span, 1);
 *         op_rmsnorm(harness_begin(h), x, &w, eps, y);
 *         harness_end(h);
 *         harness_expect(h, "y", harness_floats(y.span), reference, magnitude, n_rows, n_cols, 8);
 *     }
 *     int main(void) {
 *         return harness_main("rmsnorm", (harness_test[]){{"rmsnorm", test_rmsnorm}}, 1);
 *     }
 *
 * Environment: PUMICE_TEST_DEVICE (index or part of a name), PUMICE_TEST_SEED, and PUMICE_TEST_EVERY=N: only every N-th case of a
 * test, and of the types of tensors three that stand for all, where a run on one more device is to be short. */
#ifndef TESTS_OPS_HARNESS_H
#define TESTS_OPS_HARNESS_H

#include "ops/layout.h"
#include "ops/ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

typedef struct harness {
    vk_device *device;
    op_kernels *kernels;
    op_frame *frame;
    const char *op, *variant; ///< of the running test; variant NULL: whatever the table chooses
    char shape[256];          ///< of the running case
    uint64_t seed, random;    ///< of the run; state of the case
    uint32_t every;           ///< how far a test goes on from one of its cases to the next; 1: to the next
    double worst;             ///< largest part of an allowed error that was seen in this test; printed at its end
    struct harness_memory *memory;
} harness;

typedef struct harness_test {
    const char *op; ///< as in shaders/variants.txt; the test runs once for each of its variants
    void (*run)(harness *h);
} harness_test;

/// Opens the device, says which it is, runs the tests. Returns the exit status: 77 where there is no device.
int harness_main(const char *suite, const harness_test *tests, size_t n_tests);

/// Begins a case: frees what the one before made, and starts the random numbers over from the seed and this description of the
/// shape.
void harness_case(harness *h, const char *format, ...) BASE_PRINTF(2, 3);

double harness_uniform(harness *h); ///< in [0, 1)
double harness_normal(harness *h);  ///< mean 0, variance 1
uint32_t harness_bits(harness *h);

/// Device memory that the host sees too, filled with HARNESS_POISON; it lives to the end of the case.
vk_span harness_span(harness *h, uint64_t n_bytes);
op_rows harness_rows(harness *h, uint32_t n_rows, uint32_t n_cols);
/// n_past in the device's memory, laid out for a little more.
op_position harness_position(harness *h, uint32_t n_past);
float *harness_floats(vk_span span);
uint32_t *harness_words(vk_span span);
uint16_t *harness_halves(vk_span span);
void harness_fill_normal(harness *h, vk_span span, double scale);
/// A quiet NaN, as float32 and as a pair of float16.
enum { HARNESS_POISON = 0x7fed7e5d };

/// Random blocks of a type as they stand in a file (bytes that no file would have, infinite scales say, are left out).
void harness_blocks(harness *h, tensor_type type, uint64_t n_blocks, void *blocks);
/// A weight matrix of random blocks in the device's layout, in slices of at most max_range bytes (0: the device's own limit).
/// values: receives [n_rows, n_cols] expanded floats; freed at the end of the case.
op_tensor harness_tensor(harness *h, tensor_type type, uint32_t n_rows, uint32_t n_cols, uint64_t max_range,
                         const float **values);
/// Zeroed host memory to the end of the case.
void *harness_alloc(harness *h, size_t count, size_t size);

/// A frame to record into; harness_end runs it and fails the test on an error or a touched guard zone.
op_frame *harness_begin(harness *h);
void harness_end(harness *h);

/// |got - ref| <= k * 2^-24 * magnitude + 1e-30 for every element, or the test fails with the place and both values; a value that
/// is not finite never passes. magnitude [n_rows, n_cols]: the sum of the absolute values of the terms that make the element. k
/// counts roundings: state its reason in the test.
void harness_expect(harness *h, const char *what, const float *got, const double *ref, const double *magnitude, size_t n_rows,
                    size_t n_cols, double k);
/// Fails the test with shape, seed, device and driver in front of the message.
void harness_fail(harness *h, const char *format, ...) BASE_PRINTF(2, 3);
/// Whether the bits are those of a number: no infinity, no NaN.
bool harness_is_finite(float value);

#endif
