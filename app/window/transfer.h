/* Chats as files of the person's: written into the folder for documents, and read from anywhere. */
#ifndef WINDOW_TRANSFER_H
#define WINDOW_TRANSFER_H

#include "chats.h"

/// Writes the open chat, as Markdown or with all its branches as JSON, under its title. notice: a sentence that names the file,
/// or says why there is none. Nothing that is there is written over.
void transfer_export(chats *c, bool json, char *notice, size_t n_bytes);
/// Makes a chat of a file. Returns it, or 0, and why as a sentence in notice.
store_id transfer_import(chats *c, const char *path, char *notice, size_t n_bytes);
/// Whether a file that was dropped is a chat, by its name.
bool transfer_is_chat(const char *path);

#endif
