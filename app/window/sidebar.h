/* The list of chats beside the transcript: search, open, rename, pin, delete. On a narrow window it lies over the transcript,
 * when asked for. */
#ifndef WINDOW_SIDEBAR_H
#define WINDOW_SIDEBAR_H

#include "chats.h"
#include "widgets.h"

typedef struct sidebar {
    bool shown;             ///< on a narrow window
    composer search, title; ///< what is typed in its fields
    store_id named;         ///< whose title is typed; 0: none
    size_t scroll;          ///< chats above the first one that is drawn
    SDL_Rect area;
    size_t n_rows;
} sidebar;

/// What an event was for.
typedef enum sidebar_heard { SIDEBAR_NOTHING, SIDEBAR_TAKEN, SIDEBAR_OPEN } sidebar_heard;

void sidebar_free(sidebar *s);
/// Pixels that the sidebar takes away from the left; 0 where it is folded.
int sidebar_width(const sidebar *s, int width, float scale);
void sidebar_draw(sidebar *s, chats *c, widgets *w, int width, int height);
/// What its widgets mean. chat: which one SIDEBAR_OPEN means.
sidebar_heard sidebar_obey(sidebar *s, chats *c, widgets *w, const widget_news *did, store_id *chat);
/// Its keys, wherever the focus is.
sidebar_heard sidebar_press(sidebar *s, chats *c, widgets *w, const SDL_KeyboardEvent *key, store_id *chat);
/// A title whose field has lost the focus is as it was typed.
void sidebar_settle(sidebar *s, chats *c, const widgets *w);
bool sidebar_wheel(sidebar *s, const chats *c, int x, int y, int lines);

#endif
