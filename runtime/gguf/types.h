/* The tensor types of GGUF: one row each. */
#ifndef GGUF_TYPES_H
#define GGUF_TYPES_H

#include <stdint.h>

/// Numbers as they stand in the file.
typedef enum tensor_type {
    TENSOR_F32 = 0,
    TENSOR_F16 = 1,
    TENSOR_Q4_0 = 2,
    TENSOR_Q4_1 = 3,
    TENSOR_Q8_0 = 8,
    TENSOR_Q4_K = 12,
    TENSOR_Q6_K = 14,
    TENSOR_BF16 = 30,
} tensor_type;

typedef struct tensor_type_info {
    tensor_type type;
    const char *name;      ///< "Q4_1"
    uint32_t block_values; ///< values in one block of a row
    uint32_t block_bytes;  ///< bytes of one block
    /// Expands n_blocks blocks into n_blocks * block_values floats; the plain statement of what the type means. NULL: only named,
    /// not readable.
    void (*expand)(const void *blocks, uint64_t n_blocks, float *values);
} tensor_type_info;

/// The row of a type, or NULL if this program has never heard of it. (A type that is named but not readable has a row with expand
/// NULL.)
const tensor_type_info *tensor_type_find(uint32_t type);
/// By name in any case, or NULL.
const tensor_type_info *tensor_type_by_name(const char *name);

/// IEEE 754 half precision to float, exactly; and back, to nearest even.
float half_to_float(uint16_t half);
uint16_t float_to_half(float value);

#endif
