/* What reading and writing GGUF share: little-endian numbers at any address, and the sizes of values. Only for gguf/. */
#ifndef GGUF_LAYOUT_H
#define GGUF_LAYOUT_H

#include "gguf/gguf.h"

enum { GGUF_DEFAULT_ALIGNMENT = 32, GGUF_N_VALUE_TYPES = GGUF_F64 + 1 };

static inline uint64_t gguf_load(const uint8_t *bytes, int n_bytes) {
    uint64_t value = 0;
    for (int i = n_bytes - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

static inline void gguf_store(uint8_t *bytes, int n_bytes, uint64_t value) {
    for (int i = 0; i < n_bytes; i++, value >>= 8) bytes[i] = (uint8_t)value;
}

/// Bytes of one value of a fixed size; 0 for strings and arrays.
static inline int gguf_value_bytes(gguf_value_type type) {
    static const uint8_t n_bytes[GGUF_N_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return n_bytes[type];
}

/// Counts and lengths of strings and arrays, and dimensions, are 32 bits wide in version 1.
static inline int gguf_count_bytes(uint32_t version) { return version == 1 ? 4 : 8; }

#endif
