#include "text_box.h"

#include <stdlib.h>
#include <string.h>

enum { PAD_UNITS = 8 };

static int units(float scale, int n) { return (int)((float)n * scale + 0.5f); }

void text_box_free(text_box *b) { free(b->lines); }

static size_t line_end(const text_box *b, const composer *c, size_t line) {
    return line + 1 < b->n ? b->lines[line + 1] : c->n_bytes;
}

static size_t caret_line(const text_box *b, const composer *c) {
    size_t line = 0;
    while (line + 1 < b->n && b->lines[line + 1] <= c->caret) line++;
    return line;
}

static void break_lines(text_box *b, const composer *c, fonts *f, int width) {
    const char *text = composer_text(c);
    b->n = 0;
    for (size_t at = 0;;) {
        if (b->n == b->capacity) {
            size_t capacity = b->capacity ? 2 * b->capacity : 16;
            size_t *lines = realloc(b->lines, capacity * sizeof *lines);
            if (!lines) return;
            b->lines = lines;
            b->capacity = capacity;
        }
        b->lines[b->n++] = at;
        if (at >= c->n_bytes) return;
        at += fonts_break(f, text + at, c->n_bytes - at, width);
        if (at >= c->n_bytes && text[at - 1] != '\n') return;
    }
}

void text_box_lay_out(text_box *b, const composer *c, const text_box_style *s, int x, int y, int width, int most_lines) {
    b->pad = units(s->scale, PAD_UNITS);
    break_lines(b, c, s->fonts, width - 2 * b->pad);
    size_t most = most_lines > 0 ? (size_t)most_lines : 1, caret = caret_line(b, c);
    b->shown = b->n < most ? b->n : most;
    b->first = caret >= b->shown ? caret - b->shown + 1 : 0;
    b->area = (SDL_Rect){x, y, width, (int)b->shown * fonts_line_height(s->fonts) + 2 * b->pad};
}

void text_box_place(text_box *b, int x, int y) {
    b->area.x = x;
    b->area.y = y;
}

/* The selection, the text, and where the caret is in it the preedit, underlined, and the caret. */
static void draw_line(text_box *b, const composer *c, const text_box_style *s, draw_list *list, size_t line, int x, int y,
                      bool caret) {
    const char *text = composer_text(c);
    size_t begin = b->lines[line], end = line_end(b, c, line);
    int height = fonts_line_height(s->fonts);
    size_t from = c->caret < c->anchor ? c->caret : c->anchor, to = c->caret < c->anchor ? c->anchor : c->caret;
    if (from < begin) from = begin;
    if (to > end) to = end;
    if (from < to && caret)
        draw_rect(list,
                  (SDL_Rect){x + fonts_width(s->fonts, text + begin, from - begin), y,
                             fonts_width(s->fonts, text + from, to - from), height},
                  s->selection);
    bool here = c->caret >= begin && (c->caret < end || line + 1 == b->n);
    if (!here) {
        draw_text(list, x, y, text + begin, end - begin, s->ink);
        return;
    }
    int before = x + fonts_width(s->fonts, text + begin, c->caret - begin), after = before;
    draw_text(list, x, y, text + begin, c->caret - begin, s->ink);
    if (c->preedit[0]) {
        size_t n = strlen(c->preedit);
        draw_text(list, before, y, c->preedit, n, s->ink);
        after += fonts_width(s->fonts, c->preedit, n);
        draw_rect(list, (SDL_Rect){before, y + height - units(s->scale, 3), after - before, units(s->scale, 2)}, s->caret);
    }
    draw_text(list, after, y, text + c->caret, end - c->caret, s->ink);
    b->caret = (SDL_Rect){after, y + units(s->scale, 2), units(s->scale, 2), height - units(s->scale, 4)};
    if (caret) draw_rect(list, b->caret, s->caret);
}

void text_box_draw(text_box *b, const composer *c, const text_box_style *s, draw_list *list, SDL_Rect clip, const char *hint,
                   bool caret) {
    SDL_Rect a = b->area, seen = a;
    draw_rect(list, a, s->border);
    draw_rect(list, (SDL_Rect){a.x + 1, a.y + 1, a.w - 2, a.h - 2}, s->ground);
    if (clip.w > 0 && !SDL_IntersectRect(&clip, &a, &seen)) return;
    draw_clip(list, seen);
    int line = fonts_line_height(s->fonts);
    for (size_t i = 0; i < b->shown; i++)
        draw_line(b, c, s, list, b->first + i, a.x + b->pad, a.y + b->pad + (int)i * line, caret);
    int x = a.x + b->pad + units(s->scale, 6);
    if (c->n_bytes == 0 && !c->preedit[0])
        draw_text_within(list, s->fonts, x, a.y + b->pad, a.x + a.w - b->pad - x, hint, s->hint);
    draw_clip(list, clip);
}

void text_box_click(const text_box *b, composer *c, fonts *f, int x, int y) {
    if (b->n == 0) return;
    int row = (y - b->area.y - b->pad) / fonts_line_height(f);
    size_t line = b->first + (row > 0 ? (size_t)row : 0);
    if (line >= b->n) line = b->n - 1;
    size_t at = b->lines[line], end = line_end(b, c, line);
    const char *text = composer_text(c);
    for (int left = b->area.x + b->pad; at < end && text[at] != '\n';) {
        uint32_t code;
        size_t n = fonts_next(text + at, end - at, &code);
        int advance = fonts_advance(f, code);
        if (x < left + advance / 2) break;
        left += advance;
        at += n;
    }
    composer_go_to(c, at, false);
}

void text_box_move_line(const text_box *b, composer *c, int by, bool select) {
    size_t line = caret_line(b, c);
    if (b->n == 0 || (by < 0 && line == 0) || (by > 0 && line + 1 >= b->n)) return;
    size_t target = by < 0 ? line - 1 : line + 1, to = b->lines[target] + (c->caret - b->lines[line]);
    size_t end = target + 1 < b->n ? b->lines[target + 1] - 1 : c->n_bytes;
    const char *text = composer_text(c);
    if (to > end) to = end;
    while (to > b->lines[target] && ((unsigned char)text[to] & 0xC0) == 0x80) to--; // not into a character
    composer_go_to(c, to, select);
}
