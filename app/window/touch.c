#include "touch.h"

#include <math.h>

static touch_kind move(touch *t, float y, int slop, int *by) {
    if (!t->moved && fabsf(y - t->begin_y) <= (float)slop) return TOUCH_NOTHING;
    t->moved = true;
    *by = (int)lroundf(y - t->y);
    t->y += (float)*by; // what is rounded away is not lost
    return *by ? TOUCH_SCROLL : TOUCH_NOTHING;
}

touch_kind touch_event(touch *t, const SDL_TouchFingerEvent *event, int width, int height, int slop, int *x, int *y) {
    float at_y = event->y * (float)height;
    *x = *y = 0;
    if (event->type == SDL_FINGERDOWN) {
        if (!t->down) *t = (touch){.down = true, .finger = event->fingerId, .begin_y = at_y, .y = at_y};
        return TOUCH_NOTHING;
    }
    if (!t->down || event->fingerId != t->finger) return TOUCH_NOTHING;
    if (event->type == SDL_FINGERMOTION) return move(t, at_y, slop, y);
    t->down = false;
    if (t->moved) return TOUCH_NOTHING;
    *x = (int)(event->x * (float)width);
    *y = (int)at_y;
    return TOUCH_TAP;
}
