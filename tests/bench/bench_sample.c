/* Times of sampling alone, on the device and on the host's path.
 *     bench_sample [n_vocab …]                  default: 49152 128256, the default model's vocabulary and Llama 3's
 * Device: microseconds of a step, of many in one frame over the same normal logits; median and best of the frames. Host: of
 * pum_sampler_sample alone, to which its path adds reading the logits back. PUMICE_TEST_DEVICE picks the device. */
#include "base/clock.h"
#include "base/random.h"
#include "ops/buffers.h"
#include "ops/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_STEPS = 50, N_REPEATS = 9 };

typedef struct bench {
    op_kernels *kernels;
    op_frame *frame;
    op_memory *memory;
    op_rows logits, scratch, state;
    op_host values, ring, start;
    uint32_t n_vocab;
} bench;

static void must(pum_status status, const pum_error *error) {
    if (status == PUM_OK) return;
    fprintf(stderr, "bench_sample: error: %s\n", error->message);
    exit(1);
}

static int by_time(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void take_memory(bench *b, uint32_t n_vocab) {
    enum { STATE_WORDS = sizeof(struct step_state) / 4 };
    pum_error error;
    b->n_vocab = n_vocab;
    must(op_memory_create(b->kernels,
                          op_rows_bytes(1, n_vocab) + op_rows_bytes(1, OP_SAMPLE_SCRATCH_BYTES / 4) +
                              op_rows_bytes(1, STATE_WORDS),
                          "bench", &b->memory, &error),
         &error);
    must(op_memory_rows(b->memory, 1, n_vocab, &b->logits, &error), &error);
    must(op_memory_rows(b->memory, 1, OP_SAMPLE_SCRATCH_BYTES / 4, &b->scratch, &error), &error);
    must(op_memory_rows(b->memory, 1, STATE_WORDS, &b->state, &error), &error);
    must(op_host_create(b->kernels, n_vocab * sizeof(float), OP_HOST_WRITES, "logits", &b->values, &error), &error);
    must(op_host_create(b->kernels, sizeof(struct step_state), OP_HOST_WRITES, "state", &b->start, &error), &error);
    must(op_host_create(b->kernels, N_STEPS * sizeof(uint32_t), OP_HOST_READS, "ring", &b->ring, &error), &error);
    float *values = b->values.buffer.mapped;
    for (uint32_t i = 0; i < n_vocab; i++) { // Box, Muller
        double u = (double)random_uniform(1, 2 * i) + 0x1p-25, v = (double)random_uniform(1, 2 * i + 1);
        values[i] = (float)(3 * sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
    }
}

static void give_memory(bench *b) {
    op_host_destroy(b->kernels, &b->values);
    op_host_destroy(b->kernels, &b->start);
    op_host_destroy(b->kernels, &b->ring);
    op_memory_destroy(&b->memory);
}

/* Milliseconds of a frame of N_STEPS, in which nothing is left out. */
static double time_frame(bench *b, const pum_sampler_params *params) {
    pum_error error;
    op_step_start start = {.params = params, .n_end = UINT32_MAX};
    op_step_fill(b->start.buffer.mapped, &start);
    memset(b->ring.buffer.mapped, 0xff, N_STEPS * sizeof(uint32_t));
    vk_span ring = op_host_span(&b->ring, 0, N_STEPS * sizeof(uint32_t));
    op_frame_begin(b->frame, NULL);
    op_frame_copy(b->frame, op_host_span(&b->values, 0, b->n_vocab * sizeof(float)), b->logits.span);
    op_frame_copy(b->frame, op_host_span(&b->start, 0, sizeof(struct step_state)), b->state.span);
    must(op_frame_end(b->frame, &error), &error);
    uint64_t begin = clock_now_ns();
    op_frame_begin(b->frame, NULL);
    for (uint32_t i = 0; i < N_STEPS; i++) op_sample(b->frame, params, b->logits, b->state.span, ring, b->scratch);
    must(op_frame_end(b->frame, &error), &error);
    uint64_t took = clock_now_ns() - begin;
    op_step_record record;
    for (uint32_t i = 0; i < N_STEPS; i++)
        if (!op_step_read(b->ring.buffer.mapped, N_STEPS, i, &record) || record.stopped != STEP_RUNS) {
            fprintf(stderr, "bench_sample: error: step %u of %d left no token\n", i, N_STEPS);
            exit(1);
        }
    return (double)took * 1e-6;
}

static double time_host(bench *b, const pum_sampler_params *params) {
    pum_sampler *sampler;
    pum_error error;
    double times[N_STEPS];
    must(pum_sampler_create(params, &sampler, &error), &error);
    for (int i = 0; i < N_STEPS; i++) {
        int32_t token;
        uint64_t begin = clock_now_ns();
        must(pum_sampler_sample(sampler, b->values.buffer.mapped, (int)b->n_vocab, &token, &error), &error);
        pum_sampler_accept(sampler, token);
        times[i] = (double)(clock_now_ns() - begin) * 1e-3;
    }
    pum_sampler_destroy(&sampler);
    qsort(times, N_STEPS, sizeof *times, by_time);
    return times[N_STEPS / 2];
}

static void run(bench *b, const char *name, pum_sampler_params params) {
    double times[N_REPEATS], first = time_frame(b, &params);
    for (int i = 0; i < N_REPEATS; i++) times[i] = time_frame(b, &params) * 1e3 / N_STEPS;
    qsort(times, N_REPEATS, sizeof *times, by_time);
    printf("%8u %-24s %10.1f %8.1f %14.1f %10.1f\n", b->n_vocab, name, times[N_REPEATS / 2], times[0], first,
           time_host(b, &params));
}

int main(int argc, char **argv) {
    bench b = {0};
    pum_error error;
    vk_device *device;
    must(vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error), &error);
    must(op_kernels_create(device, &b.kernels, &error), &error);
    must(op_frame_create(b.kernels, &b.frame, &error), &error);
    printf("%s, %s %s\n", device->caps.name, device->caps.driver, device->caps.driver_version);
    printf(" n_vocab what                     us a step     best first frame, ms   host, us\n");
    static char *const sizes[] = {"49152", "128256"};
    if (argc == 1) argc = 3, argv = (char **)sizes - 1;
    for (int i = 1; i < argc; i++) {
        take_memory(&b, (uint32_t)strtoul(argv[i], NULL, 10));
        pum_sampler_params params = pum_sampler_defaults();
        run(&b, "the defaults", params);
        params.top_k = 64;
        run(&b, "top-k 64", params);
        params.presence_penalty = 1;
        run(&b, "top-k 64, penalties", params);
        params.penalty_last_n = 256;
        run(&b, "top-k 64, window 256", params);
        params = pum_sampler_defaults();
        params.temp = 0;
        run(&b, "greedy", params);
        give_memory(&b);
    }
    op_frame_destroy(&b.frame);
    op_kernels_destroy(&b.kernels);
    vk_device_close(&device);
    return 0;
}
