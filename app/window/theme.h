/* The colours, one table a theme. Text on its ground has a contrast of at least 4.5 to 1 (WCAG AA). */
#ifndef WINDOW_THEME_H
#define WINDOW_THEME_H

#include <SDL.h>

typedef struct theme {
    SDL_Color ground, panel, bubble, border, text, faint, accent, accent_text, error, selection;
} theme;

static const theme theme_light = {
    .ground = {0xFA, 0xFA, 0xF8, 255},
    .panel = {0xF0, 0xF0, 0xEC, 255},
    .bubble = {0xE6, 0xEA, 0xF2, 255},
    .border = {0xC9, 0xC9, 0xC3, 255},
    .text = {0x1C, 0x1E, 0x21, 255},
    .faint = {0x5C, 0x60, 0x66, 255},
    .accent = {0x1F, 0x5F, 0xA8, 255},
    .accent_text = {255, 255, 255, 255},
    .error = {0xA8, 0x1E, 0x1E, 255},
    .selection = {0xB7, 0xD2, 0xF2, 255},
};
static const theme theme_dark = {
    .ground = {0x1B, 0x1D, 0x20, 255},
    .panel = {0x24, 0x27, 0x2B, 255},
    .bubble = {0x2D, 0x33, 0x3C, 255},
    .border = {0x45, 0x4A, 0x52, 255},
    .text = {0xE8, 0xE9, 0xEB, 255},
    .faint = {0xA6, 0xAB, 0xB3, 255},
    .accent = {0x7F, 0xB4, 0xF0, 255},
    .accent_text = {0x10, 0x18, 0x22, 255},
    .error = {0xFF, 0x9A, 0x90, 255},
    .selection = {0x3A, 0x55, 0x78, 255},
};

#endif
