#include "ui_do.h"

#include "transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FONT_UNITS = 16, DOWNLOAD_LOOK_MS = 250 };

bool ui_init(ui *u, worker *w, fonts *f, const theme *colors, const settings *s) {
    *u = (ui){
        .worker = w, .fonts = f, .colors = colors, .settings = *s, .scale = 1, .sticks = true, .transcript = transcript_create()};
    if (!u->transcript || !chats_start(&u->chats)) return false;
    ui_show_chat(u);
    return true;
}

void ui_free(ui *u) {
    if (u->chats.store) ui_keep_draft(u);
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

reader_view ui_view(ui *u) { return (reader_view){u->transcript, u->fonts, u->transcript_area, &u->scroll, &u->sticks}; }

/* ---- what else can be done */

void ui_open_sheet(ui *u, sheet_kind which) {
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

void ui_offer_models(ui *u) { ui_open_sheet(u, SHEET_MODELS); }

void ui_say(ui *u, const char *text) { transcript_add(u->transcript, MESSAGE_NOTICE, text); }

static void import_chat(ui *u, const char *path) {
    char notice[sizeof u->chats.notice];
    store_id chat = transfer_import(&u->chats, path, notice, sizeof notice);
    if (chat) ui_open_chat(u, chat);
    if (notice[0]) transcript_add(u->transcript, MESSAGE_ERROR, notice);
}

void ui_open_file(ui *u, const char *path) {
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

void ui_keep_draft_in_time(ui *u) {
    if (!u->draft_due_ms || SDL_GetTicks64() < u->draft_due_ms) return;
    u->draft_due_ms = 0;
    ui_keep_draft(u);
}

bool ui_tick(ui *u) {
    uint64_t now = SDL_GetTicks64();
    char path[PATHS_MAX];
    if (chats_wait_ms(&u->chats, now) == 0) chats_keep(&u->chats, now);
    ui_keep_draft_in_time(u);
    models_wish wish = sheet_models_look(&u->sheet_models, &u->settings, path);
    // What was the first model to come is what the person waits for.
    if (wish == MODELS_LOAD && !u->model && !u->loading) {
        ui_open_sheet(u, SHEET_NONE);
        ui_load(u, path);
    }
    return wish != MODELS_NOT_MINE && (u->open_sheet == SHEET_MODELS || wish == MODELS_LOAD);
}

/* ---- settings */

void ui_keep_settings(ui *u) {
    pum_error err;
    u->sheet_settings.notice[0] = 0;
    if (settings_save(&u->settings, &err) != PUM_OK)
        snprintf(u->sheet_settings.notice, sizeof u->sheet_settings.notice, "%s", err.message);
}

void ui_obey_settings(ui *u, settings_change change) {
    if (change == SETTINGS_SAME) return;
    ui_keep_settings(u);
    u->settings_changed = true;
    if (change != SETTINGS_ENGINE) return;
    const settings *s = &u->settings;
    worker_set_up(u->worker, &(worker_setup){.device = s->device[0] ? s->device : NULL, .n_ctx = s->n_ctx, .kv = s->kv});
    if (u->busy) worker_interrupt(u->worker);
    if (u->used) ui_load(u, u->used); // not what was tried last, and may have failed
}

void ui_change_size(ui *u, int by) {
    const widget_news did = {.action = ACTION_SIZE, .argument = by};
    ui_obey_settings(u, sheet_settings_obey(&u->sheet_settings, &u->settings, &did));
}
