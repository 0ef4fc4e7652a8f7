#define _XOPEN_SOURCE 700 // realpath
#include "ui.h"

#include "chat/models.h"
#include "phone.h"
#include "transfer.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FONT_UNITS = 16, ENTER_AFTER_COMPOSITION_MS = 500, DOWNLOAD_LOOK_MS = 250, DRAFT_MS = 800 };

/* ---- the chat that is open */

static void say_notice(ui *u) {
    if (u->chats.notice[0]) transcript_add(u->transcript, MESSAGE_NOTICE, u->chats.notice);
    u->chats.notice[0] = 0;
}

/* What a person wrote, with a line for each attachment in the place of its text. */
static void show_question(ui *u, const char *text) {
    attachments read = {0};
    const char *words = attachments_read(&read, text);
    size_t n_bytes = strlen(words) + 1;
    for (size_t i = 0; i < read.n; i++) n_bytes += strlen(read.list[i].name) + 100;
    char *shown = read.n ? malloc(n_bytes) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < read.n && shown; i++) {
        char line[400], count[24];
        snprintf(count, sizeof count, "%zu", read.list[i].n_words);
        say_with(line, sizeof line, W_ATTACHED, read.list[i].name, count, NULL);
        n += (size_t)snprintf(shown + n, n_bytes - n, "\xF0\x9F\x93\x8E %.*s\n", (int)(strlen(read.list[i].name) + 80), line);
    }
    if (shown) snprintf(shown + n, n_bytes - n, "%s", words);
    transcript_add(u->transcript, MESSAGE_USER, shown ? shown : text);
    free(shown);
    attachments_clear(&read);
}

static void show_branch(ui *u) {
    transcript_clear(u->transcript);
    reader_reset(&u->reader);
    for (size_t i = 0; i < u->chats.n; i++) {
        const store_message *m = &u->chats.branch[i];
        if (m->role == STORE_USER)
            show_question(u, m->text);
        else
            transcript_add(u->transcript, MESSAGE_ASSISTANT, m->text);
    }
    u->sticks = true;
    say_notice(u);
}

/* What is written, with what is attached; to be freed. */
static char *composed(ui *u) {
    const char *words = composer_text(&u->composer);
    return u->attached.n ? attachments_message(&u->attached, words) : strdup(words);
}

static void compose_anew(ui *u, const char *text) { composer_set(&u->composer, attachments_read(&u->attached, text)); }

/* The draft of the open chat goes back into the composer. */
static void take_draft(ui *u) {
    char *draft = chats_draft(&u->chats);
    compose_anew(u, draft ? draft : "");
    free(draft);
    u->edits = false;
}

/* While a turn is edited the draft that stood there before stays in the store. */
static void keep_draft(ui *u) {
    char *written = composed(u);
    if (written && u->edits)
        chats_keep_edit(&u->chats, u->edited, written);
    else if (written)
        chats_keep_draft(&u->chats, written);
    free(written);
}

/* Ends an edit, sent or not. */
static void end_edit(ui *u) {
    chats_keep_edit(&u->chats, u->edited, NULL);
    take_draft(u);
}

static void edit_text(ui *u, size_t turn, const char *text) {
    compose_anew(u, text);
    u->edits = true;
    u->edited = turn;
}

/* With what is being edited in it; a draft stays as it is. */
static void follow_branch(ui *u) {
    size_t turn;
    char *edited = chats_edit_kept(&u->chats, &turn);
    if (edited)
        edit_text(u, turn, edited);
    else if (u->edits)
        take_draft(u);
    free(edited);
    show_branch(u);
}

static void show_chat(ui *u) {
    take_draft(u);
    follow_branch(u);
}

static void open_chat(ui *u, store_id chat) {
    if (u->busy) worker_interrupt(u->worker);
    keep_draft(u);
    chats_open(&u->chats, chat);
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

static void answer_again(ui *u, bool goes_on) {
    if (u->busy || u->loading) return;
    keep_draft(u);
    if (!(goes_on ? chats_continue(&u->chats, u->model) : chats_answer_again(&u->chats, u->model))) return;
    follow_branch(u);
    begin_answer(u);
}

/* Through a turn, or the last one that has branches where `turn` is behind the last. */
static void walk(ui *u, size_t turn, int by) {
    if (u->busy) return;
    keep_draft(u);
    if (chats_walk(&u->chats, turn, by)) follow_branch(u);
}

/* The text of a turn goes into the composer; the draft that was there waits in the store. */
static void begin_edit(ui *u, size_t turn) {
    if (u->busy || turn >= u->chats.n) return;
    if (u->edits) end_edit(u);
    keep_draft(u);
    edit_text(u, turn, u->chats.branch[turn].text);
    widgets_focus(&u->widgets, 0, 0);
}

static void send_edit(ui *u, const char *text) {
    bool answers;
    if (u->loading || !chats_edit(&u->chats, u->edited, text, u->model, &answers)) return;
    end_edit(u);
    show_branch(u);
    if (answers) begin_answer(u);
}

bool ui_init(ui *u, worker *w, fonts *f, const theme *colors, const settings *s) {
    *u = (ui){
        .worker = w, .fonts = f, .colors = colors, .settings = *s, .scale = 1, .sticks = true, .transcript = transcript_create()};
    if (!u->transcript || !chats_start(&u->chats)) return false;
    show_chat(u);
    return true;
}

void ui_free(ui *u) {
    if (u->chats.store) keep_draft(u);
    chats_stop(&u->chats);
    sidebar_free(&u->sidebar);
    transcript_destroy(&u->transcript);
    reader_free(&u->reader);
    composer_free(&u->composer);
    text_box_free(&u->composer_box);
    sheet_chat_free(&u->sheet_chat);
    free(u->sheet_settings.devices);
    sheet_models_free(&u->sheet_models);
    attachments_clear(&u->attached);
    free(u->path);
    free(u->used);
    widgets_free(&u->widgets);
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

static void send_text(ui *u, const char *text) {
    if (!chats_ask(&u->chats, text, u->model)) return;
    show_question(u, text);
    transcript_add(u->transcript, MESSAGE_ASSISTANT, "");
    compose_anew(u, "");
    begin_answer(u);
}

static void send(ui *u) {
    const char *words = composer_text(&u->composer);
    if (u->busy || (words[strspn(words, " \n\t")] == 0 && !u->attached.n)) return;
    u->sends_later = u->loading && !u->edits;
    if (u->loading) return;
    char *text = composed(u);
    if (text && u->edits)
        send_edit(u, text);
    else if (text)
        send_text(u, text);
    free(text);
}

static reader_view view(ui *u) { return (reader_view){u->transcript, u->fonts, u->transcript_area, &u->scroll, &u->sticks}; }

static void new_chat(ui *u) { open_chat(u, 0); }

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

static void open_sheet(ui *u, sheet_kind which) {
    u->open_sheet = which;
    u->sheet = (sheet){0};
    u->sidebar.shown = false;
    widgets_focus(&u->widgets, 0, 0);
    if (which == SHEET_CHAT) sheet_chat_open(&u->sheet_chat, &u->chats);
    if (which == SHEET_MODELS) sheet_models_open(&u->sheet_models, &u->settings);
    if (which == SHEET_SETTINGS || which == SHEET_MODELS) worker_list_devices(u->worker);
}

void ui_load(ui *u, const char *path) {
    if (path != u->path) {
        free(u->path);
        u->path = path ? strdup(path) : NULL;
    }
    u->loading = true;
    u->done = u->total = 0;
    worker_load(u->worker, u->path);
}

void ui_offer_models(ui *u) { open_sheet(u, SHEET_MODELS); }

void ui_say(ui *u, const char *text) { transcript_add(u->transcript, MESSAGE_NOTICE, text); }

static void import_chat(ui *u, const char *path) {
    char notice[sizeof u->chats.notice];
    store_id chat = transfer_import(&u->chats, path, notice, sizeof notice);
    if (chat) open_chat(u, chat);
    if (notice[0]) transcript_add(u->transcript, MESSAGE_ERROR, notice);
}

static void open_file(ui *u, const char *path) {
    if (transfer_is_chat(path)) {
        import_chat(u, path);
        return;
    }
    char why[ATTACHMENT_WHY_BYTES];
    if (attachment_is_model(path))
        ui_load(u, path);
    else if (!attachments_file(&u->attached, path, why))
        transcript_add(u->transcript, MESSAGE_ERROR, why);
}

/* ---- while nothing happens */

/* The earlier of two waits, of which -1 is for ever. */
static int earlier(int a, int b) { return a < 0 ? b : b < 0 || a < b ? a : b; }

int ui_wait_ms(const ui *u) {
    uint64_t now = SDL_GetTicks64();
    int ms = chats_wait_ms(&u->chats, now);
    if (sheet_models_busy(&u->sheet_models)) ms = earlier(ms, DOWNLOAD_LOOK_MS);
    if (u->draft_due_ms) ms = earlier(ms, u->draft_due_ms > now ? (int)(u->draft_due_ms - now) : 0);
    return ms;
}

/* What was written is in the store within a second, as what is read is. */
static void keep_draft_in_time(ui *u) {
    if (!u->draft_due_ms || SDL_GetTicks64() < u->draft_due_ms) return;
    u->draft_due_ms = 0;
    keep_draft(u);
}

bool ui_tick(ui *u) {
    uint64_t now = SDL_GetTicks64();
    char path[PATHS_MAX];
    if (chats_wait_ms(&u->chats, now) == 0) chats_keep(&u->chats, now);
    keep_draft_in_time(u);
    models_wish wish = sheet_models_look(&u->sheet_models, &u->settings, path);
    // What was the first model to come is what the person waits for.
    if (wish == MODELS_LOAD && !u->model && !u->loading) {
        open_sheet(u, SHEET_NONE);
        ui_load(u, path);
    }
    return wish != MODELS_NOT_MINE && (u->open_sheet == SHEET_MODELS || wish == MODELS_LOAD);
}

/* ---- settings */

static void keep_settings(ui *u) {
    pum_error err;
    u->sheet_settings.notice[0] = 0;
    if (settings_save(&u->settings, &err) != PUM_OK)
        snprintf(u->sheet_settings.notice, sizeof u->sheet_settings.notice, "%s", err.message);
}

static void obey_settings(ui *u, settings_change change) {
    if (change == SETTINGS_SAME) return;
    keep_settings(u);
    u->settings_changed = true;
    if (change != SETTINGS_ENGINE) return;
    const settings *s = &u->settings;
    worker_set_up(u->worker, &(worker_setup){.device = s->device[0] ? s->device : NULL, .n_ctx = s->n_ctx, .kv = s->kv});
    if (u->busy) worker_interrupt(u->worker);
    if (u->used) ui_load(u, u->used); // not what was tried last, and may have failed
}

static void change_size(ui *u, int by) {
    const widget_news did = {.action = ACTION_SIZE, .argument = by};
    obey_settings(u, sheet_settings_obey(&u->sheet_settings, &u->settings, &did));
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
    u->n_past = n->n_past;
    chats_hear(&u->chats, n->text ? n->text : "", now);
    transcript_append(u->transcript, n->text ? n->text : "");
    say_notice(u);
}

/* The next start begins with it. */
static void keep_model(ui *u) {
    pum_error err;
    char found[PATHS_MAX];
    free(u->used);
    u->used = models_find(u->path, found, &err) == PUM_OK ? realpath(found, NULL) : NULL;
    const char *path = u->path && u->used ? u->used : ""; // the default one is wherever it is
    bool other = strcmp(u->settings.model, path) != 0 && strlen(path) < sizeof u->settings.model;
    if (other) snprintf(u->settings.model, sizeof u->settings.model, "%s", path);
    if (other) keep_settings(u);
}

/* What a person should know of an answer that has ended. */
static void tell_end(ui *u, const news *n) {
    char text[400], count[24];
    if (n->n_rebuilds > 0) ui_say(u, say(W_REBUILT));
    snprintf(count, sizeof count, "%d", n->n_left_out);
    if (n->n_left_out > 0)
        ui_say(u, say_with(text, sizeof text, W_LEFT_OUT, count, NULL, NULL));
    else if (n->context_full)
        ui_say(u, say(W_CONTEXT_FULL));
}

/* The device, in words. */
static void set_device(ui *u, const news *n) {
    size_t n_bytes = (n->detail ? strlen(n->detail) : 0) + 400;
    char *text = malloc(n_bytes);
    if (!text) return;
    snprintf(text, n_bytes, "%s%s%s%s%s", n->detail ? n->detail : "", n->on_cpu ? ": " : "", n->on_cpu ? say(W_ON_CPU) : "",
             n->checked ? " · " : "", n->checked ? say(W_CHECKED) : "");
    free(u->device);
    u->device = text;
    u->memory_bytes = n->memory_bytes;
    u->memory_free_bytes = n->memory_free_bytes;
}

static void hear(ui *u, news *n) {
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
        set_device(u, n);
        keep_model(u);
        if (u->sends_later) send(u);
        break;
    case NEWS_DEVICE:
        u->loading = false;
        u->total = 0;
        set_device(u, n);
        break;
    case NEWS_DEVICES:
        free(u->sheet_settings.devices);
        u->sheet_settings.devices = n->devices;
        u->sheet_settings.n_devices = n->n_devices;
        n->devices = NULL; // they are the sheet's now
        for (int i = 0; i < n->n_devices; i++)
            if (u->sheet_settings.devices[i].used) u->sheet_models.free_bytes = u->sheet_settings.devices[i].available_bytes;
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
        tell_end(u, n);
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

static void press_control(ui *u, const SDL_KeyboardEvent *key) {
    bool shift = key->keysym.mod & KMOD_SHIFT;
    switch (key->keysym.sym) {
    case SDLK_n:
        new_chat(u);
        break;
    case SDLK_r:
        answer_again(u, false);
        break;
    case SDLK_e:
        for (size_t i = u->chats.n; i-- > 0;)
            if (u->chats.branch[i].role == STORE_USER) {
                begin_edit(u, i);
                break;
            }
        break;
    case SDLK_i:
        open_sheet(u, SHEET_CHAT);
        break;
    case SDLK_COMMA:
        open_sheet(u, SHEET_SETTINGS);
        break;
    case SDLK_m:
        open_sheet(u, SHEET_MODELS);
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
        change_size(u, 1);
        break;
    case SDLK_MINUS:
    case SDLK_KP_MINUS:
        change_size(u, -1);
        break;
    case SDLK_0:
        change_size(u, 0);
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
        open_sheet(u, SHEET_KEYS);
        return true;
    }
    sidebar_heard heard = sidebar_press(&u->sidebar, &u->chats, &u->widgets, key, &chat);
    if (heard == SIDEBAR_OPEN) open_chat(u, chat);
    say_notice(u);
    if (heard != SIDEBAR_NOTHING) return true;
    if ((key->keysym.mod & KMOD_ALT) && (code == SDLK_LEFT || code == SDLK_RIGHT)) {
        walk(u, SIZE_MAX, code == SDLK_LEFT ? -1 : 1);
        return true;
    }
    if (control && code == SDLK_z && u->chats.deleted && !u->composer.n_bytes) {
        chat = chats_undelete(&u->chats);
        if (chat) open_chat(u, chat);
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
            answer_again(u, true);
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
            end_edit(u);
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
    if (heard == SIDEBAR_OPEN) open_chat(u, chat);
    if (heard == SIDEBAR_NOTHING && sheet_chat_obey(&u->sheet_chat, &u->chats, did, &chat)) {
        if (chat) {
            open_sheet(u, SHEET_NONE);
            open_chat(u, chat);
        }
        heard = SIDEBAR_TAKEN;
    }
    settings_change change = sheet_settings_obey(&u->sheet_settings, &u->settings, did);
    if (change != SETTINGS_NOT_MINE) {
        obey_settings(u, change);
        return;
    }
    char path[PATHS_MAX];
    models_wish wish = sheet_models_obey(&u->sheet_models, did, path);
    if (wish == MODELS_LOAD) {
        open_sheet(u, SHEET_NONE);
        if (u->busy) worker_interrupt(u->worker);
        ui_load(u, path);
    }
    if (wish != MODELS_NOT_MINE) return;
    say_notice(u);
    if (heard != SIDEBAR_NOTHING) return;
    switch ((action)did->action) {
    case ACTION_SEND:
        send(u);
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
        open_sheet(u, (sheet_kind)did->argument);
        break;
    case ACTION_CLOSE:
        open_sheet(u, SHEET_NONE);
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
        begin_edit(u, (size_t)did->argument);
        break;
    case ACTION_WALK_LEFT:
    case ACTION_WALK_RIGHT:
        walk(u, (size_t)did->argument, did->action == ACTION_WALK_LEFT ? -1 : 1);
        break;
    case ACTION_AGAIN:
    case ACTION_CONTINUE:
        answer_again(u, did->action == ACTION_CONTINUE);
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
    reader_view read = view(u);
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
    reader_view read = view(u);
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
    reader_view read = view(u);
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

/* News of the worker. */
static void hear_all(ui *u) {
    for (news *n = worker_take_news(u->worker), *next; n; n = next) {
        next = n->next;
        hear(u, n);
        news_free(n);
    }
}

static bool see(ui *u, const SDL_Event *event) {
    reader_view read = view(u);
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
        open_file(u, event->drop.file);
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
        hear_all(u);
    else if (u->stale && u->list && looks_at_widgets(event->type))
        ui_frame(u, u->list);
    bool changed = event->type == wake || see(u, event);
    sidebar_settle(&u->sidebar, &u->chats, &u->widgets);
    u->stale = u->stale || changed;
    if (may_write(event->type) && !u->draft_due_ms) u->draft_due_ms = SDL_GetTicks64() + DRAFT_MS;
    keep_draft_in_time(u); // what streams leaves no time in between
    return changed;
}
