/* Token ids as text. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Reads ids separated by white space from text [n_bytes], which a zero byte ends. *ids is to be freed with free(). Returns false
/// after a sentence on stderr.
bool ids_parse(const char *text, size_t n_bytes, int32_t **ids, size_t *n_ids);

#endif
