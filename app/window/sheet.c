#include "sheet.h"

#include "words.h"

enum { WIDTH_UNITS = 640, MARGIN_UNITS = 24, PAD_UNITS = 16 };

SDL_Rect sheet_begin(sheet *s, widgets *w, int width, int height, const char *title, int dismiss) {
    int pad = widgets_units(w, PAD_UNITS), margin = widgets_units(w, MARGIN_UNITS), most = widgets_units(w, WIDTH_UNITS);
    // On a narrow window the sheet is all of it.
    bool narrow = width < most + 2 * margin;
    SDL_Rect r = {0, 0, width, height};
    if (!narrow) r = (SDL_Rect){(width - most) / 2, margin, most, height - 2 * margin};
    SDL_Color veil = w->colors->border;
    veil.a = 160;
    draw_rect(w->list, (SDL_Rect){0, 0, width, height}, veil);
    widgets_frame(w, r, w->colors->ground, w->colors->border);
    int head = widgets_button_height(w) + 2 * pad;
    SDL_Rect view = {r.x + 1, r.y + head, r.w - 2, r.h - head - 1};
    widgets_layer(w, dismiss, r, view, &s->scroll, s->height - view.h);
    widgets_text_within(w, r.x + pad, r.y + pad + widgets_units(w, 4), r.w - 4 * pad - widgets_button_width(w, say(W_CLOSE)),
                        title, w->colors->text);
    widgets_button_right(w, r.x + r.w - pad, r.y + pad, say(W_CLOSE), LOOK_PLAIN, dismiss, 0);
    draw_rect(w->list, (SDL_Rect){r.x, r.y + head - 1, r.w, 1}, w->colors->border);
    widgets_clip(w, view);
    return (SDL_Rect){view.x + pad, view.y + pad - s->scroll, view.w - 2 * pad, view.h};
}

void sheet_end(sheet *s, widgets *w, SDL_Rect content, int bottom) {
    int pad = widgets_units(w, PAD_UNITS);
    s->height = bottom - content.y + 2 * pad;
    widgets_clip(w, (SDL_Rect){0});
    if (s->height <= content.h) return;
    // How far it goes, beside it.
    int bar = widgets_units(w, 4), length = content.h * content.h / s->height;
    int at = (int)((int64_t)(content.h - length) * s->scroll / (s->height - content.h));
    draw_rect(w->list, (SDL_Rect){content.x + content.w + pad - bar, content.y - pad + s->scroll + at, bar, length},
              w->colors->border);
}

int sheet_heading(const widgets *w, SDL_Rect content, int y, const char *text) {
    int line = widgets_line(w);
    y = widgets_paragraph(w, content.x, y, content.w, text, w->colors->accent);
    draw_rect(w->list, (SDL_Rect){content.x, y + line / 6, content.w, 1}, w->colors->border);
    return y + line / 2;
}
