/* The tree of a chat's messages. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

static const char doing_add[] = "the message could not be kept";

/* ---- titles */

static size_t character(const char *text, uint32_t *code) {
    unsigned char c = (unsigned char)text[0];
    size_t n = c < 0x80 ? 1 : c < 0xC0 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF8 ? 4 : 0;
    *code = n == 1 ? c : n == 0 ? 0 : c & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if (((unsigned char)text[i] & 0xC0) != 0x80) return 0;
        *code = *code << 6 | ((unsigned char)text[i] & 0x3F);
    }
    return n;
}

/* Scripts that are as wide as they are high, and mostly written without spaces or with few. */
static bool is_wide(uint32_t code) {
    return (code >= 0x1100 && code < 0x1200) || (code >= 0x2E80 && code < 0xA4D0) || (code >= 0xAC00 && code < 0xD7B0) ||
           (code >= 0xF900 && code < 0xFB00) || (code >= 0xFE30 && code < 0xFE70) || (code >= 0xFF00 && code < 0xFF61) ||
           (code >= 0x1F000 && code < 0x3FFFF);
}

/* What belongs to the character before it: accents, joiners, variation selectors, skin tones. */
static bool is_mark(uint32_t code) {
    return (code >= 0x0300 && code < 0x0370) || (code >= 0x0E31 && code <= 0x0E3A && code != 0x0E32 && code != 0x0E33) ||
           (code >= 0x200C && code <= 0x200D) || (code >= 0x20D0 && code < 0x2100) || (code >= 0xFE00 && code < 0xFE10) ||
           (code >= 0x1F3FB && code <= 0x1F3FF);
}

/* Spaces, and what no window shows. */
static bool is_space(uint32_t code) { return code <= ' ' || (code >= 0x7F && code <= 0xA0) || code == 0x3000; }

/* What a person wrote behind the texts that go with it, which stand in fences named "attachment"; without words, the first one's
 * name. */
static const char *words_of(const char *text) {
    static const char mark[] = "attachment ";
    const char *name = NULL;
    for (const char *at = text;;) {
        size_t n = strspn(at, "`");
        if (n < 3 || strncmp(at + n, mark, strlen(mark)) != 0) return *at ? at : name ? name : text;
        if (!name) name = at + n + strlen(mark);
        const char *end = strchr(at, '\n');
        while (end && strspn(end + 1, "`") != n) end = strchr(end + 1, '\n');
        if (!end) return name;
        at = end + 1 + n;
        at += strspn(at, " \t\r\n");
    }
}

/* A title while it is put together. */
typedef struct title_end {
    size_t n, space_at, cut_at; ///< bytes: all, before the last space, before the last character with its marks
    int width, space_width;     ///< the same in halves of a wide character
    bool pending, joined;       ///< a space, or a character that belongs to the last one, is to come
} title_end;

/* A title of a title is the same: one that was cut has room for the mark of it. */
void store_title_of(const char *text, char *title) {
    enum { WIDTH = 44, SLACK = 16, MARK_BYTES = 3 }; // in halves of a wide character; how far back a cut looks for a space
    title_end at = {0}, before_mark = {0};
    bool cut = false, over = false, torn = false;
    text = words_of(text);
    for (uint32_t code; *text;) {
        size_t step = character(text, &code);
        if (step == 0) { // no UTF-8
            text++;
            continue;
        }
        if (code == '\n' && at.n > 0) break; // the first line is enough, where it says anything
        bool mark = is_mark(code) || at.joined, markdown = at.n == 0 && code < 0x80 && strchr("#>*-`", (int)code);
        at.joined = code == 0x200D;
        if (is_space(code) || markdown) { // what Markdown begins a line with
            at.pending = at.n > 0;
            text += step;
            continue;
        }
        int advance = mark ? 0 : is_wide(code) ? 2 : 1;
        size_t n = at.n + at.pending + step;
        int width = at.width + at.pending + advance;
        if (!over && (n + MARK_BYTES >= STORE_TITLE_BYTES || width > WIDTH)) {
            over = true;
            torn = mark;
            before_mark = at;
        }
        if (n >= STORE_TITLE_BYTES || width > WIDTH + 1) {
            cut = true;
            break;
        }
        if (at.pending) {
            at.space_at = at.n;
            at.space_width = at.width;
            title[at.n++] = ' ';
        }
        at.pending = false;
        if (!mark) at.cut_at = at.n;
        memcpy(title + at.n, text, step);
        at.n = n;
        at.width = width;
        text += step;
    }
    if (cut) {
        at = before_mark;
        if (!at.pending && at.space_at > 0 && at.width - at.space_width <= SLACK) at.n = at.space_at;
        // A family of emoji that is joined by invisible characters is not cut in two.
        if (torn) at.n = at.cut_at;
    }
    while (at.n > 0 && title[at.n - 1] == ' ') at.n--;
    title[at.n] = 0;
    if (cut && at.n > 0) strcpy(title + at.n, "\xE2\x80\xA6");
}

/* Where the chat has no title yet. */
static bool name_chat(store *s, store_id chat, const char *text) {
    char title[STORE_TITLE_BYTES];
    store_title_of(text, title);
    return !title[0] || store_run(s, SQL_CHAT_NAME, "it", chat, title);
}

/* ---- writing */

pum_status store_walk_to(store *s, store_id chat, store_id parent, store_id message, pum_error *err) {
    bool ok = parent ? store_run(s, SQL_WALK_FROM_PARENT, "in", parent, message)
                     : store_run(s, SQL_WALK_FROM_CHAT, "in", chat, message);
    return ok ? PUM_OK : store_fail(s, "the branch could not be kept", err);
}

static pum_status check_parent(store *s, store_id chat, store_id parent, pum_error *err) {
    if (!parent) return PUM_OK;
    sqlite3_stmt *stmt = store_bind(s, SQL_PARENT_IS_IN_CHAT, "ii", parent, chat);
    int step = sqlite3_step(stmt);
    if (!store_done(stmt, step)) return store_fail(s, doing_add, err);
    return step == SQLITE_ROW ? PUM_OK
                              : fail_with(err, PUM_ERR_ARGUMENT, "%s: the one before it is not there any more", doing_add);
}

pum_status store_add_at(store *s, store_id chat, store_id parent, store_role role, const char *text, const char *model,
                        store_state state, int64_t created_ms, int64_t finished_ms, store_id *message, pum_error *err) {
    pum_status status = check_parent(s, chat, parent, err);
    if (status != PUM_OK) return status;
    if (!store_run(s, SQL_ADD, "inittiii", chat, parent, (int64_t)role, text, model, (int64_t)state, created_ms, finished_ms))
        return store_fail(s, doing_add, err);
    *message = sqlite3_last_insert_rowid(s->db);
    return store_walk_to(s, chat, parent, *message, err);
}

pum_status store_add(store *s, store_id chat, store_id parent, store_role role, const char *text, const char *model,
                     store_state state, store_id *message, pum_error *err) {
    *message = 0;
    pum_status status = store_begin(s, doing_add, err);
    if (status != PUM_OK) return status;
    int64_t now = store_now_ms();
    status = store_change(s, doing_add, err, SQL_CHAT_TOUCH, "ii", chat, now);
    if (status == PUM_OK) status = store_add_at(s, chat, parent, role, text, model, state, now, now, message, err);
    if (status == PUM_OK && role == STORE_USER && !name_chat(s, chat, text)) status = store_fail(s, doing_add, err);
    status = store_commit(s, status, doing_add, err);
    if (status != PUM_OK) *message = 0;
    return status;
}

pum_status store_append(store *s, store_id message, const char *text, pum_error *err) {
    return *text ? store_change(s, "the answer could not be kept", err, SQL_PIECE_ADD, "it", message, text) : PUM_OK;
}

/* The chat that a message is in, and its parent. */
static pum_status find_place(store *s, store_id message, store_id *chat, store_id *parent, const char *doing, pum_error *err) {
    sqlite3_stmt *stmt = store_bind(s, SQL_PLACE, "i", message);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) {
        *chat = sqlite3_column_int64(stmt, 0);
        *parent = sqlite3_column_int64(stmt, 1);
    }
    if (!store_done(stmt, step)) return store_fail(s, doing, err);
    return step == SQLITE_ROW ? PUM_OK : fail_with(err, PUM_ERR_ARGUMENT, "%s: it is not there any more", doing);
}

/* What nobody has named is named after the answer: the question had no words. */
static pum_status name_after_answer(store *s, store_id chat, const char *doing, pum_error *err) {
    sqlite3_stmt *stmt = store_bind(s, SQL_FIRST_TEXT, "ii", chat, (int64_t)STORE_ASSISTANT);
    int step = sqlite3_step(stmt);
    bool ok = step != SQLITE_ROW || name_chat(s, chat, (const char *)sqlite3_column_text(stmt, 0));
    return store_done(stmt, step) && ok ? PUM_OK : store_fail(s, doing, err);
}

pum_status store_finish(store *s, store_id message, store_state state, pum_error *err) {
    const char *doing = "the answer could not be kept";
    store_id chat = 0, parent;
    pum_status status = store_begin(s, doing, err);
    if (status != PUM_OK) return status;
    status = find_place(s, message, &chat, &parent, doing, err);
    bool ok = status != PUM_OK || (store_run(s, SQL_FOLD, "i", message) && store_run(s, SQL_PIECES_DELETE, "i", message) &&
                                   store_run(s, SQL_STATE_OF, "iii", message, (int64_t)state, store_now_ms()));
    if (!ok) status = store_fail(s, doing, err);
    if (status == PUM_OK) status = name_after_answer(s, chat, doing, err);
    return store_commit(s, status, doing, err);
}

pum_status store_resume(store *s, store_id message, pum_error *err) {
    return store_change(s, "the answer could not go on", err, SQL_STATE_OF, "iii", message, (int64_t)STORE_STREAMING,
                        store_now_ms());
}

/* ---- reading */

void store_messages_free(store_message *messages, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(messages[i].text);
        free(messages[i].model);
    }
    free(messages);
}

static bool read_message(sqlite3_stmt *stmt, store_message *m) {
    *m = (store_message){
        .id = sqlite3_column_int64(stmt, 0),
        .parent = sqlite3_column_int64(stmt, 1),
        .role = sqlite3_column_int(stmt, 2) == STORE_USER ? STORE_USER : STORE_ASSISTANT,
        .state = (store_state)sqlite3_column_int(stmt, 3),
        .text = store_copy_column(stmt, 4),
        .model = store_copy_column(stmt, 5),
        .created_ms = sqlite3_column_int64(stmt, 6),
        .finished_ms = sqlite3_column_int64(stmt, 7),
        .sibling = sqlite3_column_int(stmt, 8),
        .n_siblings = sqlite3_column_int(stmt, 9),
        .walked = sqlite3_column_int(stmt, 10),
    };
    return m->text;
}

static pum_status read_messages(store *s, store_sql sql, store_id chat, store_message **messages, size_t *n, pum_error *err) {
    *messages = NULL;
    *n = 0;
    size_t capacity = 0;
    sqlite3_stmt *stmt = store_bind(s, sql, "i", chat);
    int step;
    bool memory = true;
    while (memory && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (*n == capacity) {
            size_t more = capacity ? 2 * capacity : 32;
            store_message *grown = realloc(*messages, more * sizeof *grown);
            if (!(memory = grown)) break;
            *messages = grown;
            capacity = more;
        }
        memory = read_message(stmt, &(*messages)[(*n)++]);
    }
    bool ok = store_done(stmt, memory ? step : SQLITE_DONE);
    if (ok && memory) return PUM_OK;
    pum_status status = memory ? store_fail(s, "the chat could not be read", err) : fail_memory(err);
    store_messages_free(*messages, *n);
    *messages = NULL;
    *n = 0;
    return status;
}

pum_status store_branch(store *s, store_id chat, store_message **messages, size_t *n, pum_error *err) {
    return read_messages(s, SQL_BRANCH, chat, messages, n, err);
}

pum_status store_tree(store *s, store_id chat, store_message **messages, size_t *n, pum_error *err) {
    return read_messages(s, SQL_TREE, chat, messages, n, err);
}

/* ---- walking */

/* The sibling that is `by` to the right, or the outermost. */
static pum_status find_sibling(store *s, store_id chat, store_id parent, store_id message, int by, store_id *to, pum_error *err) {
    *to = message;
    sqlite3_stmt *stmt = store_bind(s, SQL_SIBLINGS, "in", chat, parent);
    int step, at = 0, own = -1;
    store_id before = 0;
    // To the left: of the ids that came by, the one that is so far behind; they are walked twice, for there are few.
    while ((step = sqlite3_step(stmt)) == SQLITE_ROW) {
        store_id id = sqlite3_column_int64(stmt, 0);
        if (id == message) own = at;
        if (own >= 0 && at <= own + by) *to = id;
        at++;
    }
    if (own > 0 && by < 0 && step == SQLITE_DONE) {
        sqlite3_reset(stmt);
        int target = own + by > 0 ? own + by : 0;
        for (at = 0; at <= target && (step = sqlite3_step(stmt)) == SQLITE_ROW; at++) before = sqlite3_column_int64(stmt, 0);
        if (before) *to = before;
    }
    return store_done(stmt, step) ? PUM_OK : store_fail(s, "the branch could not be found", err);
}

pum_status store_walk(store *s, store_id message, int by, store_id *to, pum_error *err) {
    const char *doing = "the branch could not be found";
    store_id chat = 0, parent = 0;
    pum_status status = store_begin(s, doing, err);
    if (status != PUM_OK) return status;
    status = find_place(s, message, &chat, &parent, doing, err);
    if (status == PUM_OK) status = find_sibling(s, chat, parent, message, by, to, err);
    if (status == PUM_OK) status = store_walk_to(s, chat, parent, *to, err);
    return store_commit(s, status, doing, err);
}
