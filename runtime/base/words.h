/* Lines of words with spaces between, as another process or an older file has them: nothing is taken that is out of its range. */
#ifndef BASE_WORDS_H
#define BASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each takes the next word of *at, which goes behind it and the space that ends it. Returns false, with *at anywhere, where there
 * is no word or not such a one. */

/// Any word that fits with its zero into n_bytes.
bool words_text(const char **at, char *word, size_t n_bytes);
/// A whole number from min to max.
bool words_int(const char **at, int64_t min, int64_t max, int64_t *value);
/// The bits of a number in hex.
bool words_bits(const char **at, uint64_t *bits);
/// A number that is one: not NaN, and not below 0. It may be infinite. As printf writes it in this process's locale.
bool words_amount(const char **at, double *value);

#endif
