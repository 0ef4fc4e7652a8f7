#include "ui.h"

#include "phone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FONT_UNITS = 16, MARGIN = 14, MAX_COMPOSER_LINES = 7, ENTER_AFTER_COMPOSITION_MS = 500 };

static int units(const ui *u, int n) { return (int)((float)n * u->scale + 0.5f); }

/* ---- the chat that is open */

static void say_notice(ui *u) {
    if (u->chats.notice[0]) transcript_add(u->transcript, MESSAGE_NOTICE, u->chats.notice);
    u->chats.notice[0] = 0;
}

static void show_branch(ui *u) {
    transcript_clear(u->transcript);
    reader_reset(&u->reader);
    for (size_t i = 0; i < u->chats.n; i++) {
        const store_message *m = &u->chats.branch[i];
        transcript_add(u->transcript, m->role == STORE_USER ? MESSAGE_USER : MESSAGE_ASSISTANT, m->text);
    }
    u->sticks = true;
    say_notice(u);
}

static void show_chat(ui *u) {
    char *draft = chats_draft(&u->chats);
    composer_set(&u->composer, draft ? draft : "");
    free(draft);
    show_branch(u);
}

static void open_chat(ui *u, store_id chat) {
    if (u->busy) worker_interrupt(u->worker);
    chats_open(&u->chats, chat, composer_text(&u->composer));
    u->n_past = 0;
    show_chat(u);
}

/* What is to be answered goes to the worker, and its answer below what is shown. */
static void begin_answer(ui *u) {
    worker_turns *turns = chats_turns(&u->chats);
    if (!turns) {
        chats_end(&u->chats, STORE_FAILED);
        return;
    }
    worker_answer(u->worker, turns);
    u->busy = u->sticks = true;
    u->done = u->total = 0;
    u->n_pieces = 0;
    u->answer_began_ms = 0;
}

static void answer_again(ui *u) {
    if (u->busy || u->loading || !chats_answer_again(&u->chats, u->model)) return;
    show_branch(u);
    begin_answer(u);
}

static void walk(ui *u, int by) {
    if (!u->busy && chats_walk(&u->chats, by)) show_branch(u);
}

int ui_wait_ms(const ui *u) { return chats_wait_ms(&u->chats, SDL_GetTicks64()); }
void ui_tick(ui *u) { chats_keep(&u->chats, SDL_GetTicks64()); }

bool ui_init(ui *u, worker *w, fonts *f, const theme *colors) {
    *u = (ui){.worker = w, .fonts = f, .colors = colors, .scale = 1, .sticks = true, .transcript = transcript_create()};
    if (!u->transcript || !chats_start(&u->chats)) return false;
    show_chat(u);
    return true;
}

void ui_free(ui *u) {
    if (u->chats.store && !u->chats.streaming) chats_open(&u->chats, u->chats.open, composer_text(&u->composer)); // the draft
    chats_stop(&u->chats);
    sidebar_free(&u->sidebar);
    transcript_destroy(&u->transcript);
    reader_free(&u->reader);
    composer_free(&u->composer);
    free(u->composer_lines);
    free(u->model);
    free(u->device);
}

void ui_set_scale(ui *u, float scale) {
    if (scale < 0.5f || scale > 5) return;
    u->scale = scale;
    fonts_resize(u->fonts, FONT_UNITS * scale);
    transcript_invalidate(u->transcript);
}

/* ---- what can be done */

static void send(ui *u) {
    const char *text = composer_text(&u->composer);
    if (u->busy || text[strspn(text, " \n\t")] == 0) return;
    u->sends_later = u->loading;
    if (u->loading) return;
    if (!chats_ask(&u->chats, text, u->model)) return;
    transcript_add(u->transcript, MESSAGE_USER, text);
    transcript_add(u->transcript, MESSAGE_ASSISTANT, "");
    composer_set(&u->composer, "");
    begin_answer(u);
}

static reader_view view(ui *u) { return (reader_view){u->transcript, u->fonts, u->transcript_area, &u->scroll, &u->sticks}; }

static void new_chat(ui *u) { open_chat(u, 0); }

static void copy_all(const ui *u) {
    char *text = transcript_markdown(u->transcript);
    if (text) SDL_SetClipboardText(text);
    free(text);
}

static void copy_selection(ui *u, bool cut) {
    size_t n;
    const char *selected = composer_selection(&u->composer, &n);
    char *text = n ? malloc(n + 1) : NULL;
    if (!text) return;
    memcpy(text, selected, n);
    text[n] = 0;
    SDL_SetClipboardText(text);
    free(text);
    if (cut) composer_delete(&u->composer, MOVE_LEFT);
}

static void paste(ui *u) {
    char *text = SDL_GetClipboardText();
    if (text) composer_insert(&u->composer, text);
    SDL_free(text);
}

static void scroll_by(ui *u, int pixels) {
    int most = transcript_height(u->transcript) - u->transcript_area.h;
    u->scroll += pixels;
    if (u->scroll > most) u->scroll = most;
    if (u->scroll < 0) u->scroll = 0;
    u->sticks = u->scroll >= most;
}

static void open_file(ui *u, const char *path) {
    u->loading = true;
    u->done = u->total = 0;
    worker_load(u->worker, path);
}

/* ---- news */

static void set_text(char **to, const char *text) {
    free(*to);
    *to = text ? strdup(text) : NULL;
}

static void hear_text(ui *u, const news *n) {
    uint64_t now = SDL_GetTicks64();
    if (u->n_pieces++ == 0) u->answer_began_ms = now;
    if (u->n_pieces > 1 && now > u->answer_began_ms)
        u->tokens_per_s = (u->n_pieces - 1) * 1e3 / (double)(now - u->answer_began_ms);
    u->total = 0;
    if (!u->chats.streaming) return; // of a chat that was left
    chats_hear(&u->chats, n->text ? n->text : "", now);
    transcript_append(u->transcript, n->text ? n->text : "");
    say_notice(u);
}

static void hear(ui *u, const news *n) {
    switch (n->kind) {
    case NEWS_CHECKING:
    case NEWS_LOADING:
        u->loading = true;
        u->checking = n->kind == NEWS_CHECKING;
        u->done = n->done;
        u->total = n->total;
        break;
    case NEWS_READY:
        u->loading = false;
        u->total = 0;
        u->n_ctx = n->n_ctx;
        u->n_past = 0;
        set_text(&u->model, n->text);
        set_text(&u->device, n->detail);
        if (u->sends_later) send(u);
        break;
    case NEWS_DEVICE:
        u->loading = false;
        u->total = 0;
        set_text(&u->device, n->detail);
        break;
    case NEWS_FAILED:
        u->loading = u->sends_later = false;
        u->total = 0;
        transcript_add(u->transcript, MESSAGE_ERROR, n->text ? n->text : "");
        break;
    case NEWS_PROGRESS:
        u->done = n->done;
        u->total = n->total;
        break;
    case NEWS_TEXT:
        hear_text(u, n);
        break;
    case NEWS_DONE:
        u->busy = false;
        u->total = 0;
        chats_end(&u->chats, n->failed ? STORE_FAILED : n->stopped ? STORE_STOPPED : STORE_FINISHED);
        say_notice(u);
        u->n_past = n->n_past;
        u->n_ctx = n->n_ctx;
        if (n->tokens_per_s > 0) u->tokens_per_s = n->tokens_per_s;
        if (n->text && *n->text) transcript_add(u->transcript, MESSAGE_NOTICE, n->text);
        break;
    }
}

/* ---- keys */

/* Enter that ends a composition belongs to the input method, whichever of the two events comes first. */
static bool enter_is_the_input_methods(ui *u, uint32_t now_ms) {
    bool ended_just_now = u->composition_ended && now_ms - u->composition_ended_ms < ENTER_AFTER_COMPOSITION_MS;
    u->composition_ended = false;
    return u->composing || ended_just_now;
}

static void press_enter(ui *u, const SDL_KeyboardEvent *key) {
    if (enter_is_the_input_methods(u, key->timestamp)) return;
    if (key->keysym.mod & KMOD_SHIFT)
        composer_insert(&u->composer, "\n");
    else
        send(u);
}

/* A line of the composer up or down, as near to the same place as there is. */
static void move_line(ui *u, int by, bool select) {
    size_t line = 0;
    while (line + 1 < u->n_composer_lines && u->composer_lines[line + 1] <= u->composer.caret) line++;
    if ((by < 0 && line == 0) || (by > 0 && line + 1 >= u->n_composer_lines)) return;
    size_t column = u->composer.caret - u->composer_lines[line], target = by < 0 ? line - 1 : line + 1;
    size_t end = target + 1 < u->n_composer_lines ? u->composer_lines[target + 1] - 1 : u->composer.n_bytes;
    size_t to = u->composer_lines[target] + column;
    composer_go_to(&u->composer, to < end ? to : end, select);
}

static void press_control(ui *u, SDL_Keycode key, bool shift) {
    switch (key) {
    case SDLK_n:
        new_chat(u);
        break;
    case SDLK_r:
        answer_again(u);
        break;
    case SDLK_q:
        u->quit = true;
        break;
    case SDLK_a:
        composer_select_all(&u->composer);
        break;
    case SDLK_c:
        shift ? copy_all(u) : copy_selection(u, false);
        break;
    case SDLK_x:
        copy_selection(u, true);
        break;
    case SDLK_v:
        paste(u);
        break;
    case SDLK_LEFT:
        composer_go(&u->composer, MOVE_WORD_LEFT, shift);
        break;
    case SDLK_RIGHT:
        composer_go(&u->composer, MOVE_WORD_RIGHT, shift);
        break;
    case SDLK_BACKSPACE:
        composer_delete(&u->composer, MOVE_WORD_LEFT);
        break;
    case SDLK_DELETE:
        composer_delete(&u->composer, MOVE_WORD_RIGHT);
        break;
    case SDLK_PLUS:
    case SDLK_EQUALS:
        ui_set_scale(u, u->scale * 1.1f);
        break;
    case SDLK_MINUS:
        ui_set_scale(u, u->scale / 1.1f);
        break;
    default:
        break;
    }
}

/* Returns whether the event was the sidebar's. */
static bool obey_sidebar(ui *u, sidebar_heard heard, store_id chat) {
    if (heard == SIDEBAR_OPEN || heard == SIDEBAR_UNDELETED) open_chat(u, chat);
    say_notice(u);
    return heard != SIDEBAR_NOTHING;
}

static void press(ui *u, const SDL_KeyboardEvent *key) {
    store_id chat = 0;
    sidebar_heard heard = u->composing ? SIDEBAR_NOTHING : sidebar_press(&u->sidebar, &u->chats, key, &chat);
    if (obey_sidebar(u, heard, chat)) return;
    bool shift = key->keysym.mod & KMOD_SHIFT;
    SDL_Keycode code = key->keysym.sym;
    if (code == SDLK_RETURN || code == SDLK_KP_ENTER) {
        press_enter(u, key);
        return;
    }
    u->composition_ended = false;
    if (u->composing) return; // the input method's keys
    if ((key->keysym.mod & KMOD_ALT) && (code == SDLK_LEFT || code == SDLK_RIGHT)) {
        walk(u, code == SDLK_LEFT ? -1 : 1);
        return;
    }
    if (key->keysym.mod & KMOD_CTRL) {
        press_control(u, code, shift);
        return;
    }
    switch (code) {
    case SDLK_ESCAPE:
        worker_interrupt(u->worker);
        break;
    case SDLK_BACKSPACE:
        composer_delete(&u->composer, MOVE_LEFT);
        break;
    case SDLK_DELETE:
        composer_delete(&u->composer, MOVE_RIGHT);
        break;
    case SDLK_LEFT:
        composer_go(&u->composer, MOVE_LEFT, shift);
        break;
    case SDLK_RIGHT:
        composer_go(&u->composer, MOVE_RIGHT, shift);
        break;
    case SDLK_UP:
        move_line(u, -1, shift);
        break;
    case SDLK_DOWN:
        move_line(u, 1, shift);
        break;
    case SDLK_HOME:
        composer_go(&u->composer, MOVE_START, shift);
        break;
    case SDLK_END:
        composer_go(&u->composer, MOVE_END, shift);
        break;
    case SDLK_PAGEUP:
        scroll_by(u, -u->transcript_area.h * 9 / 10);
        break;
    case SDLK_PAGEDOWN:
        scroll_by(u, u->transcript_area.h * 9 / 10);
        break;
    default:
        break;
    }
}

static bool inside(const SDL_Rect *r, int x, int y) { return x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h; }

static void click_composer(ui *u, int x, int y) {
    int line_height = fonts_line_height(u->fonts), line = (y - u->composer_area.y - units(u, 8)) / line_height;
    if (line < 0 || u->n_composer_lines == 0) line = 0;
    if ((size_t)line >= u->n_composer_lines) line = (int)u->n_composer_lines - 1;
    size_t at = u->n_composer_lines ? u->composer_lines[line] : 0;
    size_t end = (size_t)line + 1 < u->n_composer_lines ? u->composer_lines[line + 1] : u->composer.n_bytes;
    int left = u->composer_area.x + units(u, 10);
    const char *text = composer_text(&u->composer);
    while (at < end && text[at] != '\n') {
        uint32_t code;
        size_t n = fonts_next(text + at, end - at, &code);
        int advance = fonts_advance(u->fonts, code);
        if (x < left + advance / 2) break;
        left += advance;
        at += n;
    }
    composer_go_to(&u->composer, at, false);
}

static void click(ui *u, int x, int y) {
    store_id chat = 0;
    sidebar_heard heard = sidebar_click(&u->sidebar, &u->chats, x, y, &chat);
    if (obey_sidebar(u, heard, chat)) {
        if (u->sidebar.typing != TYPING_NOTHING && !SDL_IsTextInputActive()) SDL_StartTextInput();
    } else if (inside(&u->new_button, x, y)) {
        new_chat(u);
    } else if (u->offers_files && inside(&u->open_button, x, y)) {
        phone_pick_file();
    } else if (inside(&u->send_button, x, y)) {
        if (u->busy)
            worker_interrupt(u->worker);
        else
            send(u);
    } else if (inside(&u->composer_area, x, y)) {
        click_composer(u, x, y);
        if (!SDL_IsTextInputActive()) SDL_StartTextInput();
    } else if (SDL_HasScreenKeyboardSupport()) {
        SDL_StopTextInput(); // what it covers is wanted
    }
}

static bool touch_screen(ui *u, const SDL_TouchFingerEvent *event) {
    int x, y;
    switch (touch_event(&u->touch, event, u->width, u->height, units(u, 8), &x, &y)) {
    case TOUCH_SCROLL:
        scroll_by(u, -y);
        return true;
    case TOUCH_TAP: {
        SDL_Event tap = {.button = {.type = SDL_MOUSEBUTTONDOWN, .button = SDL_BUTTON_LEFT, .x = x, .y = y}};
        reader_view read = view(u);
        bool took = reader_event(&u->reader, &read, &tap);
        u->reader.dragging = false;
        if (!took || !inside(&u->transcript_area, x, y)) click(u, x, y);
        return true;
    }
    case TOUCH_NOTHING:
        break;
    }
    return false;
}

/* What is typed there, and what lies over the transcript on a narrow window. */
static bool is_the_sidebars(const ui *u, const SDL_Event *event) {
    bool typed = event->type == SDL_KEYDOWN || event->type == SDL_TEXTINPUT;
    if (typed) return u->sidebar.typing != TYPING_NOTHING;
    return event->type == SDL_MOUSEBUTTONDOWN && inside(&u->sidebar.area, event->button.x, event->button.y);
}

bool ui_event(ui *u, const SDL_Event *event, uint32_t wake) {
    if (event->type == wake) {
        for (news *n = worker_take_news(u->worker), *next; n; n = next) {
            next = n->next;
            hear(u, n);
            news_free(n);
        }
        return true;
    }
    reader_view read = view(u);
    if (!u->composing && !is_the_sidebars(u, event) && reader_event(&u->reader, &read, event)) return true;
    switch (event->type) {
    case SDL_QUIT:
        u->quit = true;
        return false;
    case SDL_KEYDOWN:
        press(u, &event->key);
        return true;
    case SDL_TEXTINPUT:
        if (!sidebar_type(&u->sidebar, &u->chats, event->text.text)) composer_insert(&u->composer, event->text.text);
        return true;
    case SDL_TEXTEDITING: {
        bool was = u->composing;
        composer_set_preedit(&u->composer, event->edit.text, event->edit.start);
        u->composing = event->edit.text[0] != 0;
        if (was && !u->composing) {
            u->composition_ended = true;
            u->composition_ended_ms = event->edit.timestamp;
        }
        return true;
    }
    case SDL_MOUSEBUTTONDOWN:
        if (event->button.button == SDL_BUTTON_LEFT) click(u, event->button.x, event->button.y);
        return true;
    case SDL_FINGERDOWN:
    case SDL_FINGERMOTION:
    case SDL_FINGERUP:
        return touch_screen(u, &event->tfinger);
    case SDL_MOUSEWHEEL:
        if (sidebar_wheel(&u->sidebar, &u->chats, event->wheel.mouseX, event->wheel.mouseY, -3 * event->wheel.y)) return true;
        scroll_by(u, -event->wheel.y * 3 * fonts_line_height(u->fonts));
        return true;
    case SDL_DROPFILE:
        open_file(u, event->drop.file);
        SDL_free(event->drop.file);
        return true;
    case SDL_WINDOWEVENT:
        return true;
    default:
        return false;
    }
}

/* ---- looks */

static void text_at(draw_list *list, int x, int y, const char *text, SDL_Color color) {
    draw_text(list, x, y, text, strlen(text), color);
}

/* As much of a text as fits, with an ellipsis. */
static void text_within(ui *u, draw_list *list, int x, int y, int width, const char *text, SDL_Color color) {
    size_t n = strlen(text), at = 0;
    if (fonts_width(u->fonts, text, n) <= width) {
        draw_text(list, x, y, text, n, color);
        return;
    }
    int used = fonts_advance(u->fonts, 0x2026);
    while (at < n) {
        uint32_t code;
        size_t step = fonts_next(text + at, n - at, &code);
        if (used + fonts_advance(u->fonts, code) > width) break;
        used += fonts_advance(u->fonts, code);
        at += step;
    }
    draw_text(list, x, y, text, at, color);
    text_at(list, x + fonts_width(u->fonts, text, at), y, "\xE2\x80\xA6", color);
}

static SDL_Rect button(ui *u, draw_list *list, int right, int y, const char *label, bool strong) {
    int line = fonts_line_height(u->fonts), w = fonts_width(u->fonts, label, strlen(label)) + units(u, 24);
    SDL_Rect r = {right - w, y, w, line + units(u, 8)};
    draw_rect(list, r, strong ? u->colors->accent : u->colors->border);
    if (!strong) draw_rect(list, (SDL_Rect){r.x + 1, r.y + 1, r.w - 2, r.h - 2}, u->colors->panel);
    text_at(list, r.x + units(u, 12), r.y + units(u, 4), label, strong ? u->colors->accent_text : u->colors->text);
    return r;
}

static int draw_header(ui *u, draw_list *list) {
    int height = fonts_line_height(u->fonts) * 2 + units(u, 14), x = units(u, MARGIN), left = u->left + x;
    draw_rect(list, (SDL_Rect){0, 0, u->width, height}, u->colors->panel);
    draw_rect(list, (SDL_Rect){0, height - 1, u->width, 1}, u->colors->border);
    u->new_button = button(u, list, u->width - x, units(u, 8), "New chat", false);
    if (u->offers_files) u->open_button = button(u, list, u->new_button.x - units(u, 8), units(u, 8), "Open", false);
    if (u->left == 0 && !u->sidebar.shown) { // the sidebar is folded: its button stands here
        sidebar_draw(&u->sidebar, &u->chats, u->fonts, u->colors, list, u->width, u->height, u->scale, left, units(u, 8));
        left += u->sidebar.fold.w + units(u, 8);
    }
    int room = (u->offers_files ? u->open_button.x : u->new_button.x) - left - x;
    text_within(u, list, left, units(u, 6), room,
                u->model     ? u->model
                : u->loading ? "Loading a model…"
                             : "No model",
                u->colors->text);
    text_within(u, list, left, units(u, 6) + fonts_line_height(u->fonts), room, u->device ? u->device : "", u->colors->faint);
    return height;
}

static const char *loading_text(const ui *u) {
    static char text[96];
    if (u->total == 0) return "Loading…";
    if (u->checking)
        snprintf(text, sizeof text, "Checking this device, once: kernel %d of %d.", (int)u->done, (int)u->total);
    else
        snprintf(text, sizeof text, "Loading: %d %%.", (int)(100 * u->done / u->total));
    return text;
}

static void draw_status(ui *u, draw_list *list, int y) {
    static char left[160], right[160]; // borrowed by the list until it is drawn
    left[0] = right[0] = 0;
    if (u->loading)
        snprintf(left, sizeof left, "%s%s", loading_text(u), u->sends_later ? " Your message will be sent then." : "");
    else if (u->busy && u->total)
        snprintf(left, sizeof left, "Reading: %d of %d tokens", (int)u->done, (int)u->total);
    else if (u->busy)
        snprintf(left, sizeof left,
                 u->n_pieces > 1 ? "Answering: %.1f tokens/s"
                 : u->n_pieces   ? "Answering…"
                                 : "Reading…",
                 u->tokens_per_s);
    else if (u->tokens_per_s > 0)
        snprintf(left, sizeof left, "%.1f tokens/s", u->tokens_per_s);
    else
        snprintf(left, sizeof left, "Enter sends, Shift+Enter breaks the line");
    if (u->n_ctx > 0) snprintf(right, sizeof right, "Context: %d of %d", u->n_past, u->n_ctx);
    int x = units(u, MARGIN), w = fonts_width(u->fonts, right, strlen(right));
    text_within(u, list, u->left + x, y, u->width - u->left - w - 3 * x, left, u->colors->faint);
    text_at(list, u->width - x - w, y, right, u->colors->faint);
    int bar = units(u, 2), line = fonts_line_height(u->fonts);
    if (u->n_ctx > 0) {
        draw_rect(list, (SDL_Rect){u->width - x - w, y + line, w, bar}, u->colors->border);
        draw_rect(list, (SDL_Rect){u->width - x - w, y + line, (int)((int64_t)w * u->n_past / u->n_ctx), bar}, u->colors->accent);
    }
    if (u->total)
        draw_rect(list, (SDL_Rect){u->left + x, y + line, (int)((uint64_t)((u->width - u->left) / 3) * u->done / u->total), bar},
                  u->colors->accent);
}

static void lay_out_composer(ui *u, int width) {
    const char *text = composer_text(&u->composer);
    u->n_composer_lines = 0;
    for (size_t at = 0;;) {
        if (u->n_composer_lines == u->composer_capacity) {
            size_t capacity = u->composer_capacity ? 2 * u->composer_capacity : 16;
            size_t *lines = realloc(u->composer_lines, capacity * sizeof *lines);
            if (!lines) return;
            u->composer_lines = lines;
            u->composer_capacity = capacity;
        }
        u->composer_lines[u->n_composer_lines++] = at;
        if (at >= u->composer.n_bytes) return;
        at += fonts_break(u->fonts, text + at, u->composer.n_bytes - at, width);
        if (at >= u->composer.n_bytes && text[at - 1] != '\n') return;
    }
}

/* One line: the selection, the text, and where the caret is in it the preedit, underlined, and the caret. */
static void draw_composer_line(ui *u, draw_list *list, size_t line, int x, int y) {
    const composer *c = &u->composer;
    const char *text = composer_text(c);
    size_t begin = u->composer_lines[line], end = line + 1 < u->n_composer_lines ? u->composer_lines[line + 1] : c->n_bytes;
    int height = fonts_line_height(u->fonts);
    size_t from = c->caret < c->anchor ? c->caret : c->anchor, to = c->caret < c->anchor ? c->anchor : c->caret;
    if (from < begin) from = begin;
    if (to > end) to = end;
    if (from < to)
        draw_rect(list,
                  (SDL_Rect){x + fonts_width(u->fonts, text + begin, from - begin), y,
                             fonts_width(u->fonts, text + from, to - from), height},
                  u->colors->selection);
    bool has_caret = c->caret >= begin && (c->caret < end || line + 1 == u->n_composer_lines);
    if (!has_caret) {
        draw_text(list, x, y, text + begin, end - begin, u->colors->text);
        return;
    }
    int caret_x = x + fonts_width(u->fonts, text + begin, c->caret - begin), after = caret_x;
    draw_text(list, x, y, text + begin, c->caret - begin, u->colors->text);
    if (c->preedit[0]) {
        size_t n = strlen(c->preedit);
        text_at(list, caret_x, y, c->preedit, u->colors->text);
        after += fonts_width(u->fonts, c->preedit, n);
        draw_rect(list, (SDL_Rect){caret_x, y + height - units(u, 3), after - caret_x, units(u, 2)}, u->colors->accent);
    }
    draw_text(list, after, y, text + c->caret, end - c->caret, u->colors->text);
    u->caret = (SDL_Rect){after, y + units(u, 2), units(u, 2), height - units(u, 4)};
    draw_rect(list, u->caret, u->colors->accent);
}

/* Returns its top. */
static int draw_composer(ui *u, draw_list *list) {
    int margin = units(u, MARGIN), line = fonts_line_height(u->fonts), pad = units(u, 8);
    const char *label = u->busy ? "Stop" : "Send";
    int button_width = fonts_width(u->fonts, label, strlen(label)) + units(u, 24);
    int width = u->width - u->left - 3 * margin - button_width, left = u->left + margin;
    lay_out_composer(u, width - 2 * units(u, 10));
    size_t caret_line = 0;
    while (caret_line + 1 < u->n_composer_lines && u->composer_lines[caret_line + 1] <= u->composer.caret) caret_line++;
    size_t shown = u->n_composer_lines < MAX_COMPOSER_LINES ? u->n_composer_lines : MAX_COMPOSER_LINES;
    size_t first = caret_line >= shown ? caret_line - shown + 1 : 0;
    int height = (int)shown * line + 2 * pad, top = u->height - height - margin;
    u->composer_area = (SDL_Rect){left, top, width, height};
    draw_rect(list, u->composer_area, u->colors->accent);
    draw_rect(list, (SDL_Rect){left + 1, top + 1, width - 2, height - 2}, u->colors->ground);
    draw_clip(list, u->composer_area);
    for (size_t i = 0; i < shown; i++) draw_composer_line(u, list, first + i, left + units(u, 10), top + pad + (int)i * line);
    if (u->composer.n_bytes == 0 && !u->composer.preedit[0])
        text_at(list, left + units(u, 16), top + pad, "Write a message", u->colors->faint);
    draw_clip(list, (SDL_Rect){0});
    u->send_button = button(u, list, u->width - margin, top + (height - line - pad) / 2, label, true);
    return top;
}

void ui_frame(ui *u, draw_list *list) {
    draw_clear(list);
    draw_rect(list, (SDL_Rect){0, 0, u->width, u->height}, u->colors->ground);
    // Over the transcript where it was unfolded on a narrow window.
    bool narrow = u->sidebar.shown && sidebar_width(&(sidebar){0}, u->width, u->scale) == 0;
    u->left = narrow ? 0 : sidebar_width(&u->sidebar, u->width, u->scale);
    int header = draw_header(u, list), margin = units(u, MARGIN);
    int composer_top = draw_composer(u, list), status = composer_top - fonts_line_height(u->fonts) - units(u, 10);
    draw_status(u, list, status);
    // Lines longer than this are hard to read.
    int width = u->width - u->left - 2 * margin, most = units(u, 820);
    if (width > most) width = most;
    u->transcript_area =
        (SDL_Rect){u->left + (u->width - u->left - width) / 2, header + margin / 2, width, status - header - margin};
    transcript_layout(u->transcript, u->fonts, width);
    u->scroll = transcript_settle(u->transcript, u->fonts, u->scroll, u->transcript_area.h, u->sticks);
    transcript_draw(u->transcript, u->fonts, u->colors, list, u->transcript_area, u->scroll);
    reader_view read = view(u);
    reader_draw(&u->reader, &read, u->colors, list);
    if (u->left > 0 || narrow)
        sidebar_draw(&u->sidebar, &u->chats, u->fonts, u->colors, list, u->width, u->height, u->scale, 0, 0);
}
