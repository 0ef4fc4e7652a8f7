/* expand_blocks TYPE: blocks on standard input, their values as little-endian floats on standard output. For
 * check_tensor_types.py. */
#include "gguf/types.h"

#include <stdio.h>

int main(int argc, char **argv) {
    const tensor_type_info *info = argc == 2 ? tensor_type_by_name(argv[1]) : NULL;
    if (!info || !info->expand || info->block_bytes > 512 || info->block_values > 512) {
        fprintf(stderr, "usage: %s TYPE, a tensor type that can be read\n", argv[0]);
        return 2;
    }
    uint8_t block[512];
    float values[512];
    size_t n;
    while ((n = fread(block, 1, info->block_bytes, stdin)) == info->block_bytes) {
        info->expand(block, 1, values);
        if (fwrite(values, sizeof values[0], info->block_values, stdout) != info->block_values) return 1;
    }
    return n == 0 && fflush(stdout) == 0 ? 0 : 1;
}
