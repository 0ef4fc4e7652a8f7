/* What can be done in the window, for the files that do it: ui.c has the state and what is in no chat, ui_chat.c the chat that is
 * open, ui_events.c what the person does, ui_news.c what the worker has to say. All on the window's thread. */
#ifndef WINDOW_UI_DO_H
#define WINDOW_UI_DO_H

#include "ui.h"

/* ---- ui_chat.c */

/// What the chats have to say goes below what is shown.
void ui_say_notice(ui *u);
/// The open chat, with its draft in the composer.
void ui_show_chat(ui *u);
/// Leaves the open chat, whose answer ends. chat: 0 begins a new one.
void ui_open_chat(ui *u, store_id chat);
/// Keeps what stands in the composer, as a draft or as what a turn is edited to.
void ui_keep_draft(ui *u);
/// Sends what stands in the composer, at once or when the model is there.
void ui_send(ui *u);
/// Answers the last question again, or goes on with the last answer.
void ui_answer_again(ui *u, bool goes_on);
/// Through the branches of a turn, or of the last one that has any where `turn` is behind the last.
void ui_walk(ui *u, size_t turn, int by);
/// Puts a turn's text into the composer, while the draft waits; ends that, sent or not.
void ui_begin_edit(ui *u, size_t turn);
void ui_end_edit(ui *u);

/* ---- ui.c */

/// What the reader reads.
reader_view ui_view(ui *u);
/// SHEET_NONE closes the one that is open.
void ui_open_sheet(ui *u, sheet_kind which);
/// A model is loaded, a chat imported, anything else attached.
void ui_open_file(ui *u, const char *path);
/// Keeps the settings and does what has changed in them.
void ui_obey_settings(ui *u, settings_change change);
/// Keeps the settings; that it failed is said in their sheet.
void ui_keep_settings(ui *u);
/// Larger or smaller text; 0: as it was made.
void ui_change_size(ui *u, int by);
/// What was written is in the store within a second, as what is read is.
void ui_keep_draft_in_time(ui *u);

/* ---- ui_news.c */

/// Takes all news of the worker.
void ui_hear_all(ui *u);

#endif
