/* kill -9 at random moments, while answers stream and chats are edited, deleted and imported: the database opens, is sound, and
 * has whatever the store said it had, and whatever was shown for more than a second. test_store_kill KILLS [SEED] */
#include "chat/store.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sqlite3.h>

enum { MAX_SEEN = 1 << 20, FLUSH_MS = 400, LONGEST_MS = 2200 }; ///< FLUSH_MS: as the window does it

/* What the child says of a message: so long it was, and this the hash of it. kept: the store has taken it; else it was only
 * shown. */
typedef struct seen {
    int64_t at_ms;
    store_id message, chat;
    uint64_t n, hash;
    bool kept;
    int deleted; ///< whether the chat is to be gone from the list; -1: not known
} seen;

static char path[64];
static int tell_fd;
static uint64_t random_state;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % below;
}

static uint64_t hash_of(const char *text, uint64_t n) {
    uint64_t h = 1469598103934665603u;
    for (uint64_t i = 0; i < n; i++) h = (h ^ (uint8_t)text[i]) * 1099511628211u;
    return h;
}

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(int ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

/* ---- the child */

static void must(pum_status status, const pum_error *err) {
    if (status == PUM_OK) return;
    fprintf(stderr, "child: %s\n", err->message);
    _exit(3);
}

static void tell(store_id chat, store_id message, const char *text, bool kept) {
    seen one = {now_ms(), message, chat, strlen(text), hash_of(text, strlen(text)), kept, 0};
    if (write(tell_fd, &one, sizeof one) != sizeof one) _exit(4);
}

static void tell_deleted(store_id chat, int deleted) {
    seen one = {.at_ms = now_ms(), .chat = chat, .kept = true, .deleted = deleted};
    if (write(tell_fd, &one, sizeof one) != sizeof one) _exit(4);
}

static const char *const words[] = {"a ",       "zeppelin ", "한국어 ", "rises ",  "over ", "東京の",
                                    "towers\n", "and ",      "🎈",       "nobody ", "sees. "};
enum { N_WORDS = (int)(sizeof words / sizeof *words) };

static void stream(store *s, store_id chat, store_id parent) {
    pum_error err;
    store_id id;
    char all[4096] = "", waits[4096] = "";
    int64_t flushed = now_ms();
    must(store_add(s, chat, parent, STORE_ASSISTANT, "", "a model", STORE_STREAMING, &id, &err), &err);
    for (uint32_t i = 0, n = 5 + draw(120); i < n; i++) {
        const char *word = words[draw(N_WORDS)];
        strcat(all, word);
        strcat(waits, word);
        tell(chat, id, all, false); // as it is drawn
        sleep_ms((int)draw(20));
        if (now_ms() - flushed < FLUSH_MS) continue;
        must(store_append(s, id, waits, &err), &err);
        tell(chat, id, all, true);
        waits[0] = 0;
        flushed = now_ms();
    }
    must(store_append(s, id, waits, &err), &err);
    must(store_finish(s, id, draw(2) ? STORE_FINISHED : STORE_STOPPED, &err), &err);
    tell(chat, id, all, true);
}

static void ask(store *s, store_id chat, store_id parent) {
    pum_error err;
    store_id id;
    char text[64];
    snprintf(text, sizeof text, "question %u %s", draw(100000), words[draw(N_WORDS)]);
    must(store_add(s, chat, parent, STORE_USER, text, NULL, STORE_FINISHED, &id, &err), &err);
    tell(chat, id, text, true);
    stream(s, chat, id);
}

static void import_copy(store *s, store_id chat) {
    pum_error err;
    char *json;
    store_id copy;
    store_message *m;
    size_t n;
    must(store_export_json(s, chat, &json, &err), &err);
    must(store_import(s, json, strlen(json), NULL, &copy, &err), &err);
    must(store_tree(s, copy, &m, &n, &err), &err);
    for (size_t i = 0; i < n; i++) tell(copy, m[i].id, m[i].text, true);
    store_messages_free(m, n);
    free(json);
}

/* Something that a person does with one of the chats. */
static void act(store *s, store_id chat, const store_message *m, size_t n) {
    pum_error err;
    store_id to;
    switch (draw(8)) {
    case 0: // edit
        ask(s, chat, n ? m[draw((uint32_t)n)].parent : 0);
        break;
    case 1: // regenerate
        for (size_t i = n; i-- > 0;)
            if (m[i].role == STORE_USER) {
                stream(s, chat, m[i].id);
                break;
            }
        break;
    case 2:
        if (n) must(store_walk(s, m[draw((uint32_t)n)].id, (int)draw(3) - 1, &to, &err), &err);
        break;
    case 3:
        tell_deleted(chat, -1); // it may be killed before it can say what became of it
        must(store_delete(s, chat, &err), &err);
        tell_deleted(chat, 1);
        if (draw(2)) break;
        tell_deleted(chat, -1);
        must(store_undelete(s, chat, &err), &err);
        tell_deleted(chat, 0);
        break;
    case 4:
        import_copy(s, chat);
        break;
    case 5:
        must(store_rename(s, chat, words[draw(N_WORDS)], &err), &err);
        must(store_set_draft(s, chat, words[draw(N_WORDS)], &err), &err);
        break;
    default:
        ask(s, chat, n ? m[n - 1].id : 0);
        break;
    }
}

static _Noreturn void live(uint64_t seed) {
    pum_error err;
    char notice[STORE_NOTICE_BYTES];
    store *s;
    random_state = seed;
    must(store_open(path, &s, notice, &err), &err);
    for (;;) {
        store_chat *chats;
        size_t n_chats, n;
        store_message *m;
        store_id chat;
        must(store_list(s, &chats, &n_chats, &err), &err);
        if (n_chats < 3 || draw(10) == 0)
            must(store_chat_add(s, &chat, &err), &err);
        else
            chat = chats[draw((uint32_t)(n_chats < 20 ? n_chats : 20))].id;
        store_chats_free(chats, n_chats);
        must(store_branch(s, chat, &m, &n, &err), &err);
        act(s, chat, m, n);
        store_messages_free(m, n);
    }
}

/* ---- the parent */

static seen *all;
static size_t n_all;

/* Takes what the child has said before it was killed; of a message only the last of each kind is of interest. */
static bool listen(int fd, int64_t killed_ms) {
    seen one;
    ssize_t got;
    while ((got = read(fd, &one, sizeof one)) == sizeof one) {
        if (!one.kept && one.at_ms > killed_ms - 1000) continue; // may be lost
        size_t i = 0;
        for (i = n_all; i-- > 0;)
            if (all[i].message == one.message && all[i].chat == one.chat) break;
        if (i == (size_t)-1) {
            if (n_all == MAX_SEEN) return false;
            i = n_all++;
        }
        if (one.message == 0 || one.n >= all[i].n) all[i] = one;
    }
    return got >= 0;
}

static bool sound(bool whole) {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    bool ok =
        sqlite3_open(path, &db) == SQLITE_OK && sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK;
    if (ok) {
        ok = sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
        sqlite3_finalize(stmt);
    }
    ok = ok && (!whole ||
                sqlite3_exec(db, "INSERT INTO words(words, rank) VALUES('integrity-check', 1)", NULL, NULL, NULL) == SQLITE_OK);
    if (!ok) printf("FAILED: not sound: %s\n", sqlite3_errmsg(db));
    sqlite3_close(db);
    return ok;
}

static bool holds(store *s, const seen *one) {
    store_message *m;
    size_t n;
    pum_error err;
    if (store_tree(s, one->chat, &m, &n, &err) != PUM_OK) return false;
    bool ok = false;
    for (size_t i = 0; i < n; i++)
        if (m[i].id == one->message)
            ok = strlen(m[i].text) >= one->n && hash_of(m[i].text, one->n) == one->hash && m[i].state != STORE_STREAMING;
    store_messages_free(m, n);
    return ok;
}

static bool listed(store *s, store_id chat) {
    store_chat *chats;
    size_t n;
    pum_error err;
    bool found = false;
    if (store_list(s, &chats, &n, &err) != PUM_OK) return false;
    for (size_t i = 0; i < n; i++) found = found || chats[i].id == chat;
    store_chats_free(chats, n);
    return found;
}

/* from: what was said before was looked at already, unless it is the end. */
static bool check(size_t from, bool whole) {
    store *s;
    pum_error err;
    char notice[STORE_NOTICE_BYTES];
    if (store_open(path, &s, notice, &err) != PUM_OK || notice[0]) {
        printf("FAILED: it does not open: %s%s\n", notice, notice[0] ? "" : err.message);
        return false;
    }
    bool ok = true;
    for (size_t i = from; i < n_all && ok; i++) {
        ok = all[i].message ? holds(s, &all[i]) : all[i].deleted < 0 || listed(s, all[i].chat) != all[i].deleted;
        if (!ok)
            printf("FAILED: chat %lld, message %lld: %s\n", (long long)all[i].chat, (long long)all[i].message,
                   all[i].message ? "what was there is not there" : "deleted or not");
    }
    store_close(&s);
    return ok && sound(whole);
}

int main(int argc, char **argv) {
    int kills = argc > 1 ? atoi(argv[1]) : 40;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 20240501;
    char folder[] = "/tmp/pumice-kill-XXXXXX", command[64];
    if (!mkdtemp(folder) || !(all = calloc(MAX_SEEN, sizeof *all))) return 1;
    snprintf(path, sizeof path, "%s/chats.db", folder);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    printf("%d kills, seed %llu\n", kills, (unsigned long long)seed);
    bool ok = true;
    size_t n_shown = 0;
    for (int k = 0; k < kills && ok; k++) {
        random_state = seed + (uint64_t)k * 977;
        int ms = (int)draw(LONGEST_MS), pipe_fds[2], status;
        size_t before = n_all;
        if (pipe(pipe_fds) != 0) return 1;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            close(pipe_fds[0]);
            tell_fd = pipe_fds[1];
            live(seed ^ (uint64_t)k << 20);
        }
        close(pipe_fds[1]);
        // What it says is read after its end: it is less than a pipe holds, and where it is more the child waits, and is killed
        // waiting.
        sleep_ms(ms);
        kill(child, SIGKILL);
        int64_t killed = now_ms();
        waitpid(child, &status, 0);
        if (!WIFSIGNALED(status)) {
            printf("FAILED: kill %d: the child ended by itself, with status %d\n", k, WEXITSTATUS(status));
            ok = false;
        }
        ok = ok && listen(pipe_fds[0], killed);
        close(pipe_fds[0]);
        // Chats of earlier runs may have been deleted or gone on: those records were replaced, and are looked at in the end.
        ok = ok && check(before, k % 10 == 0);
        n_shown += n_all - before;
        if (!ok) printf("at kill %d of %d, after %d ms\n", k + 1, kills, ms);
    }
    ok = ok && check(0, true);
    printf("%s: %zu messages and deletions were followed\n", ok ? "ok" : "FAILED", n_shown);
    free(all);
    if (system(command) != 0) ok = false;
    return ok && (n_shown > 0 || kills < 20) ? 0 : 1;
}
