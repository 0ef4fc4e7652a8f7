/* A person reading the transcript: selecting and copying, looking for words, following links. */
#ifndef WINDOW_READER_H
#define WINDOW_READER_H

#include "draw.h"
#include "theme.h"
#include "transcript.h"

/* What is read, and where it stands. The reader scrolls it. */
typedef struct reader_view {
    transcript *transcript;
    fonts *fonts;
    SDL_Rect area;
    int *scroll;
    bool *sticks;
} reader_view;

typedef struct reader {
    bool dragging, focused; ///< the keys move in the text
    text_place anchor, caret;
    bool finding;
    char query[256];
    char preedit[64]; ///< the input method's unfinished text behind it
    char shown[320];  ///< both; borrowed by the list that is drawn
    size_t n_found, now;
    char status[64]; ///< borrowed by the list that is drawn
    char *asked;     ///< the address of a link, until the person has answered
    SDL_Rect open_button, copy_button, close_button;
} reader;

void reader_free(reader *r);
/// The transcript is another one.
void reader_reset(reader *r);
/// The transcript has got longer: counts anew what is looked for, and stays at the same place.
void reader_grown(reader *r, const reader_view *v);
/// Returns whether the event was the reader's; what it leaves is others'.
bool reader_event(reader *r, const reader_view *v, const SDL_Event *event);
/// What the input method has not finished; returns whether it is for the search.
bool reader_compose(reader *r, const char *text);
/// Draws the search, or the question, over the transcript.
void reader_draw(reader *r, const reader_view *v, const theme *colors, draw_list *list);
/// Whether anything is selected.
bool reader_selects(const reader *r);

#endif
