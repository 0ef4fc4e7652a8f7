#include "ops/buffers.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { STAGE_BYTES = 8 << 20, ROPE_POSITIONS_AT_ONCE = 256 };
static const uint64_t MAX_BLOCK_BYTES = 256u << 20;

struct op_memory {
    op_kernels *kernels;
    vk_device *device;
    vk_pool *pool, *host_pool; ///< host_pool: or NULL
    vk_pool *current;          ///< one of them
    const char *what;
    vk_upload *lanes[OP_MEMORY_LANES]; ///< made at the first use, gone after op_memory_sent
    arena arena;
};

static uint64_t align_up(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }
/* Spans are aligned to 256 (vk_pool_take); no device asks for more (Vulkan's limit of the limit). */
static uint64_t spanned(uint64_t n_bytes) { return align_up(n_bytes, 256); }

/* Blocks that together are just what is planned (vk_pool_expect): nothing is taken that the plan did not say. */
static uint64_t block_bytes_of(const vk_caps *caps, uint64_t total_bytes) {
    uint64_t most = MAX_BLOCK_BYTES < caps->max_allocation_bytes ? MAX_BLOCK_BYTES : caps->max_allocation_bytes;
    uint64_t n_blocks = (total_bytes + most - 1) / most;
    return n_blocks > 1 ? most : spanned(total_bytes ? total_bytes : 1);
}

pum_status op_memory_create(op_kernels *kernels, uint64_t total_bytes, const char *what, op_memory **memory, pum_error *err) {
    *memory = NULL;
    op_memory *m = calloc(1, sizeof *m);
    if (!m) return pum_fail_memory(err, what, sizeof *m);
    m->kernels = kernels;
    m->device = op_kernels_device(kernels);
    m->what = what;
    pum_status status = vk_pool_create(m->device, block_bytes_of(&m->device->caps, total_bytes), what, &m->pool, err);
    if (status != PUM_OK) {
        free(m);
        return status;
    }
    if (total_bytes) vk_pool_expect(m->pool, spanned(total_bytes));
    m->current = m->pool;
    *memory = m;
    return PUM_OK;
}

pum_status op_memory_add_host(op_memory *m, uint64_t total_bytes, pum_error *err) {
    pum_status status =
        vk_pool_create_in_host(m->device, block_bytes_of(&m->device->caps, total_bytes), m->what, &m->host_pool, err);
    if (status == PUM_OK) vk_pool_expect(m->host_pool, spanned(total_bytes));
    return status;
}

void op_memory_in_host(op_memory *m, bool in_host) { m->current = in_host && m->host_pool ? m->host_pool : m->pool; }

void op_memory_destroy(op_memory **memory) {
    op_memory *m = *memory;
    if (!m) return;
    for (int i = 0; i < OP_MEMORY_LANES; i++) vk_upload_destroy(&m->lanes[i]);
    vk_pool_destroy(&m->host_pool);
    vk_pool_destroy(&m->pool);
    arena_free(&m->arena);
    free(m);
    *memory = NULL;
}

pum_status op_memory_tensor(op_memory *m, tensor_type type, uint32_t n_rows, uint32_t n_cols, op_tensor *tensor, pum_error *err) {
    return op_tensor_create(m->current, &m->arena, m->device->caps.max_storage_range, type, n_rows, n_cols, tensor, err);
}

static pum_status need_lane(op_memory *m, int lane, pum_error *err) {
    return m->lanes[lane] ? PUM_OK : vk_upload_create(m->device, STAGE_BYTES, &m->lanes[lane], err);
}

pum_status op_memory_send(op_memory *m, int lane, const op_tensor *tensor, uint32_t first_row, uint32_t n_rows,
                          const void *blocks, pum_error *err) {
    pum_status status = need_lane(m, lane, err);
    return status == PUM_OK ? op_tensor_upload(tensor, m->lanes[lane], first_row, n_rows, blocks, err) : status;
}

pum_status op_memory_sent(op_memory *m, pum_error *err) {
    pum_status status = PUM_OK;
    for (int i = 0; i < OP_MEMORY_LANES; i++) {
        if (!m->lanes[i]) continue;
        pum_status finished = vk_upload_finish(m->lanes[i], status == PUM_OK ? err : NULL);
        if (status == PUM_OK) status = finished;
        vk_upload_destroy(&m->lanes[i]);
    }
    return status;
}

uint64_t op_memory_host_bytes(const op_memory *m) {
    uint64_t n_bytes = m->arena.n_bytes;
    for (int i = 0; i < OP_MEMORY_LANES; i++) n_bytes += m->lanes[i] ? vk_upload_host_bytes(m->lanes[i]) : 0;
    return n_bytes;
}

/* ---- rows */

uint64_t op_rows_bytes(uint32_t n_rows, uint32_t n_cols) { return spanned((uint64_t)n_rows * n_cols * sizeof(float)); }

static pum_status take(op_memory *m, const char *what, uint64_t n_bytes, vk_span *span, pum_error *err) {
    uint64_t most = m->device->caps.max_storage_range;
    if (n_bytes > most)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "%s: needs %" PRIu64 " bytes in one binding, the device allows %" PRIu64
                        "; use a smaller context (--ctx) or prefill chunk",
                        what, n_bytes, most);
    return vk_pool_take(m->current, n_bytes, span, err);
}

pum_status op_memory_rows(op_memory *m, uint32_t n_rows, uint32_t n_cols, op_rows *rows, pum_error *err) {
    *rows = (op_rows){.n_rows = n_rows, .n_cols = n_cols};
    return take(m, "activations", (uint64_t)n_rows * n_cols * sizeof(float), &rows->span, err);
}

/* ---- where it is */

static bool in_host(vk_span span) { return span.buffer && span.buffer->in_host; }

bool op_tensor_in_host(const op_tensor *t) {
    for (uint32_t i = 0; i < t->n_slices; i++)
        if (in_host(t->slices[i].span)) return true;
    return false;
}

bool op_kv_in_host(const op_kv *kv) {
    for (uint32_t i = 0; i < kv->n_slices; i++)
        if (in_host(kv->k[i]) || in_host(kv->v[i])) return true;
    return false;
}

op_rows op_rows_view(op_rows rows, uint32_t first_row, uint32_t n_rows) {
    assert(first_row + n_rows <= rows.n_rows);
    rows.first_row += first_row;
    rows.n_rows = n_rows;
    return rows;
}

/* ---- KV cache */

/* Of q8_0 the scales of a position take whole words. */
uint64_t op_kv_position_bytes(tensor_type type, uint32_t head_dim) {
    uint32_t scales = (head_dim + 63) / 64 * (uint32_t)sizeof(uint32_t);
    return type == TENSOR_Q8_0 ? head_dim + scales : head_dim * sizeof(uint16_t);
}

static uint64_t kv_head_bytes(tensor_type type, uint32_t n_ctx, uint32_t head_dim) {
    return n_ctx * op_kv_position_bytes(type, head_dim);
}

/* Whole pairs of words, as the kernels read them. */
uint64_t op_kv_slice_bytes(tensor_type type, uint32_t n_heads, uint32_t n_ctx, uint32_t head_dim) {
    return (n_heads * kv_head_bytes(type, n_ctx, head_dim) + 7) / 8 * 8;
}

static uint32_t kv_heads_per_slice(const vk_caps *caps, uint32_t n_head_kv, uint64_t head_bytes) {
    uint64_t most = caps->max_storage_range / 8 * 8 / head_bytes; // a slice takes whole eights of bytes
    return most < n_head_kv ? (uint32_t)most : n_head_kv;
}

uint64_t op_kv_bytes(const vk_caps *caps, tensor_type type, uint32_t n_head_kv, uint32_t n_ctx, uint32_t head_dim) {
    uint64_t n_bytes = 0;
    uint32_t per_slice = kv_heads_per_slice(caps, n_head_kv, kv_head_bytes(type, n_ctx, head_dim));
    if (per_slice == 0) per_slice = 1; // that no binding covers it is another question
    for (uint32_t head = 0; head < n_head_kv; head += per_slice) {
        uint32_t n = n_head_kv - head < per_slice ? n_head_kv - head : per_slice;
        n_bytes += 2 * spanned(op_kv_slice_bytes(type, n, n_ctx, head_dim));
    }
    return n_bytes;
}

pum_status op_memory_kv(op_memory *m, tensor_type type, uint32_t n_head_kv, uint32_t n_ctx, uint32_t head_dim, op_kv *kv,
                        pum_error *err) {
    uint64_t head_bytes = kv_head_bytes(type, n_ctx, head_dim);
    uint32_t per_slice = kv_heads_per_slice(&m->device->caps, n_head_kv, head_bytes);
    if (per_slice == 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "KV cache: one head of %u positions takes %" PRIu64 " bytes, one binding of this device covers %" PRIu64
                        "; use a smaller context (--ctx)",
                        n_ctx, head_bytes, m->device->caps.max_storage_range);
    *kv = (op_kv){.type = type, .n_head_kv = n_head_kv, .n_ctx = n_ctx, .head_dim = head_dim, .heads_per_slice = per_slice};
    kv->n_slices = (n_head_kv + per_slice - 1) / per_slice;
    kv->k = arena_alloc(&m->arena, kv->n_slices, sizeof *kv->k);
    kv->v = arena_alloc(&m->arena, kv->n_slices, sizeof *kv->v);
    if (!kv->k || !kv->v) return pum_fail_memory(err, "the table of the KV cache", kv->n_slices * sizeof *kv->k);
    for (uint32_t s = 0; s < kv->n_slices; s++) {
        uint32_t left = n_head_kv - s * per_slice;
        uint64_t n_bytes = op_kv_slice_bytes(type, left < per_slice ? left : per_slice, n_ctx, head_dim);
        pum_status status = take(m, "KV cache", n_bytes, &kv->k[s], err);
        if (status == PUM_OK) status = take(m, "KV cache", n_bytes, &kv->v[s], err);
        if (status != PUM_OK) return status;
    }
    return PUM_OK;
}

/* ---- rope table */

uint64_t op_rope_position_bytes(uint32_t n_rot) { return (uint64_t)n_rot * sizeof(float); }

uint64_t op_rope_bytes(uint32_t n_ctx, uint32_t n_rot) { return spanned(n_ctx * op_rope_position_bytes(n_rot)); }

pum_status op_memory_rope(op_memory *m, uint32_t n_ctx, uint32_t n_rot, const double *frequencies, op_rope *rope,
                          pum_error *err) {
    uint64_t position_bytes = op_rope_position_bytes(n_rot);
    *rope = (op_rope){.n_rot = n_rot};
    pum_status status = take(m, "rope table", n_ctx * position_bytes, &rope->table, err);
    if (status == PUM_OK) status = need_lane(m, 0, err);
    for (uint32_t first = 0; first < n_ctx && status == PUM_OK; first += ROPE_POSITIONS_AT_ONCE) {
        uint32_t n = n_ctx - first < ROPE_POSITIONS_AT_ONCE ? n_ctx - first : ROPE_POSITIONS_AT_ONCE;
        vk_span part = {rope->table.buffer, rope->table.offset + first * position_bytes, n * position_bytes};
        void *bytes;
        status = vk_upload_begin(m->lanes[0], part, &bytes, err);
        if (status != PUM_OK) break;
        float *out = bytes;
        for (uint32_t position = first; position < first + n; position++)
            for (uint32_t i = 0; i < n_rot / 2; i++) {
                double angle = (double)position * frequencies[i];
                *out++ = (float)cos(angle);
                *out++ = (float)sin(angle);
            }
        vk_upload_end(m->lanes[0]);
    }
    return status;
}

/* ---- host-visible memory */

pum_status op_host_create(op_kernels *kernels, uint64_t n_bytes, op_host_use use, const char *what, op_host *host,
                          pum_error *err) {
    return vk_buffer_create(op_kernels_device(kernels), n_bytes, use == OP_HOST_WRITES ? VK_USE_UPLOAD : VK_USE_READBACK, what,
                            &host->buffer, err);
}

void op_host_destroy(op_kernels *kernels, op_host *host) { vk_buffer_destroy(op_kernels_device(kernels), &host->buffer); }

vk_span op_host_span(const op_host *host, uint64_t offset, uint64_t n_bytes) { return (vk_span){&host->buffer, offset, n_bytes}; }

static vk_span span_of(op_rows rows) {
    uint64_t row_bytes = (uint64_t)rows.n_cols * sizeof(float);
    return (vk_span){rows.span.buffer, rows.span.offset + rows.first_row * row_bytes, rows.n_rows * row_bytes};
}

void op_read(op_frame *f, op_rows rows, const op_host *host) {
    vk_span src = span_of(rows);
    op_frame_copy(f, src, op_host_span(host, 0, src.n_bytes));
}

void op_write(op_frame *f, const op_host *host, op_rows rows) {
    vk_span dst = span_of(rows);
    op_frame_copy(f, op_host_span(host, 0, dst.n_bytes), dst);
}
