#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct arena_block {
    arena_block *next;
    size_t used, capacity;
    max_align_t data[];
};

void *arena_alloc(arena *a, size_t count, size_t size) {
    if (size && count > (SIZE_MAX / 4) / size) return NULL;
    size_t need = count * size;
    need = (need + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
    arena_block *b = a->blocks;
    if (!b || b->capacity - b->used < need) {
        size_t capacity = need > BLOCK_BYTES ? need : BLOCK_BYTES;
        arena_block *fresh = calloc(1, sizeof *fresh + capacity);
        if (!fresh) return NULL;
        fresh->capacity = capacity;
        a->n_bytes += sizeof *fresh + capacity;
        // A block that holds one big thing goes behind the current one, which still has room.
        if (b && need > BLOCK_BYTES) {
            fresh->next = b->next;
            b->next = fresh;
        } else {
            fresh->next = b;
            a->blocks = fresh;
        }
        b = fresh;
    }
    void *p = (char *)b->data + b->used;
    b->used += need;
    return p;
}

char *arena_copy(arena *a, const char *bytes, size_t n_bytes) {
    if (n_bytes == SIZE_MAX) return NULL;
    char *p = arena_alloc(a, n_bytes + 1, 1);
    if (p && n_bytes) memcpy(p, bytes, n_bytes);
    return p;
}

void arena_free(arena *a) {
    for (arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *a = (arena){0};
}
