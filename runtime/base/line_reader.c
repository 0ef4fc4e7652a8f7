#include "base/line_reader.h"

#include <string.h>

const char *line_reader_take(line_reader *r) {
    memmove(r->text, r->text + r->n_taken, r->n_used - r->n_taken);
    r->n_used -= r->n_taken;
    r->n_taken = 0;
    char *end = memchr(r->text, '\n', r->n_used);
    if (end) {
        r->n_taken = (size_t)(end - r->text) + 1;
    } else if (r->n_used == sizeof r->text - 1) {
        end = r->text + r->n_used;
        r->n_taken = r->n_used;
    } else {
        return NULL;
    }
    *end = 0;
    return r->text;
}

char *line_reader_room(line_reader *r, size_t *n_bytes) {
    *n_bytes = sizeof r->text - 1 - r->n_used;
    return r->text + r->n_used;
}

void line_reader_add(line_reader *r, size_t n_bytes) { r->n_used += n_bytes; }
