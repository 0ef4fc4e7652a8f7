/* What fuzz targets share: a target takes its input apart piece by piece, and ends the program where a promise is broken. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What a target defines; libFuzzer or replay.c calls it.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/// Ends the program with a sentence where a promise is broken.
void must(bool condition, const char *what);
/// The same for a text that people will see: UTF-8 without control characters. what: whose.
void must_be_clean(const char *text, const char *what);
/// The same for an error: it carries the status that was returned, one that exists, and a clean sentence.
void must_be_error(pum_status status, const pum_error *err);

/// An input, from which pieces are taken in order; what is not there any more is zero or empty.
typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;

uint8_t fuzz_byte(fuzz_input *in);
/// Fills memory from the input, and with zeros behind its end.
void fuzz_fill(fuzz_input *in, void *bytes, size_t n_bytes);
/// What stands before the next `end`, or all that is left. Zero-terminated, to be freed with free(); zeros in it end it early for
/// those who read it as text. n_bytes: may be NULL.
char *fuzz_text(fuzz_input *in, char end, size_t *n_bytes);

/// A file of this process that holds these bytes and no others, until the next call. Returns its path; it goes with the process.
const char *fuzz_file(const void *bytes, size_t n_bytes);

#endif
