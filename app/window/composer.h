/* The text that a person is writing: editing, selection, and the input method's unfinished text. No SDL windows in here. */
#ifndef WINDOW_COMPOSER_H
#define WINDOW_COMPOSER_H

#include "edits.h"

typedef struct composer {
    char *text; ///< zero-terminated, NULL while nothing was ever written
    size_t n_bytes, capacity;
    size_t caret, anchor; ///< byte offsets; the selection is between them
    char preedit[256];    ///< unfinished text of the input method, shown at the caret
    int preedit_caret;    ///< in characters of preedit
    edits edits;          ///< since composer_set
} composer;

void composer_free(composer *c);
const char *composer_text(const composer *c); ///< never NULL
/// Another text, whose history begins here.
void composer_set(composer *c, const char *text);
/// Replaces the selection, as one step that can be undone. Returns false when the heap is out: nothing is changed.
bool composer_insert(composer *c, const char *text);
/// The same for what comes from the keyboard, in milliseconds of any clock: a word is a step, and so is what follows a pause.
bool composer_type(composer *c, const char *text, uint32_t now_ms);
/// Text, caret and selection as they were before the last step, or after the next one. Return false where there is none.
bool composer_undo(composer *c);
bool composer_redo(composer *c);
void composer_set_preedit(composer *c, const char *text, int caret);

/* By characters as people see them (graphemes.h), by words, to the ends of the line, to the ends of the text. */
typedef enum composer_move {
    MOVE_LEFT,
    MOVE_RIGHT,
    MOVE_WORD_LEFT,
    MOVE_WORD_RIGHT,
    MOVE_START,
    MOVE_END,
    MOVE_FIRST,
    MOVE_LAST
} composer_move;
void composer_go(composer *c, composer_move move, bool select);
/// To a place, or to the beginning of the character that it is in.
void composer_go_to(composer *c, size_t caret, bool select);
/// Deletes the selection, or what lies between the caret and where the move goes.
void composer_delete(composer *c, composer_move move);
void composer_select_all(composer *c);
/// The selection; *n_bytes is 0 where there is none.
const char *composer_selection(const composer *c, size_t *n_bytes);

#endif
