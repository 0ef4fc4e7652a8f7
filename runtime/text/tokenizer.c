/* Making a tokenizer from what a file says, and taking text through it: special tokens first, then merging. */
#include "text/tokenizer.h"

#include "base/utf8.h"
#include "text/vocab.h"

#include <inttypes.h>
#include <math.h>
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

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

static int byte_of_name(text_span name) { // "<0x0A>"
    if (name.n_bytes != 6 || memcmp(name.bytes, "<0x", 3) != 0 || name.bytes[5] != '>') return -1;
    int high = hex_digit(name.bytes[3]), low = hex_digit(name.bytes[4]);
    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

static size_t unescape_spaces(char *bytes, size_t n_bytes) {
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; n++) {
        bool space = n_bytes - i >= 3 && memcmp(bytes + i, SPM_SPACE, 3) == 0;
        bytes[n] = space ? ' ' : bytes[i];
        i += space ? 3 : 1;
    }
    return n;
}

static bool is_ordinary(const vocab_token *token) {
    return token->kind == TOKEN_NORMAL || token->kind == TOKEN_USER_DEFINED || token->kind == TOKEN_UNUSED;
}

/* Whether merging may end in it. Tokens that text is searched for are found before; a byte-level vocabulary's unused ones are
 * names without a meaning. */
static bool is_merged(const pum_tokenizer *t, const vocab_token *token) {
    return token->kind == TOKEN_NORMAL || (token->kind == TOKEN_UNUSED && t->model == TOKENIZER_SPM);
}

static pum_status add_token(pum_tokenizer *t, uint32_t id, text_span span, token_kind kind, float score, pum_error *err) {
    vocab_token *token = &t->tokens[id];
    if (span.n_bytes > MAX_TOKEN_BYTES)
        return pum_fail(err, PUM_ERR_FORMAT, "token %u: expected at most %d bytes, got %" PRIu64, id, MAX_TOKEN_BYTES,
                        span.n_bytes);
    if (isnan(score)) return pum_fail(err, PUM_ERR_FORMAT, "the score of token %u: expected a number, got NaN", id);
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

/* Whether a SentencePiece space follows something else in a token. */
static bool joins_words(const vocab_token *token) {
    for (uint32_t i = 1; i + 3 <= token->n_bytes; i++)
        if (memcmp(token->bytes + i, SPM_SPACE, 3) == 0 && (i < 3 || memcmp(token->bytes + i - 3, SPM_SPACE, 3) != 0))
            return true;
    return false;
}

static void index_token(pum_tokenizer *t, uint32_t id) {
    const vocab_token *token = &t->tokens[id];
    if (!is_merged(t, token) || token->n_bytes == 0) return;
    if (t->words_apart && joins_words(token)) t->words_apart = false;
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
    t->words_apart = t->model == TOKENIZER_SPM;
    for (uint32_t id = 0; id < p->n_vocab; id++) {
        int32_t kind = p->kinds ? p->kinds[id] : TOKEN_NORMAL;
        if (kind < TOKEN_NORMAL || kind > TOKEN_BYTE) kind = TOKEN_NORMAL;
        pum_status status = add_token(t, id, p->tokens[id], (token_kind)kind, p->scores ? p->scores[id] : 0, err);
        if (status != PUM_OK) return status;
        index_token(t, id);
    }
    t->space_id = vocab_find(t, SPM_SPACE, 3);
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
    return token->n_shown > 0 &&
           (token->kind == TOKEN_CONTROL || token->kind == TOKEN_USER_DEFINED || token->kind == TOKEN_UNKNOWN);
}

static int by_their_bytes(const void *left, const void *right) {
    const special_token *a = left, *b = right;
    int order = memcmp(a->bytes, b->bytes, a->n_bytes < b->n_bytes ? a->n_bytes : b->n_bytes);
    if (order != 0) return order;
    if (a->n_bytes != b->n_bytes) return a->n_bytes < b->n_bytes ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* Sorted by their bytes: those that go on as the text does are always a range, which each byte of the text narrows. */
static pum_status add_special(pum_tokenizer *t, pum_error *err) {
    uint32_t n = 0;
    for (uint32_t id = 0; id < t->n_vocab; id++) n += is_searched(&t->tokens[id]);
    t->special = arena_alloc(&t->arena, n ? n : 1, sizeof *t->special);
    if (!t->special) return pum_fail_memory(err, "the special tokens", n * sizeof *t->special);
    n = 0;
    for (uint32_t id = 0; id < t->n_vocab; id++) {
        const vocab_token *token = &t->tokens[id];
        if (is_searched(token)) t->special[n++] = (special_token){token->shown, token->n_shown, (int32_t)id};
    }
    qsort(t->special, n, sizeof *t->special, by_their_bytes);
    for (uint32_t i = 0; i < n; i++) t->special_begin[(uint8_t)t->special[i].bytes[0] + 1]++;
    for (int b = 0; b < 256; b++) t->special_begin[b + 1] += t->special_begin[b];
    return PUM_OK;
}

/* ---- making */

static pum_status check_ids(const tokenizer_params *p, pum_error *err) {
    const int32_t ids[] = {p->bos, p->eos, p->unk, p->eot};
    static const char *const names[] = {"bos", "eos", "unknown", "eot"};
    if (p->n_vocab > INT32_MAX)
        return pum_fail(err, PUM_ERR_FORMAT, "the vocabulary: expected at most %d tokens, got %u", INT32_MAX, p->n_vocab);
    for (int i = 0; i < 4; i++)
        if (ids[i] < -1 || ids[i] >= (int32_t)p->n_vocab)
            return pum_fail(err, PUM_ERR_FORMAT, "the %s token: expected an id below %u, got %d", names[i], p->n_vocab,
                            (int)ids[i]);
    return PUM_OK;
}

static bool ends_generation(const pum_tokenizer *t, int32_t token) {
    static const char *const names[] = {"<|im_end|>", "<|eot_id|>",    "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>",
                                        "<|end|>",    "<end_of_turn>", "</s>",       "<|end_of_turn|>"};
    if (token == t->eos || token == t->eot) return true;
    const vocab_token *v = &t->tokens[token];
    for (size_t i = 0; i < sizeof names / sizeof *names && v->kind == TOKEN_CONTROL; i++)
        if (strlen(names[i]) == v->n_bytes && memcmp(names[i], v->bytes, v->n_bytes) == 0) return true;
    return false;
}

static pum_status add_stops(pum_tokenizer *t, pum_error *err) {
    for (uint32_t i = 0; i < t->n_vocab; i++) t->n_stops += ends_generation(t, (int32_t)i);
    t->stops = arena_alloc(&t->arena, (uint64_t)t->n_stops + 1, sizeof *t->stops);
    if (!t->stops) return pum_fail_memory(err, "the stop tokens", ((uint64_t)t->n_stops + 1) * sizeof *t->stops);
    for (uint32_t i = 0, n = 0; i < t->n_vocab; i++)
        if (ends_generation(t, (int32_t)i)) t->stops[n++] = (int32_t)i;
    return PUM_OK;
}

pum_status tokenizer_create(const tokenizer_params *p, pum_tokenizer **tokenizer, pum_error *err) {
    *tokenizer = NULL;
    bool spm = strcmp(p->model, "llama") == 0;
    if (!spm && strcmp(p->model, "gpt2") != 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "tokenizer: expected \"llama\" or \"gpt2\", got \"%.40s\"; choose another model", p->model);
    pum_status status = check_ids(p, err);
    if (status != PUM_OK) return status;
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
    status = spm ? PUM_OK : pretokenizer_find(p->pre, &t->pre, err);
    if (status == PUM_OK) status = add_tokens(t, p, err);
    if (status == PUM_OK && !spm) status = add_merges(t, p, err);
    if (status == PUM_OK) status = add_special(t, err);
    if (status == PUM_OK) status = add_stops(t, err);
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

int pum_tokenizer_stops(const pum_tokenizer *t, const int32_t **tokens) {
    *tokens = t->stops;
    return t->n_stops;
}

bool pum_tokenizer_is_stop(const pum_tokenizer *t, int32_t token) {
    for (int i = 0; i < t->n_stops; i++)
        if (t->stops[i] == token) return true;
    return false;
}

/* ---- encoding */

/* The first of [begin, end) whose byte number `depth` is at least `byte`; all share the bytes before. */
static uint32_t first_from(const pum_tokenizer *t, uint32_t begin, uint32_t end, uint32_t depth, int byte) {
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        const special_token *s = &t->special[middle];
        int its = depth < s->n_bytes ? (uint8_t)s->bytes[depth] : -1;
        if (its < byte)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

/* The longest special token that begins at text + at and may stand there, or -1. mask[i]: whether byte i may be part of a control
 * token. */
static int32_t special_at(const pum_tokenizer *t, const char *text, const bool *mask, size_t at, size_t n_bytes) {
    uint8_t first = (uint8_t)text[at];
    uint32_t begin = t->special_begin[first], end = t->special_begin[first + 1];
    bool allowed = true;
    int32_t found = -1;
    for (uint32_t depth = 0; begin < end && depth < n_bytes - at;) {
        allowed = allowed && mask[at + depth];
        int byte = (uint8_t)text[at + depth];
        begin = first_from(t, begin, end, depth, byte);
        end = first_from(t, begin, end, depth, byte + 1);
        depth++;
        if (begin < end && t->special[begin].n_bytes == depth) { // the whole of one; the rest of the range is longer
            int32_t id = t->special[begin].id;
            if (allowed || t->tokens[id].kind == TOKEN_USER_DEFINED) found = id;
        }
    }
    return found;
}

static void encode_text(const pum_tokenizer *t, const char *text, const bool *mask, size_t n_bytes, token_list *out) {
    size_t begin = 0, at = 0;
    while (at < n_bytes) {
        int32_t id = special_at(t, text, mask, at, n_bytes);
        if (id < 0) {
            at++;
            continue;
        }
        bpe_encode(t, text + begin, at - begin, out);
        token_list_add(out, id);
        begin = at += t->tokens[id].n_shown;
    }
    bpe_encode(t, text + begin, n_bytes - begin, out);
}

pum_status tokenizer_encode_pieces(const pum_tokenizer *t, const text_piece *pieces, size_t n_pieces, bool add_bos,
                                   int32_t **tokens, size_t *n_tokens, pum_error *err) {
    *tokens = NULL;
    *n_tokens = 0;
    uint64_t n_bytes = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        if (pieces[i].n_bytes > MAX_TEXT_BYTES - n_bytes)
            return pum_fail(err, PUM_ERR_ARGUMENT, "text: expected at most %" PRIu64 " bytes, got more; split it",
                            MAX_TEXT_BYTES);
        n_bytes += pieces[i].n_bytes;
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

bool tokenizer_drops_first_space(const pum_tokenizer *tokenizer) { return tokenizer->add_space_prefix; }

size_t tokenizer_running_bytes(const pum_tokenizer *t, int32_t token, bool special, bool *drop_space, const char **bytes) {
    size_t n = pum_tokenizer_bytes(t, token, special, bytes);
    bool inside = token >= 0 && (uint32_t)token < t->n_vocab;
    if (inside && (t->tokens[token].kind == TOKEN_CONTROL || t->tokens[token].kind == TOKEN_USER_DEFINED)) {
        *drop_space = t->add_space_prefix; // its own spaces stay, the next token may have a prefix
    } else if (*drop_space && n > 0) {
        bool space = **bytes == ' ';
        *bytes += space;
        n -= space;
        *drop_space = false;
    }
    return n;
}

pum_status pum_tokenizer_decode(const pum_tokenizer *t, const int32_t *tokens, size_t n_tokens, bool special, char **text,
                                size_t *text_bytes, pum_error *err) {
    *text = NULL;
    *text_bytes = 0;
    size_t n = 0;
    const char *bytes;
    for (size_t i = 0; i < n_tokens; i++) {
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= t->n_vocab)
            return pum_fail(err, PUM_ERR_ARGUMENT, "token %zu: expected an id below %u, got %d", i, t->n_vocab, (int)tokens[i]);
        n += pum_tokenizer_bytes(t, tokens[i], special, &bytes);
    }
    char *out = malloc(n + 1), *at = out;
    if (!out) return pum_fail_memory(err, "text", n + 1);
    bool drop_space = tokenizer_drops_first_space(t);
    for (size_t i = 0; i < n_tokens; i++) {
        size_t length = tokenizer_running_bytes(t, tokens[i], special, &drop_space, &bytes);
        memcpy(at, bytes, length);
        at += length;
    }
    *at = 0;
    *text = out;
    *text_bytes = (size_t)(at - out);
    return PUM_OK;
}
