#include "ops/harness.h"

#include "base/arena.h"
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD_BYTES = 1024, BLOCK_BYTES = 32 << 20, MAX_SPANS = 256, MAX_BLOCKS = 64 };
static const uint32_t GUARD_WORD = 0x7fca7fca; // a NaN in both widths, another one than the poison

/* Blocks of mapped memory that spans are cut from, front to back. */
struct harness_memory {
    vk_buffer blocks[MAX_BLOCKS];
    int n_blocks, block;
    uint64_t used; ///< of blocks[block]
    vk_span spans[MAX_SPANS];
    int n_spans;
    arena host;
    vk_pool *pool; ///< of the weights of the case
    vk_upload *upload;
};

static void must(harness *h, pum_status status, const pum_error *error, const char *what) {
    if (status != PUM_OK) harness_fail(h, "%s: %s: %s", what, pum_status_name(status), error->message);
}

void harness_fail(harness *h, const char *format, ...) {
    char message[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const vk_caps *c = &h->device->caps;
    fail_msg("%s, variant %s, %s: %s (seed %llu, %s, %s %s)", h->op, h->variant ? h->variant : "of the table's choice",
             h->shape[0] ? h->shape : "no case", message, (unsigned long long)h->seed, c->name, c->driver, c->driver_version);
    abort(); // fail_msg does not return
}

/* ---- random numbers: splitmix64 */

static uint64_t next_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint32_t harness_bits(harness *h) { return (uint32_t)(next_random(&h->random) >> 32); }
double harness_uniform(harness *h) { return (double)(next_random(&h->random) >> 11) * 0x1p-53; }

double harness_normal(harness *h) {
    double u = 1 - harness_uniform(h), v = harness_uniform(h);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

bool harness_is_finite(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7f800000) != 0x7f800000;
}

/* ---- memory */

void harness_case(harness *h, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(h->shape, sizeof h->shape, format, args);
    va_end(args);
    struct harness_memory *m = h->memory;
    m->block = 0;
    m->used = 0;
    m->n_spans = 0;
    arena_free(&m->host);
    vk_pool_destroy(&m->pool);
    h->random = h->seed;
    for (const char *c = h->shape; *c; c++) {
        h->random ^= (uint8_t)*c;
        next_random(&h->random);
    }
}

void *harness_alloc(harness *h, size_t count, size_t size) {
    void *memory = arena_alloc(&h->memory->host, count ? count : 1, size);
    if (!memory) harness_fail(h, "no host memory for %zu values of %zu bytes", count, size);
    return memory;
}

static void fill_words(vk_buffer *buffer, uint64_t offset, uint64_t n_bytes, uint32_t word) {
    uint32_t *words = (uint32_t *)((char *)buffer->mapped + offset);
    for (uint64_t i = 0; i < n_bytes / 4; i++) words[i] = word;
}

/* The first block from the current one on that has room, made if there is none. */
static vk_buffer *block_with(harness *h, uint64_t n_bytes) {
    struct harness_memory *m = h->memory;
    for (;; m->block++, m->used = 0) {
        if (m->block == MAX_BLOCKS) harness_fail(h, "the case wants more memory than the harness has");
        if (m->block == m->n_blocks) {
            pum_error error;
            uint64_t bytes = n_bytes > BLOCK_BYTES ? n_bytes : BLOCK_BYTES;
            must(h, vk_buffer_create(h->device, bytes, VK_USE_READBACK, "test data", &m->blocks[m->block], &error), &error,
                 "test data");
            m->n_blocks++;
        }
        if (m->used + n_bytes <= m->blocks[m->block].n_bytes) return &m->blocks[m->block];
    }
}

vk_span harness_span(harness *h, uint64_t n_bytes) {
    struct harness_memory *m = h->memory;
    uint64_t align = h->device->caps.storage_align > 256 ? h->device->caps.storage_align : 256;
    uint64_t body = (n_bytes + align - 1) / align * align;
    assert_true(GUARD_BYTES % align == 0 && n_bytes % 4 == 0 && m->n_spans < MAX_SPANS);
    vk_buffer *block = block_with(h, body + 2 * GUARD_BYTES);
    vk_span span = {block, m->used + GUARD_BYTES, n_bytes};
    fill_words(block, m->used, body + 2 * GUARD_BYTES, GUARD_WORD);
    fill_words(block, span.offset, n_bytes, HARNESS_POISON);
    m->used += body + 2 * GUARD_BYTES;
    m->spans[m->n_spans++] = span;
    return span;
}

op_position harness_position(harness *h, uint32_t n_past) {
    op_position position = {harness_span(h, sizeof n_past), n_past, n_past};
    *harness_words(position.n_past) = n_past;
    return position;
}

float *harness_floats(vk_span span) { return (float *)harness_words(span); }
uint16_t *harness_halves(vk_span span) { return (uint16_t *)harness_words(span); }
uint32_t *harness_words(vk_span span) { return (uint32_t *)(void *)((char *)span.buffer->mapped + span.offset); }

op_rows harness_rows(harness *h, uint32_t n_rows, uint32_t n_cols) {
    return (op_rows){.span = harness_span(h, (uint64_t)n_rows * n_cols * 4), .n_rows = n_rows, .n_cols = n_cols};
}

void harness_fill_normal(harness *h, vk_span span, double scale) {
    float *f = harness_floats(span);
    for (uint64_t i = 0; i < span.n_bytes / 4; i++) f[i] = (float)(scale * harness_normal(h));
}

static void check_guards(harness *h) {
    for (int i = 0; i < h->memory->n_spans; i++) {
        vk_span s = h->memory->spans[i];
        const uint32_t *words = harness_words(s);
        for (int64_t j = -(GUARD_BYTES / 4); j < 0; j++)
            if (words[j] != GUARD_WORD) harness_fail(h, "buffer %d: word %lld before its beginning was written", i, (long long)j);
        for (uint64_t j = s.n_bytes / 4; j < (s.n_bytes + GUARD_BYTES) / 4; j++)
            if (words[j] != GUARD_WORD)
                harness_fail(h, "buffer %d of %llu words: word %llu behind its end was written", i,
                             (unsigned long long)s.n_bytes / 4, (unsigned long long)j);
    }
}

/* ---- weights */

static void put_half(uint8_t *bytes, double value) {
    uint16_t half = float_to_half((float)value);
    memcpy(bytes, &half, sizeof half);
}

/* Offsets of the half-precision scales in a block, -1: none. Everything else in a block may be any bits. */
static void scale_offsets(tensor_type type, int offsets[2]) {
    offsets[0] = offsets[1] = -1;
    if (type == TENSOR_Q4_0 || type == TENSOR_Q8_0) offsets[0] = 0;
    if (type == TENSOR_Q4_1 || type == TENSOR_Q4_K) offsets[0] = 0, offsets[1] = 2;
    if (type == TENSOR_Q6_K) offsets[0] = 208;
}

void harness_blocks(harness *h, tensor_type type, uint64_t n_blocks, void *blocks) {
    const tensor_type_info *info = tensor_type_find(type);
    assert_non_null(info);
    int offsets[2];
    scale_offsets(type, offsets);
    for (uint64_t b = 0; b < n_blocks; b++) {
        uint8_t *bytes = (uint8_t *)blocks + b * info->block_bytes;
        float value = (float)harness_normal(h);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        bits += 0x8000; // BF16 keeps the upper half
        if (type == TENSOR_F32)
            memcpy(bytes, &value, sizeof value);
        else if (type == TENSOR_F16)
            put_half(bytes, value);
        else if (type == TENSOR_BF16)
            bytes[0] = (uint8_t)(bits >> 16), bytes[1] = (uint8_t)(bits >> 24);
        else
            for (uint32_t i = 0; i < info->block_bytes; i++) bytes[i] = (uint8_t)harness_bits(h);
        for (int i = 0; i < 2; i++)
            if (offsets[i] >= 0) put_half(bytes + offsets[i], 0.1 * harness_normal(h));
    }
}

op_tensor harness_tensor(harness *h, tensor_type type, uint32_t n_rows, uint32_t n_cols, uint64_t max_range,
                         const float **values) {
    struct harness_memory *m = h->memory;
    const tensor_type_info *info = tensor_type_find(type);
    assert_true(info && info->expand && n_cols % info->block_values == 0);
    uint64_t n_blocks = (uint64_t)n_rows * (n_cols / info->block_values);
    uint8_t *blocks = harness_alloc(h, n_blocks, info->block_bytes);
    float *expanded = harness_alloc(h, (size_t)n_rows * n_cols, sizeof(float));
    harness_blocks(h, type, n_blocks, blocks);
    info->expand(blocks, n_blocks, expanded);
    *values = expanded;
    if (max_range == 0) max_range = h->device->caps.max_storage_range;
    op_tensor tensor;
    pum_error error;
    if (!m->pool) must(h, vk_pool_create(h->device, 4 << 20, "test weights", &m->pool, &error), &error, "weights");
    if (!m->upload) must(h, vk_upload_create(h->device, 4 << 20, &m->upload, &error), &error, "weights");
    must(h, op_tensor_create(m->pool, &m->host, max_range, type, n_rows, n_cols, &tensor, &error), &error, "op_tensor_create");
    for (uint32_t first = 0; first < n_rows; first += OP_LAYOUT_ROWS) {
        uint32_t n = n_rows - first < OP_LAYOUT_ROWS ? n_rows - first : OP_LAYOUT_ROWS;
        const uint8_t *from = blocks + (uint64_t)first * (n_cols / info->block_values) * info->block_bytes;
        must(h, op_tensor_upload(&tensor, m->upload, first, n, from, &error), &error, "op_tensor_upload");
    }
    must(h, vk_upload_finish(m->upload, &error), &error, "vk_upload_finish");
    return tensor;
}

/* ---- running */

op_frame *harness_begin(harness *h) {
    op_frame_begin(h->frame, NULL);
    return h->frame;
}

void harness_end(harness *h) {
    pum_error error;
    must(h, op_frame_end(h->frame, &error), &error, "op_frame_end");
    check_guards(h);
}

void harness_expect(harness *h, const char *what, const float *got, const double *ref, const double *magnitude, size_t n_rows,
                    size_t n_cols, double k) {
    for (size_t i = 0; i < n_rows * n_cols; i++) {
        double bound = k * 0x1p-24 * magnitude[i] + 1e-30, error = fabs((double)got[i] - ref[i]);
        if (harness_is_finite(got[i]) && error <= bound) {
            if (error / bound > h->worst) h->worst = error / bound;
            continue;
        }
        uint32_t bits;
        memcpy(&bits, &got[i], sizeof bits);
        harness_fail(h, "%s[%zu,%zu] of [%zu,%zu]: expected %.9g, got %.9g (0x%08x%s): off by %.3g, allowed %.3g", what,
                     i / n_cols, i % n_cols, n_rows, n_cols, ref[i], got[i], bits,
                     bits == HARNESS_POISON ? ", never written" : "", error, bound);
    }
}

static int open_all(harness *h) {
    pum_error error = {0};
    pum_status status = vk_device_open(getenv("PUMICE_TEST_DEVICE"), &h->device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    if (status == PUM_OK) status = op_kernels_create(h->device, &h->kernels, &error);
    if (status == PUM_OK) status = op_frame_create(h->kernels, &h->frame, &error);
    if (status == PUM_OK) return 0;
    printf("cannot begin: %s\n", error.message);
    return 1;
}

static void close_all(harness *h) {
    struct harness_memory *m = h->memory;
    op_frame_destroy(&h->frame);
    vk_upload_destroy(&m->upload);
    vk_pool_destroy(&m->pool);
    for (int i = 0; i < m->n_blocks; i++) vk_buffer_destroy(h->device, &m->blocks[i]);
    arena_free(&m->host);
    op_kernels_destroy(&h->kernels);
    vk_device_close(&h->device);
}

/* One run of a test: with one variant of its op. */
typedef struct run {
    harness *h;
    const harness_test *test;
    const char *variant;
} run;

static void run_variant(void **state) {
    run *r = *state;
    harness *h = r->h;
    h->op = r->test->op;
    h->variant = r->variant;
    h->shape[0] = 0;
    h->worst = 0;
    op_variant_force(h->kernels, h->op, h->variant);
    uint64_t start = clock_now_ns();
    r->test->run(h);
    harness_case(h, "end");
    printf("    %.2f s, at most %.0f %% of the allowed error\n", (double)(clock_now_ns() - start) * 1e-9, 100 * h->worst);
}

static int end_test(void **state) {
    run *r = *state;
    op_variant_force(r->h->kernels, r->test->op, NULL);
    return 0;
}

/* Floats, blocks of 32 and blocks of 256 stand for the types of their kind in a short run. */
static bool is_left_to_long_runs(const char *op) {
    static const char *const types[] = {"_f16", "_bf16", "_q4_0", "_q4_1", "_q6_k"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(op) > strlen(types[i]) && strcmp(op + strlen(op) - strlen(types[i]), types[i]) == 0) return true;
    return false;
}

int harness_main(const char *suite, const harness_test *tests, size_t n_tests) {
    struct harness_memory memory = {0};
    harness h = {.memory = &memory, .seed = 20260623, .every = 1};
    const char *seed = getenv("PUMICE_TEST_SEED"), *every = getenv("PUMICE_TEST_EVERY");
    if (seed) h.seed = strtoull(seed, NULL, 10);
    if (every && atoi(every) > 0) h.every = (uint32_t)atoi(every);
    int result = open_all(&h);
    if (result != 0) return result;
    const vk_caps *c = &h.device->caps;
    printf("%s on %s, %s %s, subgroup size %u, seed %llu\n", suite, c->name, c->driver, c->driver_version, c->subgroup_size,
           (unsigned long long)h.seed);

    enum { MAX_RUNS = 128 };
    static run runs[MAX_RUNS];
    static struct CMUnitTest units[MAX_RUNS];
    static char names[MAX_RUNS][96];
    size_t n = 0;
    for (size_t t = 0; t < n_tests; t++) {
        size_t n_before = n;
        if (h.every > 1 && is_left_to_long_runs(tests[t].op)) continue;
        for (size_t v = 0; v < n_shader_variants && n < MAX_RUNS; v++) {
            const shader_variant *s = &shader_variants[v];
            if (!op_variant_serves(s, tests[t].op)) continue;
            if (!op_needs_met(c, s->needs)) {
                printf("left out: %s needs %s\n", s->name, s->needs);
                continue;
            }
            runs[n] = (run){&h, &tests[t], s->name};
            snprintf(names[n], sizeof names[n], "%s/%s", tests[t].op, s->name);
            units[n] = (struct CMUnitTest){names[n], run_variant, NULL, end_test, &runs[n]};
            n++;
        }
        if (n == n_before) {
            printf("no variant of %s runs on this device\n", tests[t].op);
            result = 1;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    int n_failed = _cmocka_run_group_tests(suite, units, n, NULL, NULL);
    close_all(&h);
    return n_failed || result ? 1 : 0;
}
