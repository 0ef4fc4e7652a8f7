/* A file that may be deleted, cut off or left by another version at any time: contents behind a header that says what they are,
 * how many and with which checksum. */
#ifndef BASE_CACHE_FILE_H
#define BASE_CACHE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Reads a file that cache_file_write wrote with the same identity.
/// *bytes   [*n_bytes], new, with a zero behind; to be freed with free(). NULL where the function returns false: there is no such
///          file, or it is of another identity, damaged, or larger than max_bytes. The log says which, for debugging.
bool cache_file_read(const char *path, const char *identity, size_t max_bytes, void **bytes, size_t *n_bytes);

/// Replaces the file in one step, so that whoever reads it has all of the old one or all of the new one; makes its folder.
/// identity: one line of text. Returns false, and logs why, when that cannot be done: a cache that is not written is no failure.
bool cache_file_write(const char *path, const char *identity, const void *bytes, size_t n_bytes);

/// A hash for telling contents apart, not against an adversary: FNV-1a. hash: 0, or that of what stands in front.
uint64_t cache_file_hash(uint64_t hash, const void *bytes, size_t n_bytes);

#endif
