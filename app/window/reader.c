#include "reader.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reader_reset(reader *r) {
    free(r->asked);
    *r = (reader){0};
}

void reader_free(reader *r) { reader_reset(r); }

bool reader_selects(const reader *r) { return text_place_compare(&r->anchor, &r->caret) != 0; }

static bool inside(const SDL_Rect *r, int x, int y) { return x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h; }

static void to_clipboard(char *text) {
    if (text) SDL_SetClipboardText(text);
    free(text);
}

/* Scrolls so that a place is seen. */
static void show(const reader_view *v, text_place place) {
    int y, height;
    transcript_locate(v->transcript, v->fonts, place, &y, &height);
    if (y < *v->scroll + height) {
        *v->scroll = y > 2 * height ? y - 2 * height : 0;
        *v->sticks = false;
    } else if (y + height > *v->scroll + v->area.h) {
        *v->scroll = y + 3 * height - v->area.h;
        *v->sticks = false;
    }
}

/* ---- finding */

static void find(reader *r, const reader_view *v) {
    r->n_found = transcript_find(v->transcript, r->finding ? r->query : NULL);
    r->now = r->n_found ? r->n_found - 1 : 0; // the latest first, as it is nearest to what is seen
    if (r->n_found) show(v, transcript_found(v->transcript, r->now));
}

void reader_grown(reader *r, const reader_view *v) {
    if (!r->finding) return;
    r->n_found = transcript_find(v->transcript, r->query);
    if (r->now >= r->n_found) r->now = r->n_found ? r->n_found - 1 : 0;
    transcript_found(v->transcript, r->now);
}

static void next(reader *r, const reader_view *v, bool forward) {
    reader_grown(r, v);
    if (!r->n_found) return;
    r->now = (r->now + (forward ? 1 : r->n_found - 1)) % r->n_found;
    show(v, transcript_found(v->transcript, r->now));
}

static void end_finding(reader *r, const reader_view *v) {
    r->finding = false;
    find(r, v);
}

static bool find_key(reader *r, const reader_view *v, const SDL_KeyboardEvent *key) {
    size_t n = strlen(r->query);
    switch (key->keysym.sym) {
    case SDLK_ESCAPE:
        end_finding(r, v);
        return true;
    case SDLK_RETURN:
    case SDLK_KP_ENTER:
    case SDLK_F3:
        next(r, v, key->keysym.mod & KMOD_SHIFT);
        return true;
    case SDLK_UP:
    case SDLK_DOWN:
        next(r, v, key->keysym.sym == SDLK_DOWN);
        return true;
    case SDLK_BACKSPACE:
        while (n && ((unsigned char)r->query[n - 1] & 0xC0) == 0x80) n--;
        if (n) n--;
        r->query[n] = 0;
        find(r, v);
        return true;
    default:
        return !(key->keysym.mod & KMOD_CTRL);
    }
}

static void add_to_query(reader *r, const reader_view *v, const char *text) {
    size_t n = strlen(r->query), more = strlen(text);
    if (n + more < sizeof r->query) memcpy(r->query + n, text, more + 1);
    r->preedit[0] = 0;
    find(r, v);
}

bool reader_compose(reader *r, const char *text) {
    if (r->finding) snprintf(r->preedit, sizeof r->preedit, "%s", text);
    return r->finding;
}

/* ---- links: nothing is opened that was not seen and agreed to */

static bool may_open(const char *address) {
    static const char *const schemes[] = {"http://", "https://", "mailto:"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (SDL_strncasecmp(address, schemes[i], strlen(schemes[i])) == 0) return true;
    return false;
}

static void answer(reader *r, bool open) {
    if (open && may_open(r->asked)) SDL_OpenURL(r->asked);
    free(r->asked);
    r->asked = NULL;
}

static bool question_event(reader *r, const SDL_Event *event) {
    if (event->type == SDL_KEYDOWN) {
        SDL_Keycode code = event->key.keysym.sym;
        if (code == SDLK_ESCAPE) answer(r, false);
        if (r->asked && (code == SDLK_RETURN || code == SDLK_KP_ENTER)) answer(r, true);
        return true;
    }
    if (event->type == SDL_TEXTINPUT) return true;
    if (event->type != SDL_MOUSEBUTTONDOWN) return false;
    int x = event->button.x, y = event->button.y;
    if (inside(&r->open_button, x, y)) {
        answer(r, true);
    } else if (inside(&r->copy_button, x, y)) {
        SDL_SetClipboardText(r->asked);
        answer(r, false);
    } else if (inside(&r->close_button, x, y)) {
        answer(r, false);
    }
    return true;
}

/* ---- selecting */

static void set_selection(reader *r, const reader_view *v) { transcript_select(v->transcript, r->anchor, r->caret); }

static void copy(const reader *r, const reader_view *v, bool markdown) {
    to_clipboard(transcript_copy(v->transcript, r->anchor, r->caret, markdown));
}

static void deselect(reader *r, const reader_view *v) {
    r->anchor = r->caret;
    r->focused = false;
    set_selection(r, v);
}

static bool press_mouse(reader *r, const reader_view *v, int x, int y) {
    click_target what = transcript_target(v->transcript, v->fonts, v->area, *v->scroll, x, y);
    switch (what.kind) {
    case TARGET_NOTHING:
        deselect(r, v);
        return false;
    case TARGET_COPY_CODE:
        to_clipboard(transcript_copy_target(v->transcript, &what));
        return true;
    case TARGET_THOUGHTS:
        transcript_fold(v->transcript, what.message);
        *v->sticks = false;
        return true;
    case TARGET_LINK:
        free(r->asked);
        r->asked = strdup(what.link);
        return true;
    case TARGET_TEXT:
        break;
    }
    text_place at;
    if (!transcript_place_at(v->transcript, v->fonts, v->area, *v->scroll, x, y, &at)) return false;
    if (!(SDL_GetModState() & KMOD_SHIFT) || !r->focused) r->anchor = at;
    r->caret = at;
    r->dragging = r->focused = true;
    set_selection(r, v);
    return true;
}

static bool drag(reader *r, const reader_view *v, int y_in, int x) {
    int line = fonts_line_height(v->fonts), y = y_in;
    if (y < v->area.y || y >= v->area.y + v->area.h) { // beyond the edge: it scrolls
        *v->scroll += y < v->area.y ? -line : line;
        int most = transcript_height(v->transcript) - v->area.h;
        if (*v->scroll > most) *v->scroll = most;
        if (*v->scroll < 0) *v->scroll = 0;
        *v->sticks = false;
        y = y < v->area.y ? v->area.y : v->area.y + v->area.h - 1;
    }
    text_place at;
    if (!transcript_place_at(v->transcript, v->fonts, v->area, *v->scroll, x, y, &at)) return false;
    r->caret = at;
    set_selection(r, v);
    return true;
}

static bool move_key(reader *r, const reader_view *v, const SDL_KeyboardEvent *key) {
    static const struct {
        SDL_Keycode key;
        text_step step;
    } steps[] = {{SDLK_LEFT, STEP_LEFT}, {SDLK_RIGHT, STEP_RIGHT},     {SDLK_UP, STEP_UP},
                 {SDLK_DOWN, STEP_DOWN}, {SDLK_HOME, STEP_LINE_START}, {SDLK_END, STEP_LINE_END}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].key != key->keysym.sym) continue;
        transcript_step(v->transcript, v->fonts, &r->caret, steps[i].step);
        if (!(key->keysym.mod & KMOD_SHIFT)) r->anchor = r->caret;
        set_selection(r, v);
        show(v, r->caret);
        return true;
    }
    return false;
}

/* F6 and Shift+F6 go between the text and the composer. */
static void take_focus(reader *r, const reader_view *v) {
    text_place first, last;
    if (r->focused || !transcript_ends(v->transcript, &first, &last)) {
        deselect(r, v);
        return;
    }
    if (!transcript_place_at(v->transcript, v->fonts, v->area, *v->scroll, v->area.x, v->area.y, &r->caret)) r->caret = last;
    r->anchor = r->caret;
    r->focused = true;
}

static bool press_key(reader *r, const reader_view *v, const SDL_KeyboardEvent *key) {
    bool control = key->keysym.mod & KMOD_CTRL, shift = key->keysym.mod & KMOD_SHIFT;
    SDL_Keycode code = key->keysym.sym;
    if (control && code == SDLK_f) {
        r->finding = true;
        find(r, v);
        return true;
    }
    if (r->finding) return find_key(r, v, key);
    if (code == SDLK_F6) {
        take_focus(r, v);
        return true;
    }
    if (!r->focused) return false;
    if (control && code == SDLK_c && !shift && reader_selects(r)) {
        copy(r, v, key->keysym.mod & KMOD_ALT);
        return true;
    }
    if (control && code == SDLK_a) {
        transcript_ends(v->transcript, &r->anchor, &r->caret);
        set_selection(r, v);
        return true;
    }
    if (code == SDLK_ESCAPE) {
        bool selected = reader_selects(r);
        deselect(r, v);
        return selected;
    }
    return move_key(r, v, key);
}

bool reader_event(reader *r, const reader_view *v, const SDL_Event *event) {
    if (r->asked && question_event(r, event)) return true;
    switch (event->type) {
    case SDL_KEYDOWN:
        return press_key(r, v, &event->key);
    case SDL_TEXTINPUT:
        if (r->finding)
            add_to_query(r, v, event->text.text);
        else
            deselect(r, v); // what is typed is the composer's
        return r->finding;
    case SDL_MOUSEBUTTONDOWN:
        if (r->finding && inside(&r->close_button, event->button.x, event->button.y)) {
            end_finding(r, v);
            return true;
        }
        return event->button.button == SDL_BUTTON_LEFT && press_mouse(r, v, event->button.x, event->button.y);
    case SDL_MOUSEMOTION:
        return r->dragging && drag(r, v, event->motion.y, event->motion.x);
    case SDL_MOUSEBUTTONUP:
        r->dragging = false;
        return false;
    default:
        return false;
    }
}

/* ---- looks */

static void frame(draw_list *list, SDL_Rect r, SDL_Color ground, SDL_Color border) {
    draw_rect(list, r, border);
    draw_rect(list, (SDL_Rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2}, ground);
}

static SDL_Rect button(const reader_view *v, draw_list *list, int right, int y, const char *label, const theme *colors,
                       bool strong) {
    int line = fonts_line_height(v->fonts), w = fonts_width(v->fonts, label, strlen(label)) + line;
    SDL_Rect r = {right - w, y, w, line * 4 / 3};
    frame(list, r, strong ? colors->accent : colors->panel, strong ? colors->accent : colors->border);
    draw_text(list, r.x + line / 2, r.y + line / 6, label, strlen(label), strong ? colors->accent_text : colors->text);
    return r;
}

/* The end of a text that is wider than its field. */
static void text_end(const reader_view *v, draw_list *list, int x, int y, int width, const char *text, SDL_Color color) {
    size_t n = strlen(text);
    uint32_t code;
    while (n && fonts_width(v->fonts, text, n) > width) {
        size_t step = fonts_next(text, n, &code);
        text += step;
        n -= step;
    }
    draw_text(list, x, y, text, n, color);
}

static void tell_found(reader *r) {
    char now[24], all[24];
    snprintf(now, sizeof now, "%zu", r->n_found ? r->now + 1 : 0);
    snprintf(all, sizeof all, "%zu", r->n_found);
    say_with(r->status, sizeof r->status, W_FOUND, now, all, NULL);
}

static void draw_search(reader *r, const reader_view *v, const theme *colors, draw_list *list) {
    int line = fonts_line_height(v->fonts), pad = line / 3, width = v->area.w < 20 * line ? v->area.w : 20 * line;
    SDL_Rect box = {v->area.x + v->area.w - width, v->area.y, width, line * 4 / 3 + 2 * pad};
    frame(list, box, colors->panel, colors->accent);
    r->close_button = button(v, list, box.x + box.w - pad, box.y + pad, say(W_CLOSE), colors, false);
    if (r->query[0])
        tell_found(r);
    else
        r->status[0] = 0;
    int status = fonts_width(v->fonts, r->status, strlen(r->status)), y = box.y + pad + line / 6;
    int right = r->close_button.x - pad - status;
    draw_text(list, right, y, r->status, strlen(r->status), colors->faint);
    int field = right - box.x - 3 * pad;
    snprintf(r->shown, sizeof r->shown, "%s%s", r->query, r->preedit);
    if (r->shown[0])
        text_end(v, list, box.x + pad, y, field, r->shown, colors->text);
    else
        draw_text(list, box.x + pad, y, say(W_FIND), strlen(say(W_FIND)), colors->faint);
    int caret = fonts_width(v->fonts, r->shown, strlen(r->shown)),
        unfinished = fonts_width(v->fonts, r->preedit, strlen(r->preedit));
    if (caret <= field)
        draw_rect(list, (SDL_Rect){box.x + pad + caret - unfinished, y + line - line / 8, unfinished, line / 12 + 1},
                  colors->accent);
    draw_rect(list, (SDL_Rect){box.x + pad + (caret < field ? caret : field) + 1, y + line / 8, line / 12 + 1, line * 3 / 4},
              colors->accent);
}

static void draw_question(reader *r, const reader_view *v, const theme *colors, draw_list *list) {
    int line = fonts_line_height(v->fonts), pad = line / 2, width = v->area.w < 26 * line ? v->area.w : 26 * line;
    bool good = may_open(r->asked);
    SDL_Rect box = {v->area.x + (v->area.w - width) / 2, v->area.y + v->area.h / 2 - 3 * line, width,
                    2 * line + line * 4 / 3 + 4 * pad};
    frame(list, box, colors->panel, colors->accent);
    draw_clip(list, box);
    const char *title = say(good ? W_ASK_LINK : W_NO_LINK);
    draw_text(list, box.x + pad, box.y + pad, title, strlen(title), colors->text);
    // Its beginning is what says whose it is.
    draw_text(list, box.x + pad, box.y + pad + line, r->asked, strlen(r->asked), colors->accent);
    draw_clip(list, (SDL_Rect){0});
    int y = box.y + 2 * line + 2 * pad + pad / 2, right = box.x + box.w - pad;
    r->open_button = (SDL_Rect){0};
    if (good) {
        r->open_button = button(v, list, right, y, say(W_OPEN), colors, true);
        right = r->open_button.x - pad;
    }
    r->copy_button = button(v, list, right, y, say(W_COPY), colors, false);
    r->close_button = button(v, list, r->copy_button.x - pad, y, say(W_CANCEL), colors, false);
}

void reader_draw(reader *r, const reader_view *v, const theme *colors, draw_list *list) {
    if (r->asked)
        draw_question(r, v, colors, list);
    else if (r->finding)
        draw_search(r, v, colors, list);
    if (!r->focused || reader_selects(r)) return;
    int y, height; // a caret would need the place in its line; the line is enough to see where the keys are
    transcript_locate(v->transcript, v->fonts, r->caret, &y, &height);
    SDL_Rect caret = {v->area.x, v->area.y + y - *v->scroll, height / 8, height};
    if (caret.y >= v->area.y && caret.y + height <= v->area.y + v->area.h) draw_rect(list, caret, colors->accent);
}
