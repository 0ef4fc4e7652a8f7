/* What was done to a text, step by step, so that it can be undone and redone. Typing runs on into one step until a word begins or
 * the person pauses. */
#ifndef WINDOW_EDITS_H
#define WINDOW_EDITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum edit_kind { EDIT_TYPED, EDIT_ERASED_LEFT, EDIT_ERASED_RIGHT, EDIT_OTHER } edit_kind;

/* At `at` n_removed bytes were replaced by n_inserted others. */
typedef struct edit {
    edit_kind kind;
    size_t at, n_removed, n_inserted;
    size_t caret, anchor; ///< before it
    char *bytes;          ///< [n_removed + n_inserted]: what was removed, then what was inserted
    uint32_t ms;          ///< when it was typed
} edit;

enum { EDITS_MAX = 200, EDITS_MAX_BYTES = 4 << 20 };

typedef struct edits {
    edit *list;     ///< [n], oldest first; n <= EDITS_MAX
    size_t n, done; ///< the first `done` of them are in the text, the others are undone
    size_t n_bytes; ///< of all bytes; at most EDITS_MAX_BYTES, or those of one step
    bool sealed;    ///< what comes next is a step of its own
} edits;

void edits_clear(edits *e);
/// Adds a step, or makes it part of the last one; what was undone is gone, and so are the oldest where there are too many. Of
/// `step`, bytes is not looked at. Returns false when the heap is out: nothing is changed.
bool edits_add(edits *e, edit step, const char *removed, const char *inserted);
void edits_seal(edits *e);
/// The step to be undone or redone now, valid until the next call; NULL where there is none.
const edit *edits_undo(edits *e);
const edit *edits_redo(edits *e);

#endif
