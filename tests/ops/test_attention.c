/* Attention over few and many queries, shallow and deep contexts, caches of one slice and of many. What stands in the cache
 * behind the last position is NaN, and so is everything around q. */
#include "ops/buffers.h"
#include "ops/harness.h"

#include "check/reference/attention.h"
#include "check/reference/kv.h"

#include <math.h>
#include <string.h>

/* A score of d terms is off by some roundings of its terms, exp by 3 + 2|x| units (Vulkan), the sum over the context by about the
 * root of its length. The magnitude holds the factor 1 + sum|q k| for the scores; 8 is a few times what was measured. */
static const double K = 8;
/* With cooperative matrices each weight is rounded to float16, off by 2^-11 of itself; q is rounded for the reference as well. */
static const double K_COOP = 8 + 0x1p13;
/* And so are the values of a cache in q8_0. */
static const double K_COOP_Q8_0 = 8 + 3 * 0x1p13;

static bool is_coop(const harness *h) {
    return h->variant && strncmp(h->variant, "attention_coop", strlen("attention_coop")) == 0;
}

typedef struct attention_case {
    tensor_type type; ///< of K and V
    uint32_t n_head, n_head_kv, head_dim, n_past, n_tokens, n_ctx, heads_per_slice;
    double scale;   ///< of q: large ones make one weight dominate
    uint32_t ahead; ///< how many positions more than n_past the work is laid out for
} attention_case;

/* With cooperative matrices a head is a whole number of them, and not too many. */
static bool suits(const harness *h, uint32_t head_dim) {
    const vk_coopmat_shape *m = &h->device->caps.coopmat_f16;
    bool uniform = h->variant && strncmp(h->variant, "attention_uniform", strlen("attention_uniform")) == 0;
    if (uniform) return head_dim <= 128;
    return !is_coop(h) || (head_dim <= (m->n * m->k < 128 ? 64 : 128) && head_dim % m->n == 0 && head_dim % m->k == 0);
}

/* Random K or V up to n_kv positions, both as one array for the reference and as slices for the device. */
static vk_span *make_cache(harness *h, const attention_case *c, uint32_t n_slices, float **values) {
    vk_span *slices = harness_alloc(h, n_slices, sizeof *slices);
    float *row = harness_alloc(h, c->head_dim, sizeof *row);
    *values = harness_alloc(h, (size_t)c->n_head_kv * c->n_ctx * c->head_dim, sizeof **values);
    for (uint32_t s = 0; s < n_slices; s++) {
        uint32_t first = s * c->heads_per_slice, n = c->n_head_kv - first;
        if (n > c->heads_per_slice) n = c->heads_per_slice;
        slices[s] = harness_span(h, op_kv_slice_bytes(c->type, n, c->n_ctx, c->head_dim));
        reference_kv kv = {c->type, harness_words(slices[s]), n, c->n_ctx, c->head_dim};
        for (uint32_t i = 0; i < n * (c->n_past + c->n_tokens); i++) {
            uint32_t head = i % n, position = i / n;
            for (uint32_t d = 0; d < c->head_dim; d++) row[d] = (float)(2 * harness_uniform(h) - 1);
            reference_kv_store(&kv, head, position, row);
            for (uint32_t d = 0; d < c->head_dim; d++)
                (*values)[((size_t)(first + head) * c->n_ctx + position) * c->head_dim + d] =
                    reference_kv_value(&kv, head, position, d);
        }
    }
    return slices;
}

static void run_case(harness *h, attention_case c) {
    harness_case(h, "%s, heads %u/%u, head_dim %u, n_past %u, n_tokens %u, n_ctx %u, %u heads a slice, scale %g",
                 tensor_type_find(c.type)->name, c.n_head, c.n_head_kv, c.head_dim, c.n_past, c.n_tokens, c.n_ctx,
                 c.heads_per_slice, c.scale);
    op_kv kv = {
        .type = c.type, .n_head_kv = c.n_head_kv, .n_ctx = c.n_ctx, .head_dim = c.head_dim, .heads_per_slice = c.heads_per_slice};
    kv.n_slices = (c.n_head_kv + c.heads_per_slice - 1) / c.heads_per_slice;
    float *k, *v;
    kv.k = make_cache(h, &c, kv.n_slices, &k);
    kv.v = make_cache(h, &c, kv.n_slices, &v);
    uint32_t n_cols = c.n_head * c.head_dim, skip = c.n_past % 3;
    op_rows qkv = harness_rows(h, c.n_tokens + skip, n_cols + 2 * c.n_head_kv * c.head_dim);
    op_rows a = harness_rows(h, c.n_tokens + 1, n_cols), scratch = harness_rows(h, 1, op_attention_scratch_floats(c.head_dim));
    qkv.first_row = skip;
    a.first_row = 1;
    qkv.n_rows = a.n_rows = c.n_tokens;
    size_t n = (size_t)c.n_tokens * n_cols;
    float *q_values = harness_alloc(h, n, sizeof *q_values);
    float scale = (float)(1 / sqrt(c.head_dim));
    for (size_t i = 0; i < n; i++) {
        q_values[i] = (float)(c.scale * harness_normal(h));
        harness_floats(qkv.span)[(skip + i / n_cols) * qkv.n_cols + i % n_cols] = q_values[i];
        if (is_coop(h)) q_values[i] = half_to_float(float_to_half(q_values[i] * scale)) / scale;
    }
    double *reference = harness_alloc(h, n, sizeof(double)), *magnitude = harness_alloc(h, n, sizeof(double));
    reference_attention(q_values, k, v, c.n_tokens, c.n_head, c.n_head_kv, c.head_dim, c.n_ctx, c.n_past, reference, magnitude);
    // Work may be laid out for a deeper context than there is yet.
    op_position position = harness_position(h, c.n_past);
    position.most += c.ahead;
    op_frame *f = harness_begin(h);
    op_attention_begin(f, scratch);
    op_attention(f, qkv, &kv, position, a, scratch);
    harness_end(h);
    for (uint32_t i = 0; i < 4096; i++)
        if (harness_words(scratch.span)[i] != 0) harness_fail(h, "arrivals of block %u are left behind", i);
    const uint32_t *before = harness_words(a.span);
    for (uint32_t i = 0; i < n_cols; i++)
        if (before[i] != HARNESS_POISON) harness_fail(h, "a row before the view was written");
    harness_expect(h, "a", harness_floats(a.span) + n_cols, reference, magnitude, c.n_tokens, n_cols,
                   !is_coop(h)             ? K
                   : c.type == TENSOR_Q8_0 ? K_COOP_Q8_0
                                           : K_COOP);
}

/* Every head_dim with every grouping, of wide heads every third one, because CPU drivers take long to compile them; depths and
 * numbers of tokens take turns. */
static void run_cases(harness *h, const uint32_t *n_tokens, uint32_t n_n_tokens) {
    tensor_type type = strstr(h->op, "q8_0") ? TENSOR_Q8_0 : TENSOR_F16;
    static const uint32_t dims[] = {8, 16, 48, 64, 80, 128, 256}, heads[][2] = {{1, 1}, {8, 4}, {9, 3}, {4, 1}, {32, 4}};
    static const uint32_t n_past[] = {0, 1, 31, 33, 511, 1000};
    for (uint32_t i = 0; i < 7 * 5 * 3; i += h->every) {
        attention_case c = {type,        heads[i % 5][0],          heads[i % 5][1],
                            dims[i % 7], n_past[(i + i / 35) % 6], n_tokens[(i + i / 7) % n_n_tokens]};
        if (c.head_dim >= 80 && i % 35 % 3) continue;
        if (type == TENSOR_Q8_0) c.head_dim = (c.head_dim + 31) / 32 * 32; // 8 and 16: 32, 48: 64, 80: 96
        if (!suits(h, c.head_dim)) continue;
        c.ahead = i % 5 == 0 ? 300 : 0;
        c.n_ctx = c.n_past + c.n_tokens + c.ahead + i % 2 * 5;
        c.heads_per_slice = i % 3 ? 1 + i % c.n_head_kv : c.n_head_kv;
        c.scale = i % 4 ? 1 : 8;
        run_case(h, c);
    }
}

static void test_few(harness *h) { run_cases(h, (const uint32_t[]){1, 3, 2}, 3); }
static void test_many(harness *h) { run_cases(h, (const uint32_t[]){31, 33, 64, 17}, 4); }

int main(void) {
    const harness_test tests[] = {{"attention_split", test_few},
                                  {"attention", test_many},
                                  {"attention_split_q8_0", test_few},
                                  {"attention_q8_0", test_many}};
    return harness_main("attention", tests, sizeof tests / sizeof *tests);
}
