#include "fuzz/seed_file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void seed_file(const char *folder, const char *name, const void *bytes, size_t n_bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    bool whole = f && (n_bytes == 0 || fwrite(bytes, 1, n_bytes, f) == n_bytes);
    int reason = errno;
    if (f && fclose(f) != 0) whole = false;
    if (!whole) {
        fprintf(stderr, "%s: cannot be written: %s\n", path, strerror(reason));
        exit(1);
    }
}
