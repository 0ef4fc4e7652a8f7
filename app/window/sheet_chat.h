/* The sheet of the open chat: what the model is told first, how words are chosen, presets of both; export and import. */
#ifndef WINDOW_SHEET_CHAT_H
#define WINDOW_SHEET_CHAT_H

#include "chats.h"
#include "sheet.h"

enum { CHAT_NUMBERS = 6 };

typedef struct sheet_chat {
    composer system, numbers[CHAT_NUMBERS], preset, path;
    text_box system_box;
    store_preset *presets; ///< [n_presets]
    size_t n_presets;
    char notice[1024]; ///< of export and import
} sheet_chat;

void sheet_chat_free(sheet_chat *s);
/// Takes up what is in force.
void sheet_chat_open(sheet_chat *s, chats *c);
/// Returns the bottom of what was drawn.
int sheet_chat_draw(sheet_chat *s, const chats *c, widgets *w, SDL_Rect content);
/// What its widgets mean. *imported: a chat that is to be opened, or 0. Returns whether the news were its own.
bool sheet_chat_obey(sheet_chat *s, chats *c, const widget_news *did, store_id *imported);

#endif
