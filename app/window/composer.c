#include "composer.h"

#include "graphemes.h"

#include <stdlib.h>
#include <string.h>

void composer_free(composer *c) {
    edits_clear(&c->edits);
    free(c->text);
    *c = (composer){0};
}

const char *composer_text(const composer *c) { return c->text ? c->text : ""; }

static void selected(const composer *c, size_t *begin, size_t *end) {
    *begin = c->caret < c->anchor ? c->caret : c->anchor;
    *end = c->caret < c->anchor ? c->anchor : c->caret;
}

static bool reserve(composer *c, size_t n_bytes) {
    if (n_bytes + 1 <= c->capacity) return true;
    size_t capacity = 2 * n_bytes + 64;
    char *grown = realloc(c->text, capacity);
    if (!grown) return false;
    c->text = grown;
    c->capacity = capacity;
    return true;
}

/* [at, at + n_out) becomes text [n_in], for which there is room. */
static void put(composer *c, size_t at, size_t n_out, const char *text, size_t n_in) {
    memmove(c->text + at + n_in, c->text + at + n_out, c->n_bytes - at - n_out);
    memcpy(c->text + at, text, n_in);
    c->n_bytes += n_in - n_out;
    c->text[c->n_bytes] = 0;
    c->caret = c->anchor = at + n_in;
}

static bool replace(composer *c, size_t begin, size_t end, const char *text, edit_kind kind, uint32_t ms) {
    size_t n = strlen(text);
    if (!reserve(c, c->n_bytes - (end - begin) + n)) return false;
    edit step = {kind, begin, end - begin, n, c->caret, c->anchor, .ms = ms};
    if ((n > 0 || end > begin) && !edits_add(&c->edits, step, c->text + begin, text)) return false;
    put(c, begin, end - begin, text, n);
    return true;
}

bool composer_insert(composer *c, const char *text) {
    size_t begin, end;
    selected(c, &begin, &end);
    return replace(c, begin, end, text, EDIT_OTHER, 0);
}

bool composer_type(composer *c, const char *text, uint32_t now_ms) {
    size_t begin, end;
    selected(c, &begin, &end);
    return replace(c, begin, end, text, EDIT_TYPED, now_ms);
}

void composer_set(composer *c, const char *text) {
    size_t n = strlen(text);
    edits_clear(&c->edits);
    if (reserve(c, n)) put(c, 0, c->n_bytes, text, n);
}

bool composer_undo(composer *c) {
    const edit *step = c->edits.done > 0 ? &c->edits.list[c->edits.done - 1] : NULL;
    if (!step || !reserve(c, c->n_bytes - step->n_inserted + step->n_removed)) return false;
    edits_undo(&c->edits);
    put(c, step->at, step->n_inserted, step->bytes, step->n_removed);
    c->caret = step->caret;
    c->anchor = step->anchor;
    return true;
}

bool composer_redo(composer *c) {
    const edit *step = c->edits.done < c->edits.n ? &c->edits.list[c->edits.done] : NULL;
    if (!step || !reserve(c, c->n_bytes - step->n_removed + step->n_inserted)) return false;
    edits_redo(&c->edits);
    put(c, step->at, step->n_removed, step->bytes + step->n_removed, step->n_inserted);
    return true;
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

static size_t target(const composer *c, composer_move move) {
    const char *text = composer_text(c);
    size_t at = c->caret, n = c->n_bytes;
    switch (move) {
    case MOVE_LEFT:
        return grapheme_before(text, n, at);
    case MOVE_RIGHT:
        return grapheme_after(text, n, at);
    case MOVE_WORD_LEFT:
        return word_before(text, n, at);
    case MOVE_WORD_RIGHT:
        return word_after(text, n, at);
    case MOVE_START:
        while (at > 0 && text[at - 1] != '\n') at--;
        return at;
    case MOVE_END:
        while (at < n && text[at] != '\n') at++;
        return at;
    case MOVE_FIRST:
        return 0;
    case MOVE_LAST:
        return n;
    }
    return at;
}

void composer_go_to(composer *c, size_t caret, bool select) {
    c->caret = grapheme_floor(composer_text(c), c->n_bytes, caret);
    edits_seal(&c->edits);
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
    size_t begin, end, to = target(c, move);
    selected(c, &begin, &end);
    edit_kind kind = EDIT_OTHER;
    if (begin == end) {
        kind = move == MOVE_LEFT ? EDIT_ERASED_LEFT : move == MOVE_RIGHT ? EDIT_ERASED_RIGHT : EDIT_OTHER;
        begin = to < begin ? to : begin;
        end = to > end ? to : end;
    }
    if (begin != end) replace(c, begin, end, "", kind, 0);
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
