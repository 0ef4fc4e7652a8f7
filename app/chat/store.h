/* Where chats are kept: a SQLite database with the chats, the tree of their messages, presets, and an index of their words.
 *
 * A message has a parent (none: it begins a chat), and its answers, or what was written in its place, are its children. Of each
 * the child that was walked last is known; following those from the first message on gives the branch that a person sees.
 *
 * What was written is there after kill -9: the journal is a write-ahead log, and what a process has given to the system with
 * write() outlives it. Only a crash of the system may take the last transactions with it (synchronous=NORMAL), none in half. */
#ifndef CHAT_STORE_H
#define CHAT_STORE_H

#include "pumice.h"

/// One thread at a time. Other processes may have the same file open: who writes waits for the other, up to two seconds.
typedef struct store store;

typedef int64_t store_id; ///< of a chat, a message or a preset; 0: none

enum {
    STORE_NOTICE_BYTES = 1024,
    STORE_TITLE_BYTES = 256,
    STORE_KEEP_DELETED_MS = 24 * 60 * 60 * 1000, ///< how long a deleted chat can be had back
};

/* Errors of all functions below: PUM_ERR_IO (the disk is full, the folder cannot be written, another program holds the file),
 * PUM_ERR_FORMAT (the file is damaged), PUM_ERR_MEMORY, PUM_ERR_ARGUMENT (no such chat, message or preset); where one fails,
 * nothing has changed. Texts that are handed out are the caller's, to be freed with free() or the _free of their struct. */

/* ------------------------------------------------------------------ opening */

/// Opens the database, makes it where it is not there, and brings one of an older version up to this one.
/// path     NULL: in memory, for as long as it is open.
/// notice   [STORE_NOTICE_BYTES]: what the person should know, or "". A damaged file is renamed to PATH.damaged-DATE, and a fresh
///          one begun; the notice says so.
/// Errors: PUM_ERR_UNSUPPORTED for a file of a newer Pumice, which is left as it is; PUM_ERR_IO.
pum_status store_open(const char *path, store **s, char *notice, pum_error *err);
/// Opens chats.db in Pumice's data folder, or in memory where that cannot be had; the notice says so.
pum_status store_open_default(store **s, char *notice, pum_error *err);
void store_close(store **s);
/// Whether what is written outlives the program.
bool store_is_kept(const store *s);

/* ------------------------------------------------------------------ chats */

typedef struct store_settings {
    char *system; ///< the system turn; NULL: what the template puts there
    bool has_sampling;
    pum_sampler_params sampling;
    store_id preset; ///< that they were taken from
} store_settings;
void store_settings_free(store_settings *settings);

typedef struct store_chat {
    store_id id;
    char *title; ///< "" until there is something to name it after
    bool pinned;
    int64_t created_ms, updated_ms; ///< since 1970
    char *found;                    ///< by a search: the words around the first match; else NULL
    store_id message;               ///< where; 0: in the title
} store_chat;

/// All chats that are not deleted, pinned ones first, then the latest first. *chats: [*n], to be freed with store_chats_free.
pum_status store_list(store *s, store_chat **chats, size_t *n, pum_error *err);
/// Those whose title, or one of whose messages, has every word of the query, as a part of a word too, whatever its case; at most
/// 200. A query without words finds all.
pum_status store_search(store *s, const char *query, store_chat **chats, size_t *n, pum_error *err);
void store_chats_free(store_chat *chats, size_t n);

pum_status store_chat_add(store *s, store_id *chat, pum_error *err);
/// A title that a person chose; "": from the first exchange again.
pum_status store_rename(store *s, store_id chat, const char *title, pum_error *err);
pum_status store_title(store *s, store_id chat, char **title, pum_error *err);
pum_status store_pin(store *s, store_id chat, bool pinned, pum_error *err);
/// The chat is gone from lists and searches, and for good after STORE_KEEP_DELETED_MS.
pum_status store_delete(store *s, store_id chat, pum_error *err);
/// Undoes that.
pum_status store_undelete(store *s, store_id chat, pum_error *err);
/// Removes for good what was deleted before that time; store_open does it.
pum_status store_purge(store *s, int64_t before_ms, pum_error *err);

pum_status store_set_settings(store *s, store_id chat, const store_settings *settings, pum_error *err);
pum_status store_get_settings(store *s, store_id chat, store_settings *settings, pum_error *err);
/// What stands in the composer. chat 0: of a chat that has not begun.
pum_status store_set_draft(store *s, store_id chat, const char *text, pum_error *err);
pum_status store_get_draft(store *s, store_id chat, char **text, pum_error *err);
/// The text that one of the messages is to have, as far as it is written. message 0: none is being edited, and text is NULL.
pum_status store_set_edit(store *s, store_id chat, store_id message, const char *text, pum_error *err);
pum_status store_get_edit(store *s, store_id chat, store_id *message, char **text, pum_error *err);
/// The chat that is open, for the next start; 0: a new one.
pum_status store_set_open_chat(store *s, store_id chat, pum_error *err);
pum_status store_get_open_chat(store *s, store_id *chat, pum_error *err);

/* ------------------------------------------------------------------ presets */

typedef struct store_preset {
    store_id id;
    char *name;
    store_settings settings;
} store_preset;

/// Under a name that is taken it replaces what was there.
pum_status store_preset_save(store *s, const char *name, const store_settings *settings, store_id *preset, pum_error *err);
pum_status store_preset_delete(store *s, store_id preset, pum_error *err);
/// By name. *presets: [*n], to be freed with store_presets_free.
pum_status store_presets(store *s, store_preset **presets, size_t *n, pum_error *err);
void store_presets_free(store_preset *presets, size_t n);

/* ------------------------------------------------------------------ messages */

typedef enum store_role { STORE_USER, STORE_ASSISTANT } store_role;
/// How far a message is. One that still streams when the database is opened is STORE_INTERRUPTED then.
typedef enum store_state { STORE_STREAMING, STORE_FINISHED, STORE_STOPPED, STORE_FAILED, STORE_INTERRUPTED } store_state;

typedef struct store_message {
    store_id id, parent;
    store_role role;
    store_state state;
    char *text;
    char *model; ///< that wrote it; NULL where nobody knows, or a person did
    int64_t created_ms, finished_ms;
    int sibling, n_siblings; ///< of the children of its parent it is this one, from 0
    bool walked;             ///< it is the one of them that was walked last
} store_message;

/// Adds a message below another one (0: a first message), and walks to it. The first message of a person names the chat.
/// state    STORE_STREAMING: text comes with store_append, and store_finish ends it.
pum_status store_add(store *s, store_id chat, store_id parent, store_role role, const char *text, const char *model,
                     store_state state, store_id *message, pum_error *err);
/// Adds to a message that streams: what it costs depends on this piece alone. Call it at least twice a second while there is
/// something.
pum_status store_append(store *s, store_id message, const char *text, pum_error *err);
/// state    not STORE_STREAMING. From here on its words are found.
pum_status store_finish(store *s, store_id message, store_state state, pum_error *err);
/// The answer goes on: back to STORE_STREAMING.
pum_status store_resume(store *s, store_id message, pum_error *err);

/// The branch that was walked last, first message first. *messages: [*n], to be freed with store_messages_free.
pum_status store_branch(store *s, store_id chat, store_message **messages, size_t *n, pum_error *err);
/// The whole tree; parents before their children.
pum_status store_tree(store *s, store_id chat, store_message **messages, size_t *n, pum_error *err);
void store_messages_free(store_message *messages, size_t n);
/// From now on the branch of the chat goes through the message's sibling, `by` to the right (negative: left), as far as there is
/// one. *to: which it is.
pum_status store_walk(store *s, store_id message, int by, store_id *to, pum_error *err);

/* ------------------------------------------------------------------ export and import */

/// The branch that was walked last, for reading.
pum_status store_export_markdown(store *s, store_id chat, char **text, pum_error *err);
/// The whole tree and the settings; store_import makes the same chat of it.
pum_status store_export_json(store *s, store_id chat, char **text, pum_error *err);
/// Makes a chat of such a JSON, or of Markdown as store_export_markdown writes it (one that names no speaker is one message).
/// text     [n_bytes], from anywhere. name: for a chat without a title, such as the file's; may be NULL.
/// Errors: PUM_ERR_FORMAT, saying where and what was expected; nothing is imported then.
pum_status store_import(store *s, const char *text, size_t n_bytes, const char *name, store_id *chat, pum_error *err);

#endif
