/* Writing GGUF version 3, little-endian: for small models that tests make, and for tools.
 *
 *     gguf_writer *w = gguf_writer_create();
 *     gguf_writer_add_string(w, "general.architecture", "llama");
 *     gguf_writer_add_tensor(w, "token_embd.weight", TENSOR_F32, 2, (uint64_t[]){64, 512}, data);
 *     status = gguf_writer_save(w, path, &err);
 *     gguf_writer_destroy(&w);
 *
 * Adding never fails by itself: the first failure (no memory, a shape that the type cannot have) is kept, what follows is
 * ignored, and gguf_writer_save or gguf_writer_bytes reports it. Names are not checked for duplicates. One thread at a time. */
#ifndef GGUF_WRITE_H
#define GGUF_WRITE_H

#include "gguf/gguf.h"

typedef struct gguf_writer gguf_writer;

/// An empty file; NULL when the heap is out, which all functions below take for a failure to be reported at the end.
gguf_writer *gguf_writer_create(void);
void gguf_writer_destroy(gguf_writer **writer);

/* Keys, in the order of the calls. Names and values are copied. */
void gguf_writer_add_u32(gguf_writer *writer, const char *key, uint32_t value);
void gguf_writer_add_i32(gguf_writer *writer, const char *key, int32_t value);
void gguf_writer_add_u64(gguf_writer *writer, const char *key, uint64_t value);
void gguf_writer_add_f32(gguf_writer *writer, const char *key, float value);
void gguf_writer_add_bool(gguf_writer *writer, const char *key, bool value);
void gguf_writer_add_string(gguf_writer *writer, const char *key, const char *text);
/// Arrays [n_items]. Strings may hold any bytes.
void gguf_writer_add_strings(gguf_writer *writer, const char *key, const gguf_string *items, uint64_t n_items);
void gguf_writer_add_floats(gguf_writer *writer, const char *key, const float *items, uint64_t n_items);
void gguf_writer_add_ints(gguf_writer *writer, const char *key, const int32_t *items, uint64_t n_items);

/// Adds a tensor, in the file's order of dimensions: dims[0] is the length of a row.
/// dims   [n_dims], 1 to 4 of them, copied.
/// data   the bytes as they stand in the file (little-endian, quantized); borrowed until the writer has saved for the last time.
void gguf_writer_add_tensor(gguf_writer *writer, const char *name, tensor_type type, int n_dims, const uint64_t *dims,
                            const void *data);

/// Writes a temporary file beside path and renames it, so that nobody ever sees half a file.
/// Errors: PUM_ERR_IO, naming the path and the system's reason, and whatever adding left: PUM_ERR_MEMORY, PUM_ERR_ARGUMENT.
pum_status gguf_writer_save(const gguf_writer *writer, const char *path, pum_error *err);
/// The same as bytes in memory. *bytes is to be freed with free.
pum_status gguf_writer_bytes(const gguf_writer *writer, uint8_t **bytes, size_t *n_bytes, pum_error *err);

#endif
