/* The window's state, what events do to it, and what it looks like. Knows the worker, but nothing of SDL's window or renderer. */
#ifndef WINDOW_UI_H
#define WINDOW_UI_H

#include "chats.h"
#include "composer.h"
#include "draw.h"
#include "reader.h"
#include "sidebar.h"
#include "theme.h"
#include "touch.h"
#include "transcript.h"
#include "worker.h"

typedef struct ui {
    worker *worker;
    fonts *fonts;
    const theme *colors;
    transcript *transcript;
    reader reader;
    composer composer;
    chats chats;
    sidebar sidebar;
    int left;           ///< pixels that the sidebar takes
    int width, height;  ///< of the window, in pixels
    float scale;        ///< pixels of one unit of the layout
    int scroll;         ///< pixels
    bool sticks;        ///< to the bottom, until the person scrolls up
    bool loading, busy; ///< a model is being loaded; an answer is being computed
    bool checking;      ///< the device, before it is loaded
    bool sends_later;   ///< what stands in the composer, once the model is there
    bool quit;
    uint64_t done, total; ///< of loading, or of the prompt
    double tokens_per_s;
    int n_past, n_ctx;
    uint64_t answer_began_ms;
    int n_pieces;           ///< of the answer so far
    char *model, *device;   ///< names, for people
    bool composing;         ///< the input method has unfinished text
    bool composition_ended; ///< and the key that ended it may still come
    uint32_t composition_ended_ms;
    touch touch;
    bool offers_files; ///< by a button: on a phone nothing is dropped on a window
    SDL_Rect transcript_area, composer_area, send_button, new_button, open_button, caret;
    size_t *composer_lines; ///< where each line of the composer begins, as last laid out
    size_t n_composer_lines, composer_capacity;
} ui;

bool ui_init(ui *u, worker *w, fonts *f, const theme *colors);
void ui_free(ui *u);
/// Lays everything out for the size and draws it into the list.
void ui_frame(ui *u, draw_list *list);
/// What the person, the input method or the worker did. Returns whether there is something new to see.
bool ui_event(ui *u, const SDL_Event *event, uint32_t wake);
/// How long the window may sleep; -1: until something happens. When nothing did, ui_tick.
int ui_wait_ms(const ui *u);
void ui_tick(ui *u);
/// Scales the text. Everything is laid out again.
void ui_set_scale(ui *u, float scale);

#endif
