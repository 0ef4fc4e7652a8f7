#include "sidebar.h"

#include "actions.h"
#include "words.h"

#include <string.h>

enum { WIDTH_UNITS = 230, FOLDS_UNITS = 700, PAD_UNITS = 8 };

void sidebar_free(sidebar *s) {
    composer_free(&s->search);
    composer_free(&s->title);
}

int sidebar_width(const sidebar *s, int width, float scale) {
    bool folds = (float)width < FOLDS_UNITS * scale;
    if (folds && !s->shown) return 0;
    int w = (int)(WIDTH_UNITS * scale + 0.5f);
    return w < width ? w : width;
}

/* ---- looks */

static void draw_row(sidebar *s, const chats *c, const store_chat *chat, widgets *w, SDL_Rect r, int pad) {
    static const char star[] = "\xE2\x98\x85 ";
    int line = widgets_line(w), x = r.x + pad;
    if (s->named == chat->id && s->named) {
        widgets_field(w, (SDL_Rect){r.x, r.y, r.w, line + pad}, &s->title, say(W_TITLE), ACTION_TITLE, 0);
        return;
    }
    if (chat->id == c->open) draw_rect(w->list, r, w->colors->selection);
    if (chat->pinned) x += widgets_text(w, x, r.y + pad / 2, star, w->colors->accent);
    widgets_text_within(w, x, r.y + pad / 2, r.x + r.w - pad - x, chat->title[0] ? chat->title : say(W_NEW_CHAT),
                        w->colors->text);
    if (chat->found) widgets_text_within(w, r.x + pad, r.y + pad / 2 + line, r.w - 2 * pad, chat->found, w->colors->faint);
    widgets_area(w, r, ACTION_CHAT, chat->id);
}

void sidebar_draw(sidebar *s, chats *c, widgets *w, int width, int height) {
    int mine = sidebar_width(s, width, w->scale), pad = widgets_units(w, PAD_UNITS), line = widgets_line(w);
    s->area = (SDL_Rect){0, 0, mine, height};
    draw_rect(w->list, s->area, w->colors->panel);
    draw_rect(w->list, (SDL_Rect){mine - 1, 0, 1, height}, w->colors->border);
    widgets_ground(w, s->area);
    SDL_Rect search = {pad, pad, mine - 2 * pad, line + pad};
    widgets_field(w, search, &s->search, say(W_SEARCH), ACTION_SEARCH, 0);
    int top = search.y + search.h + pad, bottom = height - pad;
    int below = bottom - widgets_button_height(w);
    SDL_Rect settings = widgets_button(w, pad, below, say(W_SETTINGS), LOOK_PLAIN, ACTION_SHEET, SHEET_SETTINGS);
    widgets_button(w, settings.x + settings.w + pad, below, say(W_KEYS), LOOK_PLAIN, ACTION_SHEET, SHEET_KEYS);
    bottom = below - pad;
    if (s->shown)
        bottom =
            widgets_button(w, pad, bottom - widgets_button_height(w), say(W_CHAT), LOOK_PLAIN, ACTION_SHEET, SHEET_CHAT).y - pad;
    if (c->deleted)
        bottom =
            widgets_button(w, pad, bottom - widgets_button_height(w), say(W_UNDO_DELETE), LOOK_PLAIN, ACTION_UNDELETE, 0).y - pad;
    bool found = c->n_list > 0 && c->list[0].found;
    int row = line * (found ? 2 : 1) + pad;
    s->n_rows = bottom > top ? (size_t)((bottom - top) / row) : 0;
    if (s->scroll + s->n_rows > c->n_list) s->scroll = c->n_list > s->n_rows ? c->n_list - s->n_rows : 0;
    for (size_t i = 0; i < s->n_rows && s->scroll + i < c->n_list; i++)
        draw_row(s, c, &c->list[s->scroll + i], w, (SDL_Rect){pad, top + (int)i * row, mine - 2 * pad, row}, pad);
    if (c->n_list == 0 && c->query && c->query[0])
        widgets_text_within(w, 2 * pad, top, mine - 4 * pad, say(W_NONE_FOUND), w->colors->faint);
}

/* ---- what a person does */

static sidebar_heard open_row(sidebar *s, const chats *c, size_t i, store_id *chat) {
    if (i >= c->n_list) return SIDEBAR_TAKEN;
    *chat = c->list[i].id;
    s->shown = false;
    return SIDEBAR_OPEN;
}

static void end_naming(sidebar *s, chats *c) {
    if (s->named) chats_rename(c, s->named, composer_text(&s->title));
    s->named = 0;
}

sidebar_heard sidebar_obey(sidebar *s, chats *c, widgets *w, const widget_news *did, store_id *chat) {
    switch (did->action) {
    case ACTION_FOLD:
        s->shown = !s->shown;
        return SIDEBAR_TAKEN;
    case ACTION_SEARCH:
        if (!did->typed) {
            widgets_focus(w, 0, 0);
            return open_row(s, c, 0, chat);
        }
        if (!widgets_has_focus(w, ACTION_SEARCH, 0)) { // Esc
            composer_set(&s->search, "");
            s->shown = false;
        }
        chats_search(c, composer_text(&s->search));
        return SIDEBAR_TAKEN;
    case ACTION_TITLE:
        if (did->typed && widgets_has_focus(w, ACTION_TITLE, 0)) return SIDEBAR_TAKEN;
        if (did->typed) s->named = 0; // Esc
        end_naming(s, c);
        widgets_focus(w, 0, 0);
        return SIDEBAR_TAKEN;
    case ACTION_CHAT:
        *chat = did->argument;
        s->shown = false;
        return SIDEBAR_OPEN;
    case ACTION_UNDELETE:
        return (*chat = chats_undelete(c)) ? SIDEBAR_OPEN : SIDEBAR_TAKEN;
    default:
        return SIDEBAR_NOTHING;
    }
}

void sidebar_settle(sidebar *s, chats *c, const widgets *w) {
    if (s->named && !widgets_has_focus(w, ACTION_TITLE, 0)) end_naming(s, c);
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

static sidebar_heard begin_naming(sidebar *s, const chats *c, widgets *w) {
    for (size_t i = 0; i < c->n_list; i++)
        if (c->list[i].id == c->open) {
            s->named = c->open;
            s->shown = true;
            composer_set(&s->title, c->list[i].title);
            composer_select_all(&s->title);
            widgets_focus(w, ACTION_TITLE, 0);
            // It has to be seen to be typed in.
            if (i < s->scroll || i >= s->scroll + s->n_rows) s->scroll = i;
        }
    return SIDEBAR_TAKEN;
}

sidebar_heard sidebar_press(sidebar *s, chats *c, widgets *w, const SDL_KeyboardEvent *key, store_id *chat) {
    SDL_Keycode code = key->keysym.sym;
    bool control = key->keysym.mod & KMOD_CTRL, shift = key->keysym.mod & KMOD_SHIFT;
    if (control && code == SDLK_k) {
        s->shown = true;
        composer_select_all(&s->search);
        widgets_focus(w, ACTION_SEARCH, 0);
        return SIDEBAR_TAKEN;
    }
    if (control && (code == SDLK_PAGEUP || code == SDLK_PAGEDOWN)) return step(s, c, code == SDLK_PAGEUP ? -1 : 1, chat);
    if (!c->open) return SIDEBAR_NOTHING;
    if (code == SDLK_F2) return begin_naming(s, c, w);
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

bool sidebar_wheel(sidebar *s, const chats *c, int x, int y, int lines) {
    if (x >= s->area.w || y >= s->area.h) return false;
    size_t most = c->n_list > s->n_rows ? c->n_list - s->n_rows : 0;
    if (lines < 0)
        s->scroll = s->scroll > (size_t)-lines ? s->scroll - (size_t)-lines : 0;
    else
        s->scroll = s->scroll + (size_t)lines < most ? s->scroll + (size_t)lines : most;
    return true;
}
