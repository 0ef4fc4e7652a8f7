/* Rotation of q and k and the store of k and v, in caches of one slice and of many. */
#include "check/reference/kv.h"
#include "check/reference/rope.h"
#include "ops/buffers.h"
#include "ops/harness.h"

#include <math.h>
#include <string.h>

typedef struct rope_case {
    tensor_type type; ///< of K and V
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
    op_kv kv = {.type = c->type,
                .n_head_kv = c->n_head_kv,
                .n_ctx = c->n_ctx,
                .head_dim = c->head_dim,
                .heads_per_slice = c->heads_per_slice};
    kv.n_slices = (c->n_head_kv + c->heads_per_slice - 1) / c->heads_per_slice;
    kv.k = harness_alloc(h, kv.n_slices, sizeof *kv.k);
    kv.v = harness_alloc(h, kv.n_slices, sizeof *kv.v);
    for (uint32_t s = 0; s < kv.n_slices; s++) {
        uint32_t n = c->n_head_kv - s * c->heads_per_slice;
        if (n > c->heads_per_slice) n = c->heads_per_slice;
        kv.k[s] = harness_span(h, op_kv_slice_bytes(c->type, n, c->n_ctx, c->head_dim));
        kv.v[s] = harness_span(h, op_kv_slice_bytes(c->type, n, c->n_ctx, c->head_dim));
    }
    return kv;
}

/* A slice as the reference sees it; *head becomes that of the slice. */
static reference_kv slice_of(const op_kv *kv, const vk_span *slices, uint32_t *head) {
    uint32_t slice = *head / kv->heads_per_slice, first = slice * kv->heads_per_slice, n = kv->n_head_kv - first;
    *head -= first;
    return (reference_kv){kv->type, harness_words(slices[slice]), n < kv->heads_per_slice ? n : kv->heads_per_slice, kv->n_ctx,
                          kv->head_dim};
}

static float stored(const op_kv *kv, const vk_span *slices, uint32_t head, uint32_t position, uint32_t d) {
    const reference_kv slice = slice_of(kv, slices, &head);
    return reference_kv_value(&slice, head, position, d);
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

static void expect_halves(harness *h, const rope_case *c, const op_kv *kv, const float *v) {
    for (uint32_t t = 0; t < c->n_tokens; t++)
        for (uint32_t head = 0; head < c->n_head_kv; head++)
            for (uint32_t d = 0; d < c->head_dim; d++) {
                float from = v[((size_t)t * c->n_head_kv + head) * c->head_dim + d];
                float expected = half_to_float(expected_half(from)), got = stored(kv, kv->v, head, c->n_past + t, d);
                if (got != expected)
                    harness_fail(h, "V[head %u, token %u, %u] from %.9g: expected %.9g, got %.9g", head, t, d, from, expected,
                                 got);
            }
}

/* Nothing but the rows of the tokens is written. */
static void expect_rest(harness *h, const rope_case *c, const op_kv *kv, const vk_span *slices, const char *name) {
    for (uint32_t i = 0; i < c->n_head_kv; i++)
        for (uint32_t p = 0; p < c->n_ctx; p++) {
            if (p >= c->n_past && p < c->n_past + c->n_tokens) continue;
            uint32_t head = i;
            reference_kv slice = slice_of(kv, slices, &head);
            const uint32_t *words = slice.bytes;
            size_t row = head * slice.n_ctx + p, n = c->head_dim / (c->type == TENSOR_Q8_0 ? 4 : 2);
            size_t n_scales = c->type == TENSOR_Q8_0 ? (c->head_dim + 63) / 64 : 0;
            bool whole = true;
            for (size_t w = 0; w < n; w++) whole = whole && words[row * n + w] == HARNESS_POISON;
            for (size_t w = 0; w < n_scales; w++)
                whole = whole && words[slice.n_heads * slice.n_ctx * n + row * n_scales + w] == HARNESS_POISON;
            if (!whole) harness_fail(h, "%s of head %u, position %u was written", name, i, p);
        }
}

/* What is stored is rounded after a few roundings in float: within reference_kv_step, and a little. */
static void expect_stored(harness *h, const rope_case *c, const op_kv *kv, const vk_span *slices, const char *name,
                          const double *reference, const double *size) {
    for (uint32_t t = 0; t < c->n_tokens; t++)
        for (uint32_t head = 0; head < c->n_head_kv; head++)
            for (uint32_t d = 0; d < c->head_dim; d++) {
                const double *row = reference + ((size_t)t * c->n_head_kv + head) * c->head_dim;
                float got = stored(kv, slices, head, c->n_past + t, d);
                double allowed = reference_kv_step(c->type, row, d) + 4 * 0x1p-24 * size[row - reference + d];
                if (!harness_is_finite(got) || fabs(got - row[d]) > allowed)
                    harness_fail(h, "%s[head %u, position %u, %u]: expected %.9g, got %.9g, allowed %.3g", name, head,
                                 c->n_past + t, d, row[d], got, allowed);
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
    harness_case(h, "%s, heads %u/%u, head_dim %u, n_rot %u, n_past %u, n_tokens %u, n_ctx %u, %u heads a slice",
                 tensor_type_find(c.type)->name, c.n_head, c.n_head_kv, c.head_dim, c.n_rot, c.n_past, c.n_tokens, c.n_ctx,
                 c.heads_per_slice);
    op_rope rope = make_rope(h, &c);
    op_kv kv = make_kv(h, &c);
    uint32_t n_q = c.n_head * c.head_dim, n_kv = c.n_head_kv * c.head_dim, skip = c.n_past % 3;
    op_rows qkv = harness_rows(h, c.n_tokens + skip, n_q + 2 * n_kv);
    harness_fill_normal(h, qkv.span, 1);
    qkv.first_row = skip;
    qkv.n_rows = c.n_tokens;
    float *rows = harness_floats(qkv.span) + (size_t)skip * qkv.n_cols;
    size_t n_awkward = c.type == TENSOR_F16 ? sizeof awkward / sizeof *awkward : 0;
    for (size_t i = 0; i < n_awkward && i < (size_t)c.n_tokens * n_kv; i++)
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
    expect_stored(h, &c, &kv, kv.k, "K", k_reference, k_sizes);
    expect_rest(h, &c, &kv, kv.k, "K");
    expect_rest(h, &c, &kv, kv.v, "V");
    if (c.type == TENSOR_F16) {
        expect_halves(h, &c, &kv, v_values);
        return;
    }
    double *v_reference = harness_alloc(h, k_n, sizeof(double));
    for (size_t i = 0; i < k_n; i++) v_reference[i] = v_values[i];
    expect_stored(h, &c, &kv, kv.v, "V", v_reference, pair_sizes(h, v_values, k_n));
}

static void test_rope_store(harness *h) {
    tensor_type type = strstr(h->op, "q8_0") ? TENSOR_Q8_0 : TENSOR_F16;
    static const uint32_t dims[][2] = {{8, 8}, {16, 8}, {48, 48}, {64, 64}, {80, 32}, {128, 128}, {256, 0}, {256, 256}};
    static const uint32_t heads[][2] = {{1, 1}, {8, 4}, {9, 3}, {4, 1}, {32, 4}};
    static const uint32_t n_tokens[] = {1, 3, 31, 33};
    for (uint32_t i = 0; i < 8 * 5; i++) {
        rope_case c = {type, heads[i % 5][0], heads[i % 5][1], dims[i % 8][0], dims[i % 8][1], i * 7, n_tokens[i % 4]};
        if (type == TENSOR_Q8_0) c.head_dim = (c.head_dim + 31) / 32 * 32;
        c.n_ctx = c.n_past + c.n_tokens + (i % 2) * 3;
        c.heads_per_slice = i % 3 ? 1 + i % c.n_head_kv : c.n_head_kv;
        run_case(h, c);
    }
    run_case(h, (rope_case){type, 9, 3, 64, 64, 0, 0, 10, 3});
}

int main(void) {
    return harness_main("rope_store", (harness_test[]){{"rope_store", test_rope_store}, {"rope_store_q8_0", test_rope_store}}, 2);
}
