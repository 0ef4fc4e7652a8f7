#include "fuzz/fuzz.h"

#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void must(bool condition, const char *what) {
    if (condition) return;
    dprintf(STDERR_FILENO, "%s\n", what); // a target may have put the stream elsewhere
    abort();
}

void must_be_clean(const char *text, const char *what) {
    uint32_t code;
    for (size_t at = 0, n = strlen(text); at < n;) {
        int step = utf8_decode(text + at, n - at, &code);
        must(step > 0 && code >= 0x20 && code != 0x7F && !(code >= 0x80 && code < 0xA0), what);
        at += (size_t)step;
    }
}

void must_be_error(pum_status status, const pum_error *err) {
    must(status < 0 && strcmp(pum_status_name(status), "PUM_ERR_?") != 0, "an error that does not exist");
    must(err->status == status, "an error with another status than the one that was returned");
    must(strlen(err->message) >= 10 && strlen(err->message) < sizeof err->message, "an error without a sentence");
    must_be_clean(err->message, "an error's sentence with bytes of the input's that no terminal should see");
}

uint8_t fuzz_byte(fuzz_input *in) {
    if (in->left == 0) return 0;
    in->left--;
    return *in->at++;
}

void fuzz_fill(fuzz_input *in, void *bytes, size_t n_bytes) {
    size_t n = n_bytes < in->left ? n_bytes : in->left;
    if (n) memcpy(bytes, in->at, n);
    memset((char *)bytes + n, 0, n_bytes - n);
    if (n) in->at += n;
    in->left -= n;
}

char *fuzz_text(fuzz_input *in, char end, size_t *n_bytes) {
    const uint8_t *found = in->left ? memchr(in->at, end, in->left) : NULL;
    size_t n = found ? (size_t)(found - in->at) : in->left;
    char *text = malloc(n + 1); // of just this length, so that a reader that goes past it is caught
    must(text != NULL, "no memory for a text");
    if (n) memcpy(text, in->at, n);
    text[n] = 0;
    size_t n_taken = n + (found != NULL);
    if (n_taken) in->at += n_taken;
    in->left -= n_taken;
    if (n_bytes) *n_bytes = n;
    return text;
}

static char path[64];
static void remove_file(void) { remove(path); }

const char *fuzz_file(const void *bytes, size_t n_bytes) {
    if (!path[0]) {
        snprintf(path, sizeof path, "/tmp/pumice-fuzz-%ld", (long)getpid());
        atexit(remove_file);
    }
    FILE *file = fopen(path, "wb");
    bool whole = file && (n_bytes == 0 || fwrite(bytes, 1, n_bytes, file) == n_bytes);
    must(file && fclose(file) == 0 && whole, "the file for an input cannot be written");
    return path;
}
