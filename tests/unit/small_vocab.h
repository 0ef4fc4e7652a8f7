/* Small vocabularies of both kinds, for tests that need no file. */
#ifndef UNIT_SMALL_VOCAB_H
#define UNIT_SMALL_VOCAB_H

#include "text/tokenizer.h"

enum { SMALL_MAX_TOKENS = 640, SMALL_TOKEN_BYTES = 48 };

/// What tokenizer_params point into. Fill it with small_bpe or small_spm, change it, then small_create.
typedef struct small_vocab {
    char names[SMALL_MAX_TOKENS][SMALL_TOKEN_BYTES];
    text_span tokens[SMALL_MAX_TOKENS];
    float scores[SMALL_MAX_TOKENS];
    int32_t kinds[SMALL_MAX_TOKENS];
    text_span merges[SMALL_MAX_TOKENS];
    tokenizer_params params;
} small_vocab;

/* Ids of the byte-level one. Byte b is token b; then these. */
enum { BPE_AB = 256, BPE_ABC, BPE_SPACE_A, BPE_IM_START, BPE_IM_END, BPE_IM, BPE_USER };
/// Byte-level: all bytes, "ab", "abc", " a", the control tokens <|im_start|> <|im_end|> <|im, the user-defined [user].
void small_bpe(small_vocab *v);

/* Ids of the SentencePiece one. Byte b is token SPM_BYTES + b; then these. */
enum {
    SPM_UNK,
    SPM_BOS,
    SPM_EOS,
    SPM_BYTES,
    SPM_BLANK = SPM_BYTES + 256,
    SPM_A,
    SPM_B,
    SPM_C,
    SPM_BLANK_A,
    SPM_AB,
    SPM_BLANK_AB,
    SPM_ABC,
    SPM_BLANKS,
    SPM_GA,
    SPM_USER,
    SPM_USER_BLANKS,
    SPM_IM_END
};
/// SentencePiece: "<unk>", "<s>", "</s>", all bytes, "▁" "a" "b" "c" "▁a" "ab" "▁ab" "abc" "▁▁" "가", the user-defined [user] and
/// "▁▁▁" (as files write it), the control token <|im_end|>.
void small_spm(small_vocab *v);

/// Adds a token; returns its id.
int32_t small_add(small_vocab *v, const char *name, token_kind kind, float score);
/// Adds a token that byte-level files write in their alphabet.
int32_t small_add_written(small_vocab *v, const char *bytes, size_t n_bytes);

/// Fails loudly, for vocabularies that must be fine.
pum_tokenizer *small_create(const small_vocab *v);

/// Writes a byte as byte-level vocabularies do, 1 or 2 bytes; returns how many.
size_t write_byte(uint8_t byte, char *out);

#endif
