#include "sheet_settings.h"

#include "actions.h"
#include "words.h"

#include <stdio.h>
#include <string.h>

static const int contexts[] = {-1, 2048, 4096, 8192, 16384, 32768, 0};
enum { N_CONTEXTS = (int)(sizeof contexts / sizeof *contexts) };
static const double least_scale = 0.8, most_scale = 2.5, step_scale = 0.1;

/* A choice among several: buttons in as many rows as they need. */
typedef struct choice {
    const char *label;
    int64_t argument;
    bool chosen;
} choice;

static int draw_choices(widgets *w, SDL_Rect content, int y, action does, const choice *choices, int n) {
    int x = content.x, gap = widgets_line(w) / 3, high = widgets_button_height(w);
    for (int i = 0; i < n; i++) {
        const char *label = choices[i].label;
        if (x > content.x && x + widgets_button_width(w, label) > content.x + content.w) {
            x = content.x;
            y += high + gap;
        }
        x += widgets_button(w, x, y, label, choices[i].chosen ? LOOK_CHOSEN : LOOK_PLAIN, does, choices[i].argument).w + gap;
    }
    return y + high + widgets_line(w) / 2;
}

static int draw_size(const settings *now, widgets *w, SDL_Rect content, int y) {
    char text[32], percent[32];
    snprintf(percent, sizeof percent, "%.0f", 100 * now->font_scale);
    const choice choices[] = {{say(W_SMALLER), -1, false},
                              {draw_keep(w->list, say_with(text, sizeof text, W_SIZE_IS, percent, NULL, NULL)), 0, true},
                              {say(W_LARGER), 1, false}};
    return draw_choices(w, content, y, ACTION_SIZE, choices, 3);
}

/* Each device on a line, as its name and the driver that runs it. */
static int draw_devices(const sheet_settings *s, const settings *now, widgets *w, SDL_Rect content, int y) {
    const choice usual[] = {{say(W_DEVICE_USUAL), -1, !now->device[0]}, {say(W_DEVICE_CPU), -2, strcmp(now->device, "cpu") == 0}};
    y = draw_choices(w, content, y, ACTION_DEVICE, usual, 2) - widgets_line(w) / 2 + widgets_line(w) / 3;
    int line = widgets_line(w), high = widgets_button_height(w);
    for (int i = 0; i < s->n_devices; i++) {
        const pum_device_info *d = &s->devices[i];
        char text[900];
        snprintf(text, sizeof text, "%s  (%s, %s, %.1f GB)", d->name, d->driver, d->driver_version,
                 (double)d->memory_bytes / 1e9);
        bool chosen = now->device[0] && strcmp(now->device, d->name) == 0;
        SDL_Rect r = {content.x, y, content.w, high};
        widgets_frame(w, r, chosen ? w->colors->selection : w->colors->panel, chosen ? w->colors->accent : w->colors->border);
        widgets_text_within(w, r.x + line / 2, y + (high - line) / 2, r.w - line, draw_keep(w->list, text), w->colors->text);
        widgets_area(w, r, ACTION_DEVICE, i);
        y += high + line / 3;
    }
    return y + line / 4;
}

static int draw_contexts(const settings *now, widgets *w, SDL_Rect content, int y) {
    choice choices[N_CONTEXTS];
    for (int i = 0; i < N_CONTEXTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", contexts[i]);
        choices[i] = (choice){contexts[i] < 0    ? say(W_CONTEXT_USUAL)
                              : contexts[i] == 0 ? say(W_CONTEXT_MOST)
                                                 : draw_keep(w->list, text),
                              contexts[i], now->n_ctx == contexts[i]};
    }
    return draw_choices(w, content, y, ACTION_CONTEXT, choices, N_CONTEXTS);
}

int sheet_settings_draw(sheet_settings *s, const settings *now, widgets *w, SDL_Rect content) {
    const choice themes[] = {{say(W_THEME_SYSTEM), SETTINGS_THEME_SYSTEM, now->theme == SETTINGS_THEME_SYSTEM},
                             {say(W_THEME_LIGHT), SETTINGS_THEME_LIGHT, now->theme == SETTINGS_THEME_LIGHT},
                             {say(W_THEME_DARK), SETTINGS_THEME_DARK, now->theme == SETTINGS_THEME_DARK},
                             {say(W_THEME_CONTRAST), SETTINGS_THEME_CONTRAST, now->theme == SETTINGS_THEME_CONTRAST}};
    const choice languages[] = {{say(W_LANGUAGE_SYSTEM), SETTINGS_LANGUAGE_SYSTEM, now->language == SETTINGS_LANGUAGE_SYSTEM},
                                {"English", SETTINGS_LANGUAGE_EN, now->language == SETTINGS_LANGUAGE_EN},
                                {"한국어", SETTINGS_LANGUAGE_KO, now->language == SETTINGS_LANGUAGE_KO}};
    const choice kv[] = {{say(W_KV_F16), PUM_KV_F16, now->kv == PUM_KV_F16}, {say(W_KV_Q8), PUM_KV_Q8_0, now->kv == PUM_KV_Q8_0}};
    const choice speak[] = {{say(W_OFF), 0, !now->speak}, {say(W_ON), 1, now->speak}};
    int y = content.y;
    if (s->notice[0]) y = widgets_paragraph(w, content.x, y, content.w, s->notice, w->colors->error) + widgets_line(w) / 2;
    y = draw_choices(w, content, sheet_heading(w, content, y, say(W_THEME)), ACTION_THEME, themes, 4);
    y = draw_size(now, w, content, sheet_heading(w, content, y, say(W_SIZE)));
    y = draw_choices(w, content, sheet_heading(w, content, y, say(W_LANGUAGE)), ACTION_LANGUAGE, languages, 3);
    y = draw_devices(s, now, w, content, sheet_heading(w, content, y, say(W_DEVICE)));
    y = draw_contexts(now, w, content, sheet_heading(w, content, y, say(W_CONTEXT_SIZE)));
    y = draw_choices(w, content, sheet_heading(w, content, y, say(W_KV)), ACTION_KV, kv, 2);
    y = widgets_paragraph(w, content.x, y, content.w, say(W_RELOADS), w->colors->faint) + widgets_line(w) / 2;
    return draw_choices(w, content, sheet_heading(w, content, y, say(W_SPEAK)), ACTION_SPEAK, speak, 2);
}

static settings_change choose_device(const sheet_settings *s, settings *now, int64_t which) {
    const char *name = which == -1                          ? ""
                       : which == -2                        ? "cpu"
                       : which >= 0 && which < s->n_devices ? s->devices[which].name
                                                            : now->device;
    if (strcmp(name, now->device) == 0) return SETTINGS_SAME;
    snprintf(now->device, sizeof now->device, "%s", name);
    return SETTINGS_ENGINE;
}

settings_change sheet_settings_obey(sheet_settings *s, settings *now, const widget_news *did) {
    int64_t value = did->argument;
    switch (did->action) {
    case ACTION_THEME:
        now->theme = (settings_theme)value;
        return SETTINGS_LOOKS;
    case ACTION_LANGUAGE:
        now->language = (settings_language)value;
        return SETTINGS_LOOKS;
    case ACTION_SIZE:
        now->font_scale = value ? now->font_scale + (double)value * step_scale : 1;
        if (now->font_scale < least_scale) now->font_scale = least_scale;
        if (now->font_scale > most_scale) now->font_scale = most_scale;
        return SETTINGS_LOOKS;
    case ACTION_SPEAK:
        now->speak = value;
        return SETTINGS_LOOKS;
    case ACTION_DEVICE:
        return choose_device(s, now, value);
    case ACTION_CONTEXT: {
        bool same = now->n_ctx == (int)value;
        now->n_ctx = (int)value;
        return same ? SETTINGS_SAME : SETTINGS_ENGINE;
    }
    case ACTION_KV: {
        bool same = now->kv == (pum_kv_type)value;
        now->kv = (pum_kv_type)value;
        return same ? SETTINGS_SAME : SETTINGS_ENGINE;
    }
    default:
        return SETTINGS_NOT_MINE;
    }
}
