/* A tokenizer's inside: tokens by id and by bytes, and the tokens that text is searched for. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include "base/arena.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"

/// How SentencePiece writes a space: U+2581.
#define SPM_SPACE "\xE2\x96\x81"

typedef enum tokenizer_model { TOKENIZER_SPM, TOKENIZER_BPE } tokenizer_model;

typedef struct vocab_token {
    const char *bytes; ///< as merging sees it: spaces of SentencePiece are U+2581; control tokens have their literal text
    const char *shown; ///< as it stands in running text
    uint32_t n_bytes, n_shown;
    float score;
    token_kind kind;
} vocab_token;

typedef struct merge_slot {
    int32_t left, right; ///< ids; left < 0: empty
    uint32_t rank;
    int32_t result;
} merge_slot;

/// A token that running text is searched for.
typedef struct special_token {
    const char *bytes;
    uint32_t n_bytes;
    int32_t id;
} special_token;

struct pum_tokenizer {
    arena arena;
    tokenizer_model model;
    const pretokenizer *pre; ///< byte-level only
    vocab_token *tokens;     ///< [n_vocab]
    uint32_t n_vocab;
    int32_t *by_bytes; ///< hash table of ids, -1: empty; [by_bytes_mask + 1]
    uint64_t by_bytes_mask;
    merge_slot *merges; ///< hash table; NULL: merge by rank
    uint64_t merges_mask;
    int32_t byte_ids[256];       ///< the token of a single byte, or -1
    int32_t space_id;            ///< of SPM_SPACE, or -1
    bool words_apart;            ///< SentencePiece: SPM_SPACE stands only where tokens begin
    special_token *special;      ///< in the order of their bytes
    uint32_t special_begin[257]; ///< where those of a first byte begin
    int32_t bos, eos, unk, eot;
    int32_t *stops; ///< [n_stops] where generation ends
    int n_stops;
    bool add_bos, add_eos, add_space_prefix;
    char description[96];
};

/// The id of the token that merging may make of these bytes, or -1.
int32_t vocab_find(const pum_tokenizer *t, const char *bytes, size_t n_bytes);
/// The merge of two tokens, or NULL.
const merge_slot *vocab_find_merge(const pum_tokenizer *t, int32_t left, int32_t right);

/// A growing list of ids.
typedef struct token_list {
    int32_t *ids;
    size_t n, capacity;
    bool failed; ///< the heap was out; nothing more is added
} token_list;
void token_list_add(token_list *list, int32_t id);

/// Splits one stretch of ordinary text by merging; see bpe.c. Every stretch stands at the beginning of a text or after a special
/// token, where SentencePiece's prefix belongs.
void bpe_encode(const pum_tokenizer *t, const char *text, size_t n_bytes, token_list *out);

#endif
