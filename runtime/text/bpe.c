/* Merging: neighbours are joined, best pair first, until no pair is a token (arXiv:1508.07909). SentencePiece and byte-level BPE
 * differ in what they begin with and in what "best" means. A heap of pairs over a linked list of symbols: n log n for any text.
 */
#include "base/utf8.h"
#include "text/vocab.h"

#include <stdlib.h>
#include <string.h>

typedef struct symbol {
    uint32_t begin, n_bytes; ///< in the stretch; n_bytes 0: joined to its left neighbour
    int32_t previous, next;  ///< -1: none
    int32_t id;              ///< its token, or -1
} symbol;

/* The symbol `left` and the one after it. Symbols only grow, so a pair is stale exactly when the two are not as long any more as
 * they were. */
typedef struct pair {
    uint32_t order; ///< least first: rank, or the score turned round
    int32_t left;
    uint32_t n_bytes; ///< of both together
    int32_t id;       ///< of the joined token
} pair;

/* One word after another; the memory is kept for the next. */
typedef struct merging {
    const pum_tokenizer *t;
    const char *text; ///< of the word
    symbol *symbols;
    size_t n_symbols, symbols_capacity;
    pair *heap;
    size_t n_pairs, pairs_capacity;
    token_list *out;
} merging;

/* ---- the heap */

static bool before(const pair *a, const pair *b) { return a->order < b->order || (a->order == b->order && a->left < b->left); }

static void push(merging *m, pair p) {
    if (m->n_pairs == m->pairs_capacity) {
        size_t capacity = m->pairs_capacity ? 2 * m->pairs_capacity : 64;
        pair *heap = realloc(m->heap, capacity * sizeof *heap);
        if (!heap) {
            m->out->failed = true;
            return;
        }
        m->heap = heap;
        m->pairs_capacity = capacity;
    }
    size_t i = m->n_pairs++;
    for (; i > 0 && before(&p, &m->heap[(i - 1) / 2]); i = (i - 1) / 2) m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = p;
}

static pair pop(merging *m) {
    pair top = m->heap[0], last = m->heap[--m->n_pairs];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < m->n_pairs; i = child) {
        if (child + 1 < m->n_pairs && before(&m->heap[child + 1], &m->heap[child])) child++;
        if (!before(&m->heap[child], &last)) break;
        m->heap[i] = m->heap[child];
    }
    m->heap[i] = last;
    return top;
}

/* ---- a word */

/* Scores as integers in the same order, the highest score least. */
static uint32_t order_of_score(float score) {
    uint32_t bits;
    score += 0.0f; // -0 is 0
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : 0x7FFFFFFFu - bits;
}

/* Looks whether a symbol and the next can be joined, and remembers it. */
static void consider(merging *m, int32_t left) {
    if (left < 0 || m->symbols[left].next < 0) return;
    const symbol *a = &m->symbols[left], *b = &m->symbols[a->next];
    const pum_tokenizer *t = m->t;
    pair p = {.left = left, .n_bytes = a->n_bytes + b->n_bytes};
    if (t->merges) {
        const merge_slot *merge = a->id >= 0 && b->id >= 0 ? vocab_find_merge(t, a->id, b->id) : NULL;
        if (!merge) return;
        p.order = merge->rank;
        p.id = merge->result;
    } else {
        p.id = vocab_find(t, m->text + a->begin, p.n_bytes);
        if (p.id < 0) return;
        p.order = t->model == TOKENIZER_SPM ? order_of_score(t->tokens[p.id].score) : (uint32_t)p.id;
    }
    push(m, p);
}

static void merge_all(merging *m) {
    for (size_t i = 0; i < m->n_symbols; i++) consider(m, (int32_t)i);
    while (m->n_pairs && !m->out->failed) {
        pair p = pop(m);
        symbol *a = &m->symbols[p.left];
        if (!a->n_bytes || a->next < 0 || a->n_bytes + m->symbols[a->next].n_bytes != p.n_bytes) continue;
        symbol *b = &m->symbols[a->next];
        a->n_bytes = p.n_bytes;
        a->id = p.id;
        a->next = b->next;
        b->n_bytes = 0;
        if (a->next >= 0) m->symbols[a->next].previous = p.left;
        consider(m, a->previous);
        consider(m, p.left);
    }
    m->n_pairs = 0;
}

/* What has no token of its own goes byte by byte. A byte without one is unknown in SentencePiece; a byte-level vocabulary that
 * lacks some (SmolLM2's has none for 21 of them: control characters, and lead bytes that text hardly has) leaves them out, as
 * those models were trained. */
static void spell(const merging *m, const char *bytes, size_t n_bytes) {
    const pum_tokenizer *t = m->t;
    bool whole = true;
    for (size_t i = 0; i < n_bytes; i++) whole = whole && t->byte_ids[(uint8_t)bytes[i]] >= 0;
    if (!whole && t->model == TOKENIZER_SPM) {
        if (t->unk >= 0) token_list_add(m->out, t->unk);
        return;
    }
    for (size_t i = 0; i < n_bytes; i++)
        if (t->byte_ids[(uint8_t)bytes[i]] >= 0) token_list_add(m->out, t->byte_ids[(uint8_t)bytes[i]]);
}

static void emit(const merging *m) {
    for (int32_t i = 0; i >= 0; i = m->symbols[i].next) {
        const symbol *s = &m->symbols[i];
        const char *bytes = m->text + s->begin;
        if (s->id >= 0)
            token_list_add(m->out, s->id);
        else if (m->t->model == TOKENIZER_SPM && s->n_bytes == 3 && memcmp(bytes, SPM_SPACE, 3) == 0)
            spell(m, " ", 1);
        else
            spell(m, bytes, s->n_bytes);
    }
}

static void add_symbol(merging *m, size_t begin, size_t n_bytes, int32_t id) {
    if (m->n_symbols == m->symbols_capacity) {
        size_t capacity = m->symbols_capacity ? 2 * m->symbols_capacity : 64;
        symbol *symbols = realloc(m->symbols, capacity * sizeof *symbols);
        if (!symbols) {
            m->out->failed = true;
            return;
        }
        m->symbols = symbols;
        m->symbols_capacity = capacity;
    }
    int32_t i = (int32_t)m->n_symbols++;
    m->symbols[i] = (symbol){(uint32_t)begin, (uint32_t)n_bytes, i - 1, i + 1, id};
}

static void finish_word(merging *m) {
    if (m->n_symbols && !m->out->failed) {
        m->symbols[m->n_symbols - 1].next = -1;
        merge_all(m);
        if (!m->out->failed) emit(m);
    }
    m->n_symbols = 0;
}

/* ---- byte-level: words by the pre-tokenizer, bytes to begin with */

static void encode_word(void *user, const char *bytes, size_t n_bytes) {
    merging *m = user;
    if (m->out->failed) return;
    int32_t whole = pretokenizer_ignores_merges(m->t->pre) ? vocab_find(m->t, bytes, n_bytes) : -1;
    if (whole >= 0) {
        token_list_add(m->out, whole);
        return;
    }
    m->text = bytes;
    for (size_t i = 0; i < n_bytes && !m->out->failed; i++) add_symbol(m, i, 1, m->t->byte_ids[(uint8_t)bytes[i]]);
    finish_word(m);
}

/* ---- SentencePiece: characters to begin with, spaces written as U+2581. A vocabulary that has that character only where tokens
 * begin cannot merge across words, so words go one at a time, which is faster and changes nothing. */

/* Where the word that begins at `begin` ends: before the next space that follows something else. */
static size_t word_end(const pum_tokenizer *t, const char *text, size_t begin, size_t n_bytes) {
    if (!t->words_apart) return n_bytes;
    size_t at = begin;
    while (at < n_bytes && text[at] == ' ') at++;
    const char *space = at < n_bytes ? memchr(text + at, ' ', n_bytes - at) : NULL;
    return space ? (size_t)(space - text) : n_bytes;
}

/* Writes a word as merging sees it into `escaped` and its characters into the list. A U+2581 of the text's own is spelled in
 * bytes, so that it does not come back as a space. */
static void add_characters(merging *m, const char *text, size_t n_bytes, bool prefix, char *escaped) {
    const pum_tokenizer *t = m->t;
    size_t n = 0;
    m->text = escaped;
    if (prefix) {
        memcpy(escaped, SPM_SPACE, 3);
        add_symbol(m, 0, n = 3, t->space_id);
    }
    for (size_t at = 0; at < n_bytes && !m->out->failed;) {
        uint32_t code;
        int step = text[at] == ' ' ? 1 : utf8_decode(text + at, n_bytes - at, &code);
        size_t n_char = step > 0 ? (size_t)step : 1;
        if (text[at] == ' ') {
            memcpy(escaped + n, SPM_SPACE, 3);
            add_symbol(m, n, 3, t->space_id);
            n += 3;
        } else if (n_char == 3 && memcmp(text + at, SPM_SPACE, 3) == 0 && t->byte_ids[0xE2] >= 0) {
            for (int b = 0; b < 3; b++, n++) add_symbol(m, n, 1, t->byte_ids[(uint8_t)(escaped[n] = SPM_SPACE[b])]);
        } else {
            memcpy(escaped + n, text + at, n_char);
            add_symbol(m, n, n_char, vocab_find(t, text + at, n_char));
            n += n_char;
        }
        at += n_char;
    }
}

static void encode_sentence(merging *m, const char *text, size_t n_bytes) {
    char *escaped = NULL;
    size_t capacity = 0;
    bool prefix = m->t->add_space_prefix;
    for (size_t at = 0, end; at < n_bytes && !m->out->failed; at = end) {
        end = word_end(m->t, text, at, n_bytes);
        size_t need = 3 * (end - at) + 3;
        if (need > capacity) {
            free(escaped);
            escaped = malloc(capacity = need + need / 4 + 64);
            if (!escaped) {
                m->out->failed = true;
                break;
            }
        }
        add_characters(m, text + at, end - at, prefix, escaped);
        finish_word(m);
        prefix = false;
    }
    free(escaped);
}

void bpe_encode(const pum_tokenizer *t, const char *text, size_t n_bytes, token_list *out) {
    if (n_bytes == 0 || out->failed) return;
    merging m = {.t = t, .out = out};
    if (t->model == TOKENIZER_SPM)
        encode_sentence(&m, text, n_bytes);
    else if (pretokenizer_split(t->pre, text, n_bytes, encode_word, &m, NULL) != PUM_OK)
        out->failed = true;
    free(m.heap);
    free(m.symbols);
}
