/* How a seed generator writes its corpus. */
#ifndef FUZZ_SEED_FILE_H
#define FUZZ_SEED_FILE_H

#include <stddef.h>

/// Writes one input of n_bytes bytes as FOLDER/name; ends the program with a sentence on stderr when that fails.
void seed_file(const char *folder, const char *name, const void *bytes, size_t n_bytes);

#endif
