#include "ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ids_parse(const char *text, size_t n_bytes, int32_t **ids, size_t *n_ids) {
    size_t n = 0, capacity = n_bytes / 2 + 1;
    int32_t *list = malloc(capacity * sizeof *list);
    if (!list) {
        fprintf(stderr, "pumice: error: token ids: host memory ran out\n");
        return false;
    }
    for (const char *at = text; (at += strspn(at, " \t\r\n\f\v")) < text + n_bytes;) {
        char *end;
        errno = 0;
        long id = strtol(at, &end, 10);
        if (end == at || errno || id < 0 || id > INT32_MAX || (end < text + n_bytes && (!*end || !strchr(" \t\r\n\f\v", *end)))) {
            fprintf(stderr, "pumice: error: token %zu: expected an id, got \"%.20s\"\n", n, at);
            free(list);
            return false;
        }
        list[n++] = (int32_t)id;
        at = end;
    }
    *ids = list;
    *n_ids = n;
    return true;
}
