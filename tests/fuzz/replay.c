/* Stands in for libFuzzer where there is none: runs a fuzz target once over every file of the folders given. */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// A copy of exactly the file's length, so that a reader that goes past its end can be caught.
static bool run_file(const char *path) {
    FILE *f = fopen(path, "rb");
    struct stat st;
    if (!f || fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
        if (f) fclose(f);
        return false;
    }
    size_t n_bytes = (size_t)st.st_size;
    uint8_t *bytes = malloc(n_bytes ? n_bytes : 1);
    bool whole = bytes && fread(bytes, 1, n_bytes, f) == n_bytes;
    fclose(f);
    if (whole) LLVMFuzzerTestOneInput(bytes, n_bytes);
    free(bytes);
    return whole;
}

static int run_folder(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) {
        fprintf(stderr, "%s: cannot be read: %s\n", folder, strerror(errno));
        return 0;
    }
    int n_run = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        n_run += run_file(path);
    }
    closedir(dir);
    return n_run;
}

int main(int argc, char **argv) {
    int n_run = 0;
    for (int i = 1; i < argc; i++) n_run += run_folder(argv[i]);
    printf("%d inputs, without libFuzzer\n", n_run);
    // A corpus that is not there would pass for ever.
    return n_run > 0 ? 0 : 1;
}
