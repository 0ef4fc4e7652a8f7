/* Times of attention alone, decode and prefill, at several depths.
 *     bench_attention [n_head n_head_kv head_dim n_layer]          default: 9 3 64 30, the default model
 * Each line is the median of several frames. A decode frame holds all layers for one token; a prefill frame one layer for 512
 * tokens, printed for all. PUMICE_TEST_DEVICE picks the device,
 * PUMICE_BENCH_VARIANT the row of shaders/variants.txt. */
#include "base/clock.h"
#include "ops/buffers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREFILL = 512, MAX_LAYERS = 128, MAX_REPEATS = 15 };
static const uint64_t ENOUGH_NS = 2000000000;  ///< no further repeats after this
static const uint64_t CACHE_BYTES = 512 << 20; ///< layers beyond share the caches of the first ones

typedef struct bench {
    uint32_t n_head, n_head_kv, head_dim, n_layer;
    op_kernels *kernels;
    op_frame *frame;
} bench;

static void must(pum_status status, const pum_error *error) {
    if (status == PUM_OK) return;
    fprintf(stderr, "bench_attention: error: %s\n", error->message);
    exit(1);
}

static int by_time(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Milliseconds of a frame of n_layers attentions over n_tokens; *first_ms: of the first one, which may compile. */
static double time_frames(bench *b, op_rows qkv, op_rows a, op_rows scratch, const op_kv *kv, uint32_t n_kv_layers,
                          uint32_t n_layers, uint32_t n_tokens, op_position position, double *first_ms) {
    uint64_t times[MAX_REPEATS], all = 0;
    int n = 0;
    pum_error error;
    for (int i = 0; i < MAX_REPEATS + 1 && (all < ENOUGH_NS || n < 2); i++) {
        uint64_t start = clock_now_ns();
        op_frame_begin(b->frame, NULL);
        for (uint32_t l = 0; l < n_layers; l++)
            op_attention(b->frame, op_rows_view(qkv, 0, n_tokens), &kv[l % n_kv_layers], position, op_rows_view(a, 0, n_tokens),
                         scratch);
        must(op_frame_end(b->frame, &error), &error);
        uint64_t took = clock_now_ns() - start;
        if (i == 0) {
            *first_ms = (double)took * 1e-6;
            continue;
        }
        times[n++] = took;
        all += times[n - 1];
    }
    qsort(times, (size_t)n, sizeof *times, by_time);
    return (double)times[n / 2] * 1e-6;
}

/* K and V and q must not be zero: a denormal or a NaN costs time, zeros may save some. */
static void fill(bench *b, op_rows rows) {
    op_host host;
    pum_error error;
    uint64_t n_bytes = (uint64_t)rows.n_rows * rows.n_cols * sizeof(float);
    must(op_host_create(b->kernels, n_bytes, OP_HOST_WRITES, "values", &host, &error), &error);
    vk_span from = op_host_span(&host, 0, n_bytes);
    uint32_t *words = vk_span_mapped(from), random = 1;
    for (uint64_t i = 0; i < n_bytes / 4; i++) {
        random = random * 1664525 + 1013904223;
        // As a float32 between 0.5 and 2 in size; as two float16, the same.
        words[i] = (random & 0x80ff83ff) | 0x3c003c00;
    }
    op_frame_begin(b->frame, NULL);
    op_frame_copy(b->frame, from, (vk_span){rows.span.buffer, rows.span.offset, n_bytes});
    must(op_frame_end(b->frame, &error), &error);
    op_host_destroy(b->kernels, &host);
}

static void fill_span(bench *b, vk_span span) {
    fill(b, (op_rows){.span = span, .n_rows = 1, .n_cols = (uint32_t)(span.n_bytes / 4)});
}

static void run_depth(bench *b, uint32_t depth) {
    uint32_t n_ctx = depth + PREFILL, n_cols = b->n_head * b->head_dim;
    uint64_t layer_bytes = 4ull * b->n_head_kv * n_ctx * b->head_dim;
    uint32_t n_kv_layers = (uint32_t)(CACHE_BYTES / layer_bytes);
    if (n_kv_layers > b->n_layer) n_kv_layers = b->n_layer;
    if (n_kv_layers < 1) n_kv_layers = 1;
    op_memory *memory;
    op_rows qkv, a, scratch, n_past;
    op_kv kv[MAX_LAYERS];
    pum_error error;
    must(op_memory_create(b->kernels, n_kv_layers * layer_bytes, "bench", &memory, &error), &error);
    must(op_memory_rows(memory, PREFILL, n_cols + 2 * b->n_head_kv * b->head_dim, &qkv, &error), &error);
    must(op_memory_rows(memory, PREFILL, n_cols, &a, &error), &error);
    must(op_memory_rows(memory, 1, op_attention_scratch_floats(b->head_dim), &scratch, &error), &error);
    must(op_memory_rows(memory, 1, 1, &n_past, &error), &error);
    fill(b, qkv);
    op_position position = {n_past.span, depth};
    op_frame_begin(b->frame, NULL);
    op_frame_fill(b->frame, n_past.span, depth);
    op_attention_begin(b->frame, scratch);
    must(op_frame_end(b->frame, &error), &error);
    for (uint32_t l = 0; l < n_kv_layers; l++) {
        must(op_memory_kv(memory, TENSOR_F16, b->n_head_kv, n_ctx, b->head_dim, &kv[l], &error), &error);
        for (uint32_t s = 0; s < kv[l].n_slices; s++) {
            fill_span(b, kv[l].k[s]);
            fill_span(b, kv[l].v[s]);
        }
    }
    double first[2];
    double decode = time_frames(b, qkv, a, scratch, kv, n_kv_layers, b->n_layer, 1, position, &first[0]);
    double prefill = time_frames(b, qkv, a, scratch, kv, n_kv_layers, 1, PREFILL, position, &first[1]);
    double flop = 4.0 * n_cols * PREFILL * (depth + PREFILL / 2.0);
    printf("%6u %11.2f %10.2f %10.0f %17.1f %10.2f %10.0f\n", depth, decode,
           1e-6 * (double)layer_bytes * b->n_layer * depth / n_ctx / decode, first[0], prefill * b->n_layer,
           1e-6 * flop / prefill, first[1]);
    op_memory_destroy(&memory);
}

int main(int argc, char **argv) {
    bench b = {9, 3, 64, 30, NULL, NULL};
    if (argc == 5) {
        b.n_head = (uint32_t)atoi(argv[1]);
        b.n_head_kv = (uint32_t)atoi(argv[2]);
        b.head_dim = (uint32_t)atoi(argv[3]);
        b.n_layer = (uint32_t)atoi(argv[4]);
    }
    if (b.n_head_kv == 0 || b.n_head % b.n_head_kv || b.head_dim == 0 || b.head_dim % 8 || b.head_dim > 256 || b.n_layer < 1 ||
        b.n_layer > MAX_LAYERS) {
        fprintf(stderr, "usage: bench_attention [n_head n_head_kv head_dim n_layer]\n");
        return 2;
    }
    pum_error error;
    vk_device *device;
    must(vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error), &error);
    must(op_kernels_create(device, &b.kernels, &error), &error);
    must(op_frame_create(b.kernels, &b.frame, &error), &error);
    const char *variant = getenv("PUMICE_BENCH_VARIANT");
    for (size_t i = 0; i < n_shader_variants && variant; i++)
        for (int few = 0; few < 2; few++) {
            const char *op = few ? "attention_split" : "attention";
            if (strcmp(shader_variants[i].name, variant) == 0 && op_variant_serves(&shader_variants[i], op))
                op_variant_force(b.kernels, op, variant);
        }
    printf("%s, %s; heads %u/%u, head_dim %u, %u layers; %s\n", device->caps.name, device->caps.driver_version, b.n_head,
           b.n_head_kv, b.head_dim, b.n_layer, op_variant_choose(b.kernels, "attention", OP_MANY, NULL, NULL)->name);
    printf(" depth  decode, ms  read GB/s  first, ms  prefill 512, ms    GFLOP/s  first, ms\n");
    static const uint32_t depths[] = {0, 512, 2048, 8192, 32768};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        run_depth(&b, depths[i]);
        fflush(stdout);
    }
    op_frame_destroy(&b.frame);
    op_kernels_destroy(&b.kernels);
    vk_device_close(&device);
    return 0;
}
