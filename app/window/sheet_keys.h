/* The list of keys. */
#ifndef WINDOW_SHEET_KEYS_H
#define WINDOW_SHEET_KEYS_H

#include "sheet.h"

/// Returns the bottom of what was drawn.
int sheet_keys_draw(widgets *w, SDL_Rect content);

#endif
