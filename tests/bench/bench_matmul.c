/* Times of the matrix products alone, for every variant that the device can run.
 *     bench_matmul [TYPE …]          default: Q4_1 and the head of the default model in Q8_0; `all`: every type at one shape
 * A frame multiplies enough different matrices of one shape that they do not all stay in a cache, as the layers of a model do.
 * Each line is the median of several frames and the best one; `first` is a first frame, which may compile. PUMICE_TEST_DEVICE
 * picks the device, PUMICE_BENCH_VARIANT a part of the names of the variants. */
#include "base/clock.h"
#include "ops/buffers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 512, MAX_COPIES = 128, MAX_REPEATS = 15 };
static const uint64_t ENOUGH_NS = 600000000;    ///< no further repeats after this
static const uint64_t DECODE_BYTES = 48u << 20; ///< of weights in a frame of few tokens
static const double PREFILL_FLOP = 1.5e9;       ///< in a frame of many tokens
static const uint32_t tokens_of_runs[] = {1, 4, 32, 512};

typedef struct bench {
    op_kernels *kernels;
    op_frame *frame;
} bench;

typedef struct shape {
    uint32_t n_rows, n_cols;
    bool swiglu;
} shape;

/* The matrices of one shape with their activations. */
typedef struct matrices {
    op_memory *memory;
    op_tensor w[MAX_COPIES];
    uint32_t n;
    op_rows x, y;
} matrices;

static void must(pum_status status, const pum_error *error) {
    if (status == PUM_OK) return;
    fprintf(stderr, "bench_matmul: error: %s\n", error->message);
    exit(1);
}

/* As a float32 between 0.5 and 2 in size; as two float16, the same: nothing infinite, nothing denormal. */
static void fill_words(uint32_t *words, uint64_t n) {
    uint32_t random = 1;
    for (uint64_t i = 0; i < n; i++) {
        random = random * 1664525 + 1013904223;
        words[i] = (random & 0x80ff83ff) | 0x3c003c00;
    }
}

static void fill_rows(bench *b, op_rows rows) {
    op_host host;
    pum_error error;
    uint64_t n_bytes = (uint64_t)rows.n_rows * rows.n_cols * sizeof(float);
    must(op_host_create(b->kernels, n_bytes, OP_HOST_WRITES, "values", &host, &error), &error);
    vk_span from = op_host_span(&host, 0, n_bytes);
    fill_words(vk_span_mapped(from), n_bytes / 4);
    op_frame_begin(b->frame, NULL);
    op_frame_copy(b->frame, from, (vk_span){rows.span.buffer, rows.span.offset, n_bytes});
    must(op_frame_end(b->frame, &error), &error);
    op_host_destroy(b->kernels, &host);
}

static void make_matrices(bench *b, tensor_type type, shape s, matrices *m) {
    const vk_caps *caps = &op_kernels_device(b->kernels)->caps;
    const tensor_type_info *info = tensor_type_find(type);
    uint64_t tensor_bytes = op_layout_bytes(type, s.n_rows, s.n_cols, caps->max_storage_range);
    uint64_t n = DECODE_BYTES / tensor_bytes + 2;
    m->n = n > MAX_COPIES ? MAX_COPIES : (uint32_t)n;
    pum_error error;
    uint64_t total = m->n * tensor_bytes + op_rows_bytes(MAX_TOKENS, s.n_cols) + op_rows_bytes(MAX_TOKENS, s.n_rows);
    must(op_memory_create(b->kernels, total, "bench", &m->memory, &error), &error);
    must(op_memory_rows(m->memory, MAX_TOKENS, s.n_cols, &m->x, &error), &error);
    must(op_memory_rows(m->memory, MAX_TOKENS, s.n_rows, &m->y, &error), &error);
    uint64_t block_bytes = (uint64_t)s.n_rows * s.n_cols / info->block_values * info->block_bytes;
    uint32_t *blocks = malloc(block_bytes + 4);
    if (!blocks) must(pum_fail_memory(&error, "blocks", block_bytes), &error);
    fill_words(blocks, block_bytes / 4);
    for (uint32_t i = 0; i < m->n; i++) {
        must(op_memory_tensor(m->memory, type, s.n_rows, s.n_cols, &m->w[i], &error), &error);
        must(op_memory_send(m->memory, 0, &m->w[i], 0, s.n_rows, blocks, &error), &error);
    }
    must(op_memory_sent(m->memory, &error), &error);
    free(blocks);
    fill_rows(b, m->x);
    fill_rows(b, m->y);
}

static int by_time(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

typedef struct timing {
    double median_ns, best_ns, first_ns;
} timing;

static timing time_frames(bench *b, const matrices *m, bool swiglu, uint32_t n_products, uint32_t n_tokens) {
    uint64_t times[MAX_REPEATS], all = 0, first = 0;
    int n = 0;
    op_rows x = op_rows_view(m->x, 0, n_tokens), y = op_rows_view(m->y, 0, n_tokens);
    for (int i = 0; i < MAX_REPEATS + 1 && (all < ENOUGH_NS || n < 3); i++) {
        pum_error error;
        uint64_t start = clock_now_ns();
        op_frame_begin(b->frame, NULL);
        for (uint32_t p = 0; p < n_products; p++)
            if (swiglu)
                op_matmul_swiglu(b->frame, &m->w[2 * p % m->n], &m->w[(2 * p + 1) % m->n], x, y, y);
            else
                op_matmul(b->frame, &m->w[p % m->n], x, y);
        must(op_frame_end(b->frame, &error), &error);
        uint64_t took = clock_now_ns() - start;
        if (i == 0) {
            first = took;
            continue;
        }
        times[n++] = took;
        all += took;
    }
    qsort(times, (size_t)n, sizeof *times, by_time);
    return (timing){(double)times[n / 2], (double)times[0], (double)first};
}

static void report(bench *b, const matrices *m, shape s, tensor_type type, const shader_variant *v, uint32_t n_tokens) {
    uint32_t n_mats = s.swiglu ? 2 : 1, n_products = m->n / n_mats;
    double weights = (double)n_mats * s.n_rows * s.n_cols;
    if (n_tokens > 1) {
        double enough = PREFILL_FLOP / (2 * weights * n_tokens);
        if (enough < n_products) n_products = enough < 1 ? 1 : (uint32_t)enough;
    }
    timing t = time_frames(b, m, s.swiglu, n_products, n_tokens);
    weights *= n_products;
    double bytes = (double)n_mats * n_products * (double)op_layout_read_bytes(type, s.n_rows, s.n_cols);
    printf("%-22s %6u x %-5u %4u  %8.3f %8.3f %9.2f %9.2f %8.2f %9.0f\n", v->name, s.n_rows, s.n_cols, n_tokens,
           weights / t.median_ns, weights / t.best_ns, 2 * weights * n_tokens / t.median_ns, 2 * weights * n_tokens / t.best_ns,
           bytes / t.median_ns, t.first_ns * 1e-6);
    fflush(stdout);
}

/* Every variant that serves this product. */
static void run_shape(bench *b, tensor_type type, shape s, const char *part_of_name) {
    char many[48], few[48], name[16];
    snprintf(name, sizeof name, "%s", tensor_type_find(type)->name);
    for (char *c = name; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 'a' - 'A');
    snprintf(many, sizeof many, s.swiglu ? "matmul_swiglu_%s" : "matmul_%s", name);
    snprintf(few, sizeof few, s.swiglu ? "matvec_swiglu_%s" : "matvec_%s", name);
    matrices m;
    make_matrices(b, type, s, &m);
    for (size_t i = 0; i < n_shader_variants; i++) {
        const shader_variant *v = &shader_variants[i];
        bool is_few = op_variant_serves(v, few), is_many = op_variant_serves(v, many);
        if ((!is_few && !is_many) || !op_needs_met(&op_kernels_device(b->kernels)->caps, v->needs) ||
            (part_of_name && !strstr(v->name, part_of_name)))
            continue;
        if (is_many) op_variant_force(b->kernels, many, v->name);
        if (is_few) op_variant_force(b->kernels, few, v->name);
        for (size_t t = 0; t < sizeof tokens_of_runs / sizeof *tokens_of_runs; t++)
            if (tokens_of_runs[t] <= 8 ? is_few : is_many) report(b, &m, s, type, v, tokens_of_runs[t]);
    }
    op_variant_force(b->kernels, many, NULL);
    op_variant_force(b->kernels, few, NULL);
    op_memory_destroy(&m.memory);
}

static void run_type(bench *b, const char *name, const char *part_of_name) {
    static const shape shapes[] = {
        {192, 576, false}, {576, 576, false}, {1536, 576, true}, {576, 1536, false}, {4096, 1024, false}};
    const tensor_type_info *info = tensor_type_by_name(name);
    if (!info || !op_layout_supports(info->type)) {
        fprintf(stderr, "bench_matmul: error: expected a tensor type such as q4_1, got %s\n", name);
        exit(2);
    }
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (shapes[i].n_cols % info->block_values == 0) run_shape(b, info->type, shapes[i], part_of_name);
}

int main(int argc, char **argv) {
    static const char *const all[] = {"f32", "f16", "bf16", "q4_0", "q4_1", "q8_0", "q4_k", "q6_k"};
    bench b = {0};
    pum_error error;
    vk_device *device;
    pum_device_peaks peaks;
    must(vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error), &error);
    must(op_kernels_create(device, &b.kernels, &error), &error);
    must(op_frame_create(b.kernels, &b.frame, &error), &error);
    const char *part_of_name = getenv("PUMICE_BENCH_VARIANT");
    must(op_measure_peaks(b.kernels, &peaks, &error), &error);
    printf("%s, %s; peaks: reads %.1f GB/s, multiplies %.1f GFLOP/s\n", device->caps.name, device->caps.driver_version,
           peaks.read_gb_per_s, peaks.multiply_gflop_per_s);
    printf("variant                  rows x cols  tokens Gweights/s   best   GFLOP/s      best     GB/s first, ms\n");
    if (argc == 2 && strcmp(argv[1], "all") == 0) {
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            run_shape(&b, tensor_type_by_name(all[i])->type, (shape){4096, 1024, false}, part_of_name);
    } else if (argc > 1) {
        for (int i = 1; i < argc; i++) run_type(&b, argv[i], part_of_name);
    } else {
        run_type(&b, "q4_1", part_of_name);
        run_shape(&b, TENSOR_Q8_0, (shape){49152, 576, false}, part_of_name);
    }
    op_frame_destroy(&b.frame);
    op_kernels_destroy(&b.kernels);
    vk_device_close(&device);
    return 0;
}
