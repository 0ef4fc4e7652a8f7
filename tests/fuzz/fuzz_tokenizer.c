/* Any bytes through both kinds of tokenizer, on small vocabularies that are built in: the ids are in range, the text comes back
 * byte for byte, and the stream makes valid UTF-8 of it. The first byte of an input chooses the kind and what is done. */
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

enum { N_BYTES = 256, MAX_TOKENS = 320 };

typedef struct vocabulary {
    text_span tokens[MAX_TOKENS];
    float scores[MAX_TOKENS];
    int32_t kinds[MAX_TOKENS];
    char names[N_BYTES][8];
    uint32_t n;
} vocabulary;

static void add(vocabulary *v, const char *token, token_kind kind) {
    v->tokens[v->n] = (text_span){token, strlen(token)};
    v->scores[v->n] = -(float)v->n;
    v->kinds[v->n++] = kind;
}

static void add_bytes(vocabulary *v, bool spm) {
    static const char digits[] = "0123456789ABCDEF";
    for (int i = 0; i < N_BYTES; i++) {
        char *name = v->names[i];
        if (spm) {
            const char text[7] = {'<', '0', 'x', digits[i / 16], digits[i % 16], '>', 0};
            memcpy(name, text, sizeof text);
        } else {
            bool printable = (i >= 0x21 && i <= 0x7E) || (i >= 0xA1 && i != 0xAD);
            uint32_t code = printable ? (uint32_t)i : 0x100u + (uint32_t)(i < 0x21 ? i : i < 0xA1 ? i - 0x7F + 0x21 : 0x43);
            name[utf8_encode(code, name)] = 0;
        }
        add(v, name, spm ? TOKEN_BYTE : TOKEN_NORMAL);
    }
}

static const pum_tokenizer *make(bool spm, const char *pre, bool space_prefix) {
    static const char *const spm_tokens[] = {"\xE2\x96\x81",
                                             "a",
                                             "b",
                                             "ab",
                                             "\xE2\x96\x81"
                                             "a",
                                             "\xE2\x96\x81"
                                             "ab",
                                             "aba",
                                             "\xE2\x96\x81\xE2\x96\x81",
                                             "\xED\x95\x9C",
                                             "\n",
                                             "bab",
                                             "<",
                                             "|"};
    static const char *const bpe_tokens[] = {"ab",
                                             "aba",
                                             "\xC4\xA0"
                                             "a",
                                             "\xC4\xA0"
                                             "ab",
                                             "\xC4\xA0\xC4\xA0",
                                             "\xC3\xAD\xC4\xB7"};
    static const text_span merges[] = {{"a b", 3},
                                       {"ab a", 4},
                                       {"\xC4\xA0 a", 4},
                                       {"\xC4\xA0"
                                        "a b",
                                        5},
                                       {"\xC4\xA0 \xC4\xA0", 5},
                                       {"\xC3\xAD \xC4\xB7", 5}};
    static vocabulary v;
    v.n = 0;
    add_bytes(&v, spm);
    for (size_t i = 0; spm && i < sizeof spm_tokens / sizeof *spm_tokens; i++) add(&v, spm_tokens[i], TOKEN_NORMAL);
    for (size_t i = 0; !spm && i < sizeof bpe_tokens / sizeof *bpe_tokens; i++) add(&v, bpe_tokens[i], TOKEN_NORMAL);
    int32_t bos = (int32_t)v.n;
    add(&v, "<s>", TOKEN_CONTROL);
    add(&v, "</s>", TOKEN_CONTROL);
    add(&v, "<|x|>", TOKEN_CONTROL);
    add(&v, "<|x|><", TOKEN_USER_DEFINED);
    add(&v, spm ? "\xE2\x96\x81\xE2\x96\x81\xE2\x96\x81" : "   ", TOKEN_USER_DEFINED);
    if (spm && pre) add(&v, "a\xE2\x96\x81", TOKEN_NORMAL); // so that merging crosses words
    tokenizer_params p = {.model = spm ? "llama" : "gpt2",
                          .pre = pre,
                          .n_vocab = v.n,
                          .tokens = v.tokens,
                          .scores = spm ? v.scores : NULL,
                          .kinds = v.kinds,
                          .n_merges = spm ? 0 : sizeof merges / sizeof *merges,
                          .merges = spm ? NULL : merges,
                          .bos = bos,
                          .eos = bos + 1,
                          .unk = -1,
                          .eot = -1,
                          .add_bos = true,
                          .add_space_prefix = space_prefix};
    pum_tokenizer *t;
    pum_error err = {0};
    if (tokenizer_create(&p, &t, &err) != PUM_OK) must(false, err.message);
    return t;
}

static void check_round_trip(const pum_tokenizer *t, const char *text, size_t n_bytes, int flags) {
    int32_t *ids;
    size_t n, n_back;
    char *back;
    must(pum_tokenizer_encode(t, text, n_bytes, flags, &ids, &n, NULL) == PUM_OK, "encoding failed");
    must(n <= n_bytes + 1, "more tokens than bytes and the first space");
    for (size_t i = 0; i < n; i++) must(ids[i] >= 0 && ids[i] < pum_tokenizer_n_vocab(t), "an id outside the vocabulary");
    must(pum_tokenizer_decode(t, ids, n, (flags & PUM_ENCODE_SPECIAL) != 0, &back, &n_back, NULL) == PUM_OK, "decoding failed");
    must(n_back == n_bytes && memcmp(back, text, n_bytes) == 0, "the text does not come back");
    pum_free(ids);
    pum_free(back);
}

/* A marker of the second piece is looked for, one of the first is not; BOS comes once, and first. */
static void check_pieces(const pum_tokenizer *t, const char *text, size_t n_bytes) {
    size_t half = n_bytes / 2, n;
    const text_piece pieces[] = {{text, half, false}, {text + half, n_bytes - half, true}};
    int32_t *ids;
    must(tokenizer_encode_pieces(t, pieces, 2, true, &ids, &n, NULL) == PUM_OK, "encoding pieces failed");
    must(n > 0 && ids[0] == pum_tokenizer_bos(t), "BOS is not the first token");
    pum_free(ids);
}

static void check_stream(const pum_tokenizer *t, const char *text, size_t n_bytes) {
    static const char *const stops[] = {"aab", "|>"};
    int32_t *ids;
    size_t n;
    pum_stream *s;
    must(pum_tokenizer_encode(t, text, n_bytes, PUM_ENCODE_PLAIN, &ids, &n, NULL) == PUM_OK, "encoding failed");
    must(pum_stream_create(t, stops, 2, true, &s, NULL) == PUM_OK, "no stream");
    bool stopped = false, was_stopped;
    for (size_t i = 0; i <= n; i++) {
        const char *out = NULL;
        was_stopped = stopped;
        if (i == n)
            out = pum_stream_finish(s);
        else
            must(pum_stream_push(s, ids[i], &out, &stopped, NULL) == PUM_OK, "the stream failed");
        must(!was_stopped || (!*out && stopped), "something after the stop string");
        must(!strstr(out, "aab") && !strstr(out, "|>"), "a stop string was shown");
        uint32_t code;
        for (size_t at = 0, length = strlen(out); at < length;) {
            int step = utf8_decode(out + at, length - at, &code);
            must(step > 0, "the stream gave broken UTF-8");
            at += (size_t)step;
        }
    }
    pum_stream_destroy(&s);
    pum_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        bool spm;
        const char *pre;
        bool space_prefix;
    } kinds[] = {{false, "gpt-2", false}, {true, NULL, false},      {true, NULL, true},
                 {true, "across", true},  {false, "smollm", false}, {false, "llama-bpe", false},
                 {false, "qwen2", false}, {false, "none", false},   {false, "default", false}};
    enum { N_KINDS = sizeof kinds / sizeof *kinds };
    static const pum_tokenizer *tokenizers[N_KINDS]; // they live as long as the program
    if (!tokenizers[0])
        for (int i = 0; i < N_KINDS; i++) tokenizers[i] = make(kinds[i].spm, kinds[i].pre, kinds[i].space_prefix);
    if (size == 0) return 0;
    const pum_tokenizer *t = tokenizers[data[0] % N_KINDS];
    const char *text = (const char *)data + 1;
    size_t n_bytes = size - 1;
    check_round_trip(t, text, n_bytes, PUM_ENCODE_PLAIN);
    check_round_trip(t, text, n_bytes, PUM_ENCODE_SPECIAL);
    check_pieces(t, text, n_bytes);
    check_stream(t, text, n_bytes);
    return 0;
}
