/* Rotation of q and k and the store of k and v, in caches of one slice and of many. */
#include "ops/harness.h"

#include "gguf/types.h"
#include "check/reference/rope.h"

#include <math.h>
#include <string.h>

typedef struct rope_case {
    uint32_t n_head, n_head_kv, head_dim, n_rot, n_past, n_tokens, n_ctx, heads_per_slice;
} rope_case;

static const double FREQ_BASE = 10000;

static op_rope make_rope(harness *h, const rope_case *c) {
    op_rope rope = {.table = harness_span(h, (uint64_t)c->n_ctx * c->n_rot * 4), .n_rot = c->n_rot};
    float *table = harness_floats(rope.table);
    for (uint32_t p = 0; p < c->n_ctx; p++)
        for (uint32_t j = 0; j < c->n_rot / 2; j++) {
            double angle = p * pow(FREQ_BASE, -2.0 * j / c->n_rot);
            *table++ = (float)cos(angle);
            *table++ = (float)sin(angle);
        }
    return rope;
}

static op_kv make_kv(harness *h, const rope_case *c) {
    op_kv kv = {.n_head_kv = c->n_head_kv, .n_ctx = c->n_ctx, .head_dim = c->head_dim, .heads_per_slice = c->heads_per_slice};
    kv.n_slices = (c->n_head_kv + c->heads_per_slice - 1) / c->heads_per_slice;
    kv.k = harness_alloc(h, kv.n_slices, sizeof *kv.k);
    kv.v = harness_alloc(h, kv.n_slices, sizeof *kv.v);
    for (uint32_t s = 0; s < kv.n_slices; s++) {
        uint32_t n = c->n_head_kv - s * c->heads_per_slice;
        if (n > c->heads_per_slice) n = c->heads_per_slice;
        kv.k[s] = harness_span(h, (uint64_t)n * c->n_ctx * c->head_dim * 2);
        kv.v[s] = harness_span(h, (uint64_t)n * c->n_ctx * c->head_dim * 2);
    }
    return kv;
}

static uint16_t stored(const op_kv *kv, const vk_span *slices, uint32_t head, uint32_t position, uint32_t d) {
    const uint16_t *halves = harness_halves(slices[head / kv->heads_per_slice]);
    return halves[((size_t)(head % kv->heads_per_slice) * kv->n_ctx + position) * kv->head_dim + d];
}

/* What the cache should hold for a float: to nearest even, and the largest number instead of infinity. */
static uint16_t expected_half(float value) {
    if (value > 65504) value = 65504;
    if (value < -65504) value = -65504;
    return float_to_half(value);
}

/* Values whose rounding goes wrong first: ties, the border of the range, what is small in half precision. */
static const float awkward[] = {
    1.00048828125f, 1.00146484375f, 65504,         65519,   65520, 1e6f,  -1e30f,        6.1035e-5f, 6.09756e-5f, 5.9605e-8f,
    2.98023224e-8f, 2.9802326e-8f,  8.9406967e-8f, -1e-10f, 0,     -0.0f, 3.0517578e-5f, 2047.5f,    2048.5f,     0.33333f};

static void expect_v(harness *h, const rope_case *c, const op_kv *kv, const float *v) {
    for (uint32_t head = 0; head < c->n_head_kv; head++)
        for (uint32_t p = 0; p < c->n_ctx; p++)
            for (uint32_t d = 0; d < c->head_dim; d++) {
                uint16_t got = stored(kv, kv->v, head, p, d),
                         poison = (uint16_t)(d % 2 ? HARNESS_POISON >> 16 : HARNESS_POISON & 0xffff);
                bool within = p >= c->n_past && p < c->n_past + c->n_tokens;
                float from = within ? v[((size_t)(p - c->n_past) * c->n_head_kv + head) * c->head_dim + d] : 0;
                uint16_t expected = within ? expected_half(from) : poison;
                if (got == expected) continue;
                if (!within && stored(kv, kv->k, head, p, d) != poison) harness_fail(h, "K of position %u was written", p);
                harness_fail(h, "V[head %u, position %u, %u] from %.9g: expected 0x%04x, got 0x%04x", head, p, d, from, expected,
                             got);
            }
}

/* A rotated value is rounded to half after three roundings in float: within half a unit of half precision, and a little. */
static void expect_k(harness *h, const rope_case *c, const op_kv *kv, const double *reference, const double *size) {
    for (uint32_t t = 0; t < c->n_tokens; t++)
        for (uint32_t head = 0; head < c->n_head_kv; head++)
            for (uint32_t d = 0; d < c->head_dim; d++) {
                size_t i = ((size_t)t * c->n_head_kv + head) * c->head_dim + d;
                float got = half_to_float(stored(kv, kv->k, head, c->n_past + t, d));
                int exponent;
                frexp(reference[i], &exponent);
                double allowed = ldexp(0.5, exponent - 11 > -24 ? exponent - 11 : -24) + 4 * 0x1p-24 * size[i];
                if (!harness_is_finite(got) || fabs(got - reference[i]) > allowed)
                    harness_fail(h, "K[head %u, position %u, %u]: expected %.9g, got %.9g, allowed %.3g", head, c->n_past + t, d,
                                 reference[i], got, allowed);
            }
}

/* |a| + |b| of each pair: what a rotation may be off by, in units of rounding. */
static double *pair_sizes(harness *h, const float *x, size_t n) {
    double *sizes = harness_alloc(h, n, sizeof *sizes);
    for (size_t i = 0; i < n; i += 2) sizes[i] = sizes[i + 1] = fabs(x[i]) + fabs(x[i + 1]);
    return sizes;
}

/* A copy of some columns of every row. */
static float *columns(harness *h, const float *rows, const op_rows *qkv, uint32_t first, uint32_t n) {
    float *copy = harness_alloc(h, (size_t)qkv->n_rows * n, sizeof *copy);
    for (uint32_t t = 0; t < qkv->n_rows; t++)
        memcpy(copy + (size_t)t * n, rows + (size_t)t * qkv->n_cols + first, n * sizeof *copy);
    return copy;
}

static void run_case(harness *h, rope_case c) {
    harness_case(h, "heads %u/%u, head_dim %u, n_rot %u, n_past %u, n_tokens %u, n_ctx %u, %u heads a slice", c.n_head,
                 c.n_head_kv, c.head_dim, c.n_rot, c.n_past, c.n_tokens, c.n_ctx, c.heads_per_slice);
    op_rope rope = make_rope(h, &c);
    op_kv kv = make_kv(h, &c);
    uint32_t n_q = c.n_head * c.head_dim, n_kv = c.n_head_kv * c.head_dim, skip = c.n_past % 3;
    op_rows qkv = harness_rows(h, c.n_tokens + skip, n_q + 2 * n_kv);
    harness_fill_normal(h, qkv.span, 1);
    qkv.first_row = skip;
    qkv.n_rows = c.n_tokens;
    float *rows = harness_floats(qkv.span) + (size_t)skip * qkv.n_cols;
    for (size_t i = 0; i < sizeof awkward / sizeof *awkward && i < (size_t)c.n_tokens * n_kv; i++)
        rows[i / n_kv * qkv.n_cols + n_q + n_kv + i % n_kv] = awkward[i];
    const float *q_values = columns(h, rows, &qkv, 0, n_q), *k_values = columns(h, rows, &qkv, n_q, n_kv);
    const float *v_values = columns(h, rows, &qkv, n_q + n_kv, n_kv);

    size_t q_n = (size_t)c.n_tokens * n_q, k_n = (size_t)c.n_tokens * n_kv;
    double *q_reference = harness_alloc(h, q_n, sizeof(double)), *k_reference = harness_alloc(h, k_n, sizeof(double));
    const double *q_sizes = pair_sizes(h, q_values, q_n), *k_sizes = pair_sizes(h, k_values, k_n);
    reference_rope(q_values, c.n_tokens, c.n_head, c.head_dim, c.n_rot, FREQ_BASE, c.n_past, q_reference);
    reference_rope(k_values, c.n_tokens, c.n_head_kv, c.head_dim, c.n_rot, FREQ_BASE, c.n_past, k_reference);

    op_rope_store(harness_begin(h), &rope, qkv, harness_position(h, c.n_past), &kv);
    harness_end(h);
    harness_expect(h, "q", columns(h, rows, &qkv, 0, n_q), q_reference, q_sizes, c.n_tokens, n_q,
                   4); // two products with rounded factors, a sum
    expect_k(h, &c, &kv, k_reference, k_sizes);
    expect_v(h, &c, &kv, v_values);
}

static void test_rope_store(harness *h) {
    static const uint32_t dims[][2] = {{8, 8}, {16, 8}, {48, 48}, {64, 64}, {80, 32}, {128, 128}, {256, 0}, {256, 256}};
    static const uint32_t heads[][2] = {{1, 1}, {8, 4}, {9, 3}, {4, 1}, {32, 4}};
    static const uint32_t n_tokens[] = {1, 3, 31, 33};
    for (uint32_t i = 0; i < 8 * 5; i++) {
        rope_case c = {heads[i % 5][0], heads[i % 5][1], dims[i % 8][0], dims[i % 8][1], i * 7, n_tokens[i % 4]};
        c.n_ctx = c.n_past + c.n_tokens + (i % 2) * 3;
        c.heads_per_slice = i % 3 ? 1 + i % c.n_head_kv : c.n_head_kv;
        run_case(h, c);
    }
    run_case(h, (rope_case){9, 3, 64, 64, 0, 0, 10, 3});
}

int main(void) { return harness_main("rope_store", (harness_test[]){{"rope_store", test_rope_store}}, 1); }
