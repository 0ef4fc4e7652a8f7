/* A finger on the transcript: it scrolls, or it taps. */
#ifndef WINDOW_TOUCH_H
#define WINDOW_TOUCH_H

#include <SDL.h>
#include <stdbool.h>

typedef struct touch {
    bool down, moved;
    SDL_FingerID finger; ///< the first one; the others are ignored
    float begin_y, y;    ///< pixels
} touch;

typedef enum touch_kind { TOUCH_NOTHING, TOUCH_SCROLL, TOUCH_TAP } touch_kind;

/// width, height: of the window, in pixels. slop: pixels that a finger may move and still tap. *x, *y: where it tapped, or 0 and
/// how far what is under the finger has to move down.
touch_kind touch_event(touch *t, const SDL_TouchFingerEvent *event, int width, int height, int slop, int *x, int *y);

#endif
