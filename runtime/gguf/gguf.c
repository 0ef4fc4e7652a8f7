/* Opening a GGUF file. The header is walked once, front to back, by a reader that knows where the bytes end; keys and tensors are
 * remembered as they are met, so that memory follows what the file holds and not what it claims. */
#include "gguf/gguf.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file_source.h"
#include "base/utf8.h"
#include "gguf/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_NAME_BYTES = 65535,  ///< the format's own limit
    TENSOR_NAME_BYTES = 255, ///< the format says 64; some writers take more
    MAX_ALIGNMENT = 1 << 20,
    NAME_SHOWN = 100,             ///< of a name in a message
    FIRST_HEADER_BYTES = 1 << 20, ///< what is read of a file before anything is known of it
    MAX_HEADER_BYTES = 256 << 20, ///< keys and descriptions of tensors, some thirty times what the largest vocabularies take
};

/// Where a name stands among keys or tensors: open addressing, slots hold an index + 1.
typedef struct name_table {
    uint32_t *slots;
    uint64_t mask;
} name_table;

struct gguf {
    arena arena; ///< path and names
    char *path;
    file_source source;    ///< closed where the file is in memory
    uint64_t n_bytes;      ///< of the file
    const uint8_t *header; ///< its first bytes: all that is not data of tensors, all of it where it is in memory
    uint64_t n_header;
    uint32_t version;
    gguf_key *keys;
    gguf_tensor *tensors;
    int n_keys, n_tensors;
    name_table key_table, tensor_table;
    uint64_t hash_seed;
    uint64_t alignment;
};

/* ------------------------------------------------------------------ the reader */

typedef struct reader {
    gguf *file;
    uint64_t offset;
    char where[160]; ///< what is being read, for messages
    pum_error *err;
} reader;

static pum_status damaged(reader *r, const char *expected, const char *got) {
    return pum_fail(r->err, PUM_ERR_FORMAT, "%s: %s: expected %s, got %s; the file is damaged: download or convert it again",
                    r->file->path, r->where, expected, got);
}

static uint64_t bytes_left(const reader *r) { return r->file->n_bytes - r->offset; }

/* Any bytes of the file. */
static pum_status read_bytes(const gguf *f, uint64_t offset, void *bytes, uint64_t n_bytes, pum_error *err) {
    if (!f->source.n_bytes) {
        memcpy(bytes, f->header + offset, (size_t)n_bytes);
        return PUM_OK;
    }
    uint64_t n_read;
    pum_status status = file_source_read(&f->source, offset, bytes, n_bytes, &n_read, err);
    if (status != PUM_OK || n_read == n_bytes) return status;
    return pum_fail(err, PUM_ERR_IO,
                    "%s: expected %" PRIu64 " bytes, as there were when it was opened, but the file ends after %" PRIu64
                    "; it was cut short meanwhile: get it again",
                    f->path, f->n_bytes, offset + n_read);
}

/* Reads on, until the first `end` bytes of the file are there, as far as it has so many. What was read moves, and with it what
 * keys point to. */
static pum_status need_header(reader *r, uint64_t end) {
    gguf *f = r->file;
    if (end > f->n_bytes) end = f->n_bytes;
    if (end <= f->n_header) return PUM_OK;
    if (end > MAX_HEADER_BYTES) return damaged(r, "keys and descriptions of tensors of at most 256 MiB", "more");
    uint64_t n = f->n_header ? f->n_header : FIRST_HEADER_BYTES;
    while (n < end) n *= 2;
    if (n > f->n_bytes) n = f->n_bytes;
    uint8_t *grown = malloc((size_t)n);
    if (!grown) return pum_fail_memory(r->err, f->path, n);
    if (f->n_header) memcpy(grown, f->header, (size_t)f->n_header);
    pum_status status = read_bytes(f, f->n_header, grown + f->n_header, n - f->n_header, r->err);
    if (status != PUM_OK) {
        free(grown);
        return status;
    }
    for (int i = 0; i < f->n_keys; i++) f->keys[i].value = grown + (f->keys[i].value - f->header);
    free((void *)(uintptr_t)f->header);
    f->header = grown;
    f->n_header = n;
    return PUM_OK;
}

/// The next n_bytes bytes of the file; they stay where they are until the next are taken.
static pum_status take(reader *r, uint64_t n_bytes, const uint8_t **bytes) {
    if (n_bytes > bytes_left(r))
        return pum_fail(r->err, PUM_ERR_FORMAT,
                        "%s: %s: expected %" PRIu64 " bytes at offset %" PRIu64 ", but the file ends after %" PRIu64
                        " bytes; truncated download? Get it again",
                        r->file->path, r->where, n_bytes, r->offset, r->file->n_bytes);
    pum_status status = need_header(r, r->offset + n_bytes);
    if (status != PUM_OK) return status;
    *bytes = r->file->header + r->offset;
    r->offset += n_bytes;
    return PUM_OK;
}

static pum_status take_number(reader *r, int n_bytes, uint64_t *value) {
    const uint8_t *bytes;
    pum_status status = take(r, (uint64_t)n_bytes, &bytes);
    if (status == PUM_OK) *value = gguf_load(bytes, n_bytes);
    return status;
}

static pum_status take_u32(reader *r, uint32_t *value) {
    uint64_t wide = 0;
    pum_status status = take_number(r, 4, &wide);
    *value = (uint32_t)wide;
    return status;
}

/// A count, length or dimension, as wide as the version has them.
static pum_status take_count(reader *r, uint64_t *value) { return take_number(r, gguf_count_bytes(r->file->version), value); }

static pum_status take_string(reader *r, gguf_string *s) {
    pum_status status = take_count(r, &s->n_bytes);
    return status == PUM_OK ? take(r, s->n_bytes, (const uint8_t **)&s->bytes) : status;
}

/// Names go into messages, terminals and tables: whole UTF-8 characters, none of them a control character.
static bool name_is_clean(gguf_string s) {
    for (uint64_t at = 0; at < s.n_bytes;) {
        uint32_t code = 0;
        int n = utf8_decode(s.bytes + at, (size_t)(s.n_bytes - at), &code);
        if (n <= 0 || code < 0x20 || (code >= 0x7F && code < 0xA0)) return false;
        at += (uint64_t)n;
    }
    return true;
}

/// A name of 1 to max_bytes bytes; `what` is "key 3" or the like.
static pum_status take_name(reader *r, const char *what, int index, uint64_t max_bytes, const char **name) {
    snprintf(r->where, sizeof r->where, "name of %s %d", what, index);
    gguf_string s = {0};
    pum_status status = take_string(r, &s);
    if (status != PUM_OK) return status;
    if (s.n_bytes == 0 || s.n_bytes > max_bytes) {
        char expected[64], got[64];
        snprintf(expected, sizeof expected, "a length of 1 to %" PRIu64 " bytes", max_bytes);
        snprintf(got, sizeof got, "%" PRIu64, s.n_bytes);
        return damaged(r, expected, got);
    }
    if (!name_is_clean(s)) return damaged(r, "UTF-8 text without control characters", "other bytes");
    *name = arena_copy(&r->file->arena, s.bytes, (size_t)s.n_bytes);
    if (!*name) return pum_fail_memory(r->err, r->where, s.n_bytes);
    snprintf(r->where, sizeof r->where, "%s '%.*s'", what, NAME_SHOWN, *name);
    return PUM_OK;
}

/// Room for one more entry of `size` bytes behind n of them, doubling.
static pum_status grow(reader *r, void **entries, int n, size_t size) {
    if (n & (n - 1)) return PUM_OK; // grows at 0, 1, 2, 4, 8, …
    size_t capacity = n ? 2 * (size_t)n : 1;
    void *grown = capacity > SIZE_MAX / size ? NULL : realloc(*entries, capacity * size);
    if (!grown) return pum_fail_memory(r->err, r->where, (uint64_t)capacity * size);
    *entries = grown;
    return PUM_OK;
}

/* ------------------------------------------------------------------ header */

/// Says what a file without GGUF's magic seems to be: people meet web pages and pointers in place of downloads.
static const char *guess(const uint8_t *b, uint64_t n) {
    static const struct {
        const char *start, *meaning;
    } known[] = {
        {"lmgg", "a GGML file, a format older than GGUF; get the model in GGUF"},
        {"tjgg", "a GGJT file, a format older than GGUF; get the model in GGUF"},
        {"fmgg", "a GGMF file, a format older than GGUF; get the model in GGUF"},
        {"version https://git-lfs", "a Git LFS pointer, not the file itself; download it with git lfs or from its web page"},
        {"<!DOCTYPE", "a web page, not the file itself; download it again"},
        {"<!doctype", "a web page, not the file itself; download it again"},
        {"<html", "a web page, not the file itself; download it again"},
        {"PK\x03\x04", "a ZIP or PyTorch file; get or convert the model to GGUF"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        size_t length = strlen(known[i].start);
        if (n >= length && memcmp(b, known[i].start, length) == 0) return known[i].meaning;
    }
    return NULL;
}

static pum_status check_magic(reader *r) {
    pum_status status = need_header(r, 1);
    if (status != PUM_OK) return status;
    const uint8_t *b = r->file->header;
    uint64_t n_bytes = r->file->n_header;
    if (n_bytes >= 4 && memcmp(b, "GGUF", 4) == 0) {
        r->offset = 4;
        return PUM_OK;
    }
    const char *meaning = guess(b, n_bytes);
    if (meaning) return pum_fail(r->err, PUM_ERR_FORMAT, "%s: expected a GGUF file, got %s", r->file->path, meaning);
    if (n_bytes < 4)
        return pum_fail(r->err, PUM_ERR_FORMAT,
                        "%s: expected a GGUF file, got %" PRIu64 " bytes; truncated download? Get it again", r->file->path,
                        n_bytes);
    return pum_fail(r->err, PUM_ERR_FORMAT,
                    "%s: expected a GGUF file, which begins with the bytes 47 47 55 46, got %02x %02x %02x %02x; "
                    "choose a .gguf file",
                    r->file->path, b[0], b[1], b[2], b[3]);
}

static pum_status read_version(reader *r) {
    snprintf(r->where, sizeof r->where, "version");
    pum_status status = take_u32(r, &r->file->version);
    if (status != PUM_OK) return status;
    uint32_t version = r->file->version;
    if (version >= 1 && version <= 3) return PUM_OK;
    // A big-endian file's small version number has its only bits at the other end.
    if (version != 0 && (version & 0xFFFF) == 0)
        return pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                        "%s: expected a little-endian GGUF file, got a big-endian one; convert it or get the little-endian file",
                        r->file->path);
    if (version == 0) return damaged(r, "1, 2 or 3", "0");
    return pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                    "%s: expected GGUF version 1, 2 or 3, got %" PRIu32 "; a newer version of this program may read it",
                    r->file->path, version);
}

/// A count of things that take at least min_bytes each must fit what is left of the file.
static pum_status check_count(reader *r, uint64_t count, uint64_t min_bytes) {
    uint64_t most = bytes_left(r) / min_bytes;
    if (most > INT32_MAX) most = INT32_MAX;
    if (count <= most) return PUM_OK;
    char expected[96], got[32];
    snprintf(expected, sizeof expected, "at most %" PRIu64 ", which is what %" PRIu64 " bytes can hold", most, bytes_left(r));
    snprintf(got, sizeof got, "%" PRIu64, count);
    return damaged(r, expected, got);
}

/* ------------------------------------------------------------------ keys */

static pum_status take_value_type(reader *r, gguf_value_type *type) {
    uint32_t number = 0;
    pum_status status = take_u32(r, &number);
    if (status != PUM_OK) return status;
    if (number >= GGUF_N_VALUE_TYPES) {
        char got[32];
        snprintf(got, sizeof got, "%" PRIu32, number);
        return damaged(r, "a value type from 0 to 12", got);
    }
    *type = (gguf_value_type)number;
    return PUM_OK;
}

static pum_status skip_strings(reader *r, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        gguf_string s;
        pum_status status = take_string(r, &s);
        if (status != PUM_OK) return status;
    }
    return PUM_OK;
}

static pum_status read_array(reader *r, gguf_key *key) {
    pum_status status = take_value_type(r, &key->item_type);
    if (status != PUM_OK) return status;
    if (key->item_type == GGUF_ARRAY)
        return pum_fail(r->err, PUM_ERR_UNSUPPORTED, "%s: %s: expected an array of numbers or strings, got an array of arrays",
                        r->file->path, r->where);
    status = take_count(r, &key->n_items);
    if (status != PUM_OK) return status;
    int item_bytes = gguf_value_bytes(key->item_type);
    status = check_count(r, key->n_items, (uint64_t)(item_bytes ? item_bytes : gguf_count_bytes(r->file->version)));
    if (status != PUM_OK) return status;
    uint64_t start = r->offset;
    const uint8_t *items;
    status = item_bytes ? take(r, key->n_items * (uint64_t)item_bytes, &items) : skip_strings(r, key->n_items);
    key->value = r->file->header + start;
    return status;
}

static pum_status read_key(reader *r, int index) {
    gguf_key key = {.n_items = 1};
    pum_status status = take_name(r, "key", index, KEY_NAME_BYTES, &key.name);
    if (status == PUM_OK) status = take_value_type(r, &key.type);
    if (status != PUM_OK) return status;
    key.item_type = key.type;
    if (key.type == GGUF_ARRAY) {
        status = read_array(r, &key);
    } else if (key.type == GGUF_STRING) {
        gguf_string s;
        uint64_t start = r->offset;
        status = take_string(r, &s);
        key.value = r->file->header + start;
    } else {
        status = take(r, (uint64_t)gguf_value_bytes(key.type), &key.value);
    }
    if (status == PUM_OK) status = grow(r, (void **)&r->file->keys, r->file->n_keys, sizeof key);
    if (status == PUM_OK) r->file->keys[r->file->n_keys++] = key;
    return status;
}

static pum_status read_alignment(reader *r) {
    gguf *f = r->file;
    int64_t alignment = GGUF_DEFAULT_ALIGNMENT;
    pum_status status = gguf_get_int(f, "general.alignment", 8, MAX_ALIGNMENT, &alignment, r->err);
    if (status != PUM_OK) return status;
    if (alignment & (alignment - 1))
        return pum_fail(r->err, PUM_ERR_FORMAT, "%s: key 'general.alignment': expected a power of two, got %" PRId64, f->path,
                        alignment);
    f->alignment = (uint64_t)alignment;
    return PUM_OK;
}

/* ------------------------------------------------------------------ tensors */

/// Dimensions, with a product that 63 bits hold.
static pum_status read_dims(reader *r, gguf_tensor *t, uint64_t *n_values) {
    uint32_t n_dims = 0;
    pum_status status = take_u32(r, &n_dims);
    if (status != PUM_OK) return status;
    char got[64];
    if (n_dims < 1 || n_dims > 4) {
        snprintf(got, sizeof got, "%" PRIu32, n_dims);
        return damaged(r, "1 to 4 dimensions", got);
    }
    t->n_dims = (int)n_dims;
    *n_values = 1;
    for (int i = 0; i < 4; i++) {
        t->dims[i] = 1;
        if (i < t->n_dims) status = take_count(r, &t->dims[i]);
        if (status != PUM_OK) return status;
        if (t->dims[i] == 0 || t->dims[i] > INT64_MAX / *n_values) {
            snprintf(got, sizeof got, "%" PRIu64 " as dimension %d", t->dims[i], i);
            return damaged(r, "dimensions of at least 1 whose product fits 63 bits", got);
        }
        *n_values *= t->dims[i];
    }
    return PUM_OK;
}

static pum_status read_tensor_type(reader *r, gguf_tensor *t, uint64_t n_values) {
    uint32_t number = 0;
    pum_status status = take_u32(r, &number);
    if (status != PUM_OK) return status;
    const tensor_type_info *type = t->type = tensor_type_find(number);
    if (!type)
        return pum_fail(r->err, PUM_ERR_UNSUPPORTED,
                        "%s: %s: expected a known tensor type, got number %" PRIu32
                        "; the file is damaged, or a newer version of this program may read it",
                        r->file->path, r->where, number);
    char expected[64], got[64];
    if (t->dims[0] % type->block_values) {
        snprintf(expected, sizeof expected, "rows that are a multiple of %" PRIu32 " (%s)", type->block_values, type->name);
        snprintf(got, sizeof got, "%" PRIu64, t->dims[0]);
        return damaged(r, expected, got);
    }
    uint64_t n_blocks = n_values / type->block_values;
    if (n_blocks > INT64_MAX / type->block_bytes) {
        snprintf(got, sizeof got, "%" PRIu64 " values", n_values);
        return damaged(r, "a size that fits 63 bits", got);
    }
    t->n_bytes = n_blocks * type->block_bytes;
    return PUM_OK;
}

/// Reads one description. The data's place counts from the data's beginning until all are read: it is behind the last one.
static pum_status read_tensor(reader *r, int index) {
    gguf_tensor t = {0};
    uint64_t n_values = 0;
    pum_status status = take_name(r, "tensor", index, TENSOR_NAME_BYTES, &t.name);
    if (status == PUM_OK) status = read_dims(r, &t, &n_values);
    if (status == PUM_OK) status = read_tensor_type(r, &t, n_values);
    if (status == PUM_OK) status = take_number(r, 8, &t.offset);
    if (status != PUM_OK) return status;
    if (t.offset % r->file->alignment) {
        char expected[64], got[32];
        snprintf(expected, sizeof expected, "data at a multiple of %" PRIu64, r->file->alignment);
        snprintf(got, sizeof got, "offset %" PRIu64, t.offset);
        return damaged(r, expected, got);
    }
    status = grow(r, (void **)&r->file->tensors, r->file->n_tensors, sizeof t);
    if (status == PUM_OK) r->file->tensors[r->file->n_tensors++] = t;
    return status;
}

/// Turns offsets in the data into offsets in the file, each range inside it.
static pum_status place_tensors(reader *r) {
    gguf *f = r->file;
    if (f->n_tensors == 0) return PUM_OK;
    uint64_t size = f->n_bytes, padding = (f->alignment - r->offset % f->alignment) % f->alignment;
    for (int i = 0; i < f->n_tensors; i++) {
        gguf_tensor *t = &f->tensors[i];
        // No sum here can wrap: the header's end and padding are small, and each comparison is against what is left.
        uint64_t start = r->offset + padding, room = size > start ? size - start : 0;
        if (t->offset > room || t->n_bytes > room - t->offset)
            return pum_fail(r->err, PUM_ERR_FORMAT,
                            "%s: tensor '%.*s': expected %" PRIu64 " bytes at offset %" PRIu64
                            " of the data, which begins at %" PRIu64 ", but the file has %" PRIu64
                            " bytes; truncated download? Get it again",
                            f->path, NAME_SHOWN, t->name, t->n_bytes, t->offset, start, size);
        t->offset += start;
    }
    return PUM_OK;
}

static int by_offset(const void *a, const void *b) {
    const gguf_tensor *x = *(const gguf_tensor *const *)a, *y = *(const gguf_tensor *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/// Two tensors never share bytes: where they do, an offset or a size is wrong, and the model would speak gibberish.
static pum_status check_overlaps(reader *r) {
    gguf *f = r->file;
    if (f->n_tensors < 2) return PUM_OK;
    const gguf_tensor **order = calloc((size_t)f->n_tensors, sizeof *order);
    if (!order) return pum_fail_memory(r->err, f->path, (uint64_t)f->n_tensors * sizeof *order);
    for (int i = 0; i < f->n_tensors; i++) order[i] = &f->tensors[i];
    qsort(order, (size_t)f->n_tensors, sizeof *order, by_offset);
    pum_status status = PUM_OK;
    for (int i = 1; i < f->n_tensors && status == PUM_OK; i++) {
        const gguf_tensor *a = order[i - 1], *b = order[i];
        if (b->offset - a->offset >= a->n_bytes) continue;
        status = pum_fail(r->err, PUM_ERR_FORMAT,
                          "%s: tensor '%.*s': expected data of its own, got bytes that '%.*s' (%" PRIu64
                          " bytes) also holds; the file is damaged: download or convert it again",
                          f->path, NAME_SHOWN, b->name, NAME_SHOWN, a->name, a->n_bytes);
    }
    free(order);
    return status;
}

/* ------------------------------------------------------------------ finding by name */

/// FNV-1a from a start that differs from run to run, so that no file can be made whose names all meet in one slot.
static uint64_t hash(uint64_t seed, const char *name) {
    uint64_t h = seed;
    for (; *name; name++) h = (h ^ (uint8_t)*name) * 0x100000001B3u;
    return h ^ h >> 32;
}

/// The slot of a name, or the free slot where it would go. Entries begin with their name.
static uint32_t *slot_of(const gguf *f, const name_table *table, const void *entries, size_t size, const char *name) {
    for (uint64_t at = hash(f->hash_seed, name);; at++) {
        uint32_t *slot = &table->slots[at & table->mask];
        if (*slot == 0) return slot;
        const char *const *other = (const void *)((const char *)entries + (*slot - 1) * size);
        if (strcmp(*other, name) == 0) return slot;
    }
}

static pum_status index_names(reader *r, name_table *table, const void *entries, int n, size_t size, const char *what) {
    uint64_t n_slots = 4;
    while (n_slots < 2 * (uint64_t)n) n_slots *= 2;
    table->slots = n_slots > SIZE_MAX / sizeof *table->slots ? NULL : calloc((size_t)n_slots, sizeof *table->slots);
    if (!table->slots) return pum_fail_memory(r->err, r->file->path, n_slots * sizeof *table->slots);
    table->mask = n_slots - 1;
    for (int i = 0; i < n; i++) {
        const char *name = *(const char *const *)(const void *)((const char *)entries + (size_t)i * size);
        uint32_t *slot = slot_of(r->file, table, entries, size, name);
        if (*slot)
            return pum_fail(r->err, PUM_ERR_FORMAT,
                            "%s: %s '%.*s': expected it once, got it as number %" PRIu32
                            " and %d; the file is damaged: download or convert it again",
                            r->file->path, what, NAME_SHOWN, name, *slot - 1, i);
        *slot = (uint32_t)i + 1;
    }
    return PUM_OK;
}

const gguf_key *gguf_find_key(const gguf *file, const char *name) {
    if (!file->key_table.slots) return NULL;
    uint32_t slot = *slot_of(file, &file->key_table, file->keys, sizeof *file->keys, name);
    return slot ? &file->keys[slot - 1] : NULL;
}

const gguf_tensor *gguf_find_tensor(const gguf *file, const char *name) {
    if (!file->tensor_table.slots) return NULL;
    uint32_t slot = *slot_of(file, &file->tensor_table, file->tensors, sizeof *file->tensors, name);
    return slot ? &file->tensors[slot - 1] : NULL;
}

/* ------------------------------------------------------------------ opening */

static pum_status read_counts(reader *r, uint64_t *n_tensors, uint64_t *n_keys) {
    uint64_t count = (uint64_t)gguf_count_bytes(r->file->version);
    snprintf(r->where, sizeof r->where, "number of tensors");
    pum_status status = take_count(r, n_tensors);
    // The shortest tensor: name of one byte, number of dimensions, one dimension, type, offset. The shortest key: name, type, one
    // byte.
    if (status == PUM_OK) status = check_count(r, *n_tensors, count + 1 + 4 + count + 4 + 8);
    if (status != PUM_OK) return status;
    snprintf(r->where, sizeof r->where, "number of keys");
    status = take_count(r, n_keys);
    return status == PUM_OK ? check_count(r, *n_keys, count + 1 + 4 + 1) : status;
}

static pum_status read_keys(reader *r, uint64_t n_keys) {
    pum_status status = PUM_OK;
    for (uint64_t i = 0; i < n_keys && status == PUM_OK; i++) status = read_key(r, (int)i);
    if (status != PUM_OK) return status;
    status = index_names(r, &r->file->key_table, r->file->keys, r->file->n_keys, sizeof *r->file->keys, "key");
    return status == PUM_OK ? read_alignment(r) : status;
}

static pum_status read_tensors(reader *r, uint64_t n_tensors) {
    pum_status status = PUM_OK;
    for (uint64_t i = 0; i < n_tensors && status == PUM_OK; i++) status = read_tensor(r, (int)i);
    gguf *f = r->file;
    if (status == PUM_OK) status = index_names(r, &f->tensor_table, f->tensors, f->n_tensors, sizeof *f->tensors, "tensor");
    if (status == PUM_OK) status = place_tensors(r);
    if (status == PUM_OK) status = check_overlaps(r);
    return status;
}

static pum_status parse(gguf *file, pum_error *err) {
    reader r = {.file = file, .err = err};
    uint64_t n_tensors = 0, n_keys = 0;
    pum_status status = check_magic(&r);
    if (status == PUM_OK) status = read_version(&r);
    if (status == PUM_OK) status = read_counts(&r, &n_tensors, &n_keys);
    if (status == PUM_OK) status = read_keys(&r, n_keys);
    if (status == PUM_OK) status = read_tensors(&r, n_tensors);
    return status;
}

static pum_status create(const char *path, gguf **file, pum_error *err) {
    gguf *f = calloc(1, sizeof *f);
    if (!f) return pum_fail_memory(err, path, sizeof *f);
    f->path = arena_copy(&f->arena, path, strlen(path));
    if (!f->path) {
        free(f);
        return pum_fail_memory(err, path, strlen(path));
    }
    f->hash_seed = 0xCBF29CE484222325u ^ (clock_now_ns() * 0x9E3779B97F4A7C15u) ^ (uint64_t)(uintptr_t)f;
    *file = f;
    return PUM_OK;
}

pum_status gguf_open(const char *path, gguf **file, pum_error *err) {
    *file = NULL;
    gguf *f = NULL;
    pum_status status = create(path, &f, err);
    if (status != PUM_OK) return status;
    status = file_source_open(f->path, &f->source, err);
    f->n_bytes = f->source.n_bytes;
    if (status == PUM_OK) status = parse(f, err);
    if (status == PUM_OK)
        *file = f;
    else
        gguf_close(&f);
    return status;
}

pum_status gguf_open_memory(const char *name, const void *bytes, uint64_t n_bytes, gguf **file, pum_error *err) {
    *file = NULL;
    gguf *f = NULL;
    pum_status status = create(name, &f, err);
    if (status != PUM_OK) return status;
    f->header = bytes;
    f->n_bytes = f->n_header = n_bytes;
    status = parse(f, err);
    if (status == PUM_OK)
        *file = f;
    else
        gguf_close(&f);
    return status;
}

void gguf_close(gguf **file) {
    if (!file || !*file) return;
    gguf *f = *file;
    if (f->source.n_bytes) free((void *)(uintptr_t)f->header);
    file_source_close(&f->source);
    free(f->keys);
    free(f->tensors);
    free(f->key_table.slots);
    free(f->tensor_table.slots);
    arena_free(&f->arena);
    free(f);
    *file = NULL;
}

/* ------------------------------------------------------------------ looking */

const char *gguf_path(const gguf *file) { return file->path; }
uint32_t gguf_version(const gguf *file) { return file->version; }
uint64_t gguf_file_bytes(const gguf *file) { return file->n_bytes; }
int gguf_n_keys(const gguf *file) { return file->n_keys; }
const gguf_key *gguf_key_at(const gguf *file, int index) { return &file->keys[index]; }
int gguf_n_tensors(const gguf *file) { return file->n_tensors; }
const gguf_tensor *gguf_tensor_at(const gguf *file, int index) { return &file->tensors[index]; }

pum_status gguf_read(const gguf *file, const gguf_tensor *tensor, uint64_t offset, uint64_t n_bytes, void *bytes,
                     pum_error *err) {
    if (offset > tensor->n_bytes || n_bytes > tensor->n_bytes - offset)
        return pum_fail(err, PUM_ERR_ARGUMENT,
                        "%s: tensor '%.*s': expected a range within its %" PRIu64 " bytes, got %" PRIu64 " at offset %" PRIu64,
                        file->path, NAME_SHOWN, tensor->name, tensor->n_bytes, n_bytes, offset);
    return read_bytes(file, tensor->offset + offset, bytes, n_bytes, err);
}

void gguf_will_need(const gguf *file, const gguf_tensor *tensor, uint64_t offset, uint64_t n_bytes) {
    if (file->source.n_bytes) file_source_will_need(&file->source, tensor->offset + offset, n_bytes);
}
