/* A text that is being written, in lines: where they break, where the caret is, what a press in it means. */
#ifndef WINDOW_TEXT_BOX_H
#define WINDOW_TEXT_BOX_H

#include "composer.h"
#include "draw.h"

typedef struct text_box {
    size_t *lines; ///< [n]: where each begins, in bytes, as last laid out
    size_t n, capacity, first, shown;
    int pad;              ///< pixels between border and text; twice that at the sides
    SDL_Rect area, caret; ///< in pixels; the caret as last drawn
} text_box;

typedef struct text_box_style {
    fonts *fonts;
    float scale;
    SDL_Color ground, border, ink, hint, selection, caret;
} text_box_style;

void text_box_free(text_box *b);
/// Breaks the lines, at most `most_lines` of which are seen, the caret's among them. The box is as high as it needs.
void text_box_lay_out(text_box *b, const composer *c, const text_box_style *s, int x, int y, int width, int most_lines);
/// Moves a box that was laid out.
void text_box_place(text_box *b, int x, int y);
/// clip: that limits it, w 0: nothing does. hint: what stands there while there is no text. caret: it has the focus.
void text_box_draw(text_box *b, const composer *c, const text_box_style *s, draw_list *list, SDL_Rect clip, const char *hint,
                   bool caret);
void text_box_click(const text_box *b, composer *c, fonts *f, int x, int y);
/// The caret a line up or down, as near to the same place as there is.
void text_box_move_line(const text_box *b, composer *c, int by, bool select);

#endif
