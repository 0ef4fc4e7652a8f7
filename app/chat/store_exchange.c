/* Chats as files: Markdown for reading, JSON with everything; and back, from anywhere. */
#include "store_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1, MAX_MESSAGES = 1000000 };
static const char format_name[] = "pumice-chat";
static const size_t max_bytes = (size_t)256 << 20;

static const char *const role_names[] = {[STORE_USER] = "user", [STORE_ASSISTANT] = "assistant"};
static const char *const state_names[] = {[STORE_STREAMING] = "streaming",
                                          [STORE_FINISHED] = "finished",
                                          [STORE_STOPPED] = "stopped",
                                          [STORE_FAILED] = "failed",
                                          [STORE_INTERRUPTED] = "interrupted"};
enum { N_STATES = (int)(sizeof state_names / sizeof *state_names) };

/* ---- text that grows */

typedef struct text {
    char *bytes; ///< zero-terminated
    size_t n, capacity;
    bool failed;
} text;

static void put(text *t, const char *bytes, size_t n) {
    if (t->failed) return;
    if (t->capacity - t->n <= n) {
        size_t capacity = 2 * (t->n + n) + 256;
        char *grown = realloc(t->bytes, capacity);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->bytes = grown;
        t->capacity = capacity;
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = 0;
}

static void put_text(text *t, const char *bytes) { put(t, bytes, strlen(bytes)); }

/* ---- Markdown */

/* Lines that begin a turn; the first two are written, the others are what other programs, and the terminal's /save, write. */
static const struct {
    const char *line;
    int role; ///< -1: the system turn
} speakers[] = {
    {"**You**", STORE_USER},  {"**Pumice**", STORE_ASSISTANT},    {"**System**", -1},
    {"**user**", STORE_USER}, {"**assistant**", STORE_ASSISTANT}, {"**system**", -1},
};
enum { SYSTEM_SPEAKER = 2, N_SPEAKERS = (int)(sizeof speakers / sizeof *speakers) };

static int speaker_of(const char *line, size_t n) {
    while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' ')) n--;
    for (int i = 0; i < N_SPEAKERS; i++)
        if (n == strlen(speakers[i].line) && memcmp(line, speakers[i].line, n) == 0) return i;
    return -1;
}

/* A text whose lines cannot be taken for the beginning of a turn: such a one, with any backslashes before it, gets one more. */
static void put_turn(text *t, int speaker, const char *content) {
    put_text(t, speakers[speaker].line);
    put_text(t, "\n\n");
    while (*content) {
        size_t n = strcspn(content, "\n"), slashes = strspn(content, "\\");
        if (slashes < n && speaker_of(content + slashes, n - slashes) >= 0) put_text(t, "\\");
        put(t, content, n + (content[n] == '\n'));
        content += n + (content[n] == '\n');
    }
    put_text(t, "\n\n");
}

pum_status store_export_markdown(store *s, store_id chat, char **out, pum_error *err) {
    *out = NULL;
    text t = {0};
    char *title = NULL;
    store_settings settings = {0};
    store_message *messages = NULL;
    size_t n = 0;
    pum_status status = store_title(s, chat, &title, err);
    if (status == PUM_OK) status = store_get_settings(s, chat, &settings, err);
    if (status == PUM_OK) status = store_branch(s, chat, &messages, &n, err);
    if (status == PUM_OK) {
        put_text(&t, "# ");
        put_text(&t, title);
        put_text(&t, "\n\n");
        if (settings.system) put_turn(&t, SYSTEM_SPEAKER, settings.system);
        for (size_t i = 0; i < n; i++) put_turn(&t, messages[i].role == STORE_USER ? 0 : 1, messages[i].text);
        if (t.failed) status = fail_memory(err);
    }
    free(title);
    store_settings_free(&settings);
    store_messages_free(messages, n);
    if (status != PUM_OK) free(t.bytes);
    *out = status == PUM_OK ? t.bytes : NULL;
    return status;
}

/* ---- JSON out */

/* A string that jansson takes: what is no UTF-8 becomes U+FFFD. */
static json_t *json_of(const char *bytes) {
    if (!bytes) return json_null();
    json_t *whole = json_string(bytes);
    if (whole) return whole;
    text t = {0};
    put_text(&t, "");
    for (size_t i = 0; bytes[i];) {
        size_t n = 1, have = 1;
        unsigned char c = (unsigned char)bytes[i];
        n = c < 0x80 ? 1 : c < 0xC2 ? 0 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : c < 0xF5 ? 4 : 0;
        while (have < n && ((unsigned char)bytes[i + have] & 0xC0) == 0x80) have++;
        json_t *one = n > 0 && have == n ? json_stringn(bytes + i, n) : NULL;
        if (one) {
            put(&t, bytes + i, n);
            i += n;
        } else {
            put_text(&t, "\xEF\xBF\xBD");
            i++;
        }
        json_decref(one);
    }
    json_t *mended = t.failed ? NULL : json_string(t.bytes);
    free(t.bytes);
    return mended;
}

static json_t *json_of_sampling(const pum_sampler_params *p) {
    return json_pack("{s:f, s:i, s:f, s:f, s:f, s:f, s:f, s:i, s:I}", "temp", p->temp, "top_k", p->top_k, "top_p", p->top_p,
                     "min_p", p->min_p, "repeat_penalty", p->repeat_penalty, "presence_penalty", p->presence_penalty,
                     "frequency_penalty", p->frequency_penalty, "penalty_last_n", p->penalty_last_n, "seed", (json_int_t)p->seed);
}

static json_t *json_of_message(const store_message *m) {
    return json_pack("{s:I, s:o, s:s, s:o, s:o, s:s, s:I, s:I, s:b}", "id", (json_int_t)m->id, "parent",
                     m->parent ? json_integer(m->parent) : json_null(), "role", role_names[m->role], "text", json_of(m->text),
                     "model", json_of(m->model), "state",
                     state_names[(int)m->state >= 0 && (int)m->state < N_STATES ? m->state : STORE_INTERRUPTED], "created",
                     (json_int_t)m->created_ms, "finished", (json_int_t)m->finished_ms, "walked", m->walked);
}

static pum_status preset_name(store *s, store_id preset, json_t **name, pum_error *err) {
    *name = json_null();
    if (!preset) return PUM_OK;
    sqlite3_stmt *stmt = store_bind(s, SQL_PRESET_NAME, "i", preset);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) *name = json_of((const char *)sqlite3_column_text(stmt, 0));
    return store_done(stmt, step) ? PUM_OK : store_fail(s, "the chat could not be exported", err);
}

/* The chat without its messages. */
static pum_status json_of_chat(store *s, store_id chat, json_t **out, pum_error *err) {
    store_settings settings;
    json_t *preset = NULL;
    *out = NULL;
    pum_status status = store_get_settings(s, chat, &settings, err);
    if (status == PUM_OK) status = preset_name(s, settings.preset, &preset, err);
    sqlite3_stmt *stmt = store_bind(s, SQL_CHAT_GET, "i", chat);
    int step = sqlite3_step(stmt);
    if (status == PUM_OK && step == SQLITE_ROW)
        *out = json_pack(
            "{s:s, s:i, s:o, s:b, s:b, s:I, s:I, s:o, s:o, s:o, s:[]}", "format", format_name, "version", FORMAT_VERSION, "title",
            json_of((const char *)sqlite3_column_text(stmt, 0)), "named", sqlite3_column_int(stmt, 4), "pinned",
            sqlite3_column_int(stmt, 1), "created", (json_int_t)sqlite3_column_int64(stmt, 2), "updated",
            (json_int_t)sqlite3_column_int64(stmt, 3), "system", json_of(settings.system), "sampling",
            settings.has_sampling ? json_of_sampling(&settings.sampling) : json_null(), "preset", preset, "messages");
    else
        json_decref(preset);
    store_settings_free(&settings);
    if (!store_done(stmt, step) && status == PUM_OK) status = store_fail(s, "the chat could not be exported", err);
    return status == PUM_OK && !*out ? fail_memory(err) : status;
}

pum_status store_export_json(store *s, store_id chat, char **out, pum_error *err) {
    *out = NULL;
    json_t *root = NULL;
    store_message *messages = NULL;
    size_t n = 0;
    pum_status status = json_of_chat(s, chat, &root, err);
    if (status == PUM_OK) status = store_tree(s, chat, &messages, &n, err);
    for (size_t i = 0; i < n && status == PUM_OK; i++)
        if (json_array_append_new(json_object_get(root, "messages"), json_of_message(&messages[i])) != 0)
            status = fail_memory(err);
    if (status == PUM_OK && !(*out = json_dumps(root, JSON_INDENT(1)))) status = fail_memory(err);
    store_messages_free(messages, n);
    json_decref(root);
    return status;
}

/* ---- JSON in: nothing of it is believed */

static pum_status wrong(pum_error *err, const char *where, const char *expected) {
    return fail_with(err, PUM_ERR_FORMAT, "the chat cannot be imported: %s: expected %s", where, expected);
}

/* A key that may be left out or null. Returns false where it is something else than `is` says. */
static bool take_number(const json_t *object, const char *key, double *to) {
    const json_t *value = json_object_get(object, key);
    if (json_is_number(value)) *to = json_number_value(value);
    return !value || json_is_number(value);
}

static bool take_integer(const json_t *object, const char *key, int64_t low, int64_t high, int64_t *to) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) return true;
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high) return false;
    *to = json_integer_value(value);
    return true;
}

static bool take_text(const json_t *object, const char *key, const char **to) {
    const json_t *value = json_object_get(object, key);
    if (!value || json_is_null(value)) return true;
    return (*to = json_string_value(value));
}

static bool take_bool(const json_t *object, const char *key, bool *to) {
    const json_t *value = json_object_get(object, key);
    *to = json_is_true(value);
    return !value || json_is_boolean(value);
}

static pum_status read_sampling(const json_t *root, store_settings *settings, pum_error *err) {
    const json_t *o = json_object_get(root, "sampling");
    if (!o || json_is_null(o)) return PUM_OK;
    pum_sampler_params *p = &settings->sampling;
    struct {
        const char *key;
        float *to;
    } reals[] = {{"temp", &p->temp},
                 {"top_p", &p->top_p},
                 {"min_p", &p->min_p},
                 {"repeat_penalty", &p->repeat_penalty},
                 {"presence_penalty", &p->presence_penalty},
                 {"frequency_penalty", &p->frequency_penalty}};
    if (!json_is_object(o)) return wrong(err, "sampling", "an object");
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        double value = (double)*reals[i].to;
        if (!take_number(o, reals[i].key, &value) || value > 1e9 || value < -1e9) return wrong(err, reals[i].key, "a number");
        *reals[i].to = (float)value;
    }
    int64_t top_k = p->top_k, last_n = p->penalty_last_n, seed = (int64_t)p->seed;
    if (!take_integer(o, "top_k", INT32_MIN, INT32_MAX, &top_k)) return wrong(err, "top_k", "a whole number");
    if (!take_integer(o, "penalty_last_n", INT32_MIN, INT32_MAX, &last_n)) return wrong(err, "penalty_last_n", "a whole number");
    if (!take_integer(o, "seed", INT64_MIN, INT64_MAX, &seed)) return wrong(err, "seed", "a whole number");
    p->top_k = (int)top_k;
    p->penalty_last_n = (int)last_n;
    p->seed = (uint64_t)seed;
    settings->has_sampling = true;
    pum_error why;
    if (store_check_settings(settings, &why) == PUM_OK) return PUM_OK;
    return fail_with(err, PUM_ERR_FORMAT, "the chat cannot be imported: sampling: %.900s", why.message);
}

/* Ids of the file, ascending, and what they are here. */
typedef struct renamed {
    store_id theirs, ours;
    store_id walked; ///< of ours, the child that was walked last
} renamed;

static renamed *find_renamed(renamed *ids, size_t n, store_id theirs) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ids[middle].theirs < theirs)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && ids[low].theirs == theirs ? &ids[low] : NULL;
}

static int index_of(const char *name, const char *const *names, int n) {
    for (int i = 0; name && i < n; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

/* The i-th message; ids[0] stands for the chat, whose children have no parent. */
static pum_status import_message(store *s, store_id chat, const json_t *m, size_t i, renamed *ids, pum_error *err) {
    char where[64];
    snprintf(where, sizeof where, "messages[%zu]", i);
    int64_t id = 0, parent = 0, created = store_now_ms(), finished;
    const char *role_name = NULL, *content = NULL, *model = NULL, *state_name = "finished";
    bool walked;
    if (!json_is_object(m)) return wrong(err, where, "an object");
    if (!take_integer(m, "id", 1, INT64_MAX, &id) || id <= ids[i].theirs) return wrong(err, where, "an id above those before it");
    if (!take_integer(m, "parent", 1, INT64_MAX, &parent)) return wrong(err, where, "a parent that is an id, or null");
    renamed *above = find_renamed(ids, i + 1, parent);
    if (!above) return wrong(err, where, "a parent that stands before it");
    if (!take_text(m, "role", &role_name)) return wrong(err, where, "a role that is a string");
    int role = index_of(role_name, role_names, 2);
    if (role < 0) return wrong(err, where, "the role user or assistant");
    if (!take_text(m, "text", &content) || !content) return wrong(err, where, "a text that is a string");
    if (!take_text(m, "model", &model)) return wrong(err, where, "a model that is a string, or null");
    if (!take_text(m, "state", &state_name)) return wrong(err, where, "a state that is a string");
    int state = index_of(state_name, state_names, N_STATES);
    if (state < 0) return wrong(err, where, "the state finished, stopped, failed or interrupted");
    if (state == STORE_STREAMING) state = STORE_INTERRUPTED;
    if (!take_integer(m, "created", 0, INT64_MAX, &created)) return wrong(err, where, "a time in milliseconds since 1970");
    finished = created;
    if (!take_integer(m, "finished", 0, INT64_MAX, &finished)) return wrong(err, where, "a time in milliseconds since 1970");
    if (!take_bool(m, "walked", &walked)) return wrong(err, where, "walked to be true or false");
    renamed *own = &ids[i + 1];
    own->theirs = id;
    pum_status status = store_add_at(s, chat, above->ours, (store_role)role, content, model, (store_state)state, created,
                                     finished, &own->ours, err);
    if (status == PUM_OK && walked) above->walked = own->ours;
    return status;
}

static pum_status import_messages(store *s, store_id chat, const json_t *messages, pum_error *err) {
    if (!json_is_array(messages)) return wrong(err, "messages", "an array");
    size_t n = json_array_size(messages);
    if (n > MAX_MESSAGES) return wrong(err, "messages", "a million at most");
    renamed *ids = calloc(n + 1, sizeof *ids);
    if (!ids) return fail_memory(err);
    pum_status status = PUM_OK;
    for (size_t i = 0; i < n && status == PUM_OK; i++) status = import_message(s, chat, json_array_get(messages, i), i, ids, err);
    for (size_t i = 0; i <= n && status == PUM_OK; i++)
        if (ids[i].walked) status = store_walk_to(s, chat, ids[i].ours, ids[i].walked, err);
    free(ids);
    return status;
}

static pum_status keep_settings(store *s, store_id chat, store_settings *settings, const char *preset, pum_error *err) {
    if (preset) { // of the same name here, if there is one
        sqlite3_stmt *stmt = store_bind(s, SQL_PRESET_ID, "t", preset);
        int step = sqlite3_step(stmt);
        if (step == SQLITE_ROW) settings->preset = sqlite3_column_int64(stmt, 0);
        if (!store_done(stmt, step)) return store_fail(s, "the chat could not be imported", err);
    }
    return store_set_settings(s, chat, settings, err);
}

static pum_status import_root(store *s, const json_t *root, const char *name, store_id *chat, pum_error *err) {
    int64_t version = 0, now = store_now_ms(), created = now, updated = now;
    const char *title = NULL, *system = NULL, *preset = NULL, *format = NULL;
    bool named, pinned;
    if (!json_is_object(root) || !take_text(root, "format", &format) || !format || strcmp(format, format_name) != 0)
        return wrong(err, "format", "\"pumice-chat\": the file is not a chat of Pumice");
    if (!take_integer(root, "version", 1, INT64_MAX, &version) || version != FORMAT_VERSION)
        return wrong(err, "version", "1: the file is of a newer Pumice");
    if (!take_text(root, "title", &title)) return wrong(err, "title", "a string");
    if (!take_text(root, "system", &system)) return wrong(err, "system", "a string, or null");
    if (!take_text(root, "preset", &preset)) return wrong(err, "preset", "a string, or null");
    if (!take_bool(root, "named", &named) || !take_bool(root, "pinned", &pinned))
        return wrong(err, "named, pinned", "true or false");
    if (!take_integer(root, "created", 0, INT64_MAX, &created)) return wrong(err, "created", "a time in milliseconds since 1970");
    if (!take_integer(root, "updated", 0, INT64_MAX, &updated)) return wrong(err, "updated", "a time in milliseconds since 1970");
    store_settings settings = {.system = (char *)system, .sampling = pum_sampler_defaults()};
    pum_status status = read_sampling(root, &settings, err);
    if (status == PUM_OK) status = store_chat_add(s, chat, err);
    if (status == PUM_OK) status = import_messages(s, *chat, json_object_get(root, "messages"), err);
    if (status == PUM_OK) status = keep_settings(s, *chat, &settings, preset, err);
    if (status == PUM_OK) status = store_rename(s, *chat, title && *title ? title : name ? name : "", err);
    char own[STORE_TITLE_BYTES];
    store_title_of(title ? title : "", own);
    bool ok = status != PUM_OK || ((named || !title || store_run(s, SQL_CHAT_RENAME, "iti", *chat, own, (int64_t)0)) &&
                                   store_run(s, SQL_CHAT_PIN, "ii", *chat, (int64_t)pinned) &&
                                   store_run(s, SQL_CHAT_TIMES, "iii", *chat, created, updated));
    return ok ? status : store_fail(s, "the chat could not be imported", err);
}

/* ---- Markdown in */

typedef struct turns {
    store *s;
    store_id chat, last;
    text system;
    pum_error *err;
} turns;

/* One turn, without the blank lines around it. */
static pum_status add_turn(turns *t, int role, text *content) {
    while (content->n > 0 && strchr("\n\r ", content->bytes[content->n - 1])) content->bytes[--content->n] = 0;
    const char *begin = content->bytes ? content->bytes : "";
    begin += strspn(begin, "\r\n");
    if (content->failed) return fail_memory(t->err);
    if (role < 0) {
        put_text(&t->system, begin);
        return t->system.failed ? fail_memory(t->err) : PUM_OK;
    }
    int64_t now = store_now_ms();
    return store_add_at(t->s, t->chat, t->last, (store_role)role, begin, NULL, STORE_FINISHED, now, now, &t->last, t->err);
}

static pum_status import_lines(turns *t, const char *at, text *content) {
    int speaker = -1; // before the first one: a heading, or the only message of a text that names none
    pum_status status = PUM_OK;
    while (*at && status == PUM_OK) {
        size_t n = strcspn(at, "\n"), slashes = strspn(at, "\\");
        int next = speaker_of(at, n);
        if (next >= 0) {
            if (speaker >= 0) status = add_turn(t, speakers[speaker].role, content);
            content->n = 0;
            speaker = next;
        } else {
            bool escaped = slashes > 0 && slashes < n && speaker_of(at + slashes, n - slashes) >= 0;
            put(content, at + escaped, n - escaped + (at[n] == '\n'));
        }
        at += n + (at[n] == '\n');
    }
    if (status != PUM_OK) return status;
    return add_turn(t, speaker >= 0 ? speakers[speaker].role : STORE_USER, content);
}

static pum_status import_markdown(store *s, const char *markdown, const char *name, store_id *chat, pum_error *err) {
    turns t = {.s = s, .err = err};
    text content = {0};
    const char *body = markdown;
    char title[STORE_TITLE_BYTES] = "";
    if (strncmp(body, "# ", 2) == 0) {
        size_t n = strcspn(body, "\n");
        snprintf(title, sizeof title, "%.*s", (int)(n - 2 < sizeof title - 1 ? n - 2 : sizeof title - 1), body + 2);
        body += n;
    } else if (name) {
        snprintf(title, sizeof title, "%s", name);
    }
    pum_status status = store_chat_add(s, chat, err);
    t.chat = *chat;
    if (status == PUM_OK) status = import_lines(&t, body, &content);
    store_settings settings = {.system = t.system.n ? t.system.bytes : NULL};
    if (status == PUM_OK) status = store_set_settings(s, *chat, &settings, err);
    if (status == PUM_OK) status = store_rename(s, *chat, title, err);
    free(content.bytes);
    free(t.system.bytes);
    return status;
}

/* ---- */

static bool is_text(const char *bytes, size_t n) {
    if (memchr(bytes, 0, n)) return false;
    json_t *checked = json_stringn(bytes, n); // jansson knows UTF-8
    json_decref(checked);
    return checked;
}

pum_status store_import(store *s, const char *bytes, size_t n_bytes, const char *name, store_id *chat, pum_error *err) {
    const char *doing = "the chat could not be imported";
    *chat = 0;
    if (n_bytes > max_bytes) return wrong(err, "the file", "256 MiB at most");
    if (n_bytes >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0) bytes += 3, n_bytes -= 3;
    if (!is_text(bytes, n_bytes)) return wrong(err, "the file", "text in UTF-8");
    char *copy = malloc(n_bytes + 1);
    if (!copy) return fail_memory(err);
    memcpy(copy, bytes, n_bytes);
    copy[n_bytes] = 0;
    const char *begin = copy + strspn(copy, " \t\r\n");
    json_t *root = NULL;
    json_error_t why;
    pum_status status = PUM_OK;
    if (!*begin)
        status = wrong(err, "the file", "a chat, got nothing");
    else if (*begin == '{' && !(root = json_loads(begin, JSON_REJECT_DUPLICATES, &why)))
        status = fail_json(err, "the chat cannot be imported: ", &why);
    if (status == PUM_OK) status = store_begin(s, doing, err);
    if (status == PUM_OK) {
        status = root ? import_root(s, root, name, chat, err) : import_markdown(s, begin, name, chat, err);
        status = store_commit(s, status, doing, err);
    }
    if (status != PUM_OK) *chat = 0;
    json_decref(root);
    free(copy);
    return status;
}
