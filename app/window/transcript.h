/* What was said, laid out section by section: what was never seen has a guessed height, only what changed is laid out again, and
 * only what is visible is drawn. */
#ifndef WINDOW_TRANSCRIPT_H
#define WINDOW_TRANSCRIPT_H

#include "draw.h"
#include "theme.h"

typedef enum message_kind { MESSAGE_USER, MESSAGE_ASSISTANT, MESSAGE_NOTICE, MESSAGE_ERROR } message_kind;

typedef struct transcript transcript;

transcript *transcript_create(void);
void transcript_destroy(transcript **t);
void transcript_clear(transcript *t);
/// Begins a message; text may be "". Returns false when the heap is out.
bool transcript_add(transcript *t, message_kind kind, const char *text);
/// Adds to the last message of a person or of Pumice: a notice may have come behind it meanwhile. Returns false where there is
/// none, or when the heap is out.
bool transcript_append(transcript *t, const char *text);
/// The whole chat as Markdown, without notices; to be freed with free(). NULL when the heap is out.
char *transcript_markdown(const transcript *t);

/// Reads what changed since the last call; width in pixels. Heights are guessed anew where the width or the fonts did.
void transcript_layout(transcript *t, fonts *f, int width);
/// Lays out what is seen from `scroll` on in a window of that height; sticks: the end is seen. Returns where to scroll, so that
/// what was seen stays where it is although guesses above it were wrong.
int transcript_settle(transcript *t, fonts *f, int scroll, int height, bool sticks);
/// The fonts have changed.
void transcript_invalidate(transcript *t);
int transcript_height(const transcript *t);
/// The messages that are seen, from *at = 0 on: the line above each, where its buttons go. Returns false behind the last one.
typedef struct transcript_head {
    size_t message;
    long turn; ///< of those of a person and of Pumice it is this one; -1: neither
    message_kind kind;
    SDL_Rect line; ///< beside its name, in the area
} transcript_head;
bool transcript_next_head(const transcript *t, fonts *f, SDL_Rect area, int scroll, size_t *at, transcript_head *head);
/// The whole of a message, as it was written; valid until the transcript changes.
const char *transcript_message(const transcript *t, size_t message);

/// Draws the part from `scroll` pixels on, which was settled, into the area.
void transcript_draw(const transcript *t, fonts *f, const theme *colors, draw_list *list, SDL_Rect area, int scroll);

/* A place in the text. */
typedef struct text_place {
    uint32_t message, section, cell, byte;
} text_place;

int text_place_compare(const text_place *a, const text_place *b);
/// The place that is nearest to x, y of the area. Returns false where nothing is.
bool transcript_place_at(const transcript *t, fonts *f, SDL_Rect area, int scroll, int x, int y, text_place *place);
/// Everything: from the first place to the last. Returns false where nothing is.
bool transcript_ends(const transcript *t, text_place *first, text_place *last);
/// Moves a place by characters, or by lines (lines 0), over the borders of messages too.
typedef enum text_step { STEP_LEFT, STEP_RIGHT, STEP_UP, STEP_DOWN, STEP_LINE_START, STEP_LINE_END } text_step;
void transcript_step(transcript *t, fonts *f, text_place *place, text_step step);
/// Shows a selection; equal places: none.
void transcript_select(transcript *t, text_place from, text_place to);
/// What lies between two places, as text or as Markdown; to be freed with free(). NULL when the heap is out.
char *transcript_copy(const transcript *t, text_place from, text_place to, bool markdown);
/// The vertical pixels of a place, after laying it out: its line's top and height.
void transcript_locate(transcript *t, fonts *f, text_place place, int *y, int *height);

/* Searching. */
/// Finds a text without regard to case and marks it; NULL or "": nothing. Returns how often it is there.
size_t transcript_find(transcript *t, const char *query);
/// The i-th place where it was found becomes the one that is marked apart.
text_place transcript_found(transcript *t, size_t i);

/* What can be clicked. */
typedef enum target_kind { TARGET_NOTHING, TARGET_TEXT, TARGET_LINK, TARGET_COPY_CODE, TARGET_THOUGHTS } target_kind;
typedef struct click_target {
    target_kind kind;
    uint32_t message, section;
    const char *link; ///< its address; valid until the transcript changes
} click_target;
click_target transcript_target(const transcript *t, fonts *f, SDL_Rect area, int scroll, int x, int y);
/// The text of the code that a target copies; to be freed with free().
char *transcript_copy_target(const transcript *t, const click_target *what);
/// Folds or unfolds the thoughts of a message.
void transcript_fold(transcript *t, uint32_t message);

#endif
