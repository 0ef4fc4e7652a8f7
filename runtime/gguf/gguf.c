/* Parsing: from hostile bytes to checked keys and tensors. */
#include "gguf/gguf.h"

#include "base/arena.h"
#include "base/file_map.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME_BYTES = 65535, MAX_TENSOR_NAME_BYTES = 1024, MAX_ALIGNMENT = 1 << 20 };
/* The least bytes that an entry takes in the file: no more entries can be there than the file has room for. */
enum { LEAST_KEY_BYTES = 4 + 4 + 1, LEAST_TENSOR_BYTES = 4 + 4 + 4 + 4 + 8 };

typedef struct index_slot {
    const char *name;
    uint32_t number; ///< 1-based; 0: empty
} index_slot;

/* Open addressing, at most half full. */
typedef struct name_index {
    index_slot *slots;
    uint64_t mask;
} name_index;

struct gguf {
    char *path;
    file_map map;
    bool mapped; ///< by us
    uint32_t version;
    gguf_key *keys;
    gguf_tensor *tensors;
    uint64_t n_keys, n_tensors, alignment;
    name_index key_index, tensor_index;
    arena arena;
};

/* Reads front to back; what does not fit makes it fail once and for all. */
typedef struct reader {
    gguf *g;
    uint64_t at;
    pum_error *err;
    pum_status status;
} reader;

static bool room(reader *r, uint64_t n_bytes, const char *what) {
    if (r->status != PUM_OK) return false;
    uint64_t left = r->g->map.n_bytes - r->at;
    if (n_bytes <= left) return true;
    r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                         "%s: %s at byte %" PRIu64 ": expected %" PRIu64 " more bytes, the file has %" PRIu64
                         "; it is cut short or damaged: download it again",
                         r->g->path, what, r->at, n_bytes, left);
    return false;
}

static uint64_t read_uint(reader *r, int n_bytes, const char *what) {
    if (!room(r, (uint64_t)n_bytes, what)) return 0;
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++) value |= (uint64_t)r->g->map.bytes[r->at + (uint64_t)i] << 8 * i;
    r->at += (uint64_t)n_bytes;
    return value;
}

/* Counts and lengths have 32 bits in version 1. */
static uint64_t read_count(reader *r, const char *what) { return read_uint(r, r->g->version == 1 ? 4 : 8, what); }

static gguf_string read_string(reader *r, const char *what) {
    uint64_t n = read_count(r, what);
    if (!room(r, n, what)) return (gguf_string){"", 0};
    gguf_string s = {(const char *)r->g->map.bytes + r->at, n};
    r->at += n;
    return s;
}

static const char *read_name(reader *r, uint64_t most, const char *what) {
    uint64_t begin = r->at;
    gguf_string s = read_string(r, what);
    if (r->status != PUM_OK) return "";
    if (s.n_bytes == 0 || s.n_bytes > most || memchr(s.bytes, 0, s.n_bytes)) {
        r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                             "%s: %s at byte %" PRIu64 ": expected 1 to %" PRIu64 " bytes without a zero, got %" PRIu64,
                             r->g->path, what, begin, most, s.n_bytes);
        return "";
    }
    const char *copy = arena_copy(&r->g->arena, s.bytes, s.n_bytes);
    if (!copy) r->status = pum_fail_memory(r->err, r->g->path, s.n_bytes);
    return copy ? copy : "";
}

/* ---- names */

static uint64_t hash(const char *name) {
    uint64_t h = 0xCBF29CE484222325u; // FNV-1a
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return h ^ h >> 32;
}

static uint32_t index_find(const name_index *index, const char *name) {
    if (!index->slots) return 0;
    for (uint64_t i = hash(name);; i++) {
        const index_slot *slot = &index->slots[i & index->mask];
        if (!slot->number || strcmp(slot->name, name) == 0) return slot->number;
    }
}

static bool index_make(gguf *g, name_index *index, uint64_t n) {
    uint64_t size = 16;
    while (size < 2 * n) size *= 2;
    index->slots = arena_alloc(&g->arena, size, sizeof *index->slots);
    index->mask = size - 1;
    return index->slots;
}

static bool index_add(reader *r, name_index *index, const char *name, uint32_t number, const char *what) {
    if (r->status != PUM_OK) return false;
    if (index_find(index, name)) {
        r->status =
            pum_fail(r->err, PUM_ERR_FORMAT, "%s: the %s \"%.200s\" is there twice; the file is damaged: download it again",
                     r->g->path, what, name);
        return false;
    }
    uint64_t i = hash(name);
    while (index->slots[i & index->mask].number) i++;
    index->slots[i & index->mask] = (index_slot){name, number};
    return true;
}

/* ---- keys */

static const uint8_t value_bytes[] = {
    [GGUF_U8] = 1,  [GGUF_I8] = 1,   [GGUF_U16] = 2, [GGUF_I16] = 2, [GGUF_U32] = 4, [GGUF_I32] = 4,
    [GGUF_F32] = 4, [GGUF_BOOL] = 1, [GGUF_U64] = 8, [GGUF_I64] = 8, [GGUF_F64] = 8,
};

static gguf_value_type read_type(reader *r, const char *name) {
    uint64_t type = read_uint(r, 4, "a value type");
    if (r->status == PUM_OK && type > GGUF_F64)
        r->status = pum_fail(r->err, PUM_ERR_FORMAT, "%s: %.200s: expected a value type from 0 to %d, got %" PRIu64, r->g->path,
                             name, GGUF_F64, type);
    return r->status == PUM_OK ? (gguf_value_type)type : GGUF_U8;
}

static void skip_strings(reader *r, uint64_t n) {
    for (uint64_t i = 0; i < n && r->status == PUM_OK; i++) read_string(r, "a string");
}

static void read_items(reader *r, gguf_key *key, gguf_value_type type) {
    if (type == GGUF_STRING) {
        // Each string takes at least its length: a larger count cannot be true, and would cost time.
        uint64_t least = r->g->version == 1 ? 4 : 8;
        if (key->n_items <= (r->g->map.n_bytes - r->at) / least)
            skip_strings(r, key->n_items);
        else
            room(r, UINT64_MAX, key->name);
    } else {
        uint64_t n_bytes = key->n_items > UINT64_MAX / 8 ? UINT64_MAX : key->n_items * value_bytes[type];
        if (room(r, n_bytes, key->name)) r->at += n_bytes;
    }
}

static void read_key(reader *r, gguf_key *key) {
    key->name = read_name(r, MAX_NAME_BYTES, "a key's name");
    key->type = key->item_type = read_type(r, key->name);
    key->n_items = 1;
    if (key->type == GGUF_ARRAY) {
        key->item_type = read_type(r, key->name);
        key->n_items = read_count(r, key->name);
        if (r->status == PUM_OK && key->item_type == GGUF_ARRAY)
            r->status = pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                                 "%s: %.200s: expected an array of plain values, got an array of arrays", r->g->path, key->name);
    }
    if (r->status != PUM_OK) return;
    key->value = r->g->map.bytes + r->at;
    read_items(r, key, key->item_type);
}

/* ---- tensors */

static void check_tensor_bytes(reader *r, gguf_tensor *t) {
    uint64_t n = 1;
    for (int i = 0; i < 4; i++) {
        if (t->dims[i] == 0 || n > UINT64_MAX / 64 / t->dims[i]) {
            r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                                 "%s: %s: dimension %d is %" PRIu64 ", which cannot be: the file is damaged: download it again",
                                 r->g->path, t->name, i, t->dims[i]);
            return;
        }
        n *= t->dims[i];
    }
    if (t->dims[0] % t->type->block_values) {
        r->status = pum_fail(r->err, PUM_ERR_FORMAT, "%s: %s: expected rows of a multiple of %u values for %s, got %" PRIu64,
                             r->g->path, t->name, t->type->block_values, t->type->name, t->dims[0]);
        return;
    }
    t->n_bytes = n / t->type->block_values * t->type->block_bytes;
}

static void read_tensor(reader *r, gguf_tensor *t) {
    t->name = read_name(r, MAX_TENSOR_NAME_BYTES, "a tensor's name");
    uint64_t n_dims = read_uint(r, 4, t->name);
    if (r->status == PUM_OK && (n_dims < 1 || n_dims > 4))
        r->status =
            pum_fail(r->err, PUM_ERR_FORMAT, "%s: %s: expected 1 to 4 dimensions, got %" PRIu64, r->g->path, t->name, n_dims);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < 4; i++) t->dims[i] = r->status == PUM_OK && i < t->n_dims ? read_count(r, t->name) : 1;
    uint64_t type = read_uint(r, 4, t->name), offset = read_uint(r, 8, t->name);
    if (r->status != PUM_OK) return;
    t->type = tensor_type_find((uint32_t)type);
    if (!t->type) {
        r->status = pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                             "%s: %s: the tensor type %" PRIu64 " is not known to this version; update Pumice or choose a "
                             "file of another type",
                             r->g->path, t->name, type);
        return;
    }
    if (offset % r->g->alignment) {
        r->status = pum_fail(r->err, PUM_ERR_FORMAT, "%s: %s: expected an offset that is a multiple of %" PRIu64 ", got %" PRIu64,
                             r->g->path, t->name, r->g->alignment, offset);
        return;
    }
    check_tensor_bytes(r, t);
    t->data = (const uint8_t *)(uintptr_t)offset; // placed when the start of the data is known
}

static void place_tensors(reader *r) {
    gguf *g = r->g;
    if (r->status != PUM_OK || g->n_tensors == 0) return;
    uint64_t begin = (r->at + g->alignment - 1) / g->alignment * g->alignment;
    for (uint64_t i = 0; i < g->n_tensors && r->status == PUM_OK; i++) {
        gguf_tensor *t = &g->tensors[i];
        uint64_t offset = (uint64_t)(uintptr_t)t->data;
        uint64_t left = begin <= g->map.n_bytes && offset <= g->map.n_bytes - begin ? g->map.n_bytes - begin - offset : 0;
        if (t->n_bytes > left)
            r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                                 "%s: %s: expected %" PRIu64 " bytes of data at offset %" PRIu64 ", the file has %" PRIu64
                                 " there; it is cut short or damaged: download it again",
                                 g->path, t->name, t->n_bytes, offset, left);
        t->data = g->map.bytes + begin + offset;
    }
}

/* ---- the whole */

static void read_header(reader *r) {
    gguf *g = r->g;
    uint64_t magic = read_uint(r, 4, "the header");
    if (r->status == PUM_OK && magic != 0x46554747) {
        r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                             "%s: expected a GGUF file (beginning with \"GGUF\"), got one beginning with %08" PRIx64
                             "; choose a file that ends in .gguf",
                             g->path, magic);
        return;
    }
    uint64_t version = read_uint(r, 4, "the header");
    if (r->status != PUM_OK) return;
    if (version >= 0x10000 && (version & 0xFFFF) == 0)
        r->status = pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                             "%s: expected a little-endian GGUF file, got a big-endian one; convert it", g->path);
    else if (version < 1 || version > 3)
        r->status = pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                             "%s: expected GGUF version 1, 2 or 3, got %" PRIu64 "; update Pumice, or download the file again",
                             g->path, version);
    g->version = (uint32_t)version;
}

static void check_count(reader *r, const char *what, uint64_t n, uint64_t least_bytes) {
    if (r->status != PUM_OK) return;
    uint64_t most = (r->g->map.n_bytes - r->at) / least_bytes;
    if (n > most || n > INT32_MAX)
        r->status = pum_fail(r->err, PUM_ERR_FORMAT,
                             "%s: the header says %" PRIu64 " %s, the file has room for %" PRIu64
                             " at most; it is cut short or damaged: download it again",
                             r->g->path, n, what, most);
}

static void read_alignment(reader *r) {
    int64_t alignment = 32;
    if (r->status != PUM_OK) return;
    r->status = gguf_get_int(r->g, "general.alignment", 1, MAX_ALIGNMENT, &alignment, r->err);
    if (r->status == PUM_OK && (alignment & (alignment - 1)))
        r->status = pum_fail(r->err, PUM_ERR_FORMAT, "%s: general.alignment: expected a power of two, got %" PRId64, r->g->path,
                             alignment);
    r->g->alignment = (uint64_t)alignment;
}

static void parse(reader *r) {
    gguf *g = r->g;
    read_header(r);
    g->n_tensors = read_count(r, "the header");
    g->n_keys = read_count(r, "the header");
    check_count(r, "tensors", g->n_tensors, LEAST_TENSOR_BYTES);
    check_count(r, "keys", g->n_keys, LEAST_KEY_BYTES);
    if (r->status != PUM_OK) {
        g->n_tensors = g->n_keys = 0;
        return;
    }
    g->keys = arena_alloc(&g->arena, g->n_keys, sizeof *g->keys);
    g->tensors = arena_alloc(&g->arena, g->n_tensors, sizeof *g->tensors);
    if (!g->keys || !g->tensors || !index_make(g, &g->key_index, g->n_keys) || !index_make(g, &g->tensor_index, g->n_tensors)) {
        r->status = pum_fail_memory(r->err, g->path, g->n_keys * sizeof *g->keys + g->n_tensors * sizeof *g->tensors);
        return;
    }
    for (uint64_t i = 0; i < g->n_keys && r->status == PUM_OK; i++) {
        read_key(r, &g->keys[i]);
        index_add(r, &g->key_index, g->keys[i].name, (uint32_t)i + 1, "key");
    }
    read_alignment(r);
    for (uint64_t i = 0; i < g->n_tensors && r->status == PUM_OK; i++) {
        read_tensor(r, &g->tensors[i]);
        index_add(r, &g->tensor_index, g->tensors[i].name, (uint32_t)i + 1, "tensor");
    }
    place_tensors(r);
}

static pum_status open_map(const char *name, file_map map, bool mapped, gguf **file, pum_error *err) {
    gguf *g = calloc(1, sizeof *g);
    if (!g) {
        if (mapped) file_map_close(&map);
        return pum_fail_memory(err, name, sizeof *g);
    }
    g->map = map;
    g->mapped = mapped;
    g->path = arena_copy(&g->arena, name, strlen(name));
    reader r = {.g = g, .err = err};
    if (g->path)
        parse(&r);
    else
        r.status = pum_fail_memory(err, name, strlen(name));
    if (r.status != PUM_OK) {
        gguf_close(&g);
        return r.status;
    }
    *file = g;
    return PUM_OK;
}

pum_status gguf_open(const char *path, gguf **file, pum_error *err) {
    *file = NULL;
    file_map map;
    pum_status status = file_map_open(path, &map, err);
    return status == PUM_OK ? open_map(path, map, true, file, err) : status;
}

pum_status gguf_open_memory(const char *name, const void *bytes, uint64_t n_bytes, gguf **file, pum_error *err) {
    *file = NULL;
    return open_map(name, (file_map){bytes, n_bytes}, false, file, err);
}

void gguf_close(gguf **file) {
    if (!file || !*file) return;
    gguf *g = *file;
    if (g->mapped) file_map_close(&g->map);
    arena_free(&g->arena);
    free(g);
    *file = NULL;
}

/* ---- looking */

const char *gguf_path(const gguf *file) { return file->path; }
uint32_t gguf_version(const gguf *file) { return file->version; }
uint64_t gguf_file_bytes(const gguf *file) { return file->map.n_bytes; }
int gguf_n_keys(const gguf *file) { return (int)file->n_keys; }
const gguf_key *gguf_key_at(const gguf *file, int index) { return &file->keys[index]; }
int gguf_n_tensors(const gguf *file) { return (int)file->n_tensors; }
const gguf_tensor *gguf_tensor_at(const gguf *file, int index) { return &file->tensors[index]; }

const gguf_key *gguf_find_key(const gguf *file, const char *name) {
    uint32_t number = index_find(&file->key_index, name);
    return number ? &file->keys[number - 1] : NULL;
}

const gguf_tensor *gguf_find_tensor(const gguf *file, const char *name) {
    uint32_t number = index_find(&file->tensor_index, name);
    return number ? &file->tensors[number - 1] : NULL;
}

void gguf_will_need(const gguf *file, const gguf_tensor *t) {
    if (file->mapped) file_map_will_need(&file->map, (uint64_t)(t->data - file->map.bytes), t->n_bytes);
}

void gguf_done_with(const gguf *file, const gguf_tensor *t) {
    if (file->mapped) file_map_done_with(&file->map, (uint64_t)(t->data - file->map.bytes), t->n_bytes);
}

gguf_string gguf_next_string(const gguf *file, const uint8_t **cursor) {
    int n_bytes = file->version == 1 ? 4 : 8;
    uint64_t n = 0;
    for (int i = 0; i < n_bytes; i++) n |= (uint64_t)(*cursor)[i] << 8 * i;
    gguf_string s = {(const char *)*cursor + n_bytes, n};
    *cursor += (uint64_t)n_bytes + n;
    return s;
}
