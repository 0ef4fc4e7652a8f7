/* What the device can do at best: the yardstick for everything else. */
#include "base/clock.h"
#include "ops/ops.h"

#include "../../shaders/include/peak_push.h"

enum {
    THREADS = 128,
    GROUPS = 2048,
    REPEATS = 5,
    FLOP_PER_ROUND = 8 * 4 * 4 * 2, ///< of one thread of peak_multiply
};
static const uint64_t READ_BYTES = 256u << 20; ///< more than any cache holds
static const uint64_t COMPARE_BYTES = 128u << 20; ///< enough to compare two kinds of memory
static const double WANTED_NS = 30e6;
static const double ENOUGH_NS = 500e6; ///< a slow device is measured well in fewer runs

/* One kernel, timed with rising amounts of work until it takes long enough to be measured, then the best of some runs. */
typedef struct peak {
    const op_kernel *kernel;
    const vk_span *spans;
    struct peak_push push;
    double work_per_round; ///< bytes or operations
} peak;

static pum_status run(vk_commands *commands, const peak *p, double *ns, pum_error *err) {
    uint64_t device_ns = 0;
    pum_status status = vk_commands_begin(commands, err);
    if (status != PUM_OK) return status;
    vk_commands_dispatch(commands, &p->kernel->pipeline, p->spans, &p->push, GROUPS, 1, 1);
    uint64_t begin = clock_now_ns();
    status = vk_commands_submit(commands, err);
    if (status == PUM_OK) status = vk_commands_wait(commands, &device_ns, err);
    *ns = device_ns ? (double)device_ns : (double)(clock_now_ns() - begin);
    return status;
}

static pum_status measure(vk_commands *commands, peak *p, double *per_s, pum_error *err) {
    double ns = 0, best = 0;
    pum_status status = run(commands, p, &ns, err); // a driver may compile now
    while (status == PUM_OK) {
        status = run(commands, p, &ns, err);
        if (ns >= WANTED_NS || p->push.n_rounds >= 1u << 20) break;
        p->push.n_rounds *= 2;
    }
    double spent_ns = 0;
    for (int i = 0; i < REPEATS && status == PUM_OK && spent_ns < ENOUGH_NS; i++) {
        status = run(commands, p, &ns, err);
        spent_ns += ns;
        double now = p->work_per_round * p->push.n_rounds / ns * 1e9;
        if (now > best) best = now;
    }
    *per_s = best;
    return status;
}

/* The best of the variants that the device would use unasked. */
static pum_status measure_all(op_kernels *kernels, const char *op, uint32_t n_bindings, vk_commands *commands, peak p,
                              double *per_s, pum_error *err) {
    op_kernel_params params = {.n_bindings = n_bindings, .push_bytes = sizeof(struct peak_push)};
    pum_status status = PUM_OK;
    *per_s = 0;
    for (size_t i = 0; i < n_shader_variants && status == PUM_OK; i++) {
        const shader_variant *v = &shader_variants[i];
        if (!op_variant_serves(v, op) || !op_wishes_met(&op_kernels_device(kernels)->caps, v->needs)) continue;
        peak its = p;
        double now = 0;
        status = op_kernel_get(kernels, v, &params, &its.kernel, err);
        if (status == PUM_OK) status = measure(commands, &its, &now, err);
        if (now > *per_s) *per_s = now;
    }
    return status;
}

static pum_status fill(vk_commands *commands, const vk_buffer *buffer, uint32_t word, pum_error *err) {
    pum_status status = vk_commands_begin(commands, err);
    if (status != PUM_OK) return status;
    vk_commands_fill(commands, (vk_span){buffer, 0, buffer->n_bytes}, word);
    status = vk_commands_submit(commands, err);
    return status == PUM_OK ? vk_commands_wait(commands, NULL, err) : status;
}

/* Reads n_bytes of one kind of memory. */
static pum_status measure_reads(op_kernels *kernels, uint64_t n_bytes, vk_use use, const vk_buffer *out, vk_commands *commands,
                                double *bytes_per_s, pum_error *err) {
    vk_device *device = op_kernels_device(kernels);
    vk_buffer in = {0};
    pum_status status = vk_buffer_create(device, n_bytes, use, "measuring reads", &in, err);
    if (status == PUM_OK) status = fill(commands, &in, 0x3F800001, err);
    if (status == PUM_OK) {
        vk_span spans[] = {{&in, 0, n_bytes}, {out, 0, out->n_bytes}};
        uint64_t address = vk_span_address(spans[0]);
        peak p = {.spans = spans,
                  .push = {.n = (uint32_t)(n_bytes / 16),
                           .n_rounds = 1,
                           .in_low = (uint32_t)address,
                           .in_high = (uint32_t)(address >> 32)},
                  .work_per_round = (double)n_bytes};
        status = measure_all(kernels, "peak_read", 2, commands, p, bytes_per_s, err);
    }
    vk_buffer_destroy(device, &in);
    return status;
}

/* Half of what is free at most. */
static uint64_t read_bytes(const vk_device *device, uint64_t wanted, uint64_t available) {
    uint64_t n_bytes = wanted;
    while (n_bytes > device->caps.max_storage_range || n_bytes > available / 2) n_bytes /= 2;
    return n_bytes;
}

/* Somewhere to write, and commands. */
static pum_status prepare(op_kernels *kernels, vk_buffer *out, vk_commands **commands, pum_error *err) {
    vk_device *device = op_kernels_device(kernels);
    *commands = NULL;
    pum_status status = vk_buffer_create(device, THREADS * GROUPS * 4, VK_USE_DEVICE, "measuring", out, err);
    if (status == PUM_OK) status = vk_commands_create(device, commands, err);
    return status == PUM_OK ? fill(*commands, out, 0, err) : status;
}

pum_status op_measure_peaks(op_kernels *kernels, pum_device_peaks *peaks, pum_error *err) {
    vk_device *device = op_kernels_device(kernels);
    vk_buffer out = {0};
    vk_commands *commands;
    double bytes_per_s = 0, flop_per_s = 0;
    pum_status status = prepare(kernels, &out, &commands, err);
    if (status == PUM_OK)
        status = measure_reads(kernels, read_bytes(device, READ_BYTES, vk_device_available_bytes(device)), VK_USE_DEVICE, &out, commands,
                               &bytes_per_s, err);
    if (status == PUM_OK) {
        vk_span spans[] = {{&out, 0, out.n_bytes}};
        peak p = {.spans = spans, .push.n_rounds = 64, .work_per_round = (double)FLOP_PER_ROUND * THREADS * GROUPS};
        status = measure_all(kernels, "peak_multiply", 1, commands, p, &flop_per_s, err);
    }
    vk_commands_destroy(&commands);
    vk_buffer_destroy(device, &out);
    *peaks = (pum_device_peaks){bytes_per_s / 1e9, flop_per_s / 1e9};
    return status;
}

pum_status op_measure_reads(op_kernels *kernels, double *device_gb_per_s, double *host_gb_per_s, pum_error *err) {
    enum { LEAST = 16 << 20 }; // less is a cache's
    vk_device *device = op_kernels_device(kernels);
    uint64_t of_device = read_bytes(device, COMPARE_BYTES, vk_device_available_bytes(device));
    uint64_t of_host = read_bytes(device, COMPARE_BYTES, vk_device_host_available_bytes(device));
    vk_buffer out = {0};
    vk_commands *commands = NULL;
    double device_per_s = 0, host_per_s = 0;
    pum_status status = of_device >= LEAST ? prepare(kernels, &out, &commands, err) : PUM_OK;
    if (status == PUM_OK && of_device >= LEAST)
        status = measure_reads(kernels, of_device, VK_USE_DEVICE, &out, commands, &device_per_s, err);
    if (status == PUM_OK && of_device >= LEAST && of_host >= LEAST)
        status = measure_reads(kernels, of_host, VK_USE_HOST, &out, commands, &host_per_s, err);
    vk_commands_destroy(&commands);
    vk_buffer_destroy(device, &out);
    *device_gb_per_s = device_per_s / 1e9;
    *host_gb_per_s = host_per_s / 1e9;
    return status;
}
