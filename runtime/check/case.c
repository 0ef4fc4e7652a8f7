#include "check/case.h"

#include "gguf/random_blocks.h"

#include <stdlib.h>

enum { GUARD_BYTES = 1024, WEIGHTS_BLOCK_BYTES = 8 << 20 };
static const uint32_t POISON = 0x7fed7e5d, GUARD = 0x7fca7fca; // NaNs, as float32 and as pairs of float16

pum_status check_case_begin(check_case *c, pum_error *err) {
    pum_status status = op_memory_create(c->kernels, WEIGHTS_BLOCK_BYTES, "checking kernels", &c->device, err);
    if (status == PUM_OK)
        status = op_host_create(c->kernels, CASE_MAPPED_BYTES, OP_HOST_READS, "checking kernels", &c->mapped, err);
    uint32_t *words = c->mapped.buffer.mapped;
    for (size_t i = 0; words && i < CASE_MAPPED_BYTES / 4; i++) words[i] = GUARD;
    return status;
}

void check_case_end(check_case *c) {
    op_memory_destroy(&c->device);
    if (c->mapped.buffer.mapped) op_host_destroy(c->kernels, &c->mapped);
    arena_free(&c->host);
}

size_t check_case_bytes(const check_case *c) { return c->used + GUARD_BYTES; }

pum_status check_case_doubles(check_case *c, size_t n, double **values, pum_error *err) {
    *values = arena_alloc(&c->host, n ? n : 1, sizeof **values);
    return *values ? PUM_OK : pum_fail_memory(err, "checking kernels", n * sizeof **values);
}

pum_status check_case_span(check_case *c, uint64_t n_bytes, vk_span *span, pum_error *err) {
    size_t body = (n_bytes + 255) / 256 * 256;
    if (c->used + body + 2 * GUARD_BYTES > CASE_MAPPED_BYTES)
        return pum_fail(err, PUM_ERR_DEVICE_MEMORY, "checking kernels: a case of more than %d bytes", CASE_MAPPED_BYTES);
    *span = op_host_span(&c->mapped, c->used + GUARD_BYTES, n_bytes);
    uint32_t *words = vk_span_mapped(*span);
    for (size_t i = 0; i < n_bytes / 4; i++) words[i] = POISON;
    c->used += body + GUARD_BYTES;
    return PUM_OK;
}

pum_status check_case_rows(check_case *c, uint32_t n_rows, uint32_t n_cols, op_rows *rows, pum_error *err) {
    if (c->for_timing) return op_memory_rows(c->device, n_rows, n_cols, rows, err);
    *rows = (op_rows){.n_rows = n_rows, .n_cols = n_cols};
    return check_case_span(c, (uint64_t)n_rows * n_cols * sizeof(float), &rows->span, err);
}

float *check_case_floats(vk_span span) { return vk_span_mapped(span); }

float *check_case_fill(check_case *c, op_rows rows, double sigma) {
    float *values = check_case_floats(rows.span);
    gguf_random_blocks(tensor_type_find(TENSOR_F32), sigma, &c->random, (uint8_t *)values, rows.span.n_bytes / sizeof(float));
    return values;
}

/* The same numbers at another place, without packing them again. */
static pum_status copy_tensor(check_case *c, const op_tensor *from, op_tensor *to, op_frame *f, pum_error *err) {
    pum_status status = op_memory_tensor(c->device, from->type, from->n_rows, from->n_cols, to, err);
    for (uint32_t s = 0; s < from->n_slices && status == PUM_OK; s++) op_frame_copy(f, from->slices[s].span, to->slices[s].span);
    return status;
}

static pum_status copy_tensors(check_case *c, uint32_t n_copies, op_tensor *tensors, pum_error *err) {
    op_frame *f;
    pum_status status = op_frame_create(c->kernels, &f, err);
    if (status != PUM_OK) return status;
    op_frame_begin(f, NULL);
    for (uint32_t i = 1; i < n_copies && status == PUM_OK; i++) status = copy_tensor(c, &tensors[0], &tensors[i], f, err);
    pum_status ended = op_frame_end(f, status == PUM_OK ? err : NULL);
    op_frame_destroy(&f);
    return status == PUM_OK ? ended : status;
}

pum_status check_case_tensor(check_case *c, tensor_type type, uint32_t n_rows, uint32_t n_cols, double sigma, uint32_t n_copies,
                             op_tensor *tensors, float **values, pum_error *err) {
    const tensor_type_info *info = tensor_type_find(type);
    uint64_t n_blocks = (uint64_t)n_rows * (n_cols / info->block_values);
    uint8_t *blocks = malloc(n_blocks * info->block_bytes);
    if (!blocks) return pum_fail_memory(err, "checking kernels", n_blocks * info->block_bytes);
    // Neighbours differ in scale, so that one in the place of another is seen.
    for (uint64_t b = 0; b < n_blocks; b++) {
        double scale = c->for_timing ? 1 : 0.5 + (double)(c->random >> 44) * 0x1p-20;
        gguf_random_blocks(info, scale * sigma, &c->random, blocks + b * info->block_bytes, 1);
    }
    pum_status status = op_memory_tensor(c->device, type, n_rows, n_cols, &tensors[0], err);
    if (status == PUM_OK) status = op_memory_send(c->device, 0, &tensors[0], 0, n_rows, blocks, err);
    if (status == PUM_OK) status = op_memory_sent(c->device, err);
    if (status == PUM_OK && n_copies > 1) status = copy_tensors(c, n_copies, tensors, err);
    if (status == PUM_OK && values) {
        *values = arena_alloc(&c->host, (size_t)n_rows * n_cols, sizeof **values);
        if (*values)
            info->expand(blocks, n_blocks, *values);
        else
            status = pum_fail_memory(err, "checking kernels", (size_t)n_rows * n_cols * sizeof **values);
    }
    free(blocks);
    return status;
}

void check_case_output(check_case *c, check_output output) { c->outputs[c->n_outputs++] = output; }
