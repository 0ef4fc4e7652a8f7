#include "ops/layout.h"

#include "base/arena.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Columns are counted in groups of 32, the last one filled up with zeros. Rows come in blocks of eight, the last one filled up
 * with zeros too, and within a block their words alternate: word w of row r of a plane is
 *
 *     (r / 8 * words of a row + w) * 8 + r % 8
 *
 * so that eight lanes that own eight rows load 32 bytes side by side, and a thread that loads 16 bytes has one word of four rows.
 * A slice of fewer than eight rows has one block of as many: a vector stays as it is. shaders/include/weights.glsl reads what is
 * written here. */
enum { GROUP = 32, BLOCK = 8 };

/* Words that a row takes in a plane: n for every `per` groups, rounded up. */
typedef struct plane_size {
    uint32_t n, per;
} plane_size;

/* Writes one plane of one row. blocks: the row as it stands in the file; out [words of the row], zeroed. */
typedef void pack_fn(const uint8_t *blocks, uint32_t n_cols, int plane, uint32_t *out);

typedef struct layout {
    tensor_type type;
    uint32_t block_values, n_planes;
    plane_size planes[OP_MAX_PLANES];
    pack_fn *pack;
} layout;

/* ---- packing */

static uint16_t load16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* The low nibbles of 16 bytes, or with a shift of 4 the high ones, first byte lowest. Compilers make it a few
 * vector instructions. */
static void pack_nibbles(const uint8_t *bytes, int shift, uint32_t *out) {
    uint16_t pairs[8];
    uint8_t packed[8];
    memcpy(pairs, bytes, sizeof pairs);
    for (int i = 0; i < 8; i++) packed[i] = (uint8_t)((pairs[i] >> shift & 0x0F) | (pairs[i] >> shift >> 4 & 0xF0));
    memcpy(out, packed, sizeof packed);
}

/* Word w of a group has columns 8w … 8w+7, lowest bits first. The file keeps column j and j + 16 in one byte. */
static void pack_group(const uint8_t *bytes, uint32_t *out) {
    pack_nibbles(bytes, 0, out);
    pack_nibbles(bytes, 4, out + 2);
}

static void put_half(uint32_t *out, uint32_t index, uint16_t half) { out[index / 2] |= (uint32_t)half << index % 2 * 16; }

static void pack_floats(const uint8_t *blocks, uint32_t n_cols, int plane, uint32_t *out) {
    (void)plane;
    memcpy(out, blocks, n_cols * sizeof(float));
}

static void pack_halves(const uint8_t *blocks, uint32_t n_cols, int plane, uint32_t *out) {
    (void)plane;
    memcpy(out, blocks, n_cols * sizeof(uint16_t));
}

/* Nibbles; d of each group. */
static void pack_q4_0(const uint8_t *b, uint32_t n_cols, int plane, uint32_t *out) {
    for (uint32_t g = 0; g < n_cols / GROUP; g++, b += 18)
        if (plane == 0)
            pack_group(b + 2, out + 4 * g);
        else
            put_half(out, g, load16(b));
}

/* Nibbles; (d, m) of each group. */
static void pack_q4_1(const uint8_t *b, uint32_t n_cols, int plane, uint32_t *out) {
    for (uint32_t g = 0; g < n_cols / GROUP; g++, b += 20)
        if (plane == 0)
            pack_group(b + 4, out + 4 * g);
        else
            memcpy(out + g, b, 4);
}

/* Bytes; d of each group. */
static void pack_q8_0(const uint8_t *b, uint32_t n_cols, int plane, uint32_t *out) {
    for (uint32_t g = 0; g < n_cols / GROUP; g++, b += 34)
        if (plane == 0)
            memcpy(out + 8 * g, b + 2, 32);
        else
            put_half(out, g, load16(b));
}

/* Nibbles; (d, dmin) of each 256; scale and minimum of each group, a byte each. */
static void pack_q4_k(const uint8_t *b, uint32_t n_cols, int plane, uint32_t *out) {
    for (uint32_t block = 0; block < n_cols / 256; block++, b += 144) {
        if (plane == 1) memcpy(out + block, b, 4);
        for (uint32_t i = 0; i < 8 && plane != 1; i++) {
            uint32_t g = block * 8 + i;
            const uint8_t *q = b + 16 + i / 2 * 32, *s = b + 4;
            if (plane == 0) {
                for (uint32_t w = 0; w < 4; w += 2) pack_nibbles(q + 8 * w, i % 2 * 4, out + 4 * g + w);
                continue;
            }
            // The 6-bit scales are packed in twelve bytes; four bits of the last four groups are apart.
            uint32_t scale = i < 4 ? s[i] & 63 : (s[i + 4] & 15) | (s[i - 4] >> 6) << 4;
            uint32_t minimum = i < 4 ? s[i + 4] & 63 : (s[i + 4] >> 4) | (s[i] >> 6) << 4;
            put_half(out, g, (uint16_t)(scale | minimum << 8));
        }
    }
}

/* Low nibbles; high pairs of bits, word w of two with columns 16w … of the group; scales of 16 columns, a byte each; d of each
 * 256. */
static void pack_q6_k(const uint8_t *b, uint32_t n_cols, int plane, uint32_t *out) {
    for (uint32_t block = 0; block < n_cols / 256; block++, b += 210) {
        if (plane == 2) memcpy(out + block * 4, b + 192, 16);
        if (plane == 3) put_half(out, block, load16(b + 208));
        for (uint32_t i = 0; i < 8 && plane < 2; i++) {
            uint32_t g = block * 8 + i, quarter = i % 4;
            const uint8_t *low = b + i / 4 * 64 + quarter % 2 * 32, *high = b + 128 + i / 4 * 32;
            for (uint32_t w = 0; w < 4 && plane == 0; w += 2) pack_nibbles(low + 8 * w, quarter / 2 * 4, out + 4 * g + w);
            for (uint32_t j = 0; j < 32 && plane == 1; j++)
                out[2 * g + j / 16] |= (uint32_t)(high[j] >> 2 * quarter & 3) << 2 * (j % 16);
        }
    }
}

static const layout layouts[] = {
    {TENSOR_F32, 1, 1, {{32, 1}}, pack_floats},
    {TENSOR_F16, 1, 1, {{16, 1}}, pack_halves},
    {TENSOR_BF16, 1, 1, {{16, 1}}, pack_halves},
    {TENSOR_Q4_0, 32, 2, {{4, 1}, {1, 2}}, pack_q4_0},
    {TENSOR_Q4_1, 32, 2, {{4, 1}, {1, 1}}, pack_q4_1},
    {TENSOR_Q8_0, 32, 2, {{8, 1}, {1, 2}}, pack_q8_0},
    {TENSOR_Q4_K, 256, 3, {{4, 1}, {1, 8}, {1, 2}}, pack_q4_k},
    {TENSOR_Q6_K, 256, 4, {{4, 1}, {2, 1}, {1, 2}, {1, 16}}, pack_q6_k},
};

static const layout *find(tensor_type type) {
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].type == type) return &layouts[i];
    return NULL;
}

bool op_layout_supports(tensor_type type) { return find(type) != NULL; }

/* ---- sizes */

static uint64_t row_words(const layout *l, uint32_t plane, uint32_t n_cols) {
    uint64_t groups = ((uint64_t)n_cols + GROUP - 1) / GROUP;
    return (groups * l->planes[plane].n + l->planes[plane].per - 1) / l->planes[plane].per;
}

static uint64_t align256(uint64_t n) { return (n + 255) / 256 * 256; }

static uint32_t block_rows(uint32_t rows_of_slice) { return rows_of_slice < BLOCK ? rows_of_slice : BLOCK; }

/* Of a plane of a slice. */
static uint64_t plane_bytes(const layout *l, uint32_t plane, uint32_t n_rows, uint32_t n_cols) {
    uint64_t step = block_rows(n_rows), rows = (n_rows + step - 1) / step * step;
    return rows * row_words(l, plane, n_cols) * 4;
}

static uint64_t slice_bytes(const layout *l, uint32_t n_rows, uint32_t n_cols) {
    uint64_t n = 0;
    for (uint32_t p = 0; p < l->n_planes; p++) n += align256(plane_bytes(l, p, n_rows, n_cols));
    return n;
}

/* Rows that one binding can cover, in whole runs of OP_LAYOUT_ROWS where there is more than one slice. */
static uint32_t rows_per_slice(const layout *l, uint32_t n_rows, uint32_t n_cols, uint64_t max_range) {
    if (slice_bytes(l, n_rows, n_cols) <= max_range) return n_rows;
    uint64_t run = slice_bytes(l, OP_LAYOUT_ROWS, n_cols);
    return run > max_range ? 0 : (uint32_t)(max_range / run * OP_LAYOUT_ROWS);
}

uint64_t op_layout_bytes(tensor_type type, uint32_t n_rows, uint32_t n_cols, uint64_t max_range) {
    const layout *l = find(type);
    uint32_t per_slice = l ? rows_per_slice(l, n_rows, n_cols, max_range) : 0;
    uint64_t n = 0;
    for (uint32_t row = 0; per_slice && row < n_rows; row += per_slice)
        n += slice_bytes(l, n_rows - row < per_slice ? n_rows - row : per_slice, n_cols);
    return n;
}

uint64_t op_layout_read_bytes(tensor_type type, uint32_t n_rows, uint32_t n_cols) {
    const layout *l = find(type);
    uint64_t words = 0;
    for (uint32_t p = 0; l && p < l->n_planes; p++) words += row_words(l, p, n_cols);
    return words * 4 * n_rows;
}

/* ---- tensors */

pum_status op_tensor_create(vk_pool *pool, struct arena *a, uint64_t max_range, tensor_type type, uint32_t n_rows,
                            uint32_t n_cols, op_tensor *tensor, pum_error *err) {
    const layout *l = find(type);
    if (!l) return pum_fail(err, PUM_ERR_UNSUPPORTED, "tensor type %d cannot be used on the device", (int)type);
    if (n_rows == 0 || n_cols == 0 || n_cols % l->block_values)
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "expected rows of a multiple of %u values, got [%u, %u]", l->block_values,
                        n_cols, n_rows);
    uint32_t per_slice = rows_per_slice(l, n_rows, n_cols, max_range);
    if (per_slice == 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "%d rows of %u values do not fit in one binding of %" PRIu64 " bytes of this device", OP_LAYOUT_ROWS,
                        n_cols, max_range);
    op_tensor t = {.type = type, .n_rows = n_rows, .n_cols = n_cols, .n_slices = (n_rows + per_slice - 1) / per_slice};
    t.slices = arena_alloc(a, t.n_slices, sizeof *t.slices);
    if (!t.slices) return pum_fail_memory(err, "the slices of a tensor", t.n_slices * sizeof *t.slices);
    for (uint32_t i = 0; i < t.n_slices; i++) {
        op_slice *s = &t.slices[i];
        s->first_row = i * per_slice;
        s->n_rows = n_rows - s->first_row < per_slice ? n_rows - s->first_row : per_slice;
        pum_status status = vk_pool_take(pool, slice_bytes(l, s->n_rows, n_cols), &s->span, err);
        if (status != PUM_OK) return status;
        for (uint32_t p = 0, offset = 0; p < l->n_planes; p++) {
            s->plane_offset[p] = offset;
            offset += (uint32_t)align256(plane_bytes(l, p, s->n_rows, n_cols));
        }
    }
    *tensor = t;
    return PUM_OK;
}

/* A piece of one slice on its way: n_rows rows from row_in_slice on, a multiple of BLOCK. */
typedef struct piece {
    const op_slice *slice;
    uint32_t row_in_slice, n_rows;
    const uint8_t *blocks; ///< of the file
    uint64_t file_row_bytes;
} piece;

/* block: room for eight rows of any plane. What is written may be memory that the host does not cache: in order, and never read.
 */
static pum_status send_plane(const layout *l, const op_tensor *t, uint32_t plane, const piece *p, uint32_t *block,
                             vk_upload *upload, pum_error *err) {
    uint64_t words = row_words(l, plane, t->n_cols);
    uint32_t step = block_rows(p->slice->n_rows), n_blocks = (p->n_rows + step - 1) / step;
    vk_span dst = {p->slice->span.buffer, p->slice->span.offset + p->slice->plane_offset[plane] + p->row_in_slice * words * 4,
                   n_blocks * step * words * 4};
    void *bytes;
    pum_status status = vk_upload_begin(upload, dst, &bytes, err);
    if (status != PUM_OK) return status;
    uint32_t *out = bytes;
    for (uint32_t i = 0; i < n_blocks; i++) {
        memset(block, 0, step * words * 4);
        for (uint32_t r = 0; r < step && i * step + r < p->n_rows; r++)
            l->pack(p->blocks + (i * step + r) * p->file_row_bytes, t->n_cols, (int)plane, block + r * words);
        for (uint64_t w = 0; w < words; w++)
            for (uint32_t r = 0; r < step; r++) *out++ = block[r * words + w];
    }
    vk_upload_end(upload);
    return PUM_OK;
}

static uint64_t most_row_words(const layout *l, uint32_t n_cols) {
    uint64_t most = 0;
    for (uint32_t p = 0; p < l->n_planes; p++)
        if (row_words(l, p, n_cols) > most) most = row_words(l, p, n_cols);
    return most;
}

pum_status op_tensor_upload(const op_tensor *t, vk_upload *upload, uint32_t first_row, uint32_t n_rows, const void *blocks,
                            pum_error *err) {
    const layout *l = find(t->type);
    const tensor_type_info *type = tensor_type_find(t->type);
    piece p = {.blocks = blocks, .file_row_bytes = (uint64_t)t->n_cols / type->block_values * type->block_bytes};
    uint64_t room = most_row_words(l, t->n_cols);
    uint32_t *block = malloc(BLOCK * room * sizeof *block);
    if (!block) return pum_fail_memory(err, "repacking weights", BLOCK * room * sizeof *block);
    pum_status status = PUM_OK;
    for (uint32_t row = first_row; row < first_row + n_rows; row += p.n_rows, p.blocks += p.n_rows * p.file_row_bytes) {
        uint32_t i = 0;
        while (row >= t->slices[i].first_row + t->slices[i].n_rows) i++;
        p.slice = &t->slices[i];
        p.row_in_slice = row - p.slice->first_row;
        p.n_rows = first_row + n_rows - row < OP_LAYOUT_ROWS ? first_row + n_rows - row : OP_LAYOUT_ROWS;
        if (p.n_rows > p.slice->n_rows - p.row_in_slice) p.n_rows = p.slice->n_rows - p.row_in_slice;
        for (uint32_t plane = 0; plane < l->n_planes && status == PUM_OK; plane++)
            status = send_plane(l, t, plane, &p, block, upload, err);
        if (status != PUM_OK) break;
    }
    free(block);
    return status;
}
