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
    relist(c);
    return true;
}

void chats_stop(chats *c) {
    if (!c->store) return;
    if (c->streaming) chats_end(c, STORE_STOPPED);
    store_messages_free(c->branch, c->n);
    store_chats_free(c->list, c->n_list);
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

static bool begin_answer(chats *c, const char *model) {
    if (!add_message(c, STORE_ASSISTANT, "", model, STORE_STREAMING)) return false;
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
    return begin_answer(c, model);
}

bool chats_answer_again(chats *c, const char *model) {
    if (c->streaming || c->n < 2 || c->branch[c->n - 1].role != STORE_ASSISTANT || !keep_messages(c)) return false;
    store_message *last = &c->branch[--c->n];
    free(last->text);
    free(last->model);
    return begin_answer(c, model);
}

worker_turns *chats_turns(chats *c) {
    worker_turns *t = worker_turns_create();
    bool ok = t;
    for (size_t i = 0; i < c->n && ok; i++) {
        const store_message *m = &c->branch[i];
        // An answer that failed before its first word has nothing to tell.
        if (m->role == STORE_ASSISTANT && (!m->text[0] || m->state == STORE_STREAMING)) continue;
        // Nor has a question that another one followed: templates want turns in turn.
        if (m->role == STORE_USER && t->n_turns > 0 && strcmp(t->turns[t->n_turns - 1].role, "user") == 0)
            free((char *)t->turns[--t->n_turns].content);
        ok = worker_turns_add(t, m->role == STORE_USER ? "user" : "assistant", m->text);
    }
    store_settings settings;
    pum_error err;
    if (ok) t->chat = c->open;
    if (ok && c->open && store_get_settings(c->store, c->open, &settings, &err) == PUM_OK) {
        t->system = settings.system; // its owner from now on
        t->has_sampling = settings.has_sampling;
        t->sampling = settings.sampling;
    }
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

void chats_open(chats *c, store_id chat, const char *draft) {
    pum_error err;
    if (c->streaming) chats_end(c, STORE_STOPPED);
    kept(c, store_set_draft(c->store, c->open, draft, &err), &err);
    c->open = chat;
    load_branch(c);
    kept(c, store_set_open_chat(c->store, chat, &err), &err);
    relist(c);
}

char *chats_draft(chats *c) {
    pum_error err;
    char *draft = NULL;
    kept(c, store_get_draft(c->store, c->open, &draft, &err), &err);
    return draft;
}

bool chats_walk(chats *c, int by) {
    pum_error err;
    store_id to;
    if (c->streaming) return false;
    load_branch(c); // with what has come in the place of others since
    for (size_t i = c->n; i-- > 0;) {
        const store_message *m = &c->branch[i];
        if (m->n_siblings < 2) continue;
        bool ok = kept(c, store_walk(c->store, m->id, by, &to, &err), &err) && to != m->id;
        if (ok) load_branch(c);
        return ok;
    }
    return false;
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
