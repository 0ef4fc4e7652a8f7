#define _XOPEN_SOURCE 700 // realpath
#include "ui_do.h"

#include "chat/models.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    ui_say_notice(u);
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
    if (other) ui_keep_settings(u);
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

/* A line for each driver. */
static void tell_left_out(ui *u, const char *drivers) {
    for (const char *at = drivers; *at;) {
        char text[1024], what[512], why[256];
        size_t n = strcspn(at, "\t"), line = strcspn(at, "\n");
        snprintf(what, sizeof what, "%.*s", (int)n, at);
        snprintf(why, sizeof why, "%.*s", (int)(line - n - 1), at + n + 1);
        ui_say(u, say_with(text, sizeof text, W_DRIVER_LEFT_OUT, what, why, NULL));
        at += line + (at[line] == '\n');
    }
}

static void hear(ui *u, news *n) {
    reader_view read;
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
        if (u->sends_later) ui_send(u);
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
    case NEWS_LEFT_OUT:
        tell_left_out(u, n->text ? n->text : "");
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
        ui_say_notice(u);
        u->n_past = n->n_past;
        u->n_ctx = n->n_ctx;
        if (n->tokens_per_s > 0) u->tokens_per_s = n->tokens_per_s;
        tell_end(u, n);
        read = ui_view(u);
        reader_grown(&u->reader, &read);
        break;
    }
}

void ui_hear_all(ui *u) {
    for (news *n = worker_take_news(u->worker), *next; n; n = next) {
        next = n->next;
        hear(u, n);
        news_free(n);
    }
}
