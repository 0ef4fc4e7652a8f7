/* A sheet over the window: a title, a way out, and what scrolls below them. */
#ifndef WINDOW_SHEET_H
#define WINDOW_SHEET_H

#include "widgets.h"

typedef struct sheet {
    int scroll, height; ///< pixels; of what is on it, as last drawn
} sheet;

/// Begins the sheet in a window of that size. dismiss: the action that closes it. Returns where to draw: x, y of the top of the
/// content, which scrolls, and its width; h is that of the view.
SDL_Rect sheet_begin(sheet *s, widgets *w, int width, int height, const char *title, int dismiss);
/// bottom: of the content that was drawn.
void sheet_end(sheet *s, widgets *w, SDL_Rect content, int bottom);

/// A heading of a part; returns the y below it.
int sheet_heading(const widgets *w, SDL_Rect content, int y, const char *text);

#endif
