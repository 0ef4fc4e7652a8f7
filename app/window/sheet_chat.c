#include "sheet_chat.h"

#include "actions.h"
#include "transfer.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SYSTEM_LINES = 6, NARROW_LINES = 14 };

typedef enum number { NUMBER_TEMPERATURE, NUMBER_TOP_K, NUMBER_TOP_P, NUMBER_MIN_P, NUMBER_REPEAT, NUMBER_SEED } number;

/* What the library takes, narrowed to what is of use. */
static const struct {
    word label;
    double least, most;
    const char *least_text, *most_text;
    bool whole;
} numbers[CHAT_NUMBERS] = {
    [NUMBER_TEMPERATURE] = {W_TEMPERATURE, 0, 5, "0", "5", false},
    [NUMBER_TOP_K] = {W_TOP_K, 0, 1000, "0", "1000", true},
    [NUMBER_TOP_P] = {W_TOP_P, 0.01, 1, "0.01", "1", false},
    [NUMBER_MIN_P] = {W_MIN_P, 0, 1, "0", "1", false},
    [NUMBER_REPEAT] = {W_REPEAT, 0.5, 2, "0.5", "2", false},
    [NUMBER_SEED] = {W_SEED, 0, 4294967295.0, "0", "4294967295", true},
};

static double get(const pum_sampler_params *p, number which) {
    switch (which) {
    case NUMBER_TEMPERATURE:
        return p->temp;
    case NUMBER_TOP_K:
        return p->top_k;
    case NUMBER_TOP_P:
        return p->top_p;
    case NUMBER_MIN_P:
        return p->min_p;
    case NUMBER_REPEAT:
        return p->repeat_penalty;
    case NUMBER_SEED:
        return (double)p->seed;
    }
    return 0;
}

static void set(pum_sampler_params *p, number which, double value) {
    switch (which) {
    case NUMBER_TEMPERATURE:
        p->temp = (float)value;
        break;
    case NUMBER_TOP_K:
        p->top_k = (int)value;
        break;
    case NUMBER_TOP_P:
        p->top_p = (float)value;
        break;
    case NUMBER_MIN_P:
        p->min_p = (float)value;
        break;
    case NUMBER_REPEAT:
        p->repeat_penalty = (float)value;
        break;
    case NUMBER_SEED:
        p->seed = (uint64_t)value;
        break;
    }
}

/* An empty seed is 0, which stands for chance. */
static bool read_number(const composer *c, number which, double *value) {
    const char *text = composer_text(c);
    if (which == NUMBER_SEED && !*text) {
        *value = 0;
        return true;
    }
    char *end;
    *value = strtod(text, &end);
    if (end == text || *end || !(*value >= numbers[which].least && *value <= numbers[which].most)) return false;
    return !numbers[which].whole || *value == (double)(uint64_t)*value;
}

void sheet_chat_free(sheet_chat *s) {
    composer_free(&s->system);
    for (int i = 0; i < CHAT_NUMBERS; i++) composer_free(&s->numbers[i]);
    composer_free(&s->preset);
    composer_free(&s->path);
    text_box_free(&s->system_box);
    store_presets_free(s->presets, s->n_presets);
}

static void list_presets(sheet_chat *s, chats *c) {
    pum_error err;
    store_presets_free(s->presets, s->n_presets);
    s->presets = NULL;
    s->n_presets = 0;
    if (store_presets(c->store, &s->presets, &s->n_presets, &err) != PUM_OK)
        snprintf(s->notice, sizeof s->notice, "%s", err.message);
}

static void fill(sheet_chat *s, const store_settings *from) {
    pum_sampler_params p = from->has_sampling ? from->sampling : pum_sampler_defaults();
    composer_set(&s->system, from->system ? from->system : "");
    for (int i = 0; i < CHAT_NUMBERS; i++) {
        char text[32] = "";
        if (i != NUMBER_SEED || p.seed) snprintf(text, sizeof text, i == NUMBER_SEED ? "%.0f" : "%.4g", get(&p, (number)i));
        composer_set(&s->numbers[i], text);
    }
}

void sheet_chat_open(sheet_chat *s, chats *c) {
    s->notice[0] = 0;
    fill(s, &c->settings);
    list_presets(s, c);
}

/* ---- looks */

static int draw_numbers(sheet_chat *s, widgets *w, SDL_Rect content, int y) {
    int line = widgets_line(w), high = widgets_button_height(w), field = line * 5, gap = line / 3;
    for (int i = 0; i < CHAT_NUMBERS; i++) {
        double ignored;
        bool good = read_number(&s->numbers[i], (number)i, &ignored);
        char text[200];
        const char *label = say(numbers[i].label);
        if (!good)
            label =
                draw_keep(w->list, say_with(text, sizeof text, W_BAD_NUMBER, numbers[i].least_text, numbers[i].most_text, NULL));
        widgets_field(w, (SDL_Rect){content.x, y, field, high}, &s->numbers[i], "", ACTION_NUMBER, i);
        // Beside the field, or below it.
        bool narrow = content.w < NARROW_LINES * line;
        int x = narrow ? content.x : content.x + field + gap * 2, top = narrow ? y + high : y + (high - line) / 2;
        int bottom = widgets_paragraph(w, x, top, content.x + content.w - x, label, good ? w->colors->faint : w->colors->error);
        y = (bottom > y + high ? bottom : y + high) + gap;
    }
    return y;
}

static int draw_presets(sheet_chat *s, const chats *c, widgets *w, SDL_Rect content, int y) {
    int line = widgets_line(w), gap = line / 3, high = widgets_button_height(w);
    if (s->n_presets == 0) y = widgets_paragraph(w, content.x, y, content.w, say(W_NO_PRESETS), w->colors->faint) + gap;
    for (size_t i = 0; i < s->n_presets; i++) {
        const store_preset *p = &s->presets[i];
        int right = widgets_button_right(w, content.x + content.w, y, say(W_DELETE), LOOK_PLAIN, ACTION_PRESET_DELETE, p->id).x;
        SDL_Rect name = {content.x, y, right - gap - content.x, high};
        bool taken = c->settings.preset == p->id;
        widgets_frame(w, name, taken ? w->colors->selection : w->colors->panel, taken ? w->colors->accent : w->colors->border);
        widgets_text_within(w, name.x + line / 2, y + (high - line) / 2, name.w - line, p->name, w->colors->text);
        widgets_area(w, name, ACTION_PRESET, p->id);
        y += high + gap;
    }
    int right = widgets_button_right(w, content.x + content.w, y, say(W_SAVE), LOOK_PLAIN, ACTION_PRESET_SAVE, 0).x;
    widgets_field(w, (SDL_Rect){content.x, y, right - gap - content.x, high}, &s->preset, say(W_PRESET_NAME), ACTION_PRESET_NAME,
                  0);
    return y + high + gap;
}

static int draw_transfer(sheet_chat *s, const chats *c, widgets *w, SDL_Rect content, int y) {
    int line = widgets_line(w), gap = line / 3, high = widgets_button_height(w);
    if (c->open) {
        SDL_Rect first = widgets_button(w, content.x, y, say(W_EXPORT_MARKDOWN), LOOK_PLAIN, ACTION_EXPORT_MARKDOWN, 0);
        int x = first.x + first.w + gap, other = widgets_button_width(w, say(W_EXPORT_JSON));
        if (x + other > content.x + content.w) {
            x = content.x;
            y += high + gap;
        }
        widgets_button(w, x, y, say(W_EXPORT_JSON), LOOK_PLAIN, ACTION_EXPORT_JSON, 0);
        y += high + gap;
    }
    int right = widgets_button_right(w, content.x + content.w, y, say(W_IMPORT), LOOK_PLAIN, ACTION_IMPORT, 0).x;
    widgets_field(w, (SDL_Rect){content.x, y, right - gap - content.x, high}, &s->path, say(W_IMPORT_HINT), ACTION_IMPORT_PATH,
                  0);
    y += high + gap;
    if (s->notice[0]) y = widgets_paragraph(w, content.x, y, content.w, s->notice, w->colors->text) + gap;
    return y;
}

int sheet_chat_draw(sheet_chat *s, const chats *c, widgets *w, SDL_Rect content) {
    int line = widgets_line(w), y = content.y;
    y = sheet_heading(w, content, y, say(W_SYSTEM));
    SDL_Rect box =
        widgets_box(w, content.x, y, content.w, SYSTEM_LINES, &s->system_box, &s->system, say(W_SYSTEM_HINT), ACTION_SYSTEM, 0);
    y = sheet_heading(w, content, box.y + box.h + line / 2, say(W_SAMPLING));
    y = draw_numbers(s, w, content, y);
    y += widgets_button(w, content.x, y, say(W_DEFAULTS), LOOK_PLAIN, ACTION_DEFAULTS, 0).h + line / 2;
    y = sheet_heading(w, content, y, say(W_PRESETS));
    y = draw_presets(s, c, w, content, y);
    y = sheet_heading(w, content, y + line / 2, say(W_TRANSFER));
    return draw_transfer(s, c, w, content, y);
}

/* ---- what a person does */

/* What is in the fields is in force; a number that is none leaves what was. */
static void take_over(sheet_chat *s, chats *c, store_id preset) {
    store_settings now = c->settings;
    const char *system = composer_text(&s->system);
    if (!now.has_sampling) now.sampling = pum_sampler_defaults();
    now.has_sampling = true;
    for (int i = 0; i < CHAT_NUMBERS; i++) {
        double value;
        if (read_number(&s->numbers[i], (number)i, &value)) set(&now.sampling, (number)i, value);
    }
    now.preset = preset;
    now.system = *system ? strdup(system) : NULL;
    if (*system && !now.system) return;
    chats_set_settings(c, now);
}

static void use_preset(sheet_chat *s, chats *c, store_id preset) {
    for (size_t i = 0; i < s->n_presets; i++)
        if (s->presets[i].id == preset) {
            fill(s, &s->presets[i].settings);
            take_over(s, c, preset);
        }
}

static void save_preset(sheet_chat *s, chats *c) {
    pum_error err;
    store_id preset;
    const char *name = composer_text(&s->preset);
    if (!name[strspn(name, " ")]) return;
    take_over(s, c, 0);
    if (store_preset_save(c->store, name, &c->settings, &preset, &err) != PUM_OK) {
        snprintf(s->notice, sizeof s->notice, "%s", err.message);
        return;
    }
    take_over(s, c, preset);
    composer_set(&s->preset, "");
    list_presets(s, c);
}

bool sheet_chat_obey(sheet_chat *s, chats *c, const widget_news *did, store_id *imported) {
    pum_error err;
    switch (did->action) {
    case ACTION_SYSTEM:
    case ACTION_NUMBER:
        if (did->typed) take_over(s, c, 0);
        return true;
    case ACTION_DEFAULTS: {
        store_settings none = {.system = c->settings.system};
        fill(s, &none);
        take_over(s, c, 0);
        return true;
    }
    case ACTION_PRESET:
        use_preset(s, c, did->argument);
        return true;
    case ACTION_PRESET_DELETE:
        if (store_preset_delete(c->store, did->argument, &err) != PUM_OK)
            snprintf(s->notice, sizeof s->notice, "%s", err.message);
        list_presets(s, c);
        return true;
    case ACTION_PRESET_NAME:
        if (!did->typed) save_preset(s, c);
        return true;
    case ACTION_PRESET_SAVE:
        save_preset(s, c);
        return true;
    case ACTION_EXPORT_MARKDOWN:
    case ACTION_EXPORT_JSON:
        transfer_export(c, did->action == ACTION_EXPORT_JSON, s->notice, sizeof s->notice);
        return true;
    case ACTION_IMPORT_PATH:
    case ACTION_IMPORT:
        if (!did->typed && s->path.n_bytes) *imported = transfer_import(c, composer_text(&s->path), s->notice, sizeof s->notice);
        return true;
    default:
        return false;
    }
}
