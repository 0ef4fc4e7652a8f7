#include "chats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEEP_MS = 400 }; ///< a person may lose what was shown for a second; this is well below

/* A failure is said once, and the chat goes on in memory. */
static bool kept(chats *c, pum_status status, const pum_error *err) {
    if (status != PUM_OK) snprintf(c->notice, sizeof c->notice, "%.900s. The chat goes on in memory meanwhile.", err->message);
    return status == PUM_OK;
}

static void relist(chats *c) {
    pum_error err;
    store_chat *list;
    size_t n;
    if (!kept(c, store_search(c->store, c->query ? c->query : "", &list, &n, &err), &err)) return;
    store_chats_free(c->list, c->n_list);
    c->list = list;
    c->n_list = n;
}

static void load_settings(chats *c) {
    pum_error err;
    store_settings_free(&c->settings);
    c->settings = (store_settings){0};
    if (c->open) kept(c, store_get_settings(c->store, c->open, &c->settings, &err), &err);
}

static void load_branch(chats *c) {
    pum_error err;
    store_messages_free(c->branch, c->n);
    c->branch = NULL;
    c->n = c->capacity = 0;
    if (c->open && kept(c, store_branch(c->store, c->open, &c->branch, &c->n, &err), &err)) c->capacity = c->n;
}

bool chats_start(chats *c) {
    pum_error err;
    *c = (chats){0};
    if (store_open_default(&c->store, c->notice, &err) != PUM_OK) return false;
    kept(c, store_get_open_chat(c->store, &c->open, &err), &err);
    load_branch(c);
    load_settings(c);
    relist(c);
    return true;
}

void chats_stop(chats *c) {
    if (!c->store) return;
    if (c->streaming) chats_end(c, STORE_STOPPED);
    store_messages_free(c->branch, c->n);
    store_chats_free(c->list, c->n_list);
    store_settings_free(&c->settings);
    free(c->waits);
    free(c->query);
    store_close(&c->store);
}

/* ---- messages */

static store_message *add_message(chats *c, store_role role, const char *text, const char *model, store_state state) {
    if (c->n == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        store_message *branch = realloc(c->branch, capacity * sizeof *branch);
        if (!branch) return NULL;
        c->branch = branch;
        c->capacity = capacity;
    }
    char *copy = strdup(text);
    if (!copy) return NULL;
    store_message *m = &c->branch[c->n++];
    *m = (store_message){.role = role, .state = state, .text = copy, .model = model ? strdup(model) : NULL, .n_siblings = 1};
    return m;
}

/* Gives the store what it does not have: what is new, and what it could not take before. */
static bool keep_messages(chats *c) {
    pum_error err;
    if (!c->open && c->n > 0) {
        if (!kept(c, store_chat_add(c->store, &c->open, &err), &err)) return false;
        if (store_set_open_chat(c->store, c->open, &err) == PUM_OK) store_set_draft(c->store, 0, "", &err);
        kept(c, store_set_settings(c->store, c->open, &c->settings, &err), &err);
    }
    for (size_t i = 0; i < c->n; i++) {
        store_message *m = &c->branch[i];
        if (m->id) continue;
        m->parent = i ? c->branch[i - 1].id : 0;
        if (!kept(c, store_add(c->store, c->open, m->parent, m->role, m->text, m->model, m->state, &m->id, &err), &err))
            return false;
    }
    return true;
}

static bool begin_answer(chats *c, const char *text, const char *model) {
    if (!add_message(c, STORE_ASSISTANT, text, model, STORE_STREAMING)) return false;
    c->streaming = true;
    c->n_waits = 0;
    keep_messages(c);
    relist(c);
    return true;
}

bool chats_ask(chats *c, const char *text, const char *model) {
    if (!add_message(c, STORE_USER, text, NULL, STORE_FINISHED)) return false;
    pum_error err;
    if (keep_messages(c)) store_set_draft(c->store, c->open, "", &err);
    return begin_answer(c, "", model);
}

static void free_last(chats *c) {
    store_message *last = &c->branch[--c->n];
    free(last->text);
    free(last->model);
}

/* The message before which `n` are left gets a sibling, which is the last one now. */
static void became_sibling(chats *c, int n_siblings) {
    c->branch[c->n - 1].n_siblings = n_siblings + 1;
    c->branch[c->n - 1].sibling = n_siblings;
}

static bool answer_in_place(chats *c, bool goes_on, const char *model) {
    if (c->streaming || c->n < 2 || c->branch[c->n - 1].role != STORE_ASSISTANT || !keep_messages(c)) return false;
    int n_siblings = c->branch[c->n - 1].n_siblings;
    char *text = strdup(goes_on ? c->branch[c->n - 1].text : "");
    if (!text) return false;
    free_last(c);
    bool ok = begin_answer(c, text, model);
    if (ok) became_sibling(c, n_siblings);
    free(text);
    return ok;
}

bool chats_answer_again(chats *c, const char *model) { return answer_in_place(c, false, model); }
bool chats_continue(chats *c, const char *model) { return answer_in_place(c, true, model); }

bool chats_edit(chats *c, size_t message, const char *text, const char *model, bool *answers) {
    *answers = false;
    if (c->streaming || message >= c->n || !keep_messages(c)) return false;
    store_role role = c->branch[message].role;
    int n_siblings = c->branch[message].n_siblings;
    char *copy = strdup(text);
    if (!copy) return false;
    while (c->n > message) free_last(c);
    bool ok = add_message(c, role, copy, role == STORE_USER ? NULL : model, STORE_FINISHED);
    free(copy);
    if (!ok) return false;
    became_sibling(c, n_siblings);
    keep_messages(c);
    *answers = role == STORE_USER && begin_answer(c, "", model);
    relist(c);
    return true;
}

worker_turns *chats_turns(chats *c) {
    worker_turns *t = worker_turns_create();
    bool ok = t;
    for (size_t i = 0; i < c->n && ok; i++) {
        const store_message *m = &c->branch[i];
        // An answer that failed before its first word has nothing to tell.
        if (m->role == STORE_ASSISTANT && !m->text[0]) continue;
        // Nor has a question that another one followed: templates want turns in turn.
        if (m->role == STORE_USER && t->n_turns > 0 && strcmp(t->turns[t->n_turns - 1].role, "user") == 0)
            free((char *)t->turns[--t->n_turns].content);
        ok = worker_turns_add(t, m->role == STORE_USER ? "user" : "assistant", m->text);
    }
    if (ok) t->chat = c->open;
    if (ok && c->settings.system) ok = (t->system = strdup(c->settings.system));
    if (ok) t->has_sampling = c->settings.has_sampling;
    if (ok) t->sampling = c->settings.sampling;
    if (!ok) worker_turns_free(t);
    return ok ? t : NULL;
}

static bool append(char **to, size_t n_to, const char *text, size_t n) {
    char *grown = realloc(*to, n_to + n + 1);
    if (!grown) return false;
    memcpy(grown + n_to, text, n + 1);
    *to = grown;
    return true;
}

void chats_hear(chats *c, const char *text, uint64_t now_ms) {
    if (!c->streaming) return;
    store_message *m = &c->branch[c->n - 1];
    size_t n = strlen(text);
    if (!append(&m->text, strlen(m->text), text, n)) return;
    if (c->n_waits == 0) c->given_ms = now_ms;
    if (append(&c->waits, c->n_waits, text, n)) c->n_waits += n;
    if (now_ms - c->given_ms >= KEEP_MS) chats_keep(c, now_ms);
}

int chats_wait_ms(const chats *c, uint64_t now_ms) {
    if (!c->streaming || c->n_waits == 0) return -1;
    uint64_t waited = now_ms - c->given_ms;
    return waited < KEEP_MS ? (int)(KEEP_MS - waited) : 0;
}

void chats_keep(chats *c, uint64_t now_ms) {
    pum_error err;
    c->given_ms = now_ms;
    if (!c->streaming || c->n_waits == 0) return;
    store_message *m = &c->branch[c->n - 1];
    if (m->id == 0) { // it could not be kept before: now all of it
        if (keep_messages(c)) c->n_waits = 0;
    } else if (kept(c, store_append(c->store, m->id, c->waits, &err), &err)) {
        c->n_waits = 0;
    }
}

void chats_end(chats *c, store_state state) {
    pum_error err;
    if (!c->streaming) return;
    store_message *m = &c->branch[c->n - 1];
    chats_keep(c, c->given_ms);
    c->streaming = false;
    m->state = state;
    if (m->id == 0)
        keep_messages(c);
    else
        kept(c, store_finish(c->store, m->id, state, &err), &err);
    relist(c);
}

/* ---- which chat, which branch */

void chats_keep_draft(chats *c, const char *draft) {
    pum_error err;
    char *before = chats_draft(c);
    bool same = before && strcmp(before, draft) == 0; // which spares the disk
    free(before);
    if (!same) kept(c, store_set_draft(c->store, c->open, draft, &err), &err);
}

void chats_open(chats *c, store_id chat) {
    pum_error err;
    if (c->streaming) chats_end(c, STORE_STOPPED);
    c->open = chat;
    load_branch(c);
    load_settings(c);
    kept(c, store_set_open_chat(c->store, chat, &err), &err);
    relist(c);
}

char *chats_draft(chats *c) {
    pum_error err;
    char *draft = NULL;
    kept(c, store_get_draft(c->store, c->open, &draft, &err), &err);
    return draft;
}

void chats_keep_edit(chats *c, size_t message, const char *text) {
    pum_error err;
    store_id id = text && message < c->n ? c->branch[message].id : 0;
    if (c->open) kept(c, store_set_edit(c->store, c->open, id, id ? text : NULL, &err), &err);
}

char *chats_edit_kept(chats *c, size_t *message) {
    pum_error err;
    store_id id;
    char *text = NULL;
    if (!c->open || !kept(c, store_get_edit(c->store, c->open, &id, &text, &err), &err)) return NULL;
    for (size_t i = 0; i < c->n && text; i++)
        if (c->branch[i].id == id) {
            *message = i;
            return text;
        }
    free(text); // of a message that the branch does not go through
    return NULL;
}

bool chats_walk(chats *c, size_t message, int by) {
    pum_error err;
    store_id to;
    if (c->streaming || !keep_messages(c)) return false;
    for (size_t i = c->n; message >= c->n && i-- > 0;)
        if (c->branch[i].n_siblings > 1) message = i;
    if (message >= c->n) return false;
    bool ok = kept(c, store_walk(c->store, c->branch[message].id, by, &to, &err), &err) && to != c->branch[message].id;
    if (ok) load_branch(c);
    return ok;
}

void chats_set_settings(chats *c, store_settings settings) {
    pum_error err;
    if (settings.system != c->settings.system) store_settings_free(&c->settings);
    c->settings = settings;
    if (c->open) kept(c, store_set_settings(c->store, c->open, &c->settings, &err), &err);
}

/* ---- the list */

void chats_search(chats *c, const char *query) {
    char *copy = strdup(query);
    if (!copy) return;
    free(c->query);
    c->query = copy;
    relist(c);
}

void chats_rename(chats *c, store_id chat, const char *title) {
    pum_error err;
    kept(c, store_rename(c->store, chat, title, &err), &err);
    relist(c);
}

void chats_pin(chats *c, store_id chat) {
    pum_error err;
    for (size_t i = 0; i < c->n_list; i++)
        if (c->list[i].id == chat) {
            kept(c, store_pin(c->store, chat, !c->list[i].pinned, &err), &err);
            break;
        }
    relist(c);
}

void chats_delete(chats *c, store_id chat) {
    pum_error err;
    if (chat && kept(c, store_delete(c->store, chat, &err), &err)) c->deleted = chat;
    relist(c);
}

store_id chats_undelete(chats *c) {
    pum_error err;
    store_id chat = c->deleted;
    if (!chat || !kept(c, store_undelete(c->store, chat, &err), &err)) return 0;
    c->deleted = 0;
    relist(c);
    return chat;
}
