/* What the files of the store share: the database and its statements. */
#ifndef CHAT_STORE_INTERNAL_H
#define CHAT_STORE_INTERNAL_H

#include "chat/fail.h"
#include "store.h"

#include <sqlite3.h>

/* Every statement of the store, prepared once when it is opened: name, SQL. */
#define STORE_STATEMENTS(X)                                                                                                      \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                                                  \
    X(COMMIT, "COMMIT")                                                                                                          \
    X(ROLLBACK, "ROLLBACK")                                                                                                      \
    X(LIST,                                                                                                                      \
      "SELECT id, title, pinned, created, updated FROM chats WHERE deleted IS NULL ORDER BY pinned DESC, updated DESC, id DESC") \
    X(CHAT_ADD, "INSERT INTO chats(created, updated) VALUES(?1, ?1)")                                                            \
    X(CHAT_TITLE, "SELECT title, named FROM chats WHERE id = ?1")                                                                \
    X(CHAT_RENAME, "UPDATE chats SET title = ?2, named = ?3 WHERE id = ?1")                                                      \
    X(CHAT_NAME, "UPDATE chats SET title = ?2 WHERE id = ?1 AND NOT named AND title = ''")                                       \
    X(CHAT_PIN, "UPDATE chats SET pinned = ?2 WHERE id = ?1")                                                                    \
    X(CHAT_DELETE, "UPDATE chats SET deleted = ?2 WHERE id = ?1")                                                                \
    X(CHAT_TOUCH, "UPDATE chats SET updated = ?2 WHERE id = ?1")                                                                 \
    X(CHAT_TIMES, "UPDATE chats SET created = ?2, updated = ?3 WHERE id = ?1")                                                   \
    X(CHAT_PURGE, "DELETE FROM chats WHERE deleted < ?1")                                                                        \
    X(CHAT_GET, "SELECT title, pinned, created, updated, named FROM chats WHERE id = ?1")                                        \
    X(SETTINGS_SET,                                                                                                              \
      "UPDATE chats SET system = ?2, preset = ?3, temp = ?4, top_k = ?5, top_p = ?6, min_p = ?7, repeat_penalty = ?8, "          \
      "presence_penalty = ?9, frequency_penalty = ?10, penalty_last_n = ?11, seed = ?12 WHERE id = ?1")                          \
    X(SETTINGS_GET, "SELECT system, preset, temp, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, "    \
                    "penalty_last_n, seed FROM chats WHERE id = ?1")                                                             \
    X(DRAFT_SET, "UPDATE chats SET draft = ?2 WHERE id = ?1")                                                                    \
    X(DRAFT_GET, "SELECT draft FROM chats WHERE id = ?1")                                                                        \
    X(EDIT_SET, "UPDATE chats SET edited = ?2, edit = ?3 WHERE id = ?1")                                                         \
    X(EDIT_GET, "SELECT edited, coalesce(edit, '') FROM chats WHERE id = ?1 AND edited IS NOT NULL")                             \
    X(STATE_SET, "INSERT INTO state(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = excluded.value")           \
    X(STATE_GET, "SELECT value FROM state WHERE key = ?1")                                                                       \
    X(OPEN_CHAT, "SELECT id FROM chats WHERE deleted IS NULL AND id = (SELECT value FROM state WHERE key = 'open_chat')")        \
    X(PRESET_SAVE, "INSERT INTO presets(name, system, temp, top_k, top_p, min_p, repeat_penalty, presence_penalty, "             \
                   "frequency_penalty, penalty_last_n, seed) VALUES(?1, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "             \
                   "ON CONFLICT(name) DO UPDATE SET system = excluded.system, temp = excluded.temp, top_k = excluded.top_k, "    \
                   "top_p = excluded.top_p, min_p = excluded.min_p, repeat_penalty = excluded.repeat_penalty, "                  \
                   "presence_penalty = excluded.presence_penalty, frequency_penalty = excluded.frequency_penalty, "              \
                   "penalty_last_n = excluded.penalty_last_n, seed = excluded.seed")                                             \
    X(PRESET_ID, "SELECT id FROM presets WHERE name = ?1")                                                                       \
    X(PRESET_NAME, "SELECT name FROM presets WHERE id = ?1")                                                                     \
    X(PRESET_DELETE, "DELETE FROM presets WHERE id = ?1")                                                                        \
    X(PRESETS, "SELECT system, id, temp, top_k, top_p, min_p, repeat_penalty, presence_penalty, frequency_penalty, "             \
               "penalty_last_n, seed, name FROM presets ORDER BY name COLLATE NOCASE, id")                                       \
    X(ADD,                                                                                                                       \
      "INSERT INTO messages(chat, parent, role, text, model, state, created, finished) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")  \
    X(WALK_FROM_PARENT, "UPDATE messages SET walked = ?2 WHERE id = ?1")                                                         \
    X(WALK_FROM_CHAT, "UPDATE chats SET walked = ?2 WHERE id = ?1")                                                              \
    X(PARENT_IS_IN_CHAT, "SELECT 1 FROM messages WHERE id = ?1 AND chat = ?2")                                                   \
    X(PLACE, "SELECT chat, parent FROM messages WHERE id = ?1")                                                                  \
    X(PIECE_ADD, "INSERT INTO pieces(message, text) SELECT id, ?2 FROM messages WHERE id = ?1")                                  \
    X(FOLD, "UPDATE messages SET text = text || (SELECT coalesce(group_concat(text, ''), '') FROM "                              \
            "(SELECT text FROM pieces WHERE message = ?1 ORDER BY id)) WHERE id = ?1")                                           \
    X(PIECES_DELETE, "DELETE FROM pieces WHERE message = ?1")                                                                    \
    X(STATE_OF, "UPDATE messages SET state = ?2, finished = ?3 WHERE id = ?1")                                                   \
    X(STREAMING, "SELECT id FROM messages WHERE state = 0")                                                                      \
    X(FIRST_TEXT, "SELECT text FROM messages WHERE chat = ?1 AND role = ?2 ORDER BY id LIMIT 1")                                 \
    X(BRANCH, "WITH RECURSIVE path(id, depth) AS (SELECT walked, 0 FROM chats WHERE id = ?1 AND walked IS NOT NULL "             \
              "UNION ALL SELECT m.walked, depth + 1 FROM path JOIN messages m ON m.id = path.id WHERE m.walked > m.id) "         \
              "SELECT m.id, m.parent, m.role, m.state, " STORE_WHOLE_TEXT ", m.model, m.created, m.finished, "                   \
              "(SELECT count(*) FROM messages o WHERE o.chat = m.chat AND o.parent IS m.parent AND o.id < m.id), "               \
              "(SELECT count(*) FROM messages o WHERE o.chat = m.chat AND o.parent IS m.parent), 1 "                             \
              "FROM path JOIN messages m ON m.id = path.id ORDER BY depth")                                                      \
    X(TREE,                                                                                                                      \
      "SELECT m.id, m.parent, m.role, m.state, " STORE_WHOLE_TEXT ", m.model, m.created, m.finished, "                           \
      "(SELECT count(*) FROM messages o WHERE o.chat = m.chat AND o.parent IS m.parent AND o.id < m.id), "                       \
      "(SELECT count(*) FROM messages o WHERE o.chat = m.chat AND o.parent IS m.parent), "                                       \
      "m.id IS CASE WHEN m.parent IS NULL THEN c.walked ELSE p.walked END "                                                      \
      "FROM messages m JOIN chats c ON c.id = m.chat LEFT JOIN messages p ON p.id = m.parent WHERE m.chat = ?1 ORDER BY m.id")   \
    X(SIBLINGS, "SELECT id FROM messages WHERE chat = ?1 AND parent IS ?2 ORDER BY id")                                          \
    X(FIND_LONG, "SELECT c.id, c.title, c.pinned, c.created, c.updated, max(w.rowid), coalesce(m.text, c.title) "                \
                 "FROM words w LEFT JOIN messages m ON m.id = w.rowid JOIN chats c ON c.id = coalesce(m.chat, -w.rowid) "        \
                 "WHERE words MATCH ?5 AND c.deleted IS NULL AND " STORE_SHORT("coalesce(m.text, c.title)") STORE_FOUND)         \
    X(FIND_SHORT, "SELECT c.id, c.title, c.pinned, c.created, c.updated, max(t.id), t.text FROM searchable t "                   \
                  "JOIN chats c ON c.id = t.chat WHERE c.deleted IS NULL AND " STORE_SHORT("t.text") STORE_FOUND)                \
    X(INDEX_CHECK, "INSERT INTO words(words) VALUES('integrity-check')")                                                         \
    X(INDEX_REBUILD, "INSERT INTO words(words) VALUES('rebuild')")

/* The text with the pieces that have come since it was last whole. */
#define STORE_WHOLE_TEXT                                                                                                         \
    "m.text || (SELECT coalesce(group_concat(text, ''), '') FROM (SELECT text FROM pieces WHERE message = m.id ORDER BY id))"

/* Words that are too short for the index: patterns of LIKE, or '%'. Of a chat, the last message that matches; a title, whose
 * number is negative, only where none does. */
#define STORE_SHORT(text)                                                                                                        \
    text " LIKE ?1 ESCAPE '\\' AND " text " LIKE ?2 ESCAPE '\\' AND " text " LIKE ?3 ESCAPE '\\' AND " text                      \
         " LIKE ?4 ESCAPE '\\' "
#define STORE_FOUND "GROUP BY c.id ORDER BY c.pinned DESC, c.updated DESC, c.id DESC LIMIT 200"
enum { STORE_SHORT_WORDS = 4 };

typedef enum store_sql {
#define STORE_NAME(name, sql) SQL_##name,
    STORE_STATEMENTS(STORE_NAME)
#undef STORE_NAME
        N_STORE_SQL
} store_sql;

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STORE_SQL];
    char *path; ///< NULL: in memory
};

/// The sentence for what SQLite has just refused. doing: "the chat could not be renamed".
pum_status store_fail(const store *s, const char *doing, pum_error *err);

/// A statement with its parameters bound, to be stepped and then given to store_done. types, one letter a parameter: i int64_t,
/// d double, t text (NULL: NULL; borrowed until store_done), n store_id (0: NULL).
sqlite3_stmt *store_bind(store *s, store_sql sql, const char *types, ...);
/// After stepping: step is what sqlite3_step said last. Returns whether the statement came to its end well.
bool store_done(sqlite3_stmt *stmt, int step);
/// Binds, runs to the end, and returns whether it went well.
bool store_run(store *s, store_sql sql, const char *types, ...);
/// As store_run, for one that must have changed a row.
pum_status store_change(store *s, const char *doing, pum_error *err, store_sql sql, const char *types, ...);

/// Everything up to store_commit happens or nothing of it does.
pum_status store_begin(store *s, const char *doing, pum_error *err);
/// Takes all back where status is an error, and returns it.
pum_status store_commit(store *s, pum_status status, const char *doing, pum_error *err);

int64_t store_now_ms(void);
/// A column as a new string; NULL for NULL, and where the heap is out.
char *store_copy_column(sqlite3_stmt *stmt, int column);

/// What names a chat after a text: its first words, cut between words; "" where it has none. title [STORE_TITLE_BYTES].
void store_title_of(const char *text, char *title);

/// Columns of SETTINGS_GET and PRESETS from `first` on.
bool store_read_settings(sqlite3_stmt *stmt, store_settings *settings);
bool store_bind_settings(sqlite3_stmt *stmt, const store_settings *settings);
pum_status store_check_settings(const store_settings *settings, pum_error *err);

/// As store_add, in a transaction of the caller's, and at that time.
pum_status store_add_at(store *s, store_id chat, store_id parent, store_role role, const char *text, const char *model,
                        store_state state, int64_t created_ms, int64_t finished_ms, store_id *message, pum_error *err);
/// In a transaction of the caller's.
pum_status store_walk_to(store *s, store_id chat, store_id parent, store_id message, pum_error *err);

#endif
