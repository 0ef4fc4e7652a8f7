#include "widgets.h"

#include <stdlib.h>
#include <string.h>

enum { PAD_UNITS = 12, HIGH_UNITS = 4, RING_UNITS = 2 };

static bool inside(const SDL_Rect *r, int x, int y) { return x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h; }

int widgets_units(const widgets *w, int n) { return (int)((float)n * w->scale + 0.5f); }
int widgets_line(const widgets *w) { return fonts_line_height(w->fonts); }

void widgets_free(widgets *w) { free(w->all); }

void widgets_begin(widgets *w, fonts *f, const theme *colors, draw_list *list, float scale) {
    w->fonts = f;
    w->colors = colors;
    w->list = list;
    w->scale = scale;
    w->n = w->layer = 0;
    w->clip = w->view = (SDL_Rect){0};
    w->scroll = NULL;
    w->dismiss = 0;
}

void widgets_layer(widgets *w, int dismiss, SDL_Rect sheet, SDL_Rect view, int *scroll, int most) {
    w->layer = w->n;
    w->dismiss = dismiss;
    w->sheet = sheet;
    w->view = view;
    w->scroll = scroll;
    w->most = most > 0 ? most : 0;
    if (*scroll > w->most) *scroll = w->most;
}

void widgets_clip(widgets *w, SDL_Rect clip) {
    w->clip = clip;
    draw_clip(w->list, clip);
}

static void note(widgets *w, SDL_Rect r, composer *field, text_box *box, int action, int64_t argument) {
    if (w->n == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 64;
        widget *all = realloc(w->all, capacity * sizeof *all);
        if (!all) return; // one that cannot be pressed in this frame is better than none
        w->all = all;
        w->capacity = capacity;
    }
    bool scrolls = w->clip.w > 0 && SDL_RectEquals(&w->clip, &w->view);
    w->all[w->n++] = (widget){.action = action, .argument = argument, .rect = r, .field = field, .box = box, .scrolls = scrolls};
}

/* ---- looks */

int widgets_text(const widgets *w, int x, int y, const char *text, SDL_Color color) {
    size_t n = strlen(text);
    draw_text(w->list, x, y, text, n, color);
    return fonts_width(w->fonts, text, n);
}

void widgets_text_within(const widgets *w, int x, int y, int width, const char *text, SDL_Color color) {
    draw_text_within(w->list, w->fonts, x, y, width, text, color);
}

int widgets_paragraph(const widgets *w, int x, int y, int width, const char *text, SDL_Color color) {
    size_t n = strlen(text);
    for (size_t at = 0; at < n; y += widgets_line(w)) {
        size_t step = fonts_break(w->fonts, text + at, n - at, width);
        draw_text(w->list, x, y, text + at, step, color);
        at += step;
    }
    return y;
}

void widgets_frame(const widgets *w, SDL_Rect r, SDL_Color ground, SDL_Color border) {
    int line = w->scale < 1.5f ? 1 : widgets_units(w, 1);
    draw_rect(w->list, r, border);
    draw_rect(w->list, (SDL_Rect){r.x + line, r.y + line, r.w - 2 * line, r.h - 2 * line}, ground);
}

/* Around what has the focus, where the keys have brought it. */
static void draw_ring(const widgets *w, SDL_Rect r) {
    int line = widgets_units(w, RING_UNITS), gap = line;
    SDL_Rect o = {r.x - gap - line, r.y - gap - line, r.w + 2 * (gap + line), r.h + 2 * (gap + line)};
    draw_rect(w->list, (SDL_Rect){o.x, o.y, o.w, line}, w->colors->accent);
    draw_rect(w->list, (SDL_Rect){o.x, o.y + o.h - line, o.w, line}, w->colors->accent);
    draw_rect(w->list, (SDL_Rect){o.x, o.y, line, o.h}, w->colors->accent);
    draw_rect(w->list, (SDL_Rect){o.x + o.w - line, o.y, line, o.h}, w->colors->accent);
}

int widgets_button_width(const widgets *w, const char *label) {
    return fonts_width(w->fonts, label, strlen(label)) + 2 * widgets_units(w, PAD_UNITS);
}

int widgets_button_height(const widgets *w) { return widgets_line(w) + 2 * widgets_units(w, HIGH_UNITS); }

void widgets_area(widgets *w, SDL_Rect r, int action, int64_t argument) {
    note(w, r, NULL, NULL, action, argument);
    if (w->by_keys && widgets_has_focus(w, action, argument)) draw_ring(w, r);
}

void widgets_ground(widgets *w, SDL_Rect r) { note(w, r, NULL, NULL, -1, 0); }

SDL_Rect widgets_button(widgets *w, int x, int y, const char *label, widget_look look, int action, int64_t argument) {
    const theme *c = w->colors;
    int pad = widgets_units(w, look == LOOK_QUIET ? PAD_UNITS / 2 : PAD_UNITS), high = widgets_units(w, HIGH_UNITS);
    int width = fonts_width(w->fonts, label, strlen(label)) + 2 * pad;
    SDL_Rect r = {x, y, width, widgets_line(w) + 2 * (look == LOOK_QUIET ? 0 : high)};
    if (look == LOOK_STRONG) draw_rect(w->list, r, c->accent);
    if (look == LOOK_PLAIN) widgets_frame(w, r, c->panel, c->border);
    if (look == LOOK_CHOSEN) widgets_frame(w, r, c->selection, c->accent);
    SDL_Color ink = look == LOOK_STRONG ? c->accent_text : look == LOOK_QUIET ? c->faint : c->text;
    widgets_text(w, x + pad, y + (r.h - widgets_line(w)) / 2, label, ink);
    widgets_area(w, r, action, argument);
    return r;
}

SDL_Rect widgets_button_right(widgets *w, int right, int y, const char *label, widget_look look, int action, int64_t argument) {
    int pad = widgets_units(w, look == LOOK_QUIET ? PAD_UNITS / 2 : PAD_UNITS);
    return widgets_button(w, right - fonts_width(w->fonts, label, strlen(label)) - 2 * pad, y, label, look, action, argument);
}

void widgets_field(widgets *w, SDL_Rect r, composer *c, const char *hint, int action, int64_t argument) {
    const char *text = composer_text(c);
    const theme *colors = w->colors;
    bool here = widgets_has_focus(w, action, argument);
    int pad = widgets_units(w, 8), y = r.y + (r.h - widgets_line(w)) / 2, x = r.x + pad, room = r.w - 2 * pad;
    widgets_frame(w, r, colors->ground, here ? colors->accent : colors->border);
    size_t from = c->caret < c->anchor ? c->caret : c->anchor, to = c->caret < c->anchor ? c->anchor : c->caret;
    int before = fonts_width(w->fonts, text, c->caret), preedit = fonts_width(w->fonts, c->preedit, strlen(c->preedit));
    // What is longer than its box shows where the caret is.
    if (here && before + preedit > room) x -= before + preedit - room;
    SDL_Rect outer = w->clip, all, *seen = outer.w > 0 && SDL_IntersectRect(&outer, &r, &all) ? &all : &r;
    draw_clip(w->list, *seen);
    if (here && from < to)
        draw_rect(
            w->list,
            (SDL_Rect){x + fonts_width(w->fonts, text, from), y, fonts_width(w->fonts, text + from, to - from), widgets_line(w)},
            colors->selection);
    if (!*text && !c->preedit[0]) widgets_text_within(w, x, y, room, hint, colors->faint);
    draw_text(w->list, x, y, text, c->caret, colors->text);
    widgets_text(w, x + before, y, c->preedit, colors->text);
    if (c->preedit[0])
        draw_rect(w->list, (SDL_Rect){x + before, y + widgets_line(w) - widgets_units(w, 3), preedit, widgets_units(w, 2)},
                  colors->accent);
    widgets_text(w, x + before + preedit, y, text + c->caret, colors->text);
    if (here)
        draw_rect(w->list, (SDL_Rect){x + before + preedit, y + 1, widgets_units(w, 2), widgets_line(w) - 2}, colors->accent);
    draw_clip(w->list, outer);
    note(w, r, c, NULL, action, argument);
    if (here && w->by_keys) draw_ring(w, r);
}

SDL_Rect widgets_box(widgets *w, int x, int y, int width, int most_lines, text_box *box, composer *c, const char *hint,
                     int action, int64_t argument) {
    bool here = widgets_has_focus(w, action, argument);
    const text_box_style style = {
        w->fonts,        w->scale,         w->colors->ground,    here ? w->colors->accent : w->colors->border,
        w->colors->text, w->colors->faint, w->colors->selection, w->colors->accent};
    text_box_lay_out(box, c, &style, x, y, width, most_lines);
    text_box_draw(box, c, &style, w->list, w->clip, hint, here);
    note(w, box->area, c, box, action, argument);
    if (here && w->by_keys) draw_ring(w, box->area);
    return box->area;
}

/* ---- what a person does */

void widgets_focus(widgets *w, int action, int64_t argument) {
    w->focus = action;
    w->focus_argument = argument;
}

bool widgets_has_focus(const widgets *w, int action, int64_t argument) {
    return w->focus && w->focus == action && w->focus_argument == argument;
}

static widget *focused(const widgets *w) {
    for (size_t i = w->layer; i < w->n; i++)
        if (widgets_has_focus(w, w->all[i].action, w->all[i].argument)) return &w->all[i];
    return NULL;
}

composer *widgets_typing(const widgets *w) {
    const widget *at = focused(w);
    return at ? at->field : NULL;
}

static void reveal(widgets *w, const widget *at) {
    if (!at->scrolls || !w->scroll) return;
    int gap = widgets_line(w);
    if (at->rect.y - gap < w->view.y) *w->scroll += at->rect.y - gap - w->view.y;
    if (at->rect.y + at->rect.h + gap > w->view.y + w->view.h)
        *w->scroll += at->rect.y + at->rect.h + gap - w->view.y - w->view.h;
    if (*w->scroll > w->most) *w->scroll = w->most;
    if (*w->scroll < 0) *w->scroll = 0;
}

/* In the window itself the composer comes before the first widget, and behind the last one. */
static void move_focus(widgets *w, bool back) {
    size_t n = w->n - w->layer, at = 0; // 0: the composer
    const widget *now = focused(w);
    if (now) at = (size_t)(now - w->all) - w->layer + 1;
    for (size_t tries = 0; tries <= n; tries++) {
        at = back ? (at == 0 ? n : at - 1) : (at == n ? 0 : at + 1);
        if (at == 0 ? w->layer == 0 : w->all[w->layer + at - 1].action > 0) break;
    }
    w->by_keys = true;
    if (at == 0) {
        widgets_focus(w, 0, 0);
        return;
    }
    const widget *to = &w->all[w->layer + at - 1];
    widgets_focus(w, to->action, to->argument);
    if (to->field && !to->box) composer_select_all(to->field);
    reveal(w, to);
}

static bool copy_out(const composer *c) {
    size_t n;
    const char *selected = composer_selection(c, &n);
    char *text = n ? malloc(n + 1) : NULL;
    if (!text) return false;
    memcpy(text, selected, n);
    text[n] = 0;
    SDL_SetClipboardText(text);
    free(text);
    return true;
}

static bool edit_with_control(composer *c, SDL_Keycode code, bool shift, bool *typed) {
    switch (code) {
    case SDLK_a:
        composer_select_all(c);
        return true;
    case SDLK_c:
        if (!shift) copy_out(c);
        return !shift;
    case SDLK_x:
        if ((*typed = copy_out(c))) composer_delete(c, MOVE_LEFT);
        return true;
    case SDLK_v: {
        char *text = SDL_GetClipboardText();
        *typed = text && composer_insert(c, text);
        SDL_free(text);
        return true;
    }
    case SDLK_z:
        *typed = shift ? composer_redo(c) : composer_undo(c);
        return true;
    case SDLK_y:
        *typed = composer_redo(c);
        return true;
    case SDLK_HOME:
        composer_go(c, MOVE_FIRST, shift);
        return true;
    case SDLK_END:
        composer_go(c, MOVE_LAST, shift);
        return true;
    case SDLK_LEFT:
        composer_go(c, MOVE_WORD_LEFT, shift);
        return true;
    case SDLK_RIGHT:
        composer_go(c, MOVE_WORD_RIGHT, shift);
        return true;
    case SDLK_BACKSPACE:
    case SDLK_DELETE:
        if (shift) return false;
        composer_delete(c, code == SDLK_DELETE ? MOVE_WORD_RIGHT : MOVE_WORD_LEFT);
        *typed = true;
        return true;
    default:
        return false;
    }
}

bool widgets_edit(composer *c, const SDL_KeyboardEvent *key, bool *typed) {
    bool shift = key->keysym.mod & KMOD_SHIFT;
    SDL_Keycode code = key->keysym.sym;
    *typed = false;
    if (key->keysym.mod & KMOD_ALT) return false;
    if (key->keysym.mod & KMOD_CTRL) return edit_with_control(c, code, shift, typed);
    switch (code) {
    case SDLK_BACKSPACE:
    case SDLK_DELETE:
        composer_delete(c, code == SDLK_DELETE ? MOVE_RIGHT : MOVE_LEFT);
        *typed = true;
        return true;
    case SDLK_LEFT:
        composer_go(c, MOVE_LEFT, shift);
        return true;
    case SDLK_RIGHT:
        composer_go(c, MOVE_RIGHT, shift);
        return true;
    case SDLK_HOME:
        composer_go(c, MOVE_START, shift);
        return true;
    case SDLK_END:
        composer_go(c, MOVE_END, shift);
        return true;
    default:
        return false;
    }
}

static bool press_key(widgets *w, const SDL_KeyboardEvent *key, widget_news *did) {
    SDL_Keycode code = key->keysym.sym;
    bool plain = !(key->keysym.mod & (KMOD_CTRL | KMOD_ALT | KMOD_GUI));
    if (code == SDLK_TAB && plain) {
        move_focus(w, key->keysym.mod & KMOD_SHIFT);
        return true;
    }
    const widget *at = focused(w);
    if (code == SDLK_ESCAPE && (w->dismiss || at)) {
        if (at && at->field && !w->dismiss) *did = (widget_news){.action = at->action, .argument = at->argument, .typed = true};
        if (w->dismiss) did->action = w->dismiss;
        widgets_focus(w, 0, 0);
        w->by_keys = false;
        return true;
    }
    bool enters = code == SDLK_RETURN || code == SDLK_KP_ENTER;
    if (at && at->box && enters && plain) {
        composer_insert(at->field, "\n");
        *did = (widget_news){.action = at->action, .argument = at->argument, .typed = true};
        return true;
    }
    if (at && at->box && (code == SDLK_UP || code == SDLK_DOWN)) {
        text_box_move_line(at->box, at->field, code == SDLK_UP ? -1 : 1, key->keysym.mod & KMOD_SHIFT);
        return true;
    }
    if (at && plain && (enters || (code == SDLK_SPACE && !at->field))) {
        *did = (widget_news){.action = at->action, .argument = at->argument};
        return true;
    }
    bool typed;
    if (at && at->field && widgets_edit(at->field, key, &typed)) {
        if (typed) *did = (widget_news){.action = at->action, .argument = at->argument, .typed = true};
        return true;
    }
    if (at && !at->field && plain && (code == SDLK_DOWN || code == SDLK_UP)) {
        move_focus(w, code == SDLK_UP);
        return true;
    }
    if (w->dismiss && w->scroll && plain && (code == SDLK_PAGEDOWN || code == SDLK_PAGEUP)) {
        *w->scroll += (code == SDLK_PAGEDOWN ? 1 : -1) * w->view.h * 9 / 10;
        if (*w->scroll > w->most) *w->scroll = w->most;
        if (*w->scroll < 0) *w->scroll = 0;
        return true;
    }
    // Letters go on to the text; what lies below an open layer gets nothing.
    return w->dismiss && plain;
}

/* The caret goes to the character that was pressed. */
static void place_caret(widgets *w, const widget *at, int x) {
    composer *c = at->field;
    const char *text = composer_text(c);
    size_t n = strlen(text), byte = 0;
    int left = at->rect.x + widgets_units(w, 8), room = at->rect.w - 2 * widgets_units(w, 8);
    int before = fonts_width(w->fonts, text, c->caret);
    if (widgets_has_focus(w, at->action, at->argument) && before > room) left -= before - room;
    while (byte < n) {
        uint32_t code;
        size_t step = fonts_next(text + byte, n - byte, &code);
        int advance = fonts_advance(w->fonts, code);
        if (x < left + advance / 2) break;
        left += advance;
        byte += step;
    }
    composer_go_to(c, byte, false);
}

static bool press_mouse(widgets *w, int x, int y, widget_news *did) {
    w->by_keys = false;
    for (size_t i = w->n; i-- > w->layer;) {
        const widget *at = &w->all[i];
        if (!inside(&at->rect, x, y) || (at->scrolls && !inside(&w->view, x, y))) continue;
        if (at->field) {
            if (at->box)
                text_box_click(at->box, at->field, w->fonts, x, y);
            else
                place_caret(w, at, x);
            widgets_focus(w, at->action, at->argument);
        } else {
            if (!w->dismiss) widgets_focus(w, 0, 0);
            *did = (widget_news){.action = at->action > 0 ? at->action : 0, .argument = at->argument};
        }
        return true;
    }
    if (!w->dismiss || !inside(&w->sheet, x, y)) widgets_focus(w, 0, 0);
    if (w->dismiss && !inside(&w->sheet, x, y)) did->action = w->dismiss;
    return w->dismiss; // what lies below is not reached
}

bool widgets_event(widgets *w, const SDL_Event *event, widget_news *did) {
    *did = (widget_news){0};
    switch (event->type) {
    case SDL_KEYDOWN:
        return press_key(w, &event->key, did);
    case SDL_TEXTINPUT: {
        const widget *at = focused(w);
        if (!at || !at->field) {
            if (!w->dismiss && at && event->text.text[0] != ' ') widgets_focus(w, 0, 0); // who types on means the composer
            return w->dismiss || (at && event->text.text[0] == ' ' && !event->text.text[1]);
        }
        composer_type(at->field, event->text.text, event->text.timestamp);
        *did = (widget_news){.action = at->action, .argument = at->argument, .typed = true};
        return true;
    }
    case SDL_MOUSEBUTTONDOWN:
        return event->button.button == SDL_BUTTON_LEFT && press_mouse(w, event->button.x, event->button.y, did);
    case SDL_MOUSEWHEEL:
        if (!w->dismiss) return false;
        *w->scroll -= event->wheel.y * 3 * widgets_line(w);
        if (*w->scroll > w->most) *w->scroll = w->most;
        if (*w->scroll < 0) *w->scroll = 0;
        return true;
    default:
        return false;
    }
}
