#include "md_out.h"

#include <stdlib.h>
#include <string.h>

bool md_put(md_out *out, const char *text, size_t n_bytes) {
    if (out->n_bytes + n_bytes + 1 > out->capacity) {
        size_t capacity = 2 * (out->n_bytes + n_bytes) + 64;
        char *grown = realloc(out->text, capacity);
        if (!grown) return false;
        out->text = grown;
        out->capacity = capacity;
    }
    if (n_bytes) memcpy(out->text + out->n_bytes, text, n_bytes);
    out->n_bytes += n_bytes;
    out->text[out->n_bytes] = 0;
    return true;
}
