/* The writer keeps keys and tensor descriptions as the bytes they will be, and tensor data as pointers. */
#include "gguf/write.h"

#include "base/files.h"
#include "gguf/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    uint8_t *at;
    size_t n, capacity;
} bytes;

typedef struct tensor_data {
    const void *data;
    uint64_t n_bytes;
} tensor_data;

struct gguf_writer {
    bytes keys, infos, data; ///< data holds tensor_data entries
    uint64_t n_keys, n_tensors;
    uint64_t data_bytes; ///< of the tensors so far, each padded
    pum_error failure;   ///< the first one; status PUM_OK: none
};

/* ------------------------------------------------------------------ bytes that grow */

static void put(gguf_writer *w, bytes *b, const void *from, size_t n) {
    if (w->failure.status != PUM_OK || n == 0) return;
    if (n > b->capacity - b->n) {
        size_t capacity = b->capacity ? b->capacity : 256;
        while (capacity - b->n < n && capacity <= SIZE_MAX / 4) capacity *= 2;
        uint8_t *grown = capacity - b->n < n ? NULL : realloc(b->at, capacity);
        if (!grown) {
            pum_fail_memory(&w->failure, "GGUF header", capacity);
            return;
        }
        b->at = grown;
        b->capacity = capacity;
    }
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

static void put_number(gguf_writer *w, bytes *b, int n_bytes, uint64_t value) {
    uint8_t stored[8];
    gguf_store(stored, n_bytes, value);
    put(w, b, stored, (size_t)n_bytes);
}

static void put_text(gguf_writer *w, bytes *b, const char *text, uint64_t n_bytes) {
    put_number(w, b, 8, n_bytes);
    put(w, b, text, (size_t)n_bytes);
}

/* ------------------------------------------------------------------ keys */

gguf_writer *gguf_writer_create(void) { return calloc(1, sizeof(gguf_writer)); }

void gguf_writer_destroy(gguf_writer **writer) {
    if (!writer || !*writer) return;
    free((*writer)->keys.at);
    free((*writer)->infos.at);
    free((*writer)->data.at);
    free(*writer);
    *writer = NULL;
}

static void begin_key(gguf_writer *w, const char *key, gguf_value_type type) {
    put_text(w, &w->keys, key, strlen(key));
    put_number(w, &w->keys, 4, (uint64_t)type);
    w->n_keys++;
}

static void begin_array(gguf_writer *w, const char *key, gguf_value_type item_type, uint64_t n_items) {
    begin_key(w, key, GGUF_ARRAY);
    put_number(w, &w->keys, 4, (uint64_t)item_type);
    put_number(w, &w->keys, 8, n_items);
}

static void add_number(gguf_writer *w, const char *key, gguf_value_type type, uint64_t bits) {
    if (!w) return;
    begin_key(w, key, type);
    put_number(w, &w->keys, gguf_value_bytes(type), bits);
}

static uint32_t float_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void gguf_writer_add_u32(gguf_writer *w, const char *key, uint32_t value) { add_number(w, key, GGUF_U32, value); }
void gguf_writer_add_i32(gguf_writer *w, const char *key, int32_t value) { add_number(w, key, GGUF_I32, (uint32_t)value); }
void gguf_writer_add_u64(gguf_writer *w, const char *key, uint64_t value) { add_number(w, key, GGUF_U64, value); }
void gguf_writer_add_f32(gguf_writer *w, const char *key, float value) { add_number(w, key, GGUF_F32, float_bits(value)); }
void gguf_writer_add_bool(gguf_writer *w, const char *key, bool value) { add_number(w, key, GGUF_BOOL, value); }

void gguf_writer_add_string(gguf_writer *w, const char *key, const char *text) {
    if (!w) return;
    begin_key(w, key, GGUF_STRING);
    put_text(w, &w->keys, text, strlen(text));
}

void gguf_writer_add_strings(gguf_writer *w, const char *key, const gguf_string *items, uint64_t n_items) {
    if (!w) return;
    begin_array(w, key, GGUF_STRING, n_items);
    for (uint64_t i = 0; i < n_items; i++) put_text(w, &w->keys, items[i].bytes, items[i].n_bytes);
}

void gguf_writer_add_floats(gguf_writer *w, const char *key, const float *items, uint64_t n_items) {
    if (!w) return;
    begin_array(w, key, GGUF_F32, n_items);
    for (uint64_t i = 0; i < n_items; i++) put_number(w, &w->keys, 4, float_bits(items[i]));
}

void gguf_writer_add_ints(gguf_writer *w, const char *key, const int32_t *items, uint64_t n_items) {
    if (!w) return;
    begin_array(w, key, GGUF_I32, n_items);
    for (uint64_t i = 0; i < n_items; i++) put_number(w, &w->keys, 4, (uint32_t)items[i]);
}

/* ------------------------------------------------------------------ tensors */

static uint64_t padded(uint64_t n_bytes) {
    return (n_bytes + GGUF_DEFAULT_ALIGNMENT - 1) / GGUF_DEFAULT_ALIGNMENT * GGUF_DEFAULT_ALIGNMENT;
}

/// The bytes of a tensor, or 0 when it can have no such shape.
static uint64_t tensor_bytes(const tensor_type_info *type, int n_dims, const uint64_t *dims) {
    if (!type || n_dims < 1 || n_dims > 4 || dims[0] % type->block_values) return 0;
    uint64_t n_values = 1;
    for (int i = 0; i < n_dims; i++) {
        if (dims[i] == 0 || dims[i] > (uint64_t)INT64_MAX / 1024 / n_values) return 0;
        n_values *= dims[i];
    }
    return n_values / type->block_values * type->block_bytes;
}

void gguf_writer_add_tensor(gguf_writer *w, const char *name, tensor_type type, int n_dims, const uint64_t *dims,
                            const void *data) {
    if (!w || w->failure.status != PUM_OK) return;
    uint64_t n_bytes = tensor_bytes(tensor_type_find((uint32_t)type), n_dims, dims);
    if (n_bytes == 0 || padded(n_bytes) > (uint64_t)INT64_MAX - w->data_bytes) {
        pum_fail(&w->failure, PUM_ERR_ARGUMENT,
                 "tensor '%.100s': expected 1 to 4 dimensions of at least 1, rows of whole blocks and a size that fits 63 bits, "
                 "got a shape that type %d cannot have",
                 name, (int)type);
        return;
    }
    put_text(w, &w->infos, name, strlen(name));
    put_number(w, &w->infos, 4, (uint64_t)n_dims);
    for (int i = 0; i < n_dims; i++) put_number(w, &w->infos, 8, dims[i]);
    put_number(w, &w->infos, 4, (uint64_t)type);
    put_number(w, &w->infos, 8, w->data_bytes);
    put(w, &w->data, &(tensor_data){data, n_bytes}, sizeof(tensor_data));
    w->n_tensors++;
    w->data_bytes += padded(n_bytes);
}

/* ------------------------------------------------------------------ the whole file, to anywhere */

/// Takes the next n bytes of the file. Errors are the sink's own.
typedef pum_status (*sink_fn)(void *sink, const void *from, uint64_t n_bytes, pum_error *err);

static pum_status write_padding(uint64_t n_bytes, sink_fn write, void *sink, pum_error *err) {
    static const uint8_t zeros[GGUF_DEFAULT_ALIGNMENT];
    return write(sink, zeros, padded(n_bytes) - n_bytes, err);
}

static pum_status write_all(const gguf_writer *w, sink_fn write, void *sink, pum_error *err) {
    uint8_t head[24] = "GGUF";
    gguf_store(head + 4, 4, 3);
    gguf_store(head + 8, 8, w->n_tensors);
    gguf_store(head + 16, 8, w->n_keys);
    pum_status status = write(sink, head, sizeof head, err);
    if (status == PUM_OK) status = write(sink, w->keys.at, w->keys.n, err);
    if (status == PUM_OK) status = write(sink, w->infos.at, w->infos.n, err);
    if (w->n_tensors == 0) return status;
    if (status == PUM_OK) status = write_padding(sizeof head + w->keys.n + w->infos.n, write, sink, err);
    for (uint64_t i = 0; i < w->n_tensors && status == PUM_OK; i++) {
        tensor_data t;
        memcpy(&t, w->data.at + i * sizeof t, sizeof t);
        status = write(sink, t.data, t.n_bytes, err);
        if (status == PUM_OK) status = write_padding(t.n_bytes, write, sink, err);
    }
    return status;
}

static pum_status check_writer(const gguf_writer *w, pum_error *err) {
    if (!w) return pum_fail_memory(err, "GGUF writer", sizeof *w);
    if (w->failure.status != PUM_OK) return pum_fail(err, w->failure.status, "%s", w->failure.message);
    return PUM_OK;
}

typedef struct memory_sink {
    uint8_t *at;
    size_t n, capacity;
} memory_sink;

/// Counts when there is no memory yet.
static pum_status write_memory(void *sink, const void *from, uint64_t n_bytes, pum_error *err) {
    memory_sink *m = sink;
    if (n_bytes > SIZE_MAX / 2 - m->n) return pum_fail_memory(err, "GGUF file", n_bytes);
    if (m->at && n_bytes) memcpy(m->at + m->n, from, (size_t)n_bytes);
    m->n += (size_t)n_bytes;
    return PUM_OK;
}

pum_status gguf_writer_bytes(const gguf_writer *w, uint8_t **file, size_t *n_bytes, pum_error *err) {
    *file = NULL;
    *n_bytes = 0;
    memory_sink m = {0};
    pum_status status = check_writer(w, err);
    if (status == PUM_OK) status = write_all(w, write_memory, &m, err);
    if (status != PUM_OK) return status;
    m.at = malloc(m.n);
    if (!m.at) return pum_fail_memory(err, "GGUF file", m.n);
    *n_bytes = m.n;
    m.n = 0;
    *file = m.at;
    return write_all(w, write_memory, &m, err);
}

typedef struct file_sink {
    FILE *file;
    const char *path;
} file_sink;

static pum_status write_file(void *sink, const void *from, uint64_t n_bytes, pum_error *err) {
    file_sink *f = sink;
    if (n_bytes == 0 || (n_bytes <= SIZE_MAX && fwrite(from, 1, (size_t)n_bytes, f->file) == n_bytes)) return PUM_OK;
    return pum_fail(err, PUM_ERR_IO, "%s: cannot be written: %s", f->path, strerror(errno));
}

pum_status gguf_writer_save(const gguf_writer *w, const char *path, pum_error *err) {
    pum_status status = check_writer(w, err);
    if (status != PUM_OK) return status;
    char temporary[FILES_MAX_PATH];
    file_sink sink = {.path = path, .file = files_create_beside(path, temporary)};
    if (!sink.file) return pum_fail(err, PUM_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    status = write_all(w, write_file, &sink, err);
    // On disk before it gets its name: after a power cut there is the old file or the new one.
    bool flushed = files_flush(sink.file);
    int reason = errno;
    if (fclose(sink.file) != 0) flushed = false;
    if (status == PUM_OK && !flushed) status = pum_fail(err, PUM_ERR_IO, "%s: cannot be written: %s", path, strerror(reason));
    if (status == PUM_OK && !files_replace(temporary, path))
        status = pum_fail(err, PUM_ERR_IO, "%s: cannot be put in place: %s", path, strerror(errno));
    if (status != PUM_OK) files_remove(temporary);
    return status;
}
