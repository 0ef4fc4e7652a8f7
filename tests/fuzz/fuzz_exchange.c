/* Any bytes as a chat's file: it is imported as a whole or not at all, and what was imported is the same chat after it has gone
 * through JSON. */
#include "chat/store.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static store *s;

static void done(pum_status status) { must(status == PUM_OK, "the store failed"); }

/* A file that is refused has a sentence, and leaves nothing. */
static bool import(const char *bytes, size_t n_bytes, store_id *chat) {
    pum_error err = {0};
    pum_status status = store_import(s, bytes, n_bytes, "a file", chat, &err);
    if (status == PUM_OK) return true;
    must_be_error(status, &err);
    store_chat *chats = NULL;
    size_t n = 0;
    done(store_list(s, &chats, &n, NULL));
    must(*chat == 0 && n == 0, "a part of a chat that was refused");
    store_chats_free(chats, n);
    return false;
}

static bool same_text(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static size_t index_of(const store_message *messages, size_t n, store_id id) {
    size_t i = 0;
    while (i < n && messages[i].id != id) i++;
    return i;
}

static void check_same_tree(store_id chat, store_id other) {
    store_message *a = NULL, *b = NULL;
    size_t n = 0, n_other = 0;
    done(store_tree(s, chat, &a, &n, NULL));
    done(store_tree(s, other, &b, &n_other, NULL));
    must(n == n_other, "messages that were lost");
    for (size_t i = 0; i < n; i++) {
        must(a[i].role == b[i].role && a[i].state == b[i].state && same_text(a[i].text, b[i].text) &&
                 same_text(a[i].model, b[i].model),
             "another message");
        must(a[i].created_ms == b[i].created_ms && a[i].finished_ms == b[i].finished_ms, "another time");
        must(a[i].sibling == b[i].sibling && a[i].n_siblings == b[i].n_siblings && a[i].walked == b[i].walked, "another branch");
        must(a[i].parent ? index_of(a, n, a[i].parent) == index_of(b, n, b[i].parent) : !b[i].parent, "another parent");
        must(a[i].state != STORE_STREAMING, "a message that nobody writes");
    }
    store_messages_free(a, n);
    store_messages_free(b, n);
}

static void check_same_chat(store_id chat, store_id other) {
    char *title = NULL, *other_title = NULL;
    store_settings settings = {0}, other_settings = {0};
    done(store_title(s, chat, &title, NULL));
    done(store_title(s, other, &other_title, NULL));
    done(store_get_settings(s, chat, &settings, NULL));
    done(store_get_settings(s, other, &other_settings, NULL));
    must(same_text(title, other_title), "another title");
    must(same_text(settings.system, other_settings.system) && settings.has_sampling == other_settings.has_sampling,
         "other settings");
    free(title);
    free(other_title);
    store_settings_free(&settings);
    store_settings_free(&other_settings);
    check_same_tree(chat, other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char notice[STORE_NOTICE_BYTES], *json = NULL, *markdown = NULL;
    store_id chat, other;
    if (!s) done(store_open(NULL, &s, notice, NULL));
    if (!import((const char *)data, size, &chat)) return 0;
    done(store_export_json(s, chat, &json, NULL));
    done(store_export_markdown(s, chat, &markdown, NULL));
    must(store_import(s, json, strlen(json), NULL, &other, NULL) == PUM_OK, "a chat that was exported and cannot be imported");
    check_same_chat(chat, other);
    free(json);
    free(markdown);
    done(store_delete(s, chat, NULL));
    done(store_delete(s, other, NULL));
    done(store_purge(s, INT64_MAX, NULL));
    return 0;
}
