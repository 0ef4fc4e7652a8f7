#include "sheet_models.h"

#include "actions.h"
#include "chat/models.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void sheet_models_free(sheet_models *s) {
    for (int i = 0; s->catalogue && i < s->catalogue->n; i++) download_destroy(&s->downloads[i]);
    free(s->downloads);
    free(s->known);
    catalogue_free(&s->catalogue);
    model_files_free(s->files, s->n_files);
    composer_free(&s->path);
}

static void say_failure(sheet_models *s, const pum_error *err) { snprintf(s->notice, sizeof s->notice, "%s", err->message); }

static void list_files(sheet_models *s, const settings *now) {
    pum_error err;
    model_files_free(s->files, s->n_files);
    s->files = NULL;
    s->n_files = 0;
    const model_file_use use = {.n_ctx = now->n_ctx, .kv = now->kv};
    if (model_files_list(&use, &s->files, &s->n_files, &err) != PUM_OK) say_failure(s, &err);
}

void sheet_models_open(sheet_models *s, const settings *now) {
    pum_error err;
    s->notice[0] = 0;
    if (!s->catalogue && catalogue_load(&s->catalogue, &err) != PUM_OK) say_failure(s, &err);
    if (s->catalogue && !s->downloads) {
        s->downloads = calloc((size_t)s->catalogue->n + 1, sizeof *s->downloads);
        s->known = calloc((size_t)s->catalogue->n + 1, sizeof *s->known);
        if (!s->downloads || !s->known) {
            free(s->downloads);
            free(s->known);
            s->downloads = NULL;
            s->known = NULL;
            catalogue_free(&s->catalogue);
        }
    }
    list_files(s, now);
}

/* ---- looks */

enum { NARROW_LINES = 16 };

/* What can be done about a model: beside its lines, or below them where the sheet is narrow. Without a label: nothing. */
typedef struct row_button {
    const char *label;
    widget_look look;
    int does;
    int64_t argument;
} row_button;

static bool is_narrow(const widgets *w, SDL_Rect content) { return content.w < NARROW_LINES * widgets_line(w); }

/* Returns the width that is left for the lines. */
static int draw_beside(widgets *w, SDL_Rect content, int y, const row_button *b) {
    if (!b->label || is_narrow(w, content)) return content.w;
    SDL_Rect at = widgets_button_right(w, content.x + content.w, y, b->label, b->look, b->does, b->argument);
    return at.x - widgets_line(w) / 2 - content.x;
}

/* Returns where the lines and the button end. */
static int draw_below(widgets *w, SDL_Rect content, int y, const row_button *b) {
    if (!b->label || !is_narrow(w, content)) return y;
    y += widgets_line(w) / 4;
    return y + widgets_button(w, content.x, y, b->label, b->look, b->does, b->argument).h;
}

/* What is known of a model, joined by dots; the parts that are not known are left out. */
static const char *describe(draw_list *list, const char *file, uint64_t n_params, const char *type, const char *licence,
                            uint64_t n_bytes) {
    char text[700], size[32];
    int n = snprintf(text, sizeof text, "%.300s", file ? file : "");
    size_t room = sizeof text;
    if (n_params >= 1000000000)
        n += snprintf(text + n, room - (size_t)n, "%s%.1f B", n ? " · " : "", (double)n_params / 1e9);
    else if (n_params >= 1000000)
        n += snprintf(text + n, room - (size_t)n, "%s%.0f M", n ? " · " : "", (double)n_params / 1e6);
    if (type) n += snprintf(text + n, room - (size_t)n, "%s%.20s", n ? " · " : "", type);
    if (licence) n += snprintf(text + n, room - (size_t)n, "%s%.60s", n ? " · " : "", licence);
    if (n_bytes) snprintf(text + n, room - (size_t)n, "%s%s", n ? " · " : "", say_size(size, n_bytes));
    return draw_keep(list, text);
}

static int draw_need(const sheet_models *s, const model_file *m, widgets *w, int x, int y, int width) {
    char text[200], need[32], space[32];
    uint64_t bytes = m->plan.weights_bytes + m->plan.kv_bytes + m->plan.scratch_bytes;
    bool fits = s->free_bytes == 0 || bytes <= s->free_bytes;
    say_size(need, bytes);
    say_size(space, s->free_bytes);
    say_with(text, sizeof text, s->free_bytes == 0 ? W_NEEDS : fits ? W_NEEDS_OF : W_NEEDS_TOO_MUCH, need, space, NULL);
    return widgets_paragraph(w, x, y, width, draw_keep(w->list, text), fits ? w->colors->faint : w->colors->error);
}

static int draw_file(const sheet_models *s, size_t i, const char *used, widgets *w, SDL_Rect content, int y) {
    const model_file *m = &s->files[i];
    bool here = used && strcmp(used, m->path) == 0;
    const row_button load = {m->state != MODEL_FILE_GOOD ? NULL
                             : here                      ? say(W_IN_USE)
                                                         : say(W_LOAD),
                             here ? LOOK_CHOSEN : LOOK_PLAIN, ACTION_MODEL_LOAD, (int64_t)i};
    int width = draw_beside(w, content, y, &load), line = widgets_line(w);
    widgets_text_within(w, content.x, y, width, m->name ? m->name : m->file, w->colors->text);
    y = widgets_paragraph(w, content.x, y + line, width, describe(w->list, m->file, m->n_params, m->type, m->licence, m->n_bytes),
                          w->colors->faint);
    if (m->state == MODEL_FILE_GOOD) y = draw_need(s, m, w, content.x, y, width);
    if (m->state == MODEL_FILE_BAD && m->message) y = widgets_paragraph(w, content.x, y, width, m->message, w->colors->error);
    return draw_below(w, content, y, &load) + line / 2;
}

static const model_file *file_of(const sheet_models *s, const catalogue_entry *e) {
    for (size_t i = 0; i < s->n_files; i++)
        if (strcmp(s->files[i].file, e->file) == 0) return &s->files[i];
    return NULL;
}

static const char *progress_text(const download_status *d, char text[static 600]) {
    char done[32], total[32], speed[64];
    snprintf(done, sizeof done, "%.1f", (double)d->done_bytes / 1e6);
    snprintf(total, sizeof total, "%.1f", (double)d->total_bytes / 1e6);
    snprintf(speed, sizeof speed, "%.1f", (double)d->bytes_per_s / 1e6);
    switch (d->state) {
    case DOWNLOAD_CONNECTING:
        return say(W_CONNECTING);
    case DOWNLOAD_RUNNING:
        return say_with(text, 600, W_DOWNLOADING, done, d->total_bytes ? total : "?", speed);
    case DOWNLOAD_PAUSED:
        return say_with(text, 600, W_PAUSED_AT, done, d->total_bytes ? total : "?", NULL);
    case DOWNLOAD_CHECKING:
        return say(W_CHECKING_FILE);
    case DOWNLOAD_DONE:
        return say(d->checked ? W_DOWNLOADED : W_DOWNLOADED_UNCHECKED);
    case DOWNLOAD_WAITING:
    case DOWNLOAD_FAILED:
    case DOWNLOAD_CANCELLED:
        return d->message;
    }
    return "";
}

/* The bar, what it stands for, and what can be done about it. */
static int draw_download(sheet_models *s, int i, widgets *w, SDL_Rect content, int y) {
    download_status d;
    char text[600];
    download_get_status(s->downloads[i], &d);
    int line = widgets_line(w), gap = line / 3;
    SDL_Rect bar = {content.x, y + gap, content.w, line / 3};
    draw_rect(w->list, bar, w->colors->border);
    if (d.total_bytes) bar.w = (int)((double)bar.w * (double)d.done_bytes / (double)d.total_bytes);
    if (d.done_bytes) draw_rect(w->list, bar, w->colors->accent);
    const char *state = progress_text(&d, text);
    if (state == d.message || state == text) state = draw_keep(w->list, state);
    y = widgets_paragraph(w, content.x, y + line, content.w, state,
                          d.state == DOWNLOAD_FAILED ? w->colors->error : w->colors->text);
    if (d.message[0] && d.state != DOWNLOAD_FAILED && d.state != DOWNLOAD_WAITING)
        y = widgets_paragraph(w, content.x, y, content.w, draw_keep(w->list, d.message), w->colors->faint);
    bool ended = d.state == DOWNLOAD_DONE || d.state == DOWNLOAD_CANCELLED;
    if (ended) return y;
    bool rests = d.state == DOWNLOAD_PAUSED || d.state == DOWNLOAD_FAILED;
    SDL_Rect first = widgets_button(w, content.x, y + gap, say(rests ? W_RESUME : W_PAUSE), rests ? LOOK_STRONG : LOOK_PLAIN,
                                    rests ? ACTION_DOWNLOAD : ACTION_DOWNLOAD_PAUSE, i);
    widgets_button(w, first.x + first.w + gap, y + gap, say(W_CANCEL), LOOK_PLAIN, ACTION_DOWNLOAD_CANCEL, i);
    return y + gap + first.h;
}

static int draw_entry(sheet_models *s, int i, widgets *w, SDL_Rect content, int y, bool offered) {
    const catalogue_entry *e = &s->catalogue->entries[i];
    const model_file *partial = file_of(s, e);
    bool runs = s->downloads[i] && s->known[i] != DOWNLOAD_CANCELLED;
    const row_button fetch = {runs      ? NULL
                              : partial ? say(W_RESUME)
                                        : say(W_DOWNLOAD),
                              offered ? LOOK_STRONG : LOOK_PLAIN, ACTION_DOWNLOAD, i};
    int line = widgets_line(w), width = draw_beside(w, content, y, &fetch);
    widgets_text_within(w, content.x, y, width, e->name, w->colors->text);
    y = widgets_paragraph(w, content.x, y + line, width, describe(w->list, NULL, e->n_params, e->type, e->licence, e->n_bytes),
                          w->colors->faint);
    if (runs) y = draw_download(s, i, w, content, y);
    return draw_below(w, content, y, &fetch) + line / 2;
}

static bool to_have(const sheet_models *s, int i) {
    const model_file *file = file_of(s, &s->catalogue->entries[i]);
    return !file || file->state == MODEL_FILE_PARTIAL;
}

static bool any_to_have(const sheet_models *s) {
    for (int i = 0; s->catalogue && i < s->catalogue->n; i++)
        if (to_have(s, i)) return true;
    return false;
}

int sheet_models_draw(sheet_models *s, const char *used, widgets *w, SDL_Rect content) {
    int y = content.y, line = widgets_line(w), high = widgets_button_height(w);
    size_t n_good = 0;
    for (size_t i = 0; i < s->n_files; i++) n_good += s->files[i].state == MODEL_FILE_GOOD;
    bool first = !used && n_good == 0;
    if (first) y = widgets_paragraph(w, content.x, y, content.w, say(W_WELCOME), w->colors->text) + line / 2;
    if (s->notice[0]) y = widgets_paragraph(w, content.x, y, content.w, s->notice, w->colors->error) + line / 2;
    if (s->n_files) y = sheet_heading(w, content, y, say(W_MODELS_HERE));
    for (size_t i = 0; i < s->n_files; i++)
        if (s->files[i].state != MODEL_FILE_PARTIAL) y = draw_file(s, i, used, w, content, y);
    if (any_to_have(s)) y = sheet_heading(w, content, y, say(W_MODELS_TO_HAVE));
    for (int i = 0; s->catalogue && i < s->catalogue->n; i++) {
        if (to_have(s, i)) y = draw_entry(s, i, w, content, y, first && i == 0);
    }
    y = sheet_heading(w, content, y, say(W_MODEL_ELSEWHERE));
    int right = widgets_button_right(w, content.x + content.w, y, say(W_LOAD), LOOK_PLAIN, ACTION_MODEL_OPEN, 0).x;
    widgets_field(w, (SDL_Rect){content.x, y, right - line / 3 - content.x, high}, &s->path, say(W_MODEL_PATH), ACTION_MODEL_PATH,
                  0);
    return y + high;
}

/* ---- what a person does */

static void begin_download(sheet_models *s, int i) {
    pum_error err;
    char path[PATHS_MAX];
    download_status d;
    if (!s->catalogue || i < 0 || i >= s->catalogue->n) return;
    if (s->downloads[i]) {
        download_get_status(s->downloads[i], &d);
        if (d.state == DOWNLOAD_PAUSED) {
            download_resume(s->downloads[i]);
            return;
        }
        download_destroy(&s->downloads[i]); // it has ended: again
    }
    s->notice[0] = 0;
    s->known[i] = DOWNLOAD_CONNECTING;
    if (catalogue_download(&s->catalogue->entries[i], path, &s->downloads[i], &err) != PUM_OK) say_failure(s, &err);
}

static download *download_of(const sheet_models *s, int64_t i) {
    return s->catalogue && i >= 0 && i < s->catalogue->n ? s->downloads[i] : NULL;
}

models_wish sheet_models_obey(sheet_models *s, const widget_news *did, char *path) {
    switch (did->action) {
    case ACTION_MODEL_LOAD:
        if ((size_t)did->argument >= s->n_files) return MODELS_NOTHING;
        snprintf(path, PATHS_MAX, "%s", s->files[did->argument].path);
        return MODELS_LOAD;
    case ACTION_MODEL_PATH:
    case ACTION_MODEL_OPEN:
        if (did->typed || s->path.n_bytes == 0) return MODELS_NOTHING;
        snprintf(path, PATHS_MAX, "%s", composer_text(&s->path));
        return MODELS_LOAD;
    case ACTION_DOWNLOAD:
        begin_download(s, (int)did->argument);
        return MODELS_NOTHING;
    case ACTION_DOWNLOAD_PAUSE:
        if (download_of(s, did->argument)) download_pause(download_of(s, did->argument));
        return MODELS_NOTHING;
    case ACTION_DOWNLOAD_CANCEL:
        if (download_of(s, did->argument)) download_cancel(download_of(s, did->argument));
        return MODELS_NOTHING;
    default:
        return MODELS_NOT_MINE;
    }
}

/* ---- what comes about */

static bool moves(download_state state) {
    return state == DOWNLOAD_CONNECTING || state == DOWNLOAD_RUNNING || state == DOWNLOAD_WAITING || state == DOWNLOAD_CHECKING;
}

bool sheet_models_busy(const sheet_models *s) {
    for (int i = 0; s->catalogue && i < s->catalogue->n; i++) {
        download_status d;
        if (!s->downloads[i]) continue;
        download_get_status(s->downloads[i], &d);
        if (moves(d.state) || d.state != s->known[i]) return true;
    }
    return false;
}

models_wish sheet_models_look(sheet_models *s, const settings *now, char *path) {
    models_wish wish = MODELS_NOT_MINE;
    for (int i = 0; s->catalogue && i < s->catalogue->n; i++) {
        download_status d;
        if (!s->downloads[i]) continue;
        download_get_status(s->downloads[i], &d);
        if (moves(d.state) && wish == MODELS_NOT_MINE) wish = MODELS_NOTHING;
        if (d.state == s->known[i]) continue;
        s->known[i] = d.state;
        if (wish == MODELS_NOT_MINE) wish = MODELS_NOTHING;
        if (moves(d.state) || d.state == DOWNLOAD_PAUSED) continue;
        list_files(s, now);
        const model_file *file = file_of(s, &s->catalogue->entries[i]);
        if (d.state != DOWNLOAD_DONE || !file) continue;
        snprintf(path, PATHS_MAX, "%s", file->path);
        wish = MODELS_LOAD;
    }
    return wish;
}
