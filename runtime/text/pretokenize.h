/* Pre-tokenizers: the rules that cut text into words before byte-level BPE, as regular expressions with Unicode properties. */
#ifndef TEXT_PRETOKENIZE_H
#define TEXT_PRETOKENIZE_H

#include "text/tokenizer.h"

typedef struct pretokenizer pretokenizer; ///< a row of the table, with its compiled expressions; lives as long as the process

/// The row for GGUF's tokenizer.ggml.pre (NULL: "gpt-2"); made at first use, any thread. Errors: PUM_ERR_UNSUPPORTED.
pum_status pretokenizer_find(const char *pre, const pretokenizer **row, pum_error *err);
/// Whether a word that is a token is taken whole, before any merging.
bool pretokenizer_ignores_merges(const pretokenizer *row);
/// Calls piece for each part of the text, in order; together they are the text. Broken UTF-8 stays in parts of its own.
pum_status pretokenizer_split(const pretokenizer *row, const char *text, size_t n_bytes,
                              void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err);

#endif
