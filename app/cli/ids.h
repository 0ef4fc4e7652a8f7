/* Token ids as text. */
#ifndef CLI_IDS_H
#define CLI_IDS_H

#include "engine.h"

/// Reads ids separated by white space. *ids is to be freed with free(). Returns false after a sentence on stderr.
bool ids_parse(const char *text, int32_t **ids, size_t *n_ids);

#endif
