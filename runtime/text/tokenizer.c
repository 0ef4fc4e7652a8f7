/* Making a tokenizer from what a file says, and taking text through it: special tokens first, then merging. */
#include "text/tokenizer.h"

#include "base/utf8.h"
#include "text/vocab.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t MAX_TEXT_BYTES = 1u << 30;
enum { MAX_TOKEN_BYTES = 65535 };

/* ---- tables */

static uint64_t hash_bytes(const char *bytes, size_t n) {
    uint64_t h = 0xCBF29CE484222325u; // FNV-1a
    for (size_t i = 0; i < n; i++) h = (h ^ (uint8_t)bytes[i]) * 0x100000001B3u;
    return h ^ h >> 29;
}

static uint64_t hash_pair(int32_t left, int32_t right) {
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 31;
}

static uint64_t table_size(uint64_t n) {
    uint64_t size = 16;
    while (size < 2 * n) size *= 2;
    return size;
}

int32_t vocab_find(const pum_tokenizer *t, const char *bytes, size_t n_bytes) {
    for (uint64_t i = hash_bytes(bytes, n_bytes);; i++) {
        int32_t id = t->by_bytes[i & t->by_bytes_mask];
        if (id < 0) return -1;
        if (t->tokens[id].n_bytes == n_bytes && memcmp(t->tokens[id].bytes, bytes, n_bytes) == 0) return id;
    }
}

const merge_slot *vocab_find_merge(const pum_tokenizer *t, int32_t left, int32_t right) {
    for (uint64_t i = hash_pair(left, right);; i++) {
        const merge_slot *slot = &t->merges[i & t->merges_mask];
        if (slot->left < 0) return NULL;
        if (slot->left == left && slot->right == right) return slot;
    }
}

void token_list_add(token_list *list, int32_t id) {
    if (list->failed) return;
    if (list->n == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        int32_t *ids = realloc(list->ids, capacity * sizeof *ids);
        if (!ids) {
            list->failed = true;
            return;
        }
        list->ids = ids;
        list->capacity = capacity;
    }
    list->ids[list->n++] = id;
}

/* ---- byte-level vocabularies write each byte as a printable character: the printable ones as themselves, the rest from U+0100
 * on */

static int byte_of_code(uint32_t code) {
    if ((code >= 0x21 && code <= 0x7E) || (code >= 0xA1 && code <= 0xAC) || (code >= 0xAE && code <= 0xFF)) return (int)code;
    if (code < 0x100 || code > 0x143) return -1;
    uint32_t n = code - 0x100; // the n-th byte that is not printable
    if (n < 0x21) return (int)n;
    n -= 0x21;
    return n < 0x22 ? (int)(0x7F + n) : 0xAD;
}

/* Writes the bytes that a written form stands for; returns how many, or SIZE_MAX where it is not in that alphabet. out [n_bytes].
 */
static size_t unwrite(const char *text, size_t n_bytes, char *out) {
    size_t n = 0;
    for (size_t at = 0; at < n_bytes;) {
        uint32_t code;
        int step = utf8_decode(text + at, n_bytes - at, &code), byte = step > 0 ? byte_of_code(code) : -1;
        if (byte < 0) return SIZE_MAX;
        out[n++] = (char)byte;
        at += (size_t)step;
    }
    return n;
}

/* ---- tokens */

static int byte_of_name(text_span name) { // "<0x0A>"
    unsigned value;
    if (name.n_bytes != 6 || memcmp(name.bytes, "<0x", 3) != 0 || name.bytes[5] != '>') return -1;
    char digits[3] = {name.bytes[3], name.bytes[4], 0};
    return sscanf(digits, "%2x", &value) == 1 ? (int)value : -1;
}

static size_t unescape_spaces(char *bytes, size_t n_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; n++) {
        bool space = n_bytes - i >= 3 && memcmp(bytes + i, "\xE2\x96\x81", 3) == 0;
        bytes[n] = space ? ' ' : bytes[i];
        i += space ? 3 : 1;
    }
    return n;
}

static bool is_ordinary(const vocab_token *token) {
    return token->kind == TOKEN_NORMAL || token->kind == TOKEN_USER_DEFINED || token->kind == TOKEN_UNUSED;
}

static pum_status add_token(pum_tokenizer *t, uint32_t id, text_span span, token_kind kind, float score, pum_error *err) {
    vocab_token *token = &t->tokens[id];
    if (span.n_bytes > MAX_TOKEN_BYTES)
        return pum_fail(err, PUM_ERR_FORMAT, "token %u: expected at most %d bytes, got %" PRIu64, id, MAX_TOKEN_BYTES,
                        span.n_bytes);
    char *bytes = arena_copy(&t->arena, span.bytes, span.n_bytes);
    if (!bytes) return pum_fail_memory(err, "the vocabulary", span.n_bytes);
    *token = (vocab_token){bytes, bytes, (uint32_t)span.n_bytes, (uint32_t)span.n_bytes, score, kind};
    int byte = kind == TOKEN_BYTE ? byte_of_name(span) : -1;
    if (byte >= 0) {
        bytes[0] = (char)byte;
        token->n_bytes = token->n_shown = 1;
        t->byte_ids[byte] = (int32_t)id;
    } else if (t->model == TOKENIZER_BPE && kind == TOKEN_NORMAL) {
        size_t n = unwrite(span.bytes, span.n_bytes, bytes);
        if (n == SIZE_MAX)
            memcpy(bytes, span.bytes, span.n_bytes); // not written in the alphabet: as it stands
        else
            token->n_bytes = token->n_shown = (uint32_t)n;
        if (n == 1) t->byte_ids[(uint8_t)bytes[0]] = (int32_t)id;
    } else if (t->model == TOKENIZER_SPM && is_ordinary(token)) {
        char *shown = arena_copy(&t->arena, span.bytes, span.n_bytes);
        if (!shown) return pum_fail_memory(err, "the vocabulary", span.n_bytes);
        token->n_shown = (uint32_t)unescape_spaces(shown, span.n_bytes);
        token->shown = shown;
    }
    return PUM_OK;
}

static void index_token(pum_tokenizer *t, uint32_t id) {
    const vocab_token *token = &t->tokens[id];
    if (!is_ordinary(token) || token->n_bytes == 0) return;
    uint64_t i = hash_bytes(token->bytes, token->n_bytes);
    for (; t->by_bytes[i & t->by_bytes_mask] >= 0; i++) {
        const vocab_token *other = &t->tokens[t->by_bytes[i & t->by_bytes_mask]];
        if (other->n_bytes == token->n_bytes && memcmp(other->bytes, token->bytes, token->n_bytes) == 0)
            return; // the first one counts
    }
    t->by_bytes[i & t->by_bytes_mask] = (int32_t)id;
}

static pum_status add_tokens(pum_tokenizer *t, const tokenizer_params *p, pum_error *err) {
    uint64_t size = table_size(p->n_vocab);
    t->tokens = arena_alloc(&t->arena, p->n_vocab, sizeof *t->tokens);
    t->by_bytes = arena_alloc(&t->arena, size, sizeof *t->by_bytes);
    if (!t->tokens || !t->by_bytes) return pum_fail_memory(err, "the vocabulary", size * sizeof *t->by_bytes);
    memset(t->by_bytes, 0xFF, size * sizeof *t->by_bytes);
    memset(t->byte_ids, 0xFF, sizeof t->byte_ids);
    t->by_bytes_mask = size - 1;
    t->n_vocab = p->n_vocab;
    for (uint32_t id = 0; id < p->n_vocab; id++) {
        int32_t kind = p->kinds ? p->kinds[id] : TOKEN_NORMAL;
        if (kind < TOKEN_NORMAL || kind > TOKEN_BYTE) kind = TOKEN_NORMAL;
        pum_status status = add_token(t, id, p->tokens[id], (token_kind)kind, p->scores ? p->scores[id] : 0, err);
        if (status != PUM_OK) return status;
        index_token(t, id);
    }
    return PUM_OK;
}

/* ---- merges: "left right", best first */

static pum_status add_merge(pum_tokenizer *t, text_span merge, uint32_t rank, char *buffer, pum_error *err) {
    const char *space = merge.n_bytes > 2 ? memchr(merge.bytes + 1, ' ', merge.n_bytes - 1) : NULL;
    if (!space || merge.n_bytes > MAX_TOKEN_BYTES)
        return pum_fail(err, PUM_ERR_FORMAT, "merge %u: expected two tokens with a space between, got \"%.*s\"", rank,
                        (int)(merge.n_bytes < 40 ? merge.n_bytes : 40), merge.bytes);
    size_t n_left = (size_t)(space - merge.bytes), n_right = merge.n_bytes - n_left - 1;
    size_t left = unwrite(merge.bytes, n_left, buffer),
           right = left == SIZE_MAX ? SIZE_MAX : unwrite(space + 1, n_right, buffer + left);
    if (right == SIZE_MAX) return PUM_OK; // of tokens that no text can have
    int32_t l = vocab_find(t, buffer, left), r = vocab_find(t, buffer + left, right), both = vocab_find(t, buffer, left + right);
    if (l < 0 || r < 0 || both < 0) return PUM_OK;
    uint64_t i = hash_pair(l, r);
    for (; t->merges[i & t->merges_mask].left >= 0; i++)
        if (t->merges[i & t->merges_mask].left == l && t->merges[i & t->merges_mask].right == r) return PUM_OK;
    t->merges[i & t->merges_mask] = (merge_slot){l, r, rank, both};
    return PUM_OK;
}

static pum_status add_merges(pum_tokenizer *t, const tokenizer_params *p, pum_error *err) {
    if (p->n_merges == 0) return PUM_OK;
    if (p->n_merges > INT32_MAX)
        return pum_fail(err, PUM_ERR_FORMAT, "expected at most %d merges, got %" PRIu64, INT32_MAX, p->n_merges);
    uint64_t size = table_size(p->n_merges);
    t->merges = arena_alloc(&t->arena, size, sizeof *t->merges);
    char *buffer = malloc(MAX_TOKEN_BYTES);
    if (!t->merges || !buffer) {
        free(buffer);
        return pum_fail_memory(err, "the merges", size * sizeof *t->merges);
    }
    memset(t->merges, 0xFF, size * sizeof *t->merges);
    t->merges_mask = size - 1;
    pum_status status = PUM_OK;
    for (uint64_t i = 0; i < p->n_merges && status == PUM_OK; i++) status = add_merge(t, p->merges[i], (uint32_t)i, buffer, err);
    free(buffer);
    return status;
}

/* ---- special tokens */

static bool is_searched(const vocab_token *token) {
    return token->n_bytes > 0 &&
           (token->kind == TOKEN_CONTROL || token->kind == TOKEN_USER_DEFINED || token->kind == TOKEN_UNKNOWN);
}

static pum_status add_special(pum_tokenizer *t, pum_error *err) {
    uint32_t n = 0;
    for (uint32_t id = 0; id < t->n_vocab; id++)
        if (is_searched(&t->tokens[id])) {
            t->special_begin[(uint8_t)t->tokens[id].bytes[0] + 1]++;
            n++;
        }
    t->special = arena_alloc(&t->arena, n ? n : 1, sizeof *t->special);
    if (!t->special) return pum_fail_memory(err, "the special tokens", n * sizeof *t->special);
    for (int b = 0; b < 256; b++) t->special_begin[b + 1] += t->special_begin[b];
    uint32_t filled[256] = {0};
    for (uint32_t id = 0; id < t->n_vocab; id++) {
        if (!is_searched(&t->tokens[id])) continue;
        uint8_t first = (uint8_t)t->tokens[id].bytes[0];
        int32_t *group = t->special + t->special_begin[first];
        uint32_t i = filled[first]++; // longest first; few share a first byte
        for (; i > 0 && t->tokens[group[i - 1]].n_bytes < t->tokens[id].n_bytes; i--) group[i] = group[i - 1];
        group[i] = (int32_t)id;
    }
    return PUM_OK;
}

/* ---- making */

pum_status tokenizer_create(const tokenizer_params *p, pum_tokenizer **tokenizer, pum_error *err) {
    *tokenizer = NULL;
    bool spm = strcmp(p->model, "llama") == 0;
    if (!spm && strcmp(p->model, "gpt2") != 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "tokenizer: expected \"llama\" or \"gpt2\", got \"%.40s\"; choose another model", p->model);
    pum_tokenizer *t = calloc(1, sizeof *t);
    if (!t) return pum_fail_memory(err, "the tokenizer", sizeof *t);
    t->model = spm ? TOKENIZER_SPM : TOKENIZER_BPE;
    t->bos = p->bos;
    t->eos = p->eos;
    t->unk = p->unk;
    t->eot = p->eot;
    t->add_bos = p->add_bos && p->bos >= 0;
    t->add_eos = p->add_eos && p->eos >= 0;
    t->add_space_prefix = p->add_space_prefix;
    snprintf(t->description, sizeof t->description, spm || !p->pre ? "%s" : "%s (%s)", p->model, p->pre ? p->pre : "");
    pum_status status = spm ? PUM_OK : pretokenizer_find(p->pre, &t->pre, err);
    if (status == PUM_OK) status = add_tokens(t, p, err);
    if (status == PUM_OK && !spm) status = add_merges(t, p, err);
    if (status == PUM_OK) status = add_special(t, err);
    if (status != PUM_OK) pum_tokenizer_destroy(&t);
    *tokenizer = t;
    return status;
}

void pum_tokenizer_destroy(pum_tokenizer **tokenizer) {
    if (!tokenizer || !*tokenizer) return;
    arena_free(&(*tokenizer)->arena);
    free(*tokenizer);
    *tokenizer = NULL;
}

const char *tokenizer_describe(const pum_tokenizer *tokenizer) { return tokenizer->description; }
int pum_tokenizer_n_vocab(const pum_tokenizer *tokenizer) { return (int)tokenizer->n_vocab; }
int32_t pum_tokenizer_bos(const pum_tokenizer *tokenizer) { return tokenizer->bos; }
int32_t pum_tokenizer_eos(const pum_tokenizer *tokenizer) { return tokenizer->eos; }

bool pum_tokenizer_is_stop(const pum_tokenizer *t, int32_t token) {
    static const char *const names[] = {"<|im_end|>", "<|eot_id|>",    "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>",
                                        "<|end|>",    "<end_of_turn>", "</s>",       "<|end_of_turn|>"};
    if (token < 0 || (uint32_t)token >= t->n_vocab) return false;
    if (token == t->eos || token == t->eot) return true;
    const vocab_token *v = &t->tokens[token];
    for (size_t i = 0; i < sizeof names / sizeof *names && v->kind == TOKEN_CONTROL; i++)
        if (strlen(names[i]) == v->n_bytes && memcmp(names[i], v->bytes, v->n_bytes) == 0) return true;
    return false;
}

/* ---- encoding */

/* The special token that begins at text + at, or -1. mask[i]: whether byte i may be part of a control token. */
static int32_t special_at(const pum_tokenizer *t, const char *text, const bool *mask, size_t at, size_t n_bytes) {
    uint8_t first = (uint8_t)text[at];
    for (uint32_t i = t->special_begin[first]; i < t->special_begin[first + 1]; i++) {
        const vocab_token *token = &t->tokens[t->special[i]];
        if (token->n_bytes > n_bytes - at || memcmp(token->bytes, text + at, token->n_bytes) != 0) continue;
        if (token->kind == TOKEN_USER_DEFINED) return t->special[i];
        bool allowed = true;
        for (size_t b = at; b < at + token->n_bytes && allowed; b++) allowed = mask[b];
        if (allowed) return t->special[i];
    }
    return -1;
}

static void encode_text(const pum_tokenizer *t, const char *text, const bool *mask, size_t n_bytes, token_list *out) {
    bool after_special = true; // a text begins as it does after a special token
    size_t begin = 0, at = 0;
    while (at < n_bytes) {
        int32_t id = special_at(t, text, mask, at, n_bytes);
        if (id < 0) {
            at++;
            continue;
        }
        if (at > begin) bpe_encode(t, text + begin, at - begin, after_special, out);
        token_list_add(out, id);
        after_special = true;
        begin = at += t->tokens[id].n_bytes;
    }
    bpe_encode(t, text + begin, n_bytes - begin, after_special, out);
}

pum_status tokenizer_encode_pieces(const pum_tokenizer *t, const text_piece *pieces, size_t n_pieces, bool add_bos,
                                   int32_t **tokens, size_t *n_tokens, pum_error *err) {
    *tokens = NULL;
    *n_tokens = 0;
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        n_bytes += pieces[i].n_bytes;
        if (n_bytes > MAX_TEXT_BYTES)
            return pum_fail(err, PUM_ERR_ARGUMENT, "text: expected at most %" PRIu64 " bytes; split it", MAX_TEXT_BYTES);
    }
    char *text = calloc(n_bytes + 1, 1);
    bool *mask = calloc(n_bytes + 1, sizeof *mask);
    token_list list = {.failed = !text || !mask};
    size_t at = 0;
    for (size_t i = 0; i < n_pieces && !list.failed; at += pieces[i++].n_bytes) {
        if (pieces[i].n_bytes) memcpy(text + at, pieces[i].bytes, pieces[i].n_bytes);
        memset(mask + at, pieces[i].special, pieces[i].n_bytes);
    }
    if (add_bos && t->add_bos) token_list_add(&list, t->bos);
    if (text && mask && !list.failed) encode_text(t, text, mask, n_bytes, &list);
    if (add_bos && t->add_eos) token_list_add(&list, t->eos);
    free(text);
    free(mask);
    if (list.failed) {
        free(list.ids);
        return pum_fail_memory(err, "tokens of a text", n_bytes * sizeof *list.ids);
    }
    *tokens = list.ids;
    *n_tokens = list.n;
    return PUM_OK;
}

pum_status pum_tokenizer_encode(const pum_tokenizer *tokenizer, const char *text, size_t text_bytes, int flags, int32_t **tokens,
                                size_t *n_tokens, pum_error *err) {
    text_piece piece = {text, text_bytes, flags & PUM_ENCODE_SPECIAL};
    return tokenizer_encode_pieces(tokenizer, &piece, 1, flags & PUM_ENCODE_BOS, tokens, n_tokens, err);
}

/* ---- decoding */

size_t pum_tokenizer_bytes(const pum_tokenizer *t, int32_t token, bool special, const char **bytes) {
    *bytes = "";
    if (token < 0 || (uint32_t)token >= t->n_vocab) return 0;
    const vocab_token *v = &t->tokens[token];
    if (!special && (v->kind == TOKEN_CONTROL || v->kind == TOKEN_UNKNOWN)) return 0;
    *bytes = v->shown;
    return v->n_shown;
}

pum_status pum_tokenizer_decode(const pum_tokenizer *t, const int32_t *tokens, size_t n_tokens, bool special, char **text,
                                size_t *text_bytes, pum_error *err) {
    *text = NULL;
    *text_bytes = 0;
    size_t n = 0;
    const char *bytes;
    for (size_t i = 0; i < n_tokens; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= t->n_vocab)
            return pum_fail(err, PUM_ERR_ARGUMENT, "token %zu: expected an id from 0 to %u, got %d", i, t->n_vocab - 1,
                            (int)tokens[i]);
        n += pum_tokenizer_bytes(t, tokens[i], special, &bytes);
    }
    char *out = malloc(n + 1), *at = out;
    if (!out) return pum_fail_memory(err, "text", n + 1);
    for (size_t i = 0; i < n_tokens; i++) {
        size_t length = pum_tokenizer_bytes(t, tokens[i], special, &bytes);
        memcpy(at, bytes, length);
        at += length;
    }
    if (tokenizer_drops_first_space(t) && n > 0 && out[0] == ' ') memmove(out, out + 1, --n);
    out[n] = 0;
    *text = out;
    *text_bytes = n;
    return PUM_OK;
}

bool tokenizer_drops_first_space(const pum_tokenizer *tokenizer) { return tokenizer->add_space_prefix; }
