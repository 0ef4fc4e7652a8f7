/* GGUF files of any version, right or wrong, put together byte by byte: independent of the library's own writer. */
#ifndef UNIT_GGUF_BYTES_H
#define UNIT_GGUF_BYTES_H

#include "gguf/gguf.h"

typedef struct gguf_bytes {
    uint32_t version;
    size_t n;
    uint8_t at[4096];
} gguf_bytes;

/* Appending, little-endian. */
void put_u32(gguf_bytes *b, uint32_t value);
void put_u64(gguf_bytes *b, uint64_t value);
/// As wide as the version has counts and lengths.
void put_count(gguf_bytes *b, uint64_t value);
void put_text(gguf_bytes *b, const char *text);
/// Fills up to a multiple of `alignment`.
void put_padding(gguf_bytes *b, size_t alignment);

/// Magic, version and counts.
void put_head(gguf_bytes *b, uint32_t version, uint64_t n_tensors, uint64_t n_keys);
/// Name and type of a key; the value follows.
void put_key(gguf_bytes *b, const char *name, gguf_value_type type);
void put_tensor(gguf_bytes *b, const char *name, int n_dims, const uint64_t *dims, uint32_t type, uint64_t offset);

/// A well-formed file that has a key of every type, arrays of strings, floats and integers, and two tensors:
/// "a.weight", F32 [3, 2], values 0 to 5, and "b.weight", Q8_0 [32], scale 1, values 0 to 31. Data ends with the file.
void put_small_file(gguf_bytes *b, uint32_t version);
enum { SMALL_FILE_KEYS = 15 };

/// Opens n bytes as a file, in a copy of exactly that length on the heap, so that a read past its end can be caught; looks at
/// everything that an opened file offers; closes it. Ends the program with a sentence where the reader breaks its promises.
pum_status walk_gguf(const uint8_t *bytes, size_t n, pum_error *err);

#endif
