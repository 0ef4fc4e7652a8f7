/* The list of chats beside the transcript: new, search, open, rename, pin, delete. On a narrow window it lies over it, when asked
 * for. */
#ifndef WINDOW_SIDEBAR_H
#define WINDOW_SIDEBAR_H

#include "chats.h"
#include "composer.h"
#include "draw.h"
#include "theme.h"

typedef enum sidebar_typing { TYPING_NOTHING, TYPING_SEARCH, TYPING_TITLE } sidebar_typing;

typedef struct sidebar {
    bool shown;            ///< on a narrow window
    sidebar_typing typing; ///< keys go into `input`
    composer input;
    size_t scroll; ///< chats above the first one that is drawn
    SDL_Rect area, search, fold, undo;
    int row_height, rows_top;
    size_t n_rows;
    store_id named; ///< whose title is typed
} sidebar;

/// What an event was for.
typedef enum sidebar_heard { SIDEBAR_NOTHING, SIDEBAR_TAKEN, SIDEBAR_OPEN, SIDEBAR_UNDELETED } sidebar_heard;

void sidebar_free(sidebar *s);
/// Pixels that the sidebar takes away from the left; 0 where it is folded.
int sidebar_width(const sidebar *s, int width, float scale);
/// Draws it, or the button that unfolds it at x, y.
void sidebar_draw(sidebar *s, chats *c, fonts *f, const theme *colors, draw_list *list, int width, int height, float scale, int x,
                  int y);
/// chat: which one SIDEBAR_OPEN means.
sidebar_heard sidebar_click(sidebar *s, chats *c, int x, int y, store_id *chat);
sidebar_heard sidebar_press(sidebar *s, chats *c, const SDL_KeyboardEvent *key, store_id *chat);
/// Returns false where the text is not for the sidebar.
bool sidebar_type(sidebar *s, chats *c, const char *text);
bool sidebar_wheel(sidebar *s, const chats *c, int x, int y, int lines);

#endif
