#include "ops/matmul_cases.h"

#include "check/reference/matmul.h"
#include "check/reference/rmsnorm.h"

#include <math.h>
#include <string.h>

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof *(array)))

static const uint32_t rows_of_cases[] = {1, 3, 31, 33, 64, 100, 576};
static const uint32_t tokens_many[] = {1, 2, 3, 4, 5, 8, 9, 16, 17, 31, 33, 64};
static const uint32_t tokens_few[] = {1, 2, 3, 4, 5, 8};

static uint32_t cols_of_case(tensor_type type, uint32_t i) {
    static const uint32_t of_floats[] = {1, 3, 31, 33, 172, 32, 576, 36, 1000, 96, 608};
    static const uint32_t of_32[] = {32, 64, 96, 160, 576, 1536, 352}, of_256[] = {256, 512, 768, 1536, 1280};
    uint32_t block = tensor_type_find(type)->block_values;
    return block == 1 ? of_floats[i % COUNT(of_floats)] : block == 32 ? of_32[i % COUNT(of_32)] : of_256[i % COUNT(of_256)];
}

tensor_type matmul_case_type(const char *op) {
    const char *name = strstr(op, "swiglu_") ? strstr(op, "swiglu_") + 7 : strchr(op, '_') + 1;
    const tensor_type_info *info = tensor_type_by_name(name);
    assert_non_null(info);
    return info->type;
}

uint32_t matmul_case_count(bool few) { return COUNT(rows_of_cases) * (few ? COUNT(tokens_few) : COUNT(tokens_many)); }

matmul_case matmul_case_get(tensor_type type, uint32_t i, bool few) {
    // The counts of rows and tokens have no common divisor: i runs through all pairs.
    matmul_case c = {
        .type = type,
        .n_rows = rows_of_cases[i % COUNT(rows_of_cases)],
        .n_tokens = few ? tokens_few[i % COUNT(tokens_few)] : tokens_many[i % COUNT(tokens_many)],
        .n_cols = cols_of_case(type, i + i / 7),
        .skip_x = i % 3,
        .skip_y = (i + i / 3) % 3,
        .add = (i + i / 5) % 2,
    };
    if (c.n_rows > OP_LAYOUT_ROWS) c.runs_per_slice = (i + i / 7) % 3;
    return c;
}

static bool is_dot(const harness *h) { return h->variant && strstr(h->variant, "_dot_"); }

bool matmul_case_left_out(const harness *h, const op_tensor *w) {
    if (!strstr(h->variant, "_subgroup_") && !strstr(h->variant, "_blocks_") && !is_dot(h)) return false;
    return w->n_cols % 32 != 0 || w->slices[w->n_slices - 1].n_rows < 8;
}

matmul_case matmul_case_large(tensor_type type) {
    return (matmul_case){.type = type, .n_rows = 257, .n_cols = cols_of_case(type, 2), .n_tokens = 129, .skip_x = 1};
}

bool matmul_case_is_coop(const harness *h) { return h->variant && strstr(h->variant, "_coop"); }

bool matmul_case_suits(const harness *h, const matmul_case *c) { return !matmul_case_is_coop(h) || c->n_tokens > 8; }

/* Products of bytes: x is off by up to half a step of 1/32512 of the largest of 32 columns. In units of a magnitude, of which the
 * tests allow at least 16 * 2^-24. */
static void add_steps(const matmul_case *c, const float *w, const double *x, double *magnitude) {
    static const double STEP = 0.5 / 32512 / (16 * 0x1p-24);
    for (uint32_t t = 0; t < c->n_tokens; t++)
        for (uint32_t col = 0; col < c->n_cols; col += 32) {
            double most = 0;
            for (uint32_t i = 0; i < 32; i++) most = fmax(most, fabs(x[(size_t)t * c->n_cols + col + i]));
            for (uint32_t row = 0; row < c->n_rows; row++)
                for (uint32_t i = 0; i < 32; i++)
                    magnitude[(size_t)t * c->n_rows + row] += STEP * most * fabs((double)w[(size_t)row * c->n_cols + col + i]);
        }
}

void matmul_case_reference(harness *h, const matmul_case *c, const float *w, const double *x, double *y, double *magnitude) {
    if (!matmul_case_is_coop(h)) {
        reference_matmul(w, x, c->n_tokens, c->n_rows, c->n_cols, y, magnitude);
        if (is_dot(h)) add_steps(c, w, x, magnitude);
        return;
    }
    size_t n_w = (size_t)c->n_rows * c->n_cols, n_x = (size_t)c->n_tokens * c->n_cols;
    float *w_half = harness_alloc(h, n_w, sizeof *w_half);
    double *x_half = harness_alloc(h, n_x, sizeof *x_half);
    for (size_t i = 0; i < n_w; i++) w_half[i] = (float)reference_half((double)w[i]);
    for (size_t i = 0; i < n_x; i++) x_half[i] = reference_half(x[i]);
    reference_matmul_half(w_half, x_half, c->n_tokens, c->n_rows, c->n_cols, y, magnitude);
}

void matmul_case_begin(harness *h, const matmul_case *c) {
    harness_case(h, "%s, n_rows %u, n_cols %u, n_tokens %u, first_row of x %u, of y %u, %u runs a slice%s",
                 tensor_type_find(c->type)->name, c->n_rows, c->n_cols, c->n_tokens, c->skip_x, c->skip_y, c->runs_per_slice,
                 c->add ? ", add" : "");
}

op_tensor matmul_case_tensor(harness *h, const matmul_case *c, tensor_type type, const float **values) {
    uint64_t most = 0;
    if (c->runs_per_slice) most = op_layout_bytes(type, c->runs_per_slice * OP_LAYOUT_ROWS, c->n_cols, UINT64_MAX);
    op_tensor w = harness_tensor(h, type, c->n_rows, c->n_cols, most, values);
    if (c->runs_per_slice && c->n_rows > c->runs_per_slice * OP_LAYOUT_ROWS && w.n_slices < 2)
        harness_fail(h, "expected more than one slice of at most %llu bytes", (unsigned long long)most);
    return w;
}

op_rows matmul_case_rows(harness *h, uint32_t n_rows, uint32_t n_cols, uint32_t skip) {
    op_rows rows = harness_rows(h, n_rows + skip + 1, n_cols);
    rows.first_row = skip;
    rows.n_rows = n_rows;
    return rows;
}

float *matmul_case_view(op_rows rows) { return harness_floats(rows.span) + (size_t)rows.first_row * rows.n_cols; }

const double *matmul_case_fill(harness *h, op_rows rows, double scale, const float *norm) {
    float *values = matmul_case_view(rows);
    size_t n = (size_t)rows.n_rows * rows.n_cols;
    double *exact = harness_alloc(h, n, sizeof *exact);
    for (size_t i = 0; i < n; i++) exact[i] = values[i] = (float)(scale * harness_normal(h));
    if (norm) reference_rmsnorm(values, norm, MATMUL_CASE_EPS, rows.n_rows, rows.n_cols, exact);
    return exact;
}

void matmul_case_expect_view_only(harness *h, op_rows rows) {
    const uint32_t *words = harness_words(rows.span);
    size_t first = (size_t)rows.first_row * rows.n_cols, end = first + (size_t)rows.n_rows * rows.n_cols;
    for (size_t i = 0; i < rows.span.n_bytes / 4; i++)
        if ((i < first || i >= end) && words[i] != HARNESS_POISON)
            harness_fail(h, "value %zu, outside of the view [%zu, %zu), was written", i, first, end);
}
