/* Reading GGUF, versions 1 (32-bit counts), 2 and 3, little-endian. A file is hostile until proven otherwise: every count,
 * offset, length, type, alignment and product is checked against the file before it is used, and nothing is allocated for what
 * the file only claims to hold. */
#ifndef GGUF_GGUF_H
#define GGUF_GGUF_H

#include "base/error.h"
#include "gguf/types.h"

/// Bytes of the file's header, not zero-terminated.
typedef struct gguf_string {
    const char *bytes;
    uint64_t n_bytes;
} gguf_string;

typedef enum gguf_value_type {
    GGUF_U8,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
} gguf_value_type;

typedef struct gguf_key {
    const char *name; ///< zero-terminated copy
    gguf_value_type type;
    gguf_value_type item_type; ///< of an array
    uint64_t n_items;          ///< of an array; otherwise 1
    const uint8_t *value;      ///< where the (first) value starts in the header
} gguf_key;

typedef struct gguf_tensor {
    const char *name; ///< zero-terminated copy
    const tensor_type_info *type;
    int n_dims;
    uint64_t dims[4]; ///< dims[0] is the length of a row; 1 beyond n_dims
    uint64_t n_bytes;
    uint64_t offset; ///< of its data in the file
} gguf_tensor;

/// An opened file. Immutable: any number of threads may read it.
typedef struct gguf gguf;

/// Errors: PUM_ERR_IO, PUM_ERR_FORMAT, PUM_ERR_UNSUPPORTED (big-endian, future version, unheard-of tensor type), PUM_ERR_MEMORY.
pum_status gguf_open(const char *path, gguf **file, pum_error *err);
/// The same for bytes in memory, which must outlive the file; `name` stands for the path in messages.
pum_status gguf_open_memory(const char *name, const void *bytes, uint64_t n_bytes, gguf **file, pum_error *err);
void gguf_close(gguf **file);

const char *gguf_path(const gguf *file);
uint32_t gguf_version(const gguf *file);
uint64_t gguf_file_bytes(const gguf *file);

int gguf_n_keys(const gguf *file);
const gguf_key *gguf_key_at(const gguf *file, int index);
/// NULL when there is no such key. Constant time.
const gguf_key *gguf_find_key(const gguf *file, const char *name);
int gguf_n_tensors(const gguf *file);
const gguf_tensor *gguf_tensor_at(const gguf *file, int index);
const gguf_tensor *gguf_find_tensor(const gguf *file, const char *name);
/// Reads [offset, offset + n_bytes) of a tensor's data. Errors: PUM_ERR_IO, also where the file is not what it was when it was
/// opened.
pum_status gguf_read(const gguf *file, const gguf_tensor *tensor, uint64_t offset, uint64_t n_bytes, void *bytes, pum_error *err);
/// Looks at every value of every tensor. Errors: PUM_ERR_FORMAT, naming the first that is no finite number; PUM_ERR_IO.
pum_status gguf_check_numbers(const gguf *file, pum_error *err);
/// Tells the system that these bytes are about to be read. What is beyond the file is left out.
void gguf_will_need(const gguf *file, const gguf_tensor *tensor, uint64_t offset, uint64_t n_bytes);

/* Typed access. Each returns PUM_OK and leaves *value alone when the key is absent (so set the default before), and
 * PUM_ERR_FORMAT, naming key, expected and got, when it is there with a type or value that cannot be meant. Any integer type is
 * taken for integers. */
pum_status gguf_get_int(const gguf *file, const char *key, int64_t min, int64_t max, int64_t *value, pum_error *err);
pum_status gguf_get_float(const gguf *file, const char *key, double *value, pum_error *err); ///< finite only
pum_status gguf_get_bool(const gguf *file, const char *key, bool *value, pum_error *err);
pum_status gguf_get_string(const gguf *file, const char *key, gguf_string *value, pum_error *err);

/// Walks an array of strings: item 0 with cursor = key->value, then on. The array was checked when the file was opened.
gguf_string gguf_next_string(const gguf *file, const uint8_t **cursor);
/// One number of a key or of an array of numbers, as double or 64-bit integer (index 0 for a scalar).
double gguf_number_at(const gguf_key *key, uint64_t index);
int64_t gguf_int_at(const gguf_key *key, uint64_t index);

/// Writes a value as text for people, like snprintf: arrays as their first few items and the count.
int gguf_value_text(const gguf *file, const gguf_key *key, char *text, size_t text_bytes);

#endif
