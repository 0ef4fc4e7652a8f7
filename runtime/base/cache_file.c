#include "base/cache_file.h"

#include "base/files.h"
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The header is three lines of text: this one, the identity, and "<bytes> <hash>" of the contents that follow. */
static const char MAGIC[] = "pumice cache 1";
enum { MAX_HEADER = 2048 };

uint64_t cache_file_hash(uint64_t hash, const void *bytes, size_t n_bytes) {
    const unsigned char *b = bytes;
    if (hash == 0) hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n_bytes; i++) hash = (hash ^ b[i]) * 0x100000001b3u;
    return hash;
}

/* ---- reading */

/* The header that these contents would have. Returns its length, 0 where it is too long. */
static size_t make_header(const char *identity, const void *bytes, size_t n_bytes, char header[MAX_HEADER]) {
    int n = snprintf(header, MAX_HEADER, "%s\n%s\n%zu %016" PRIx64 "\n", MAGIC, identity, n_bytes,
                     cache_file_hash(0, bytes, n_bytes));
    return n > 0 && n < MAX_HEADER ? (size_t)n : 0;
}

static const char *end_of_header(const char *text, size_t n_bytes) {
    const char *at = text;
    for (int line = 0; line < 3; line++) {
        const char *end = memchr(at, '\n', n_bytes - (size_t)(at - text));
        if (!end) return NULL;
        at = end + 1;
    }
    return at;
}

/* Why a file cannot be used, or NULL. *first: where its contents begin. */
static const char *find_contents(const char *text, size_t n_bytes, const char *identity, size_t *first) {
    char expected[MAX_HEADER];
    const char *contents = end_of_header(text, n_bytes);
    if (!contents) return "it has no header";
    *first = (size_t)(contents - text);
    size_t n_header = make_header(identity, contents, n_bytes - *first, expected);
    if (n_header == *first && memcmp(text, expected, n_header) == 0) return NULL;
    // What is known by now is only for the log.
    size_t n_kind = (size_t)snprintf(expected, sizeof expected, "%s\n%s\n", MAGIC, identity);
    return n_bytes >= n_kind && memcmp(text, expected, n_kind) == 0 ? "it is damaged"
                                                                    : "it is of another build, device or driver";
}

static char *read_whole(FILE *file, size_t most, size_t *n_bytes) {
    if (fseek(file, 0, SEEK_END) != 0) return NULL;
    long size = ftell(file);
    if (size < 0 || (unsigned long)size > most || fseek(file, 0, SEEK_SET) != 0) return NULL;
    char *text = malloc((size_t)size + 1);
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        return NULL;
    }
    if (text) text[size] = 0;
    *n_bytes = (size_t)size;
    return text;
}

bool cache_file_read(const char *path, const char *identity, size_t max_bytes, void **bytes, size_t *n_bytes) {
    *bytes = NULL;
    *n_bytes = 0;
    FILE *file = files_open(path, "rb");
    if (!file) return false;
    size_t n = 0, first = 0;
    char *text = read_whole(file, max_bytes + MAX_HEADER, &n);
    fclose(file);
    const char *why = text ? find_contents(text, n, identity, &first) : "it cannot be read, or is too large";
    if (!why && n - first > max_bytes) why = "it is too large";
    if (why) {
        base_log(PUM_LOG_DEBUG, "%s is not used: %s", path, why);
        free(text);
        return false;
    }
    memmove(text, text + first, n - first + 1);
    *bytes = text;
    *n_bytes = n - first;
    return true;
}

/* ---- writing */

bool cache_file_write(const char *path, const char *identity, const void *bytes, size_t n_bytes) {
    char header[MAX_HEADER], fresh[FILES_MAX_PATH];
    size_t n_header = make_header(identity, bytes, n_bytes, header);
    FILE *file = n_header && files_make_folder_of(path) ? files_create_beside(path, fresh) : NULL;
    bool made = file, ok = made && fwrite(header, 1, n_header, file) == n_header && fwrite(bytes, 1, n_bytes, file) == n_bytes;
    if (file && fclose(file) != 0) ok = false;
    ok = ok && files_replace(fresh, path);
    if (!ok) base_log(PUM_LOG_DEBUG, "%s cannot be written: %s", path, strerror(errno));
    if (!ok && made) files_remove(fresh);
    return ok;
}
