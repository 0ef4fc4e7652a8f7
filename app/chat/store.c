#include "store_internal.h"

#include "chat/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x50754D69, BUSY_MS = 2000 }; ///< "PuMi"

/* What a version adds to the one before. Steps that were released are never changed.
 *
 * The index is of three letters in a row, so that parts of words are found in scripts that do not divide them; it keeps no text
 * of its own but reads `searchable`, where a title is its chat's negative number. */
static const char *const migrations[] = {
    "CREATE TABLE presets(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, system TEXT, temp REAL, top_k "
    "INTEGER, "
    "  top_p REAL, min_p REAL, repeat_penalty REAL, presence_penalty REAL, frequency_penalty REAL, penalty_last_n INTEGER, "
    "  seed INTEGER);"
    "CREATE TABLE chats(id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL DEFAULT '', named INTEGER NOT NULL DEFAULT 0, "
    "  pinned INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER, "
    "  draft TEXT NOT NULL DEFAULT '', walked INTEGER, preset INTEGER REFERENCES presets ON DELETE SET NULL, system TEXT, "
    "  temp REAL, top_k INTEGER, top_p REAL, min_p REAL, repeat_penalty REAL, presence_penalty REAL, frequency_penalty REAL, "
    "  penalty_last_n INTEGER, seed INTEGER);"
    "CREATE INDEX chats_preset ON chats(preset);"
    // No CASCADE from parent to child: SQLite goes a thousand levels deep at most, and chats go deeper.
    "CREATE TABLE messages(id INTEGER PRIMARY KEY AUTOINCREMENT, chat INTEGER NOT NULL REFERENCES chats ON DELETE CASCADE, "
    "  parent INTEGER REFERENCES messages, role INTEGER NOT NULL, text TEXT NOT NULL, model TEXT, state INTEGER NOT NULL, "
    "  created INTEGER NOT NULL, finished INTEGER NOT NULL, walked INTEGER);"
    "CREATE INDEX messages_parent ON messages(parent, chat);"
    "CREATE INDEX messages_chat ON messages(chat);"
    "CREATE INDEX messages_streaming ON messages(id) WHERE state = 0;"
    "CREATE TABLE pieces(id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL REFERENCES messages ON DELETE CASCADE, "
    "  text TEXT NOT NULL);"
    "CREATE INDEX pieces_message ON pieces(message);"
    "CREATE TABLE state(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE VIEW searchable(id, chat, text) AS SELECT id, chat, text FROM messages UNION ALL SELECT -id, id, title FROM chats;"
    "CREATE VIRTUAL TABLE words USING fts5(text, content='searchable', content_rowid='id', tokenize='trigram');"
    "CREATE TRIGGER message_added AFTER INSERT ON messages BEGIN "
    "  INSERT INTO words(rowid, text) VALUES(new.id, new.text); END;"
    "CREATE TRIGGER message_removed AFTER DELETE ON messages BEGIN "
    "  INSERT INTO words(words, rowid, text) VALUES('delete', old.id, old.text); END;"
    "CREATE TRIGGER message_changed AFTER UPDATE OF text ON messages BEGIN "
    "  INSERT INTO words(words, rowid, text) VALUES('delete', old.id, old.text);"
    "  INSERT INTO words(rowid, text) VALUES(new.id, new.text); END;"
    "CREATE TRIGGER chat_added AFTER INSERT ON chats BEGIN "
    "  INSERT INTO words(rowid, text) VALUES(-new.id, new.title); END;"
    "CREATE TRIGGER chat_removed AFTER DELETE ON chats BEGIN "
    "  INSERT INTO words(words, rowid, text) VALUES('delete', -old.id, old.title); END;"
    "CREATE TRIGGER chat_changed AFTER UPDATE OF title ON chats BEGIN "
    "  INSERT INTO words(words, rowid, text) VALUES('delete', -old.id, old.title);"
    "  INSERT INTO words(rowid, text) VALUES(-new.id, new.title); END;",
    "ALTER TABLE chats ADD COLUMN edited INTEGER; ALTER TABLE chats ADD COLUMN edit TEXT;",
};
enum { VERSION = (int)(sizeof migrations / sizeof *migrations) };

static const char *const statements[N_STORE_SQL] = {
#define STORE_TEXT(name, sql) [SQL_##name] = sql,
    STORE_STATEMENTS(STORE_TEXT)
#undef STORE_TEXT
};

/* ---- errors */

static pum_status fail_code(int code, const char *path, const char *why, const char *doing, pum_error *err) {
    if (!path) path = "the chats in memory";
    switch (code & 0xFF) {
    case SQLITE_NOMEM:
        return fail_memory(err);
    case SQLITE_FULL:
        return fail_with(err, PUM_ERR_IO, "%s: the disk is full (%s); free some space", doing, path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return fail_with(err, PUM_ERR_IO, "%s: another program holds %s; end it and try again", doing, path);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_with(err, PUM_ERR_IO, "%s: %s cannot be written; look at the permissions of the file and its folder", doing,
                         path);
    case SQLITE_IOERR:
        return fail_with(err, PUM_ERR_IO, "%s: reading or writing %s failed; look at the disk, and whether it is full", doing,
                         path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return fail_with(err, PUM_ERR_FORMAT, "%s: %s is damaged; start again, and it is set aside", doing, path);
    default:
        return fail_with(err, PUM_ERR_IO, "%s: %s: %s", doing, path, why);
    }
}

pum_status store_fail(const store *s, const char *doing, pum_error *err) {
    return fail_code(sqlite3_extended_errcode(s->db), s->path, sqlite3_errmsg(s->db), doing, err);
}

/* ---- statements */

static void bind(sqlite3_stmt *stmt, const char *types, va_list args) {
    for (int i = 1; *types; types++, i++) {
        store_id id;
        switch (*types) {
        case 'i':
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
            break;
        case 'd':
            sqlite3_bind_double(stmt, i, va_arg(args, double));
            break;
        case 't':
            sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        case 'n':
            id = va_arg(args, store_id);
            if (id)
                sqlite3_bind_int64(stmt, i, id);
            else
                sqlite3_bind_null(stmt, i);
            break;
        }
    }
}

bool store_done(sqlite3_stmt *stmt, int step) {
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
    return step == SQLITE_DONE || step == SQLITE_ROW;
}

static bool run(store *s, store_sql sql, const char *types, va_list args) {
    sqlite3_stmt *stmt = s->statements[sql];
    bind(stmt, types, args);
    int step;
    do step = sqlite3_step(stmt);
    while (step == SQLITE_ROW);
    return store_done(stmt, step);
}

sqlite3_stmt *store_bind(store *s, store_sql sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    bind(s->statements[sql], types, args);
    va_end(args);
    return s->statements[sql];
}

bool store_run(store *s, store_sql sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    bool ok = run(s, sql, types, args);
    va_end(args);
    return ok;
}

pum_status store_change(store *s, const char *doing, pum_error *err, store_sql sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    bool ok = run(s, sql, types, args);
    va_end(args);
    if (!ok) return store_fail(s, doing, err);
    if (sqlite3_changes(s->db) == 0) return fail_with(err, PUM_ERR_ARGUMENT, "%s: it is not there any more", doing);
    return PUM_OK;
}

pum_status store_begin(store *s, const char *doing, pum_error *err) {
    return store_run(s, SQL_BEGIN, "") ? PUM_OK : store_fail(s, doing, err);
}

pum_status store_commit(store *s, pum_status status, const char *doing, pum_error *err) {
    if (status == PUM_OK && !store_run(s, SQL_COMMIT, "")) status = store_fail(s, doing, err);
    // A full disk may have taken it back already.
    if (status != PUM_OK && !sqlite3_get_autocommit(s->db)) store_run(s, SQL_ROLLBACK, "");
    return status;
}

int64_t store_now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

char *store_copy_column(sqlite3_stmt *stmt, int column) {
    const char *text = (const char *)sqlite3_column_text(stmt, column);
    return text ? strdup(text) : NULL;
}

/* ---- opening */

/* What became of a try: with OPEN_DAMAGED the file is no database of ours, and `why` says what was seen. */
typedef enum opened { OPEN_OK, OPEN_FAILED, OPEN_DAMAGED } opened;

static bool means_damage(int code) { return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB; }

/* The first column of a query's first row; `none` where there is no row. Returns SQLite's code. */
static int ask_number(sqlite3 *db, const char *sql, int64_t none, int64_t *number) {
    sqlite3_stmt *stmt;
    *number = none;
    int code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (code != SQLITE_OK) return code;
    if (sqlite3_step(stmt) == SQLITE_ROW) *number = sqlite3_column_int64(stmt, 0);
    return sqlite3_finalize(stmt);
}

/* "ok", or the first thing that is wrong. */
static int quick_check(sqlite3 *db, char *answer, size_t n_bytes) {
    sqlite3_stmt *stmt;
    answer[0] = 0;
    int code = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    if (code != SQLITE_OK) return code;
    if (sqlite3_step(stmt) == SQLITE_ROW) snprintf(answer, n_bytes, "%s", (const char *)sqlite3_column_text(stmt, 0));
    return sqlite3_finalize(stmt);
}

static int migrate(sqlite3 *db) {
    int64_t version;
    char sql[96];
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    if (code != SQLITE_OK) return code;
    // Asked again: another process may have done it meanwhile.
    code = ask_number(db, "PRAGMA user_version", 0, &version);
    for (; code == SQLITE_OK && version < VERSION; version++) code = sqlite3_exec(db, migrations[version], NULL, NULL, NULL);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d; PRAGMA application_id = %d", VERSION, APPLICATION_ID);
    if (code == SQLITE_OK) code = sqlite3_exec(db, sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (!sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}

static int prepare(store *s) {
    for (int i = 0; i < N_STORE_SQL; i++) {
        int code = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL);
        if (code != SQLITE_OK) return code;
    }
    return SQLITE_OK;
}

static void close_database(store *s) {
    for (int i = 0; i < N_STORE_SQL; i++) {
        sqlite3_finalize(s->statements[i]);
        s->statements[i] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
}

/* A file that could be ours is opened, looked at before anything is written, and brought to this version. */
static opened open_database(store *s, char *why, size_t n_why, pum_error *err) {
    const char *doing = "the chats could not be opened", *path = s->path ? s->path : ":memory:";
    int64_t version = 0, id = 0, n_tables = 0;
    struct stat st;
    if (s->path && stat(s->path, &st) == 0 && !S_ISREG(st.st_mode)) {
        snprintf(why, n_why, "it is no file");
        return OPEN_DAMAGED;
    }
    int code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!s->db) return fail_memory(err), OPEN_FAILED;
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, BUSY_MS);
    // Until it is known to be ours.
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (code == SQLITE_OK) code = ask_number(s->db, "PRAGMA user_version", 0, &version);
    if (code == SQLITE_OK) code = ask_number(s->db, "PRAGMA application_id", 0, &id);
    if (code == SQLITE_OK) code = ask_number(s->db, "SELECT count(*) FROM sqlite_schema", 0, &n_tables);
    if (code == SQLITE_OK && n_tables > 0 && id != APPLICATION_ID) {
        snprintf(why, n_why, "it is a database of another program");
        return OPEN_DAMAGED;
    }
    if (code == SQLITE_OK && version > VERSION) {
        fail_with(err, PUM_ERR_UNSUPPORTED,
                  "%s was written by a newer Pumice (expected version %d at most, got %d); it is left as it is: use that Pumice",
                  path, VERSION, (int)version);
        return OPEN_FAILED;
    }
    char answer[200] = "ok";
    if (code == SQLITE_OK && n_tables > 0) code = quick_check(s->db, answer, sizeof answer);
    if (code == SQLITE_OK && strcmp(answer, "ok") != 0) {
        snprintf(why, n_why, "%s", answer);
        return OPEN_DAMAGED;
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(s->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON", NULL, NULL,
                            NULL);
    if (code == SQLITE_OK && version < VERSION) code = migrate(s->db);
    if (code == SQLITE_OK && prepare(s) != SQLITE_OK) { // the version says that all tables are there
        snprintf(why, n_why, "%s", sqlite3_errmsg(s->db));
        code = sqlite3_errcode(s->db);
        if (code == SQLITE_ERROR) return OPEN_DAMAGED;
    }
    if (code == SQLITE_OK) {
        sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return OPEN_OK;
    }
    snprintf(why, n_why, "%s", sqlite3_errmsg(s->db));
    if (means_damage(code)) return OPEN_DAMAGED;
    fail_code(code, path, sqlite3_errmsg(s->db), doing, err);
    return OPEN_FAILED;
}

/* The file and what belongs to it, under another name; aside [n_bytes]. */
static bool set_aside(const char *path, char *aside, size_t n_bytes) {
    char from[PATHS_MAX + 8], to[PATHS_MAX + 80], date[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&now, &tm));
    for (int i = 1; i < 1000; i++) {
        if (i == 1)
            snprintf(aside, n_bytes, "%s.damaged-%s", path, date);
        else
            snprintf(aside, n_bytes, "%s.damaged-%s-%d", path, date, i);
        if (access(aside, F_OK) == 0) continue;
        if (rename(path, aside) != 0) return false;
        snprintf(from, sizeof from, "%s-wal", path);
        snprintf(to, sizeof to, "%s-wal", aside);
        rename(from, to);
        snprintf(from, sizeof from, "%s-shm", path);
        unlink(from); // made anew from the log
        return true;
    }
    return false;
}

static bool make_folders(const char *path) {
    char folder[PATHS_MAX];
    if ((size_t)snprintf(folder, sizeof folder, "%s", path) >= sizeof folder) return false;
    for (char *at = folder + 1; *at; at++) {
        if (*at != '/') continue;
        *at = 0;
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) return false;
        *at = '/';
    }
    return true;
}

/* What a process that was killed has left: answers without an end. And an index that is damaged is made again from the texts. */
static pum_status tidy(store *s, pum_error *err) {
    const char *doing = "the chats could not be opened";
    if (!store_run(s, SQL_INDEX_CHECK, "") && (!means_damage(sqlite3_errcode(s->db)) || !store_run(s, SQL_INDEX_REBUILD, "")))
        return store_fail(s, doing, err);
    for (;;) {
        sqlite3_stmt *stmt = store_bind(s, SQL_STREAMING, "");
        int step = sqlite3_step(stmt);
        store_id message = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
        if (!store_done(stmt, step)) return store_fail(s, doing, err);
        if (!message) break;
        pum_status status = store_finish(s, message, STORE_INTERRUPTED, err);
        if (status != PUM_OK) return status;
    }
    return store_purge(s, store_now_ms() - STORE_KEEP_DELETED_MS, err);
}

static opened open_and_tidy(store *s, char *why, size_t n_why, pum_error *err) {
    opened how = open_database(s, why, n_why, err);
    if (how != OPEN_OK) return how;
    pum_status status = tidy(s, err);
    if (status == PUM_ERR_FORMAT) snprintf(why, n_why, "%s", sqlite3_errmsg(s->db));
    return status == PUM_OK ? OPEN_OK : status == PUM_ERR_FORMAT ? OPEN_DAMAGED : OPEN_FAILED;
}

pum_status store_open(const char *path, store **out, char *notice, pum_error *err) {
    *out = NULL;
    notice[0] = 0;
    char why[300] = "", aside[PATHS_MAX + 64];
    pum_error own;
    if (!err) err = &own;
    store *s = calloc(1, sizeof *s);
    if (!s) return fail_memory(err);
    pum_status status = PUM_OK;
    if (path && !(s->path = strdup(path))) {
        status = fail_memory(err);
        goto fail;
    }
    if (path && !make_folders(path)) {
        status =
            fail_with(err, PUM_ERR_IO, "the folder of %s could not be made (%s); look at the permissions", path, strerror(errno));
        goto fail;
    }
    opened how = open_and_tidy(s, why, sizeof why, err);
    if (how == OPEN_DAMAGED && path) {
        close_database(s);
        if (!set_aside(path, aside, sizeof aside)) {
            status = fail_with(err, PUM_ERR_IO, "%s is damaged (%.200s) and could not be set aside (%s); look at the permissions",
                               path, why, strerror(errno));
            goto fail;
        }
        snprintf(notice, STORE_NOTICE_BYTES,
                 "The file with the chats was damaged (%.200s). It was set aside as %.600s, and a new one begun.", why, aside);
        how = open_and_tidy(s, why, sizeof why, err);
    }
    if (how == OPEN_DAMAGED) status = fail_with(err, PUM_ERR_FORMAT, "a new file for chats cannot be used: %s", why);
    if (how == OPEN_FAILED) status = err->status;
    if (how == OPEN_OK) {
        *out = s;
        return PUM_OK;
    }
fail:
    store_close(&s);
    return status;
}

pum_status store_open_default(store **s, char *notice, pum_error *err) {
    char path[PATHS_MAX];
    pum_error why;
    pum_status status = paths_of(PATH_DATA, "chats.db", path, sizeof path)
                            ? store_open(path, s, notice, &why)
                            : fail_with(&why, PUM_ERR_IO, "there is no folder for chats: set HOME or XDG_DATA_HOME");
    if (status == PUM_OK) return PUM_OK;
    status = store_open(NULL, s, notice, err);
    snprintf(notice, STORE_NOTICE_BYTES, "Chats are not kept this time: %.900s.", why.message);
    return status;
}

void store_close(store **s_in) {
    store *s = *s_in;
    if (!s) return;
    close_database(s);
    free(s->path);
    free(s);
    *s_in = NULL;
}

bool store_is_kept(const store *s) { return s->path; }
