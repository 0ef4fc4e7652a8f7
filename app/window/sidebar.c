#include "sidebar.h"

#include <string.h>

enum { WIDTH_UNITS = 230, FOLDS_UNITS = 700, PAD_UNITS = 8 };

/* What a person reads here. */
static const char text_search[] = "Search (Ctrl+K)", text_fold[] = "Chats", text_untitled[] = "New chat",
                  text_none[] = "No chat has these words", text_undo[] = "Deleted. Undo (Ctrl+Z)";

static int units(float scale, int n) { return (int)((float)n * scale + 0.5f); }

static bool inside(const SDL_Rect *r, int x, int y) { return x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h; }

void sidebar_free(sidebar *s) { composer_free(&s->input); }

int sidebar_width(const sidebar *s, int width, float scale) {
    bool folds = (float)width < FOLDS_UNITS * scale;
    if (folds && !s->shown) return 0;
    int w = units(scale, WIDTH_UNITS);
    return w < width ? w : width;
}

static void text_within(fonts *f, draw_list *list, int x, int y, int width, const char *text, SDL_Color color) {
    size_t n = strcspn(text, "\n"), at = 0;
    int used = 0, dots = fonts_width(f, "\xE2\x80\xA6", 3);
    bool whole = fonts_width(f, text, n) <= width;
    while (!whole && at < n) {
        uint32_t code;
        size_t step = fonts_next(text + at, n - at, &code);
        used += fonts_advance(f, code);
        if (used + dots > width) break;
        at += step;
    }
    draw_text(list, x, y, text, whole ? n : at, color);
    if (!whole) draw_text(list, x + fonts_width(f, text, at), y, "\xE2\x80\xA6", 3, color);
}

static void draw_input(sidebar *s, fonts *f, const theme *colors, draw_list *list, SDL_Rect r, int pad) {
    const char *text = composer_text(&s->input);
    draw_rect(list, r, colors->accent);
    draw_rect(list, (SDL_Rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2}, colors->ground);
    draw_clip(list, r);
    // What is longer than the box shows its end.
    int caret = fonts_width(f, text, s->input.caret), x = r.x + pad, room = r.w - 2 * pad;
    if (caret > room) x -= caret - room;
    draw_text(list, x, r.y + pad / 2, text, strlen(text), colors->text);
    draw_rect(list, (SDL_Rect){x + caret, r.y + pad / 2, pad / 4 > 0 ? pad / 4 : 1, r.h - pad}, colors->accent);
    draw_clip(list, (SDL_Rect){0});
}

static void draw_row(sidebar *s, const chats *c, const store_chat *chat, fonts *f, const theme *colors, draw_list *list,
                     SDL_Rect r, int pad) {
    int line = fonts_line_height(f), x = r.x + pad, w = r.w - 2 * pad;
    if (s->typing == TYPING_TITLE && s->named == chat->id) {
        draw_input(s, f, colors, list, (SDL_Rect){r.x, r.y, r.w, line + pad}, pad);
        return;
    }
    if (chat->id == c->open) draw_rect(list, r, colors->selection);
    if (chat->pinned) {
        static const char star[] = "\xE2\x98\x85 ";
        draw_text(list, x, r.y + pad / 2, star, strlen(star), colors->accent);
        x += fonts_width(f, star, strlen(star));
        w -= x - r.x - pad;
    }
    text_within(f, list, x, r.y + pad / 2, w, chat->title[0] ? chat->title : text_untitled, colors->text);
    if (chat->found) text_within(f, list, r.x + pad, r.y + pad / 2 + line, r.w - 2 * pad, chat->found, colors->faint);
}

void sidebar_draw(sidebar *s, chats *c, fonts *f, const theme *colors, draw_list *list, int width, int height, float scale, int x,
                  int y) {
    int w = sidebar_width(s, width, scale), pad = units(scale, PAD_UNITS), line = fonts_line_height(f);
    s->fold = s->area = s->search = s->undo = (SDL_Rect){0};
    if (w == 0) {
        s->fold = (SDL_Rect){x, y, fonts_width(f, text_fold, strlen(text_fold)) + 2 * pad, line + pad};
        draw_rect(list, s->fold, colors->border);
        draw_rect(list, (SDL_Rect){s->fold.x + 1, s->fold.y + 1, s->fold.w - 2, s->fold.h - 2}, colors->panel);
        draw_text(list, x + pad, y + pad / 2, text_fold, strlen(text_fold), colors->text);
        return;
    }
    s->area = (SDL_Rect){0, 0, w, height};
    draw_rect(list, s->area, colors->panel);
    draw_rect(list, (SDL_Rect){w - 1, 0, 1, height}, colors->border);
    s->search = (SDL_Rect){pad, pad, w - 2 * pad, line + pad};
    if (s->typing == TYPING_SEARCH) {
        draw_input(s, f, colors, list, s->search, pad);
    } else {
        bool searched = c->query && c->query[0];
        draw_rect(list, s->search, colors->border);
        draw_rect(list, (SDL_Rect){s->search.x + 1, s->search.y + 1, s->search.w - 2, s->search.h - 2}, colors->ground);
        text_within(f, list, 2 * pad, pad + pad / 2, w - 4 * pad, searched ? c->query : text_search,
                    searched ? colors->text : colors->faint);
    }
    int bottom = height - pad;
    if (c->deleted) {
        s->undo = (SDL_Rect){pad, bottom - line - pad, w - 2 * pad, line + pad};
        draw_rect(list, s->undo, colors->border);
        text_within(f, list, 2 * pad, s->undo.y + pad / 2, w - 4 * pad, text_undo, colors->text);
        bottom = s->undo.y - pad;
    }
    s->rows_top = s->search.y + s->search.h + pad;
    bool found = c->n_list > 0 && c->list[0].found;
    s->row_height = line * (found ? 2 : 1) + pad;
    s->n_rows = bottom > s->rows_top ? (size_t)((bottom - s->rows_top) / s->row_height) : 0;
    if (s->scroll + s->n_rows > c->n_list) s->scroll = c->n_list > s->n_rows ? c->n_list - s->n_rows : 0;
    for (size_t i = 0; i < s->n_rows && s->scroll + i < c->n_list; i++)
        draw_row(s, c, &c->list[s->scroll + i], f, colors, list,
                 (SDL_Rect){pad, s->rows_top + (int)i * s->row_height, w - 2 * pad, s->row_height}, pad);
    if (c->n_list == 0 && c->query && c->query[0])
        text_within(f, list, 2 * pad, s->rows_top, w - 4 * pad, text_none, colors->faint);
}

/* ---- what a person does */

static void begin_typing(sidebar *s, sidebar_typing what, const char *text) {
    s->typing = what;
    s->shown = true;
    composer_set(&s->input, text);
    composer_select_all(&s->input);
}

static void end_typing(sidebar *s, chats *c, bool keep) {
    if (s->typing == TYPING_TITLE && keep) chats_rename(c, s->named, composer_text(&s->input));
    if (s->typing == TYPING_SEARCH && !keep) chats_search(c, "");
    s->typing = TYPING_NOTHING;
    composer_set(&s->input, "");
}

static sidebar_heard open_row(sidebar *s, const chats *c, size_t i, store_id *chat) {
    if (i >= c->n_list) return SIDEBAR_TAKEN;
    *chat = c->list[i].id;
    s->shown = false;
    return SIDEBAR_OPEN;
}

sidebar_heard sidebar_click(sidebar *s, chats *c, int x, int y, store_id *chat) {
    if (s->fold.w && inside(&s->fold, x, y)) {
        s->shown = true;
        return SIDEBAR_TAKEN;
    }
    bool shown = s->area.w > 0;
    if (!shown || !inside(&s->area, x, y)) {
        bool was = s->typing != TYPING_NOTHING;
        if (was) end_typing(s, c, true);
        s->shown = false;
        return SIDEBAR_NOTHING;
    }
    if (s->undo.w && inside(&s->undo, x, y)) return (*chat = chats_undelete(c)) ? SIDEBAR_UNDELETED : SIDEBAR_TAKEN;
    if (inside(&s->search, x, y)) {
        begin_typing(s, TYPING_SEARCH, c->query ? c->query : "");
        return SIDEBAR_TAKEN;
    }
    if (y < s->rows_top || s->row_height == 0) return SIDEBAR_TAKEN;
    if (s->typing == TYPING_TITLE) end_typing(s, c, true);
    size_t row = (size_t)((y - s->rows_top) / s->row_height);
    return row < s->n_rows ? open_row(s, c, s->scroll + row, chat) : SIDEBAR_TAKEN;
}

static sidebar_heard press_typing(sidebar *s, chats *c, const SDL_KeyboardEvent *key, store_id *chat) {
    bool shift = key->keysym.mod & KMOD_SHIFT;
    switch (key->keysym.sym) {
    case SDLK_RETURN:
    case SDLK_KP_ENTER: {
        bool search = s->typing == TYPING_SEARCH;
        end_typing(s, c, true);
        return search ? open_row(s, c, 0, chat) : SIDEBAR_TAKEN;
    }
    case SDLK_ESCAPE:
        end_typing(s, c, false);
        return SIDEBAR_TAKEN;
    case SDLK_BACKSPACE:
        composer_delete(&s->input, MOVE_LEFT);
        break;
    case SDLK_DELETE:
        composer_delete(&s->input, MOVE_RIGHT);
        break;
    case SDLK_LEFT:
        composer_go(&s->input, MOVE_LEFT, shift);
        return SIDEBAR_TAKEN;
    case SDLK_RIGHT:
        composer_go(&s->input, MOVE_RIGHT, shift);
        return SIDEBAR_TAKEN;
    case SDLK_HOME:
        composer_go(&s->input, MOVE_START, shift);
        return SIDEBAR_TAKEN;
    case SDLK_END:
        composer_go(&s->input, MOVE_END, shift);
        return SIDEBAR_TAKEN;
    default:
        return key->keysym.mod & KMOD_CTRL ? SIDEBAR_NOTHING : SIDEBAR_TAKEN;
    }
    if (s->typing == TYPING_SEARCH) chats_search(c, composer_text(&s->input));
    return SIDEBAR_TAKEN;
}

/* The chat above or below the open one. */
static sidebar_heard step(sidebar *s, const chats *c, int by, store_id *chat) {
    size_t at = 0;
    while (at < c->n_list && c->list[at].id != c->open) at++;
    if (at == c->n_list) return open_row(s, c, 0, chat);
    if ((by < 0 && at == 0) || (by > 0 && at + 1 >= c->n_list)) return SIDEBAR_TAKEN;
    at = by < 0 ? at - 1 : at + 1;
    if (at < s->scroll) s->scroll = at;
    if (s->n_rows && at >= s->scroll + s->n_rows) s->scroll = at - s->n_rows + 1;
    return open_row(s, c, at, chat);
}

sidebar_heard sidebar_press(sidebar *s, chats *c, const SDL_KeyboardEvent *key, store_id *chat) {
    SDL_Keycode code = key->keysym.sym;
    bool control = key->keysym.mod & KMOD_CTRL, shift = key->keysym.mod & KMOD_SHIFT;
    if (control && code == SDLK_k) {
        begin_typing(s, TYPING_SEARCH, c->query ? c->query : "");
        return SIDEBAR_TAKEN;
    }
    if (s->typing != TYPING_NOTHING) return press_typing(s, c, key, chat);
    if (control && code == SDLK_z && c->deleted) return (*chat = chats_undelete(c)) ? SIDEBAR_UNDELETED : SIDEBAR_TAKEN;
    if (control && (code == SDLK_PAGEUP || code == SDLK_PAGEDOWN)) return step(s, c, code == SDLK_PAGEUP ? -1 : 1, chat);
    if (!c->open) return SIDEBAR_NOTHING;
    if (code == SDLK_F2) {
        for (size_t i = 0; i < c->n_list; i++)
            if (c->list[i].id == c->open) {
                s->named = c->open;
                begin_typing(s, TYPING_TITLE, c->list[i].title);
            }
        return SIDEBAR_TAKEN;
    }
    if (control && shift && code == SDLK_p) {
        chats_pin(c, c->open);
        return SIDEBAR_TAKEN;
    }
    if (control && shift && code == SDLK_DELETE) {
        chats_delete(c, c->open);
        *chat = 0;
        return SIDEBAR_OPEN;
    }
    return SIDEBAR_NOTHING;
}

bool sidebar_type(sidebar *s, chats *c, const char *text) {
    if (s->typing == TYPING_NOTHING) return false;
    composer_insert(&s->input, text);
    if (s->typing == TYPING_SEARCH) chats_search(c, composer_text(&s->input));
    return true;
}

bool sidebar_wheel(sidebar *s, const chats *c, int x, int y, int lines) {
    if (!s->area.w || !inside(&s->area, x, y)) return false;
    size_t most = c->n_list > s->n_rows ? c->n_list - s->n_rows : 0;
    if (lines < 0)
        s->scroll = s->scroll > (size_t)-lines ? s->scroll - (size_t)-lines : 0;
    else
        s->scroll = s->scroll + (size_t)lines < most ? s->scroll + (size_t)lines : most;
    return true;
}
