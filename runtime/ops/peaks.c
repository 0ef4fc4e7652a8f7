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
static const double WANTED_NS = 30e6;

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
    for (int i = 0; i < REPEATS && status == PUM_OK; i++) {
        status = run(commands, p, &ns, err);
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

pum_status op_measure_peaks(op_kernels *kernels, pum_device_peaks *peaks, pum_error *err) {
    vk_device *device = op_kernels_device(kernels);
    uint64_t n_bytes = READ_BYTES;
    while (n_bytes > device->caps.max_storage_range || n_bytes > vk_device_available_bytes(device) / 2) n_bytes /= 2;
    vk_buffer in = {0}, out = {0};
    vk_commands *commands = NULL;
    pum_status status = vk_buffer_create(device, n_bytes, VK_USE_DEVICE, "measuring reads", &in, err);
    if (status == PUM_OK) status = vk_buffer_create(device, THREADS * GROUPS * 4, VK_USE_DEVICE, "measuring", &out, err);
    if (status == PUM_OK) status = vk_commands_create(device, &commands, err);
    if (status == PUM_OK) status = vk_commands_begin(commands, err);
    if (status == PUM_OK) {
        vk_commands_fill(commands, (vk_span){&in, 0, n_bytes}, 0x3F800001);
        vk_commands_fill(commands, (vk_span){&out, 0, out.n_bytes}, 0);
        status = vk_commands_submit(commands, err);
    }
    if (status == PUM_OK) status = vk_commands_wait(commands, NULL, err);
    double bytes_per_s = 0, flop_per_s = 0;
    if (status == PUM_OK) {
        vk_span spans[] = {{&in, 0, n_bytes}, {&out, 0, out.n_bytes}};
        uint64_t address = vk_span_address(spans[0]);
        peak p = {.spans = spans,
                  .push = {.n = (uint32_t)(n_bytes / 16),
                           .n_rounds = 1,
                           .in_low = (uint32_t)address,
                           .in_high = (uint32_t)(address >> 32)},
                  .work_per_round = (double)n_bytes};
        status = measure_all(kernels, "peak_read", 2, commands, p, &bytes_per_s, err);
    }
    if (status == PUM_OK) {
        vk_span spans[] = {{&out, 0, out.n_bytes}};
        peak p = {.spans = spans, .push.n_rounds = 64, .work_per_round = (double)FLOP_PER_ROUND * THREADS * GROUPS};
        status = measure_all(kernels, "peak_multiply", 1, commands, p, &flop_per_s, err);
    }
    vk_commands_destroy(&commands);
    vk_buffer_destroy(device, &in);
    vk_buffer_destroy(device, &out);
    *peaks = (pum_device_peaks){bytes_per_s / 1e9, flop_per_s / 1e9};
    return status;
}
