/* An arena: many small allocations of one owner, freed at once. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;
/// Zero-initialised is an empty arena. One thread at a time.
typedef struct arena {
    arena_block *blocks;
    size_t n_bytes; ///< taken from the heap so far
} arena;

/// Zeroed memory for count things of size bytes, aligned for any type; NULL when the product overflows or the heap is out.
void *arena_alloc(arena *a, size_t count, size_t size);
/// A zero-terminated copy of n_bytes bytes; NULL when the heap is out.
char *arena_copy(arena *a, const char *bytes, size_t n_bytes);
/// Frees everything; the arena is empty again.
void arena_free(arena *a);

#endif
