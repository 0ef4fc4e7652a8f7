#include "composer.h"

#include <stdlib.h>
#include <string.h>

void composer_free(composer *c) {
    free(c->text);
    *c = (composer){0};
}

const char *composer_text(const composer *c) { return c->text ? c->text : ""; }

static void selected(const composer *c, size_t *begin, size_t *end) {
    *begin = c->caret < c->anchor ? c->caret : c->anchor;
    *end = c->caret < c->anchor ? c->anchor : c->caret;
}

bool composer_insert(composer *c, const char *text) {
    size_t n = strlen(text), begin, end;
    selected(c, &begin, &end);
    size_t left = c->n_bytes - (end - begin);
    if (left + n + 1 > c->capacity) {
        size_t capacity = 2 * (left + n) + 64;
        char *grown = realloc(c->text, capacity);
        if (!grown) return false;
        c->text = grown;
        c->capacity = capacity;
    }
    memmove(c->text + begin + n, c->text + end, c->n_bytes - end);
    memcpy(c->text + begin, text, n);
    c->n_bytes = left + n;
    c->text[c->n_bytes] = 0;
    c->caret = c->anchor = begin + n;
    return true;
}

void composer_set(composer *c, const char *text) {
    c->anchor = 0;
    c->caret = c->n_bytes;
    composer_insert(c, text);
}

void composer_set_preedit(composer *c, const char *text, int caret) {
    size_t n = strlen(text);
    if (n >= sizeof c->preedit) { // whole characters only
        n = sizeof c->preedit - 1;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80) n--;
    }
    memcpy(c->preedit, text, n);
    c->preedit[n] = 0;
    c->preedit_caret = caret;
}

static bool continues(const composer *c, size_t at) { return at < c->n_bytes && ((unsigned char)c->text[at] & 0xC0) == 0x80; }
static bool is_space(char byte) { return byte == ' ' || byte == '\n' || byte == '\t'; }

static size_t step(const composer *c, size_t at, bool forward) {
    if (forward) {
        if (at < c->n_bytes) at++;
        while (continues(c, at)) at++;
    } else {
        if (at > 0) at--;
        while (at > 0 && continues(c, at)) at--;
    }
    return at;
}

static size_t target(const composer *c, composer_move move) {
    size_t at = c->caret;
    switch (move) {
    case MOVE_LEFT:
        return step(c, at, false);
    case MOVE_RIGHT:
        return step(c, at, true);
    case MOVE_WORD_LEFT:
        while (at > 0 && is_space(c->text[at - 1])) at--;
        while (at > 0 && !is_space(c->text[at - 1])) at--;
        return at;
    case MOVE_WORD_RIGHT:
        while (at < c->n_bytes && is_space(c->text[at])) at++;
        while (at < c->n_bytes && !is_space(c->text[at])) at++;
        return at;
    case MOVE_START:
        while (at > 0 && c->text[at - 1] != '\n') at--;
        return at;
    case MOVE_END:
        while (at < c->n_bytes && c->text[at] != '\n') at++;
        return at;
    }
    return at;
}

void composer_go_to(composer *c, size_t caret, bool select) {
    c->caret = caret < c->n_bytes ? caret : c->n_bytes;
    while (c->caret > 0 && continues(c, c->caret)) c->caret--;
    if (!select) c->anchor = c->caret;
}

void composer_go(composer *c, composer_move move, bool select) {
    size_t begin, end;
    selected(c, &begin, &end);
    if (!select && begin != end && (move == MOVE_LEFT || move == MOVE_RIGHT))
        composer_go_to(c, move == MOVE_LEFT ? begin : end, false); // as everywhere: the selection collapses
    else
        composer_go_to(c, target(c, move), select);
}

void composer_delete(composer *c, composer_move move) {
    if (c->caret == c->anchor) c->anchor = target(c, move);
    if (c->caret != c->anchor) composer_insert(c, "");
}

void composer_select_all(composer *c) {
    c->anchor = 0;
    c->caret = c->n_bytes;
}

const char *composer_selection(const composer *c, size_t *n_bytes) {
    size_t begin, end;
    selected(c, &begin, &end);
    *n_bytes = end - begin;
    return composer_text(c) + begin;
}
