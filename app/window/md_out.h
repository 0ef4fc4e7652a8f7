/* A string that grows. */
#ifndef WINDOW_MD_OUT_H
#define WINDOW_MD_OUT_H

#include <stdbool.h>
#include <stddef.h>

/// Begins as zeros; text is the owner's to free().
typedef struct md_out {
    char *text; ///< zero-terminated once something was added
    size_t n_bytes, capacity;
} md_out;

/// Appends bytes. Returns false, with all that was there, when the heap is out.
bool md_put(md_out *out, const char *text, size_t n_bytes);

#endif
