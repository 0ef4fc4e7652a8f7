/* Tokenizers: SentencePiece BPE with byte fallback, and byte-level BPE (arXiv:1508.07909). The public functions are in pumice.h.
 */
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "base/error.h"

typedef struct text_span {
    const char *bytes;
    uint64_t n_bytes;
} text_span;

typedef enum token_kind { ///< numbers as in GGUF's tokenizer.ggml.token_type
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 3,
    TOKEN_USER_DEFINED = 4,
    TOKEN_UNUSED = 5,
    TOKEN_BYTE = 6,
} token_kind;

/// What a file says about its tokenizer. Everything is copied by tokenizer_create.
typedef struct tokenizer_params {
    const char *model; ///< "llama" (SentencePiece) or "gpt2" (byte-level)
    const char *pre;   ///< "default", "gpt-2", "llama-bpe", "smollm", "qwen2", …; NULL: the file does not say
    uint32_t n_vocab;
    const text_span *tokens; ///< [n_vocab]
    const float *scores;     ///< [n_vocab] or NULL
    const int32_t *kinds;    ///< [n_vocab] token_kind or NULL: all normal
    uint64_t n_merges;
    const text_span
        *merges; ///< [n_merges] "left right", best first; byte-level only. None: merge by rank (the id of the result).
    int32_t bos, eos, unk, eot;              ///< -1: none
    bool add_bos, add_eos, add_space_prefix; ///< the caller sets the defaults of the model kind where the file is silent
} tokenizer_params;

/// Errors: PUM_ERR_FORMAT, PUM_ERR_UNSUPPORTED (unknown model or pre), PUM_ERR_MEMORY.
pum_status tokenizer_create(const tokenizer_params *params, pum_tokenizer **tokenizer, pum_error *err);

/// "llama" or "gpt2 (smollm)", for people.
const char *tokenizer_describe(const pum_tokenizer *tokenizer);

/// Whether the first space of a text is the tokenizer's own and goes when tokens become text again.
bool tokenizer_drops_first_space(const pum_tokenizer *tokenizer);
/// As pum_tokenizer_bytes for the tokens of a text in order, without the spaces that SentencePiece itself puts: at the beginning
/// and after special tokens. *drop_space   kept between the calls; at the beginning of a text what tokenizer_drops_first_space
/// says.
size_t tokenizer_running_bytes(const pum_tokenizer *tokenizer, int32_t token, bool special, bool *drop_space, const char **bytes);

/// A stretch of text; special tokens are looked for only inside stretches where `special` is set. Other merging does cross
/// stretches.
typedef struct text_piece {
    const char *bytes;
    size_t n_bytes;
    bool special;
} text_piece;

/// As pum_tokenizer_encode, over pieces that together are one text. add_bos puts BOS where the file says so.
pum_status tokenizer_encode_pieces(const pum_tokenizer *tokenizer, const text_piece *pieces, size_t n_pieces, bool add_bos,
                                   int32_t **tokens, size_t *n_tokens, pum_error *err);

/// Splits text by the pre-tokenizer rules of `pre` alone ("qwen2", …), for tests and for vocabularies that are not there.
/// Calls piece for each part in order. Errors as tokenizer_create.
pum_status pretokenize(const char *pre, const char *text, size_t n_bytes,
                       void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err);

#endif
