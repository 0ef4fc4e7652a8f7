/* The chats behind the window: the one that is open, the list of them, and keeping them. What cannot be kept goes on in memory.
 */
#ifndef WINDOW_CHATS_H
#define WINDOW_CHATS_H

#include "worker.h"

#include "chat/store.h"

/// Of the window's thread.
typedef struct chats {
    store *store;
    store_id open;         ///< the chat that is shown; 0: one that has not begun
    store_message *branch; ///< its messages [n], as they are shown; id 0: not kept
    size_t n, capacity;
    store_chat *list; ///< [n_list], as searched for
    size_t n_list;
    store_id deleted;                ///< that can be had back
    char notice[STORE_NOTICE_BYTES]; ///< what the person should know; "" once it was said
    store_settings settings;         ///< of the open chat
    bool streaming;
    char *waits; ///< shown, and not yet in the store
    size_t n_waits;
    uint64_t given_ms; ///< when the store had everything
    char *query;
} chats;

/// Opens the store, and the chat that was open last. Returns false when the heap is out.
bool chats_start(chats *c);
void chats_stop(chats *c);

/// Adds what a person has written, and an empty answer that streams. model may be NULL.
bool chats_ask(chats *c, const char *text, const char *model);
/// In the place of the last answer another one, that streams; false where there is none.
bool chats_answer_again(chats *c, const char *model);
/// In the place of the last answer one that begins as it does, and goes on streaming; false where there is none.
bool chats_continue(chats *c, const char *model);
/// In the place of a message another text, with nothing behind it yet. answers: what a person wrote gets an empty answer that
/// streams. Returns whether it has one.
bool chats_edit(chats *c, size_t message, const char *text, const char *model, bool *answers);
/// The turns up to the answer that streams, for the worker; NULL when the heap is out.
worker_turns *chats_turns(chats *c);
/// A piece of the answer.
void chats_hear(chats *c, const char *text, uint64_t now_ms);
void chats_end(chats *c, store_state state);
/// How long what was shown may wait for chats_keep; -1: nothing waits.
int chats_wait_ms(const chats *c, uint64_t now_ms);
void chats_keep(chats *c, uint64_t now_ms);

/// Another chat, 0 for a new one.
void chats_open(chats *c, store_id chat);
/// What stands in the composer of the open chat.
void chats_keep_draft(chats *c, const char *draft);
/// What stood in the composer of the open chat; to be freed.
char *chats_draft(chats *c);
/// The text that a message of the open chat is to have, as far as it is written; NULL: nothing is being edited any more.
void chats_keep_edit(chats *c, size_t message, const char *text);
/// The text that was being written, to be freed, and of which message of the branch; NULL: none.
char *chats_edit_kept(chats *c, size_t *message);
/// The branch goes through a sibling of a message, or of the last message that has some (message: c->n); false where there is
/// none.
bool chats_walk(chats *c, size_t message, int by);
/// What the open chat, or the one that will begin, is to be told and how its words are chosen. settings.system becomes the
/// chats'.
void chats_set_settings(chats *c, store_settings settings);
void chats_search(chats *c, const char *query);
void chats_rename(chats *c, store_id chat, const char *title);
void chats_pin(chats *c, store_id chat);
void chats_delete(chats *c, store_id chat);
/// Has the last deleted one back; returns it, or 0.
store_id chats_undelete(chats *c);

#endif
