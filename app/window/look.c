/* What the window looks like. */
#include "sheet_keys.h"
#include "ui.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

enum { MARGIN = 14, GAP = 8, MAX_COMPOSER_LINES = 7, TEXT_WIDTH = 820 };

static int units(const ui *u, int n) { return (int)((float)n * u->scale + 0.5f); }

static const char *number(char text[static 32], double value, int decimals) {
    snprintf(text, 32, "%.*f", decimals, value);
    return text;
}

/* ---- the line above: model and device, and the buttons of the window */

static int draw_header(ui *u, draw_list *list) {
    widgets *w = &u->widgets;
    int line = widgets_line(w), height = line * 2 + units(u, MARGIN), x = units(u, MARGIN), left = u->left + x,
        gap = units(u, GAP);
    draw_rect(list, (SDL_Rect){u->left, 0, u->width - u->left, height}, u->colors->panel);
    draw_rect(list, (SDL_Rect){u->left, height - 1, u->width - u->left, 1}, u->colors->border);
    int y = units(u, GAP);
    if (u->left == 0) {
        SDL_Rect fold = widgets_button(w, left, y, say(W_CHATS), LOOK_PLAIN, ACTION_FOLD, 0);
        left = fold.x + fold.w + gap;
    }
    // Where there is no room for words a sign will do, and the sheet of the chat is reached from the list of chats.
    int least = line * 5, all = widgets_button_width(w, say(W_NEW_CHAT)) + widgets_button_width(w, say(W_CHAT)) + 2 * gap;
    bool roomy = u->width - x - left - all > least,
         words = roomy || u->width - x - left - widgets_button_width(w, say(W_NEW_CHAT)) > least;
    int right = widgets_button_right(w, u->width - x, y, words ? say(W_NEW_CHAT) : "+", LOOK_PLAIN, ACTION_NEW_CHAT, 0).x - gap;
    if (u->offers_files) right = widgets_button_right(w, right, y, say(W_OPEN), LOOK_PLAIN, ACTION_OPEN_FILE, 0).x - gap;
    if (roomy) right = widgets_button_right(w, right, y, say(W_CHAT), LOOK_PLAIN, ACTION_SHEET, SHEET_CHAT).x - gap;
    const char *model = u->model ? u->model : u->loading ? say(W_LOADING_MODEL) : say(W_NO_MODEL);
    if (right > left) widgets_area(w, (SDL_Rect){left, y / 2, right - left, height - y}, ACTION_SHEET, SHEET_MODELS);
    widgets_text_within(w, left, units(u, 6), right - left, model, u->colors->text);
    widgets_text_within(w, left, units(u, 6) + line, right - left, u->device ? u->device : "", u->colors->faint);
    return height;
}

/* ---- the line above the composer */

static const char *status_text(const ui *u, char text[static 200]) {
    char one[32], two[32], loading[120];
    if (u->loading) {
        if (u->total == 0)
            snprintf(loading, sizeof loading, "%s", say(W_LOADING));
        else if (u->checking)
            say_with(loading, sizeof loading, W_CHECKING, number(one, (double)u->done, 0), number(two, (double)u->total, 0),
                     NULL);
        else
            say_with(loading, sizeof loading, W_LOADING_PERCENT, number(one, 100.0 * (double)u->done / (double)u->total, 0), NULL,
                     NULL);
        snprintf(text, 200, "%s %s", loading, u->sends_later ? say(W_SENT_THEN) : "");
        return text;
    }
    if (u->busy && u->total)
        return say_with(text, 200, W_READING_OF, number(one, (double)u->done, 0), number(two, (double)u->total, 0), NULL);
    if (u->busy && u->n_pieces > 1) return say_with(text, 200, W_ANSWERING_AT, number(one, u->tokens_per_s, 1), NULL, NULL);
    if (u->busy) return say(u->n_pieces ? W_ANSWERING : W_READING);
    if (u->edits) return say(W_EDITING);
    if (u->tokens_per_s > 0) return say_with(text, 200, W_TOKENS_PER_S, number(one, u->tokens_per_s, 1), NULL, NULL);
    return say(W_HINT_KEYS);
}

/* How much of something is taken, in words with a bar below; returns where it begins. */
static int draw_meter(ui *u, draw_list *list, int right, int y, const char *text, double part) {
    const char *label = draw_keep(list, text);
    int width = fonts_width(u->fonts, label, strlen(label)), x = right - width, bar = units(u, 2),
        line = widgets_line(&u->widgets);
    widgets_text(&u->widgets, x, y, label, u->colors->faint);
    draw_rect(list, (SDL_Rect){x, y + line, width, bar}, u->colors->border);
    draw_rect(list, (SDL_Rect){x, y + line, (int)(width * (part < 1 ? part : 1)), bar}, u->colors->accent);
    return x;
}

/* Those of the context and of the device's memory, as far as there is room; returns where they begin. */
static int draw_meters(ui *u, draw_list *list, int left, int right, int y) {
    char text[120], one[32], two[32];
    int line = widgets_line(&u->widgets);
    if (u->n_ctx <= 0 || right - left < 9 * line) return right;
    say_with(text, sizeof text, W_CONTEXT, number(one, u->n_past, 0), number(two, u->n_ctx, 0), NULL);
    right = draw_meter(u, list, right, y, text, (double)u->n_past / u->n_ctx) - units(u, MARGIN);
    if (u->memory_free_bytes == 0 || right - left < 15 * line) return right;
    say_with(text, sizeof text, W_MEMORY, say_size(one, u->memory_bytes), say_size(two, u->memory_free_bytes), NULL);
    return draw_meter(u, list, right, y, text, (double)u->memory_bytes / (double)u->memory_free_bytes) - units(u, MARGIN);
}

static void draw_status(ui *u, draw_list *list, int y) {
    widgets *w = &u->widgets;
    char text[200];
    int x = u->left + units(u, MARGIN), right = u->width - units(u, MARGIN), line = widgets_line(w);
    bool answered = !u->busy && !u->loading && u->chats.n > 1 && u->chats.branch[u->chats.n - 1].role == STORE_ASSISTANT;
    // On a narrow window what can be done comes before what can be known.
    int does = answered ? widgets_button_width(w, say(W_AGAIN)) + widgets_button_width(w, say(W_CONTINUE)) : 6 * line;
    right = draw_meters(u, list, x + does, right, y);
    if (answered) {
        right = widgets_button_right(w, right, y, say(W_AGAIN), LOOK_QUIET, ACTION_AGAIN, 0).x;
        right = widgets_button_right(w, right, y, say(W_CONTINUE), LOOK_QUIET, ACTION_CONTINUE, 0).x - units(u, GAP);
    }
    if (right - x < 3 * line) return;
    widgets_text_within(w, x, y, right - x, draw_keep(list, status_text(u, text)), u->colors->faint);
    if (u->total)
        draw_rect(
            list,
            (SDL_Rect){x, y + widgets_line(w), (int)((uint64_t)((u->width - u->left) / 3) * u->done / u->total), units(u, 2)},
            u->colors->accent);
}

/* ---- the composer, with what goes with the text above it; returns the top */

static int draw_attachments(ui *u, draw_list *list, int left, int width, int bottom) {
    widgets *w = &u->widgets;
    int high = widgets_button_height(w), gap = units(u, GAP), x = left, rows = 1;
    char text[400], label[410], words[24];
    for (int pass = 0; pass < 2 && u->attached.n; pass++) { // first how many rows they take
        int y = bottom - rows * (high + gap);
        x = left;
        for (size_t i = 0; i < u->attached.n; i++) {
            snprintf(words, sizeof words, "%zu", u->attached.list[i].n_words);
            say_with(text, sizeof text, W_ATTACHED, u->attached.list[i].name, words, NULL);
            snprintf(label, sizeof label, "%s  \xC3\x97", text);
            int chip = widgets_button_width(w, label);
            if (chip > width) chip = width;
            if (x > left && x + chip > left + width) {
                x = left;
                y += high + gap;
                rows += pass == 0;
            }
            if (pass) {
                SDL_Rect r = {x, y, chip, high};
                widgets_frame(w, r, u->colors->panel, u->colors->border);
                widgets_text_within(w, x + units(u, 12), y + units(u, 4), chip - units(u, 24), draw_keep(list, label),
                                    u->colors->text);
                widgets_area(w, r, ACTION_DETACH, (int64_t)i);
            }
            x += chip + gap;
        }
    }
    return u->attached.n ? bottom - rows * (high + gap) : bottom;
}

static int draw_composer(ui *u, draw_list *list) {
    widgets *w = &u->widgets;
    const theme *c = u->colors;
    const char *label = say(u->busy ? W_STOP : W_SEND);
    int margin = units(u, MARGIN), button = widgets_button_width(w, label);
    int width = u->width - u->left - 3 * margin - button, left = u->left + margin;
    bool here = !u->open_sheet && !w->focus;
    const text_box_style style = {u->fonts, u->scale, c->ground,    here ? c->accent : c->border,
                                  c->text,  c->faint, c->selection, c->accent};
    text_box_lay_out(&u->composer_box, &u->composer, &style, left, 0, width, MAX_COMPOSER_LINES);
    int height = u->composer_box.area.h, top = u->height - height - margin;
    text_box_place(&u->composer_box, left, top);
    text_box_draw(&u->composer_box, &u->composer, &style, list, (SDL_Rect){0}, say(W_WRITE), here);
    u->caret = u->composer_box.caret;
    widgets_button_right(w, u->width - margin, top + (height - widgets_button_height(w)) / 2, label, LOOK_STRONG,
                         u->busy ? ACTION_STOP : ACTION_SEND, 0);
    return draw_attachments(u, list, left, width, top);
}

/* ---- the buttons of a message, as many as there is room for */

static void draw_head(ui *u, draw_list *list, const transcript_head *head) {
    widgets *w = &u->widgets;
    int right = head->line.x + head->line.w, y = head->line.y;
    bool kept = head->turn >= 0 && (size_t)head->turn < u->chats.n;
    if (!*transcript_message(u->transcript, head->message)) return;
    right = widgets_button_right(w, right, y, say(W_COPY), LOOK_QUIET, kept ? ACTION_COPY_TURN : ACTION_COPY_NOTE,
                                 kept ? (int64_t)head->turn : (int64_t)head->message)
                .x;
    if (!kept || u->busy) return;
    if (right - widgets_button_width(w, say(W_EDIT)) > head->line.x)
        right = widgets_button_right(w, right, y, say(W_EDIT), LOOK_QUIET, ACTION_EDIT, head->turn).x;
    const store_message *m = &u->chats.branch[head->turn];
    if (m->n_siblings < 2 || right - 5 * widgets_line(w) < head->line.x) return;
    char text[40];
    snprintf(text, sizeof text, "%d/%d", m->sibling + 1, m->n_siblings);
    right = widgets_button_right(w, right, y, "\xE2\x80\xBA", LOOK_QUIET, ACTION_WALK_RIGHT, head->turn).x;
    right -= fonts_width(u->fonts, text, strlen(text));
    widgets_text(w, right, y, draw_keep(list, text), u->colors->faint);
    widgets_button_right(w, right, y, "\xE2\x80\xB9", LOOK_QUIET, ACTION_WALK_LEFT, head->turn);
}

static void draw_transcript(ui *u, draw_list *list) {
    transcript_layout(u->transcript, u->fonts, u->transcript_area.w);
    u->scroll = transcript_settle(u->transcript, u->fonts, u->scroll, u->transcript_area.h, u->sticks);
    transcript_draw(u->transcript, u->fonts, u->colors, list, u->transcript_area, u->scroll);
    widgets_clip(&u->widgets, u->transcript_area);
    transcript_head head;
    for (size_t at = 0; transcript_next_head(u->transcript, u->fonts, u->transcript_area, u->scroll, &at, &head);) {
        bool seen = head.line.y + head.line.h / 2 > u->transcript_area.y &&
                    head.line.y + head.line.h / 2 < u->transcript_area.y + u->transcript_area.h;
        if (seen) draw_head(u, list, &head);
    }
    widgets_clip(&u->widgets, (SDL_Rect){0});
    reader_view read = {u->transcript, u->fonts, u->transcript_area, &u->scroll, &u->sticks};
    reader_draw(&u->reader, &read, u->colors, list);
}

/* ---- the sheets */

static void draw_sheet(ui *u) {
    static const word titles[] = {
        [SHEET_KEYS] = W_KEYS, [SHEET_CHAT] = W_CHAT, [SHEET_SETTINGS] = W_SETTINGS, [SHEET_MODELS] = W_MODELS};
    widgets *w = &u->widgets;
    SDL_Rect content = sheet_begin(&u->sheet, w, u->width, u->height, say(titles[u->open_sheet]), ACTION_CLOSE);
    int bottom = content.y;
    switch (u->open_sheet) {
    case SHEET_KEYS:
        bottom = sheet_keys_draw(w, content);
        break;
    case SHEET_CHAT:
        bottom = sheet_chat_draw(&u->sheet_chat, &u->chats, w, content);
        break;
    case SHEET_MODELS:
        bottom = sheet_models_draw(&u->sheet_models, u->used, w, content);
        break;
    case SHEET_SETTINGS:
        bottom = sheet_settings_draw(&u->sheet_settings, &u->settings, w, content);
        break;
    default:
        break;
    }
    sheet_end(&u->sheet, w, content, bottom);
}

void ui_frame(ui *u, draw_list *list) {
    u->list = list;
    u->stale = false;
    draw_clear(list);
    widgets_begin(&u->widgets, u->fonts, u->colors, list, u->scale);
    draw_rect(list, (SDL_Rect){0, 0, u->width, u->height}, u->colors->ground);
    // Over the transcript where it was unfolded on a narrow window.
    bool narrow = sidebar_width(&(sidebar){0}, u->width, u->scale) == 0;
    u->left = narrow ? 0 : sidebar_width(&u->sidebar, u->width, u->scale);
    u->sidebar.area.w = 0;
    if (!narrow) sidebar_draw(&u->sidebar, &u->chats, &u->widgets, u->width, u->height);
    int header = draw_header(u, list), margin = units(u, MARGIN);
    int composer_top = draw_composer(u, list), status = composer_top - fonts_line_height(u->fonts) - units(u, 10);
    draw_status(u, list, status);
    // Lines longer than this are hard to read.
    int width = u->width - u->left - 2 * margin, most = units(u, TEXT_WIDTH);
    if (width > most) width = most;
    u->transcript_area =
        (SDL_Rect){u->left + (u->width - u->left - width) / 2, header + margin / 2, width, status - header - margin};
    draw_transcript(u, list);
    if (narrow && u->sidebar.shown) sidebar_draw(&u->sidebar, &u->chats, &u->widgets, u->width, u->height);
    if (u->open_sheet) draw_sheet(u);
}
