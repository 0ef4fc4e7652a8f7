/* Chats, their settings, presets, and searching. */
#include "store_internal.h"

#include <stdlib.h>
#include <string.h>

enum { FOUND_BEFORE = 24, FOUND_BYTES = 120 }; ///< bytes of what is shown before a match, and in all

/* ---- lists */

void store_chats_free(store_chat *chats, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(chats[i].title);
        free(chats[i].found);
    }
    free(chats);
}

/* Room for one more; *array is as it was where there is none. */
static void *grow(void **array, size_t n, size_t *capacity, size_t size) {
    if (n == *capacity) {
        size_t more = *capacity ? 2 * *capacity : 32;
        void *grown = realloc(*array, more * size);
        if (!grown) return NULL;
        *array = grown;
        *capacity = more;
    }
    return (char *)*array + n * size;
}

static bool continues(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

static char lower(char byte) { return byte >= 'A' && byte <= 'Z' ? (char)(byte + 'a' - 'A') : byte; }

/* Where a word begins in a text, whatever the case of ASCII; the text's beginning where the index found it by another case. */
static size_t find(const char *text, const char *word, size_t n_word) {
    for (size_t at = 0; text[at]; at++) {
        size_t i = 0;
        while (i < n_word && text[at + i] && lower(text[at + i]) == lower(word[i])) i++;
        if (i == n_word) return at;
    }
    return 0;
}

/* The words around a match, in one line. */
static char *cut_around(const char *text, size_t at) {
    size_t begin = at > FOUND_BEFORE ? at - FOUND_BEFORE : 0, n = strlen(text + begin);
    while (continues(text[begin])) begin++, n--;
    if (n > FOUND_BYTES) n = FOUND_BYTES;
    while (n > 0 && continues(text[begin + n])) n--;
    char *found = malloc(n + 8), *to = found;
    if (!found) return NULL;
    if (begin > 0) to = strcpy(to, "\xE2\x80\xA6") + 3;
    for (size_t i = 0; i < n; i++) *to++ = (unsigned char)text[begin + i] < ' ' ? ' ' : text[begin + i];
    if (text[begin + n]) to = strcpy(to, "\xE2\x80\xA6") + 3;
    *to = 0;
    return found;
}

/* Takes all rows of a statement that is bound: LIST's columns, behind which a search has message and text. */
static pum_status take_chats(store *s, sqlite3_stmt *stmt, const char *word, size_t n_word, store_chat **chats, size_t *n,
                             const char *doing, pum_error *err) {
    size_t capacity = 0;
    int step;
    bool memory = true;
    while (memory && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        store_chat *c = grow((void **)chats, *n, &capacity, sizeof **chats);
        if (!c) {
            memory = false;
            break;
        }
        *c = (store_chat){.id = sqlite3_column_int64(stmt, 0),
                          .title = store_copy_column(stmt, 1),
                          .pinned = sqlite3_column_int(stmt, 2),
                          .created_ms = sqlite3_column_int64(stmt, 3),
                          .updated_ms = sqlite3_column_int64(stmt, 4)};
        ++*n;
        if (word) {
            const char *text = (const char *)sqlite3_column_text(stmt, 6);
            store_id row = sqlite3_column_int64(stmt, 5);
            c->message = row > 0 ? row : 0;
            if (text && !(c->found = cut_around(text, find(text, word, n_word)))) memory = false;
        }
        memory = memory && c->title;
    }
    bool ok = store_done(stmt, memory ? step : SQLITE_DONE);
    if (ok && memory) return PUM_OK;
    pum_status status = memory ? store_fail(s, doing, err) : fail_memory(err);
    store_chats_free(*chats, *n);
    *chats = NULL;
    *n = 0;
    return status;
}

pum_status store_list(store *s, store_chat **chats, size_t *n, pum_error *err) {
    *chats = NULL;
    *n = 0;
    return take_chats(s, store_bind(s, SQL_LIST, ""), NULL, 0, chats, n, "the chats could not be listed", err);
}

/* ---- searching */

/* A query in pieces: words of three characters and more for the index, as FTS5 wants them; and shorter ones (half of all Korean
 * and Japanese words) as patterns for LIKE, which reads every text. */
typedef struct query {
    char *match; ///< "" where all words are short
    char *patterns[STORE_SHORT_WORDS];
    int n_patterns;
    const char *word; ///< the first one, to show where it was found
    size_t n_word;
} query;

static bool is_space(char byte) { return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; }

static size_t count_characters(const char *text, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += !continues(text[i]);
    return count;
}

static void add_word(query *q, char **to, const char *word, size_t n) {
    if (!q->word) {
        q->word = word;
        q->n_word = n;
    }
    if (count_characters(word, n) >= 3) { // "word", quotes doubled
        if (*to != q->match) *(*to)++ = ' ';
        *(*to)++ = '"';
        for (size_t i = 0; i < n; i++) {
            if (word[i] == '"') *(*to)++ = '"';
            *(*to)++ = word[i];
        }
        *(*to)++ = '"';
        **to = 0;
    } else if (q->n_patterns < STORE_SHORT_WORDS) { // %word%
        char *p = q->patterns[q->n_patterns] = malloc(2 * n + 3);
        if (!p) return;
        q->n_patterns++;
        *p++ = '%';
        for (size_t i = 0; i < n; i++) {
            if (word[i] == '%' || word[i] == '_' || word[i] == '\\') *p++ = '\\';
            *p++ = word[i];
        }
        *p++ = '%';
        *p = 0;
    }
}

static bool read_query(query *q, const char *text) {
    *q = (query){.match = malloc(3 * strlen(text) + 4)};
    if (!q->match) return false;
    char *to = q->match;
    *to = 0;
    while (*text) {
        while (is_space(*text)) text++;
        size_t n = 0;
        while (text[n] && !is_space(text[n])) n++;
        if (n) add_word(q, &to, text, n);
        text += n;
    }
    return true;
}

static void free_query(query *q) {
    free(q->match);
    for (int i = 0; i < q->n_patterns; i++) free(q->patterns[i]);
}

pum_status store_search(store *s, const char *text, store_chat **chats, size_t *n, pum_error *err) {
    *chats = NULL;
    *n = 0;
    query q;
    if (!read_query(&q, text)) return fail_memory(err);
    if (!q.word) {
        free_query(&q);
        return store_list(s, chats, n, err);
    }
    const char *p[STORE_SHORT_WORDS];
    for (int i = 0; i < STORE_SHORT_WORDS; i++) p[i] = i < q.n_patterns ? q.patterns[i] : "%";
    sqlite3_stmt *stmt = q.match[0] ? store_bind(s, SQL_FIND_LONG, "ttttt", p[0], p[1], p[2], p[3], q.match)
                                    : store_bind(s, SQL_FIND_SHORT, "tttt", p[0], p[1], p[2], p[3]);
    pum_status status = take_chats(s, stmt, q.word, q.n_word, chats, n, "the chats could not be searched", err);
    free_query(&q);
    return status;
}

/* ---- one chat */

pum_status store_chat_add(store *s, store_id *chat, pum_error *err) {
    *chat = 0;
    pum_status status = store_change(s, "the chat could not be kept", err, SQL_CHAT_ADD, "i", store_now_ms());
    if (status == PUM_OK) *chat = sqlite3_last_insert_rowid(s->db);
    return status;
}

static pum_status not_there(pum_error *err) { return fail_with(err, PUM_ERR_ARGUMENT, "the chat is not there any more"); }

pum_status store_rename(store *s, store_id chat, const char *title, pum_error *err) {
    const char *doing = "the chat could not be renamed";
    char own[STORE_TITLE_BYTES];
    store_title_of(title, own);
    int64_t named = own[0] != 0;
    for (int role = STORE_USER; !own[0] && role <= STORE_ASSISTANT; role++) {
        sqlite3_stmt *stmt = store_bind(s, SQL_FIRST_TEXT, "ii", chat, (int64_t)role);
        int step = sqlite3_step(stmt);
        if (step == SQLITE_ROW) store_title_of((const char *)sqlite3_column_text(stmt, 0), own);
        if (!store_done(stmt, step)) return store_fail(s, doing, err);
    }
    return store_change(s, doing, err, SQL_CHAT_RENAME, "iti", chat, own, named);
}

pum_status store_title(store *s, store_id chat, char **title, pum_error *err) {
    sqlite3_stmt *stmt = store_bind(s, SQL_CHAT_TITLE, "i", chat);
    int step = sqlite3_step(stmt);
    *title = step == SQLITE_ROW ? store_copy_column(stmt, 0) : NULL;
    if (!store_done(stmt, step)) return store_fail(s, "the title could not be read", err);
    if (step != SQLITE_ROW) return not_there(err);
    return *title ? PUM_OK : fail_memory(err);
}

pum_status store_pin(store *s, store_id chat, bool pinned, pum_error *err) {
    return store_change(s, "the chat could not be pinned", err, SQL_CHAT_PIN, "ii", chat, (int64_t)pinned);
}

pum_status store_delete(store *s, store_id chat, pum_error *err) {
    return store_change(s, "the chat could not be deleted", err, SQL_CHAT_DELETE, "ii", chat, store_now_ms());
}

pum_status store_undelete(store *s, store_id chat, pum_error *err) {
    return store_change(s, "the chat could not be had back", err, SQL_CHAT_DELETE, "in", chat, (store_id)0);
}

pum_status store_purge(store *s, int64_t before_ms, pum_error *err) {
    return store_run(s, SQL_CHAT_PURGE, "i", before_ms) ? PUM_OK : store_fail(s, "deleted chats could not be removed", err);
}

/* ---- settings */

void store_settings_free(store_settings *settings) {
    free(settings->system);
    *settings = (store_settings){0};
}

bool store_read_settings(sqlite3_stmt *stmt, store_settings *settings) {
    *settings = (store_settings){
        .system = store_copy_column(stmt, 0), .preset = sqlite3_column_int64(stmt, 1), .sampling = pum_sampler_defaults()};
    if (!settings->system && sqlite3_column_type(stmt, 0) != SQLITE_NULL) return false;
    if (!(settings->has_sampling = sqlite3_column_type(stmt, 2) != SQLITE_NULL)) return true;
    settings->sampling = (pum_sampler_params){.temp = (float)sqlite3_column_double(stmt, 2),
                                              .top_k = sqlite3_column_int(stmt, 3),
                                              .top_p = (float)sqlite3_column_double(stmt, 4),
                                              .min_p = (float)sqlite3_column_double(stmt, 5),
                                              .repeat_penalty = (float)sqlite3_column_double(stmt, 6),
                                              .presence_penalty = (float)sqlite3_column_double(stmt, 7),
                                              .frequency_penalty = (float)sqlite3_column_double(stmt, 8),
                                              .penalty_last_n = sqlite3_column_int(stmt, 9),
                                              .seed = (uint64_t)sqlite3_column_int64(stmt, 10)};
    return true;
}

bool store_bind_settings(sqlite3_stmt *stmt, const store_settings *settings) {
    const pum_sampler_params *p = &settings->sampling;
    sqlite3_bind_text(stmt, 2, settings->system, -1, SQLITE_STATIC);
    if (!settings->has_sampling) return true; // what is not bound is NULL
    const double reals[] = {[4] = p->temp,
                            [6] = p->top_p,
                            [7] = p->min_p,
                            [8] = p->repeat_penalty,
                            [9] = p->presence_penalty,
                            [10] = p->frequency_penalty};
    for (int i = 4; i <= 10; i++)
        if (i != 5) sqlite3_bind_double(stmt, i, reals[i]);
    sqlite3_bind_int(stmt, 5, p->top_k);
    sqlite3_bind_int(stmt, 11, p->penalty_last_n);
    return sqlite3_bind_int64(stmt, 12, (int64_t)p->seed) == SQLITE_OK;
}

/* As the sampler itself would say it. */
pum_status store_check_settings(const store_settings *settings, pum_error *err) {
    if (!settings->has_sampling) return PUM_OK;
    pum_sampler *sampler;
    pum_status status = pum_sampler_create(&settings->sampling, &sampler, err);
    pum_sampler_destroy(&sampler);
    return status;
}

pum_status store_set_settings(store *s, store_id chat, const store_settings *settings, pum_error *err) {
    pum_status status = store_check_settings(settings, err);
    if (status != PUM_OK) return status;
    sqlite3_stmt *stmt = s->statements[SQL_SETTINGS_SET];
    sqlite3_bind_int64(stmt, 1, chat);
    store_bind_settings(stmt, settings);
    if (settings->preset) sqlite3_bind_int64(stmt, 3, settings->preset);
    if (!store_done(stmt, sqlite3_step(stmt))) return store_fail(s, "the settings of the chat could not be kept", err);
    return sqlite3_changes(s->db) ? PUM_OK : not_there(err);
}

pum_status store_get_settings(store *s, store_id chat, store_settings *settings, pum_error *err) {
    *settings = (store_settings){.sampling = pum_sampler_defaults()};
    sqlite3_stmt *stmt = store_bind(s, SQL_SETTINGS_GET, "i", chat);
    int step = sqlite3_step(stmt);
    bool memory = step != SQLITE_ROW || store_read_settings(stmt, settings);
    if (!store_done(stmt, step)) return store_fail(s, "the settings of the chat could not be read", err);
    if (step != SQLITE_ROW) return not_there(err);
    return memory ? PUM_OK : fail_memory(err);
}

pum_status store_set_draft(store *s, store_id chat, const char *text, pum_error *err) {
    const char *doing = "the draft could not be kept";
    return chat ? store_change(s, doing, err, SQL_DRAFT_SET, "it", chat, text)
                : store_change(s, doing, err, SQL_STATE_SET, "tt", "draft", text);
}

pum_status store_get_draft(store *s, store_id chat, char **text, pum_error *err) {
    sqlite3_stmt *stmt = chat ? store_bind(s, SQL_DRAFT_GET, "i", chat) : store_bind(s, SQL_STATE_GET, "t", "draft");
    int step = sqlite3_step(stmt);
    *text = step == SQLITE_ROW ? store_copy_column(stmt, 0) : strdup("");
    if (!store_done(stmt, step)) {
        free(*text);
        *text = NULL;
        return store_fail(s, "the draft could not be read", err);
    }
    return *text ? PUM_OK : fail_memory(err);
}

pum_status store_set_edit(store *s, store_id chat, store_id message, const char *text, pum_error *err) {
    return store_change(s, "what is being edited could not be kept", err, SQL_EDIT_SET, "int", chat, message, text);
}

pum_status store_get_edit(store *s, store_id chat, store_id *message, char **text, pum_error *err) {
    sqlite3_stmt *stmt = store_bind(s, SQL_EDIT_GET, "i", chat);
    int step = sqlite3_step(stmt);
    bool any = step == SQLITE_ROW;
    *message = any ? sqlite3_column_int64(stmt, 0) : 0;
    *text = any ? store_copy_column(stmt, 1) : NULL;
    if (store_done(stmt, step)) return any && !*text ? fail_memory(err) : PUM_OK;
    free(*text);
    *text = NULL;
    return store_fail(s, "what was being edited could not be read", err);
}

pum_status store_set_open_chat(store *s, store_id chat, pum_error *err) {
    return store_change(s, "which chat is open could not be kept", err, SQL_STATE_SET, "ti", "open_chat", chat);
}

pum_status store_get_open_chat(store *s, store_id *chat, pum_error *err) {
    sqlite3_stmt *stmt = store_bind(s, SQL_OPEN_CHAT, "");
    int step = sqlite3_step(stmt);
    *chat = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    return store_done(stmt, step) ? PUM_OK : store_fail(s, "the chat that was open could not be found", err);
}

/* ---- presets */

pum_status store_preset_save(store *s, const char *name, const store_settings *settings, store_id *preset, pum_error *err) {
    const char *doing = "the preset could not be kept";
    *preset = 0;
    if (!name[strspn(name, " \t\n")]) return fail_with(err, PUM_ERR_ARGUMENT, "a preset needs a name");
    pum_status status = store_check_settings(settings, err);
    if (status != PUM_OK) return status;
    sqlite3_stmt *stmt = s->statements[SQL_PRESET_SAVE];
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    store_bind_settings(stmt, settings);
    if (!store_done(stmt, sqlite3_step(stmt))) return store_fail(s, doing, err);
    stmt = store_bind(s, SQL_PRESET_ID, "t", name); // where it replaced one, no row was inserted
    int step = sqlite3_step(stmt);
    *preset = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    return store_done(stmt, step) ? PUM_OK : store_fail(s, doing, err);
}

pum_status store_preset_delete(store *s, store_id preset, pum_error *err) {
    return store_change(s, "the preset could not be deleted", err, SQL_PRESET_DELETE, "i", preset);
}

pum_status store_presets(store *s, store_preset **presets, size_t *n, pum_error *err) {
    *presets = NULL;
    *n = 0;
    size_t capacity = 0;
    sqlite3_stmt *stmt = store_bind(s, SQL_PRESETS, "");
    int step;
    bool memory = true;
    while (memory && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        store_preset *p = grow((void **)presets, *n, &capacity, sizeof **presets);
        if ((memory = p)) {
            *p = (store_preset){.name = store_copy_column(stmt, 11)};
            ++*n;
            memory = store_read_settings(stmt, &p->settings) && p->name;
            p->id = p->settings.preset;
        }
    }
    bool ok = store_done(stmt, memory ? step : SQLITE_DONE);
    if (ok && memory) return PUM_OK;
    pum_status status = memory ? store_fail(s, "the presets could not be listed", err) : fail_memory(err);
    store_presets_free(*presets, *n);
    *presets = NULL;
    *n = 0;
    return status;
}

void store_presets_free(store_preset *presets, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(presets[i].name);
        store_settings_free(&presets[i].settings);
    }
    free(presets);
}
