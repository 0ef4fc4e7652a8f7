#include "ui_do.h"

#include "phone.h"

#include <stdlib.h>

enum { ENTER_AFTER_COMPOSITION_MS = 500, DRAFT_MS = 800 };

static void new_chat(ui *u) { ui_open_chat(u, 0); }

static void copy_all(const ui *u) {
    char *text = transcript_markdown(u->transcript);
    if (text) SDL_SetClipboardText(text);
    free(text);
}

static void scroll_by(ui *u, int pixels) {
    int most = transcript_height(u->transcript) - u->transcript_area.h;
    u->scroll += pixels;
    if (u->scroll > most) u->scroll = most;
    if (u->scroll < 0) u->scroll = 0;
    u->sticks = u->scroll >= most;
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
        ui_send(u);
}

static void press_control(ui *u, const SDL_KeyboardEvent *key) {
    bool shift = key->keysym.mod & KMOD_SHIFT;
    switch (key->keysym.sym) {
    case SDLK_n:
        new_chat(u);
        break;
    case SDLK_r:
        ui_answer_again(u, false);
        break;
    case SDLK_e:
        for (size_t i = u->chats.n; i-- > 0;)
            if (u->chats.branch[i].role == STORE_USER) {
                ui_begin_edit(u, i);
                break;
            }
        break;
    case SDLK_i:
        ui_open_sheet(u, SHEET_CHAT);
        break;
    case SDLK_COMMA:
        ui_open_sheet(u, SHEET_SETTINGS);
        break;
    case SDLK_m:
        ui_open_sheet(u, SHEET_MODELS);
        break;
    case SDLK_q:
        u->quit = true;
        break;
    case SDLK_c:
        if (shift) copy_all(u);
        break;
    case SDLK_PLUS:
    case SDLK_KP_PLUS:
    case SDLK_EQUALS:
        ui_change_size(u, 1);
        break;
    case SDLK_MINUS:
    case SDLK_KP_MINUS:
        ui_change_size(u, -1);
        break;
    case SDLK_0:
        ui_change_size(u, 0);
        break;
    default:
        break;
    }
}

/* What keys mean wherever the focus is; false: nothing. */
static bool press_anywhere(ui *u, const SDL_KeyboardEvent *key) {
    store_id chat = 0;
    SDL_Keycode code = key->keysym.sym;
    bool control = key->keysym.mod & KMOD_CTRL;
    if (code == SDLK_F1) {
        ui_open_sheet(u, SHEET_KEYS);
        return true;
    }
    sidebar_heard heard = sidebar_press(&u->sidebar, &u->chats, &u->widgets, key, &chat);
    if (heard == SIDEBAR_OPEN) ui_open_chat(u, chat);
    ui_say_notice(u);
    if (heard != SIDEBAR_NOTHING) return true;
    if ((key->keysym.mod & KMOD_ALT) && (code == SDLK_LEFT || code == SDLK_RIGHT)) {
        ui_walk(u, SIZE_MAX, code == SDLK_LEFT ? -1 : 1);
        return true;
    }
    if (control && code == SDLK_z && u->chats.deleted && !u->composer.n_bytes) {
        chat = chats_undelete(&u->chats);
        if (chat) ui_open_chat(u, chat);
        return true;
    }
    return false;
}

/* What is pasted and is large goes with the text instead of into it. */
static bool paste_attachment(ui *u) {
    char *text = SDL_GetClipboardText();
    bool large = text && attachment_is_large(text) && attachments_paste(&u->attached, text);
    SDL_free(text);
    return large;
}

/* The composer's keys. */
static void press_composer(ui *u, const SDL_KeyboardEvent *key) {
    bool typed, shift = key->keysym.mod & KMOD_SHIFT;
    SDL_Keycode code = key->keysym.sym;
    if (code == SDLK_RETURN || code == SDLK_KP_ENTER) {
        bool empty = u->composer.n_bytes == 0 && !u->edits;
        if ((key->keysym.mod & KMOD_CTRL) && empty)
            ui_answer_again(u, true);
        else
            press_enter(u, key);
        return;
    }
    if (code == SDLK_v && (key->keysym.mod & KMOD_CTRL) && paste_attachment(u)) return;
    if (widgets_edit(&u->composer, key, &typed)) return;
    if (key->keysym.mod & KMOD_CTRL) {
        press_control(u, key);
        return;
    }
    switch (code) {
    case SDLK_ESCAPE:
        if (u->busy)
            worker_interrupt(u->worker);
        else if (u->edits)
            ui_end_edit(u);
        break;
    case SDLK_UP:
    case SDLK_DOWN:
        text_box_move_line(&u->composer_box, &u->composer, code == SDLK_UP ? -1 : 1, shift);
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

/* ---- what widgets mean */

static void obey(ui *u, const widget_news *did) {
    store_id chat = 0;
    sidebar_heard heard = sidebar_obey(&u->sidebar, &u->chats, &u->widgets, did, &chat);
    if (heard == SIDEBAR_OPEN) ui_open_chat(u, chat);
    if (heard == SIDEBAR_NOTHING && sheet_chat_obey(&u->sheet_chat, &u->chats, did, &chat)) {
        if (chat) {
            ui_open_sheet(u, SHEET_NONE);
            ui_open_chat(u, chat);
        }
        heard = SIDEBAR_TAKEN;
    }
    settings_change change = sheet_settings_obey(&u->sheet_settings, &u->settings, did);
    if (change != SETTINGS_NOT_MINE) {
        ui_obey_settings(u, change);
        return;
    }
    char path[PATHS_MAX];
    models_wish wish = sheet_models_obey(&u->sheet_models, did, path);
    if (wish == MODELS_LOAD) {
        ui_open_sheet(u, SHEET_NONE);
        if (u->busy) worker_interrupt(u->worker);
        ui_load(u, path);
    }
    if (wish != MODELS_NOT_MINE) return;
    ui_say_notice(u);
    if (heard != SIDEBAR_NOTHING) return;
    switch ((action)did->action) {
    case ACTION_SEND:
        ui_send(u);
        break;
    case ACTION_STOP:
        worker_interrupt(u->worker);
        break;
    case ACTION_NEW_CHAT:
        new_chat(u);
        break;
    case ACTION_OPEN_FILE:
        phone_pick_file();
        break;
    case ACTION_SHEET:
        ui_open_sheet(u, (sheet_kind)did->argument);
        break;
    case ACTION_CLOSE:
        ui_open_sheet(u, SHEET_NONE);
        break;
    case ACTION_COPY_NOTE:
        SDL_SetClipboardText(transcript_message(u->transcript, (size_t)did->argument));
        break;
    case ACTION_COPY_TURN:
        if ((size_t)did->argument < u->chats.n) SDL_SetClipboardText(u->chats.branch[did->argument].text);
        break;
    case ACTION_DETACH:
        attachments_remove(&u->attached, (size_t)did->argument);
        break;
    case ACTION_EDIT:
        ui_begin_edit(u, (size_t)did->argument);
        break;
    case ACTION_WALK_LEFT:
    case ACTION_WALK_RIGHT:
        ui_walk(u, (size_t)did->argument, did->action == ACTION_WALK_LEFT ? -1 : 1);
        break;
    case ACTION_AGAIN:
    case ACTION_CONTINUE:
        ui_answer_again(u, did->action == ACTION_CONTINUE);
        break;
    default:
        break;
    }
}

static bool inside(const SDL_Rect *r, int x, int y) { return x >= r->x && x < r->x + r->w && y >= r->y && y < r->y + r->h; }

/* Letters go to what is typed in now. */
static composer *typing(ui *u) {
    composer *field = widgets_typing(&u->widgets);
    return field ? field : u->open_sheet ? NULL : &u->composer;
}

static void show_keyboard(ui *u, bool wanted) {
    if (wanted && !SDL_IsTextInputActive()) SDL_StartTextInput();
    if (!wanted && !typing(u) && SDL_HasScreenKeyboardSupport()) SDL_StopTextInput(); // what it covers is wanted
}

static bool is_over_sidebar(const ui *u, const SDL_Event *event) {
    return event->type == SDL_MOUSEBUTTONDOWN && u->sidebar.area.w > 0 &&
           inside(&u->sidebar.area, event->button.x, event->button.y);
}

/* A press, from a mouse or a finger. */
static void press_place(ui *u, const SDL_Event *event) {
    widget_news did;
    int x = event->button.x, y = event->button.y;
    bool narrow = u->left == 0;
    if (!u->open_sheet && u->sidebar.shown && narrow && !is_over_sidebar(u, event)) {
        u->sidebar.shown = false;
        return;
    }
    if (widgets_event(&u->widgets, event, &did)) {
        obey(u, &did);
        show_keyboard(u, widgets_typing(&u->widgets) != NULL);
        return;
    }
    reader_view read = ui_view(u);
    if (reader_event(&u->reader, &read, event)) return;
    bool composes = inside(&u->composer_box.area, x, y);
    if (composes) text_box_click(&u->composer_box, &u->composer, u->fonts, x, y);
    show_keyboard(u, composes);
}

static bool touch_screen(ui *u, const SDL_TouchFingerEvent *event) {
    int x, y;
    switch (touch_event(&u->touch, event, u->width, u->height, (int)(8 * u->scale), &x, &y)) {
    case TOUCH_SCROLL:
        if (u->open_sheet)
            u->sheet.scroll = u->sheet.scroll - y > 0 ? u->sheet.scroll - y : 0;
        else
            scroll_by(u, -y);
        return true;
    case TOUCH_TAP: {
        SDL_Event tap = {.button = {.type = SDL_MOUSEBUTTONDOWN, .button = SDL_BUTTON_LEFT, .x = x, .y = y}};
        press_place(u, &tap);
        u->reader.dragging = false;
        return true;
    }
    case TOUCH_NOTHING:
        break;
    }
    return false;
}

static void press(ui *u, const SDL_Event *event) {
    widget_news did;
    const SDL_KeyboardEvent *key = &event->key;
    bool enters = key->keysym.sym == SDLK_RETURN || key->keysym.sym == SDLK_KP_ENTER;
    if (u->composing) return; // the input method's keys
    bool field = u->open_sheet || widgets_typing(&u->widgets);
    if (enters && (field || u->reader.finding) && enter_is_the_input_methods(u, key->timestamp)) return;
    if (!enters) u->composition_ended = false;
    reader_view read = ui_view(u);
    if (!field && reader_event(&u->reader, &read, event)) return;
    if (widgets_event(&u->widgets, event, &did)) {
        obey(u, &did);
        return;
    }
    if (u->open_sheet && key->keysym.sym != SDLK_F1 && !(key->keysym.mod & KMOD_CTRL)) return;
    if (!press_anywhere(u, key)) press_composer(u, key);
}

static void type(ui *u, const SDL_Event *event) {
    widget_news did;
    reader_view read = ui_view(u);
    composer *to = typing(u);
    if (to == &u->composer && reader_event(&u->reader, &read, event)) return;
    if (widgets_event(&u->widgets, event, &did))
        obey(u, &did);
    else if (!u->open_sheet)
        composer_type(&u->composer, event->text.text, event->text.timestamp);
}

static void compose(ui *u, const SDL_TextEditingEvent *event) {
    bool was = u->composing;
    composer *to = typing(u);
    bool finds = to == &u->composer && reader_compose(&u->reader, event->text);
    if (to && !finds) composer_set_preedit(to, event->text, event->start);
    u->composing = event->text[0] != 0;
    if (was && !u->composing) {
        u->composition_ended = true;
        u->composition_ended_ms = event->timestamp;
    }
}

static bool see(ui *u, const SDL_Event *event) {
    reader_view read = ui_view(u);
    widget_news did;
    switch (event->type) {
    case SDL_QUIT:
        u->quit = true;
        return false;
    case SDL_KEYDOWN:
        press(u, event);
        return true;
    case SDL_TEXTINPUT:
        type(u, event);
        return true;
    case SDL_TEXTEDITING:
        compose(u, &event->edit);
        return true;
    case SDL_MOUSEBUTTONDOWN:
        if (event->button.button == SDL_BUTTON_LEFT) press_place(u, event);
        return true;
    case SDL_MOUSEMOTION:
    case SDL_MOUSEBUTTONUP:
        return reader_event(&u->reader, &read, event);
    case SDL_FINGERDOWN:
    case SDL_FINGERMOTION:
    case SDL_FINGERUP:
        return touch_screen(u, &event->tfinger);
    case SDL_MOUSEWHEEL:
        if (widgets_event(&u->widgets, event, &did)) return true;
        if (sidebar_wheel(&u->sidebar, &u->chats, event->wheel.mouseX, event->wheel.mouseY, -3 * event->wheel.y)) return true;
        scroll_by(u, -event->wheel.y * 3 * fonts_line_height(u->fonts));
        return true;
    case SDL_DROPFILE:
        ui_open_file(u, event->drop.file);
        SDL_free(event->drop.file);
        return true;
    case SDL_WINDOWEVENT:
        return true;
    default:
        return false;
    }
}

/* Events come faster than frames: what a key has opened takes the next key, drawn or not. */
static bool looks_at_widgets(uint32_t type) {
    return type == SDL_KEYDOWN || type == SDL_TEXTINPUT || type == SDL_TEXTEDITING || type == SDL_MOUSEBUTTONDOWN ||
           type == SDL_FINGERUP;
}

static bool may_write(uint32_t type) {
    return type == SDL_KEYDOWN || type == SDL_TEXTINPUT || type == SDL_MOUSEBUTTONDOWN || type == SDL_FINGERUP ||
           type == SDL_DROPFILE;
}

bool ui_event(ui *u, const SDL_Event *event, uint32_t wake) {
    if (event->type == wake)
        ui_hear_all(u);
    else if (u->stale && u->list && looks_at_widgets(event->type))
        ui_frame(u, u->list);
    bool changed = event->type == wake || see(u, event);
    sidebar_settle(&u->sidebar, &u->chats, &u->widgets);
    u->stale = u->stale || changed;
    if (may_write(event->type) && !u->draft_due_ms) u->draft_due_ms = SDL_GetTicks64() + DRAFT_MS;
    ui_keep_draft_in_time(u); // what streams leaves no time in between
    return changed;
}
