/* The window's state, and what events do to it (ui_do.h). Knows the worker, but nothing of SDL's window or renderer. */
#ifndef WINDOW_UI_H
#define WINDOW_UI_H

#include "actions.h"
#include "attachment.h"
#include "chats.h"
#include "composer.h"
#include "draw.h"
#include "reader.h"
#include "sheet_chat.h"
#include "sheet_models.h"
#include "sheet_settings.h"
#include "sidebar.h"
#include "theme.h"
#include "touch.h"
#include "transcript.h"
#include "widgets.h"
#include "worker.h"

typedef struct ui {
    worker *worker;
    fonts *fonts;
    const theme *colors;
    transcript *transcript;
    reader reader;
    widgets widgets;
    composer composer;
    text_box composer_box;
    chats chats;
    sidebar sidebar;
    sheet_kind open_sheet;
    sheet sheet;
    sheet_chat sheet_chat;
    sheet_settings sheet_settings;
    sheet_models sheet_models;
    settings settings;
    bool settings_changed; ///< and whoever has colours, fonts and languages is to look at them
    attachments attached;  ///< what goes with the text in the composer
    int width, height;     ///< of the window, in pixels
    int left;              ///< pixels that the sidebar takes
    float scale;           ///< pixels of one unit of the layout
    int scroll;            ///< pixels
    bool sticks;           ///< to the bottom, until the person scrolls up
    bool loading, busy;    ///< a model is being loaded; an answer is being computed
    bool checking;         ///< the device, before it is loaded
    bool sends_later;      ///< what stands in the composer, once the model is there
    bool quit;
    uint64_t draft_due_ms; ///< when the draft is kept at the latest; 0: it is as it was kept
    bool edits;            ///< the composer has the text of `edited`, a turn, and not a draft
    size_t edited;
    uint64_t done, total; ///< of loading, or of the prompt
    double tokens_per_s;
    int n_past, n_ctx;
    uint64_t memory_bytes, memory_free_bytes; ///< as in news; 0: not known
    uint64_t answer_began_ms;
    int n_pieces;           ///< of the answer so far
    char *model, *device;   ///< names, for people
    char *path;             ///< of the model that is loaded or being loaded; NULL: the default one
    char *used;             ///< the path of the one that is loaded, whole; NULL: none
    bool composing;         ///< the input method has unfinished text
    bool composition_ended; ///< and the key that ended it may still come
    uint32_t composition_ended_ms;
    touch touch;
    draw_list *list;   ///< the last frame's
    bool stale;        ///< what is on the screen, and the widgets with it, is not what the state says
    bool offers_files; ///< by a button: on a phone nothing is dropped on a window
    SDL_Rect transcript_area, caret;
} ui;

/// s: as kept, with what the command line says instead.
bool ui_init(ui *u, worker *w, fonts *f, const theme *colors, const settings *s);
void ui_free(ui *u);
/// No model is there yet: those that can be had are offered.
void ui_offer_models(ui *u);
/// Loads a model; NULL: the default one.
void ui_load(ui *u, const char *path);
/// A sentence for the person, below what is shown.
void ui_say(ui *u, const char *text);
/// Lays everything out for the size and draws it into the list (look.c).
void ui_frame(ui *u, draw_list *list);
/// What the person, the input method or the worker did. Returns whether there is something new to see.
bool ui_event(ui *u, const SDL_Event *event, uint32_t wake);
/// How long the window may sleep; -1: until something happens. When nothing did, ui_tick, which returns whether there is
/// something new to see.
int ui_wait_ms(const ui *u);
bool ui_tick(ui *u);
/// Scales the text. Everything is laid out again.
void ui_set_scale(ui *u, float scale);

#endif
