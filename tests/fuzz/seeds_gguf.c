/* Seeds for fuzz_gguf: each version's small file, one tensor of every known type, and the head of a real file's kind. */
#include "fuzz/seed_file.h"
#include "unit/gguf_bytes.h"

#include <stdio.h>
#include <stdlib.h>

/// One block of each type, so that sizes of all rows of the table are reached.
static void all_types(gguf_bytes *b) {
    uint64_t offset = 0;
    uint32_t n_types = 0;
    for (uint32_t type = 0; type < 64; type++) n_types += tensor_type_find(type) != NULL;
    put_head(b, 3, n_types, 0);
    for (uint32_t type = 0; type < 64; type++) {
        const tensor_type_info *info = tensor_type_find(type);
        if (!info) continue;
        put_tensor(b, info->name, 1, (const uint64_t[]){info->block_values}, type, offset);
        offset += (info->block_bytes + 31) / 32 * 32;
    }
    put_padding(b, 32);
    for (uint64_t i = 0; i < offset / 4 && b->n + 4 <= sizeof b->at; i++) put_u32(b, 0x3C003C00u);
}

static void aligned(gguf_bytes *b) {
    put_head(b, 2, 1, 1);
    put_key(b, "general.alignment", GGUF_U32);
    put_u32(b, 64);
    put_tensor(b, "w", 4, (const uint64_t[]){2, 1, 2, 1}, TENSOR_F32, 64);
    put_padding(b, 64);
    for (int i = 0; i < 20; i++) put_u32(b, (uint32_t)i);
}

/// A seed that is refused would teach the fuzzer nothing.
static void seed(const char *folder, const char *name, const gguf_bytes *b) {
    pum_error err;
    if (walk_gguf(b->at, b->n, &err) != PUM_OK) {
        fprintf(stderr, "%s: expected a well-formed seed: %s\n", name, err.message);
        exit(1);
    }
    seed_file(folder, name, b->at, b->n);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    gguf_bytes b;
    for (uint32_t version = 1; version <= 3; version++) {
        char name[16];
        snprintf(name, sizeof name, "small-v%u", version);
        put_small_file(&b, version);
        seed(argv[1], name, &b);
    }
    all_types(&b);
    seed(argv[1], "types", &b);
    aligned(&b);
    seed(argv[1], "aligned", &b);
    put_head(&b, 3, 0, 0);
    seed(argv[1], "empty", &b);
    return 0;
}
