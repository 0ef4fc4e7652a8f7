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

typedef struct pair {
    double order; ///< least first: rank, or minus the score
    int32_t left, right;
    uint32_t n_bytes; ///< of both together when it was found: a pair whose parts have changed since is stale
    int32_t id;       ///< of the joined token
} pair;

typedef struct merging {
    const pum_tokenizer *t;
    const char *text;
    symbol *symbols;
    size_t n_symbols;
    pair *heap;
    size_t n_pairs, capacity;
    bool failed;
} merging;

static bool before(const pair *a, const pair *b) { return a->order < b->order || (a->order == b->order && a->left < b->left); }

static void push(merging *m, pair p) {
    if (m->n_pairs == m->capacity) {
        size_t capacity = m->capacity ? 2 * m->capacity : 64;
        pair *heap = realloc(m->heap, capacity * sizeof *heap);
        if (!heap) {
            m->failed = true;
            return;
        }
        m->heap = heap;
        m->capacity = capacity;
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

/* Looks whether two neighbours can be joined, and remembers it. */
static void consider(merging *m, int32_t left, int32_t right) {
    if (left < 0 || right < 0) return;
    const symbol *a = &m->symbols[left], *b = &m->symbols[right];
    const pum_tokenizer *t = m->t;
    pair p = {.left = left, .right = right, .n_bytes = a->n_bytes + b->n_bytes};
    if (t->merges) {
        if (a->id < 0 || b->id < 0) return;
        const merge_slot *merge = vocab_find_merge(t, a->id, b->id);
        if (!merge) return;
        p.order = merge->rank;
        p.id = merge->result;
    } else {
        p.id = vocab_find(t, m->text + a->begin, p.n_bytes);
        if (p.id < 0) return;
        p.order = t->model == TOKENIZER_SPM ? -(double)t->tokens[p.id].score : p.id;
    }
    push(m, p);
}

static void merge_all(merging *m) {
    for (size_t i = 0; i + 1 < m->n_symbols; i++) consider(m, (int32_t)i, (int32_t)i + 1);
    while (m->n_pairs && !m->failed) {
        pair p = pop(m);
        symbol *a = &m->symbols[p.left], *b = &m->symbols[p.right];
        if (!a->n_bytes || !b->n_bytes || a->n_bytes + b->n_bytes != p.n_bytes || a->next != p.right) continue;
        a->n_bytes = p.n_bytes;
        a->id = p.id;
        a->next = b->next;
        b->n_bytes = 0;
        if (a->next >= 0) m->symbols[a->next].previous = p.left;
        consider(m, a->previous, p.left);
        consider(m, p.left, a->next);
    }
}

/* What has no token of its own goes byte by byte. */
static void emit(const merging *m, token_list *out) {
    for (int32_t i = m->n_symbols ? 0 : -1; i >= 0; i = m->symbols[i].next) {
        const symbol *s = &m->symbols[i];
        if (s->id >= 0) {
            token_list_add(out, s->id);
            continue;
        }
        for (uint32_t b = 0; b < s->n_bytes; b++) {
            int32_t id = m->t->byte_ids[(uint8_t)m->text[s->begin + b]];
            if (id < 0) id = m->t->unk;
            if (id >= 0) token_list_add(out, id);
        }
    }
}

/* step: bytes of the symbol that begins at text. */
static void merge_text(const pum_tokenizer *t, const char *text, size_t n_bytes, size_t (*step)(const char *text, size_t n_bytes),
                       token_list *out) {
    merging m = {.t = t, .text = text, .symbols = malloc((n_bytes ? n_bytes : 1) * sizeof *m.symbols)};
    if (!m.symbols) {
        out->failed = true;
        return;
    }
    for (size_t at = 0, n; at < n_bytes; at += n, m.n_symbols++) {
        n = step(text + at, n_bytes - at);
        int32_t i = (int32_t)m.n_symbols;
        m.symbols[i] = (symbol){(uint32_t)at, (uint32_t)n, i - 1, i + 1, vocab_find(t, text + at, n)};
    }
    if (m.n_symbols) m.symbols[m.n_symbols - 1].next = -1;
    merge_all(&m);
    if (m.failed)
        out->failed = true;
    else
        emit(&m, out);
    free(m.heap);
    free(m.symbols);
}

/* ---- byte-level: words by the pre-tokenizer, bytes to begin with */

typedef struct word_target {
    const pum_tokenizer *t;
    token_list *out;
} word_target;

static size_t one_byte(const char *text, size_t n_bytes) {
    (void)text;
    (void)n_bytes;
    return 1;
}

static void encode_word(void *user, const char *bytes, size_t n_bytes) {
    word_target *w = user;
    int32_t whole = pretokenizer_ignores_merges(w->t->pre) ? vocab_find(w->t, bytes, n_bytes) : -1;
    if (whole >= 0)
        token_list_add(w->out, whole);
    else
        merge_text(w->t, bytes, n_bytes, one_byte, w->out);
}

/* ---- SentencePiece: characters to begin with, spaces written as U+2581 */

static size_t one_character(const char *text, size_t n_bytes) {
    uint32_t code;
    int n = utf8_decode(text, n_bytes, &code);
    return n > 0 ? (size_t)n : 1;
}

static void encode_sentence(const pum_tokenizer *t, const char *text, size_t n_bytes, bool after_special, token_list *out) {
    static const char SPACE[] = "\xE2\x96\x81";
    char *escaped = malloc(3 * n_bytes + 3);
    if (!escaped) {
        out->failed = true;
        return;
    }
    size_t n = 0;
    if (t->add_space_prefix && after_special) {
        memcpy(escaped, SPACE, 3);
        n = 3;
    }
    for (size_t i = 0; i < n_bytes; i++) {
        if (text[i] == ' ') {
            memcpy(escaped + n, SPACE, 3);
            n += 3;
        } else {
            escaped[n++] = text[i];
        }
    }
    merge_text(t, escaped, n, one_character, out);
    free(escaped);
}

void bpe_encode(const pum_tokenizer *t, const char *text, size_t n_bytes, bool after_special, token_list *out) {
    if (n_bytes == 0) return;
    if (t->model == TOKENIZER_SPM) {
        encode_sentence(t, text, n_bytes, after_special, out);
        return;
    }
    word_target w = {t, out};
    if (pretokenizer_split(t->pre, text, n_bytes, encode_word, &w, NULL) != PUM_OK) out->failed = true;
}
