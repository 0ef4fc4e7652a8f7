/* The store of chats: what is written is read, found, walked, exported and imported; what is damaged is set aside. */
#include "chat/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

static char folder[64], path[128];
static pum_error err;
static char notice[STORE_NOTICE_BYTES];

static void ok(pum_status status) {
    if (status != PUM_OK) print_error("%s\n", err.message);
    assert_int_equal(status, PUM_OK);
}

/* A sentence that names what it is about. */
static void fails(pum_status status, pum_status expected, const char *word) {
    assert_int_equal(status, expected);
    assert_int_equal(err.status, expected);
    if (!strstr(err.message, word)) print_error("expected \"%s\" in: %s\n", word, err.message);
    assert_non_null(strstr(err.message, word));
}

static int fresh(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pumice-store-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/a/b/chats.db", folder);
    return 0;
}

static int removed(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static store *opened(void) {
    store *s;
    ok(store_open(path, &s, notice, &err));
    return s;
}

static store *opened_well(void) {
    store *s = opened();
    assert_string_equal(notice, "");
    return s;
}

static store_id add(store *s, store_id chat, store_id parent, const char *text) {
    store_id id;
    ok(store_add(s, chat, parent, STORE_USER, text, NULL, STORE_FINISHED, &id, &err));
    return id;
}

static store_id answer(store *s, store_id chat, store_id parent, const char *text) {
    store_id id;
    ok(store_add(s, chat, parent, STORE_ASSISTANT, text, "a model", STORE_FINISHED, &id, &err));
    return id;
}

static store_id chat_of(store *s, const char *question) {
    store_id chat;
    ok(store_chat_add(s, &chat, &err));
    add(s, chat, 0, question);
    return chat;
}

/* The branch's texts, with | between them, and k/n behind those that have siblings. */
static void branch_is(store *s, store_id chat, const char *expected) {
    store_message *m;
    size_t n;
    char got[4096] = "";
    ok(store_branch(s, chat, &m, &n, &err));
    for (size_t i = 0; i < n; i++) {
        char one[512];
        snprintf(one, sizeof one, "%s%.400s", i ? "|" : "", m[i].text);
        strcat(got, one);
        snprintf(one, sizeof one, " %d/%d", m[i].sibling + 1, m[i].n_siblings);
        if (m[i].n_siblings > 1) strcat(got, one);
        assert_int_equal(m[i].parent, i ? m[i - 1].id : 0);
    }
    store_messages_free(m, n);
    assert_string_equal(got, expected);
}

static void title_is(store *s, store_id chat, const char *expected) {
    char *title;
    ok(store_title(s, chat, &title, &err));
    assert_string_equal(title, expected);
    free(title);
}

static size_t count_found(store *s, const char *query, store_id *first) {
    store_chat *c;
    size_t n;
    ok(store_search(s, query, &c, &n, &err));
    if (first) *first = n ? c[0].id : 0;
    for (size_t i = 0; i < n && query[strspn(query, " \t")]; i++) assert_non_null(c[i].found);
    store_chats_free(c, n);
    return n;
}

/* What SQLite itself finds, and whether the index is that of the texts. */
static void is_sound_to(const char *check, const char *index_check) {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, check, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_exec(db, index_check, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void is_sound(void) {
    is_sound_to("PRAGMA integrity_check", "INSERT INTO words(words, rank) VALUES('integrity-check', 1)");
}

/* ---- what is written is read */

static void test_tree(void **state) {
    (void)state;
    store *s = opened_well();
    store_id chat = chat_of(s, "first"), other = chat_of(s, "other"), id, first, to;
    store_message *m;
    size_t n;
    branch_is(s, chat, "first");
    ok(store_branch(s, chat, &m, &n, &err));
    first = m[0].id;
    store_messages_free(m, n);
    store_id a1 = answer(s, chat, first, "one");
    branch_is(s, chat, "first|one");
    store_id u2 = add(s, chat, a1, "second");
    answer(s, chat, u2, "two");
    branch_is(s, chat, "first|one|second|two");
    // Regenerated: a sibling of the answer. Edited: one of the question.
    answer(s, chat, first, "ONE");
    branch_is(s, chat, "first|ONE 2/2");
    answer(s, chat, first, "1");
    branch_is(s, chat, "first|1 3/3");
    ok(store_walk(s, a1, 0, &to, &err));
    branch_is(s, chat, "first|one 1/3|second|two");
    ok(store_walk(s, a1, -1, &to, &err)); // there is none to the left
    assert_int_equal(to, a1);
    ok(store_walk(s, a1, 1, &to, &err));
    branch_is(s, chat, "first|ONE 2/3");
    ok(store_walk(s, to, 5, &to, &err)); // the outermost
    branch_is(s, chat, "first|1 3/3");
    ok(store_walk(s, to, -2, &to, &err));
    assert_int_equal(to, a1);
    branch_is(s, chat, "first|one 1/3|second|two"); // what lay below it was kept in mind
    add(s, chat, 0, "FIRST");
    branch_is(s, chat, "FIRST 2/2");
    ok(store_walk(s, first, 0, &to, &err));
    branch_is(s, chat, "first 1/2|one 1/3|second|two");
    branch_is(s, other, "other");
    // What is not there.
    fails(store_add(s, chat, 99999, STORE_USER, "x", NULL, STORE_FINISHED, &id, &err), PUM_ERR_ARGUMENT, "not there");
    assert_int_equal(id, 0);
    fails(store_add(s, other, a1, STORE_USER, "x", NULL, STORE_FINISHED, &id, &err), PUM_ERR_ARGUMENT, "not there");
    fails(store_add(s, 99999, 0, STORE_USER, "x", NULL, STORE_FINISHED, &id, &err), PUM_ERR_ARGUMENT, "not there");
    fails(store_append(s, 99999, "x", &err), PUM_ERR_ARGUMENT, "not there");
    fails(store_walk(s, 99999, 1, &to, &err), PUM_ERR_ARGUMENT, "not there");
    fails(store_rename(s, 99999, "x", &err), PUM_ERR_ARGUMENT, "not there");
    store_close(&s);
    is_sound();
    s = opened_well();
    branch_is(s, chat, "first 1/2|one 1/3|second|two");
    store_close(&s);
}

static void test_streaming(void **state) {
    (void)state;
    store *s = opened_well(), *second;
    store_id chat = chat_of(s, "question"), a;
    store_message *m;
    size_t n;
    ok(store_branch(s, chat, &m, &n, &err));
    ok(store_add(s, chat, m[0].id, STORE_ASSISTANT, "", "a model", STORE_STREAMING, &a, &err));
    store_messages_free(m, n);
    ok(store_append(s, a, "There ", &err));
    ok(store_append(s, a, "was a zeppelin", &err));
    branch_is(s, chat, "question|There was a zeppelin");
    // Another process that opens it takes what is there for broken off; this one goes on.
    ok(store_open(path, &second, notice, &err));
    branch_is(second, chat, "question|There was a zeppelin");
    assert_int_equal(count_found(second, "zeppelin", NULL), 1);
    ok(store_branch(second, chat, &m, &n, &err));
    assert_int_equal(m[1].state, STORE_INTERRUPTED);
    assert_string_equal(m[1].model, "a model");
    store_messages_free(m, n);
    ok(store_append(s, a, " once", &err));
    branch_is(second, chat, "question|There was a zeppelin once");
    ok(store_finish(s, a, STORE_STOPPED, &err));
    branch_is(s, chat, "question|There was a zeppelin once");
    assert_int_equal(count_found(s, "lin once", NULL), 1);
    // It goes on later.
    ok(store_resume(s, a, &err));
    ok(store_append(s, a, ", they say", &err));
    ok(store_finish(s, a, STORE_FINISHED, &err));
    ok(store_branch(s, chat, &m, &n, &err));
    assert_string_equal(m[1].text, "There was a zeppelin once, they say");
    assert_int_equal(m[1].state, STORE_FINISHED);
    assert_true(m[1].finished_ms >= m[1].created_ms);
    store_messages_free(m, n);
    store_close(&second);
    store_close(&s);
    is_sound();
}

static void test_long_chain(void **state) {
    (void)state;
    store *s = opened_well();
    store_id chat, id = 0;
    store_message *m;
    size_t n;
    ok(store_chat_add(s, &chat, &err));
    for (int i = 0; i < 3000; i++) id = add(s, chat, id, "deeper than SQLite's triggers go");
    ok(store_branch(s, chat, &m, &n, &err));
    assert_int_equal(n, 3000);
    store_messages_free(m, n);
    ok(store_delete(s, chat, &err));
    ok(store_purge(s, INT64_MAX, &err));
    ok(store_tree(s, chat, &m, &n, &err));
    assert_int_equal(n, 0);
    assert_int_equal(count_found(s, "triggers", NULL), 0);
    store_close(&s);
    is_sound();
}

static void test_chats(void **state) {
    (void)state;
    store *s = opened_well();
    store_id a = chat_of(s, "apples"), b = chat_of(s, "bananas"), c = chat_of(s, "cherries"), open;
    store_chat *chats;
    size_t n;
    add(s, a, 0, "later");
    ok(store_pin(s, b, true, &err));
    ok(store_list(s, &chats, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(chats[0].id, b);
    assert_true(chats[0].pinned && !chats[1].pinned);
    assert_string_equal(chats[0].title, "bananas");
    store_chats_free(chats, n);
    ok(store_set_open_chat(s, c, &err));
    ok(store_get_open_chat(s, &open, &err));
    assert_int_equal(open, c);
    ok(store_delete(s, c, &err));
    ok(store_get_open_chat(s, &open, &err));
    assert_int_equal(open, 0);
    assert_int_equal(count_found(s, "cherries", NULL), 0);
    assert_int_equal(count_found(s, "", NULL), 2);
    store_close(&s);
    s = opened_well();
    ok(store_undelete(s, c, &err));
    assert_int_equal(count_found(s, "cherries", NULL), 1);
    ok(store_delete(s, c, &err));
    ok(store_purge(s, INT64_MAX, &err));
    fails(store_undelete(s, c, &err), PUM_ERR_ARGUMENT, "not there");
    // Titles: a person's, and back to the first words.
    ok(store_rename(s, a, "  My fruit\nand more", &err));
    title_is(s, a, "My fruit");
    add(s, a, 0, "pears");
    title_is(s, a, "My fruit");
    assert_int_equal(count_found(s, "fruit", NULL), 1);
    assert_int_equal(count_found(s, "FRUIT my", NULL), 1);
    ok(store_rename(s, a, " ", &err));
    title_is(s, a, "apples");
    assert_int_equal(count_found(s, "fruit", NULL), 0);
    // Drafts, of chats and of the one that has not begun.
    char *draft;
    ok(store_set_draft(s, a, "half a thou", &err));
    ok(store_set_draft(s, 0, "한", &err));
    ok(store_get_draft(s, a, &draft, &err));
    assert_string_equal(draft, "half a thou");
    free(draft);
    ok(store_get_draft(s, 0, &draft, &err));
    assert_string_equal(draft, "한");
    free(draft);
    ok(store_get_draft(s, b, &draft, &err));
    assert_string_equal(draft, "");
    free(draft);
    // What is being edited is beside the draft.
    store_id edited;
    ok(store_get_edit(s, a, &edited, &draft, &err));
    assert_true(edited == 0 && !draft);
    ok(store_set_edit(s, a, 7, "another thou", &err));
    ok(store_get_edit(s, a, &edited, &draft, &err));
    assert_true(edited == 7);
    assert_string_equal(draft, "another thou");
    free(draft);
    ok(store_set_edit(s, a, 0, NULL, &err));
    ok(store_get_edit(s, a, &edited, &draft, &err));
    assert_true(edited == 0 && !draft);
    ok(store_get_draft(s, a, &draft, &err));
    assert_string_equal(draft, "half a thou");
    free(draft);
    store_close(&s);
    is_sound();
}

static void test_settings(void **state) {
    (void)state;
    store *s = opened_well();
    store_id chat = chat_of(s, "x"), preset, again;
    store_settings got, set = {.system = "Be brief.", .has_sampling = true, .sampling = pum_sampler_defaults()};
    store_preset *presets;
    size_t n;
    ok(store_get_settings(s, chat, &got, &err));
    assert_true(!got.system && !got.has_sampling && !got.preset);
    set.sampling.temp = 0.25f;
    set.sampling.top_k = 7;
    set.sampling.penalty_last_n = -1;
    set.sampling.seed = UINT64_MAX - 5;
    ok(store_preset_save(s, "short", &set, &preset, &err));
    set.preset = preset;
    ok(store_set_settings(s, chat, &set, &err));
    ok(store_get_settings(s, chat, &got, &err));
    assert_string_equal(got.system, "Be brief.");
    assert_true(got.has_sampling && got.preset == preset);
    assert_memory_equal(&got.sampling, &set.sampling, sizeof got.sampling);
    store_settings_free(&got);
    set.sampling.top_k = 8;
    set.system = NULL;
    ok(store_preset_save(s, "short", &set, &again, &err));
    assert_int_equal(again, preset);
    ok(store_preset_save(s, "a second", &(store_settings){.system = "You are a poet."}, &again, &err));
    ok(store_presets(s, &presets, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(presets[0].name, "a second");
    assert_true(!presets[0].settings.has_sampling);
    assert_int_equal(presets[1].settings.sampling.top_k, 8);
    assert_null(presets[1].settings.system);
    store_presets_free(presets, n);
    set.sampling.top_p = 17;
    fails(store_set_settings(s, chat, &set, &err), PUM_ERR_ARGUMENT, "top-p");
    fails(store_preset_save(s, " ", &set, &again, &err), PUM_ERR_ARGUMENT, "name");
    ok(store_preset_delete(s, preset, &err));
    ok(store_get_settings(s, chat, &got, &err));
    assert_int_equal(got.preset, 0);
    store_settings_free(&got);
    store_close(&s);
    is_sound();
}

static void test_titles(void **state) {
    (void)state;
    static const struct {
        const char *text, *title;
    } cases[] = {
        {"```attachment notes.txt\nmany words\n```\n\nSay it shorter", "Say it shorter"},
        {"````attachment a.md\n```\nx\n```\n````\n\n```attachment b\ny\n```\n\nBoth", "Both"},
        {"```attachment notes.txt\nmany words\n```\n", "notes.txt"},
        {"```attachment cut", "cut"},
        {"  ## Hello **there**\nsecond line", "Hello **there**"},
        {"What is   the\tcapital of France?", "What is the capital of France?"},
        {"Once upon a time there was a very small dragon in a large wood", "Once upon a time there was a very small…"},
        {"Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
         "Donaudampfschifffahrtselektrizitätenhauptbet…"},
        {"대한민국의 수도는 어디이며 그곳에는 몇 명의 사람이 살고 있습니까?", "대한민국의 수도는 어디이며 그곳에는 몇 명의…"},
        {"日本の首都はどこですかそしてそこには何人の人が住んでいますか教えてください",
         "日本の首都はどこですかそしてそこには何人の人…"},
        {"\n\n \n", "…the answer"},
        {"\xFF\xFE"
         "bro\xC3ken",
         "broken"},
        {"👨‍👩‍👧‍👦 family", "👨‍👩‍👧‍👦 family"},
    };
    store *s = opened_well();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        store_id chat, u;
        ok(store_chat_add(s, &chat, &err));
        title_is(s, chat, "");
        u = add(s, chat, 0, cases[i].text);
        store_id a;
        ok(store_add(s, chat, u, STORE_ASSISTANT, "", NULL, STORE_STREAMING, &a, &err));
        ok(store_append(s, a, "…the answer", &err));
        ok(store_finish(s, a, STORE_FINISHED, &err));
        title_is(s, chat, cases[i].title);
    }
    store_close(&s);
}

static void test_search(void **state) {
    (void)state;
    store *s = opened_well();
    store_id ko = chat_of(s, "오늘 서울의 날씨를 알려 줘"), ja = chat_of(s, "明日の東京の天気は？"), zh = chat_of(s, "北京"),
             en = chat_of(s, "The Ångström is 100% of a_unit; say \"hi\" to C++ and x"), at;
    answer(s, ko, 0, "서울은 맑습니다");
    // Two syllables, one, three; parts of words.
    assert_int_equal(count_found(s, "날씨", &at), 1);
    assert_int_equal(at, ko);
    assert_int_equal(count_found(s, "서울", &at), 1);
    assert_int_equal(count_found(s, "맑", &at), 1);
    assert_int_equal(count_found(s, "습니다", &at), 1);
    assert_int_equal(count_found(s, "東京", &at), 1);
    assert_int_equal(at, ja);
    assert_int_equal(count_found(s, "京", NULL), 2);
    assert_int_equal(count_found(s, "東京の天気", &at), 1);
    assert_int_equal(at, ja);
    assert_int_equal(count_found(s, "京 天気", &at), 1);
    assert_int_equal(at, ja);
    assert_int_equal(count_found(s, "北京", &at), 1);
    assert_int_equal(at, zh);
    assert_int_equal(count_found(s, "대전", NULL), 0);
    // Case, and what means something to the index or to LIKE.
    assert_int_equal(count_found(s, "ångström", &at), 1);
    assert_int_equal(at, en);
    assert_int_equal(count_found(s, "GSTR", NULL), 1);
    assert_int_equal(count_found(s, "100% UNIT", NULL), 1);
    assert_int_equal(count_found(s, "0%", NULL), 1);
    assert_int_equal(count_found(s, "1%", NULL), 0);
    assert_int_equal(count_found(s, "a_", NULL), 1);
    assert_int_equal(count_found(s, "\"hi\"", NULL), 1);
    assert_int_equal(count_found(s, "C++", NULL), 1);
    assert_int_equal(count_found(s, "hi OR", NULL), 0);
    assert_int_equal(count_found(s, "unit NOT hi", NULL), 0);
    assert_int_equal(count_found(s, "NEAR(unit", NULL), 0);
    assert_int_equal(count_found(s, "text:unit", NULL), 0);
    assert_int_equal(count_found(s, "\\", NULL), 0);
    assert_int_equal(count_found(s, "  \t ", NULL), 4);
    assert_int_equal(count_found(s, "x a_ hi C+ \"h i\" is", NULL), 1); // more short words than are looked at
    store_chat *c;
    size_t n;
    ok(store_search(s, "맑습니", &c, &n, &err));
    assert_int_equal(n, 1);
    assert_true(c[0].message > 0);
    assert_string_equal(c[0].found, "서울은 맑습니다");
    store_chats_free(c, n);
    store_close(&s);
}

/* ---- export and import */

static store_id imported(store *s, const char *text) {
    store_id chat;
    ok(store_import(s, text, strlen(text), "file.md", &chat, &err));
    return chat;
}

static void test_json(void **state) {
    (void)state;
    store *s = opened_well();
    store_id chat = chat_of(s, "first \"quoted\" \\ \t 한국어"), to, preset;
    store_message *m, *back;
    size_t n, n_back;
    ok(store_branch(s, chat, &m, &n, &err));
    store_id u = m[0].id, a = answer(s, chat, u, "one\nline two");
    store_messages_free(m, n);
    answer(s, chat, u, "broken \xFF here");
    add(s, chat, a, "deep");
    ok(store_walk(s, a, 0, &to, &err));
    store_settings set = {.system = "sys", .has_sampling = true, .sampling = pum_sampler_defaults()};
    set.sampling.temp = 1.5f;
    ok(store_preset_save(s, "warm", &set, &preset, &err));
    set.preset = preset;
    ok(store_set_settings(s, chat, &set, &err));
    ok(store_pin(s, chat, true, &err));
    ok(store_rename(s, chat, "A name", &err));
    char *json, *again;
    ok(store_export_json(s, chat, &json, &err));
    ok(store_tree(s, chat, &m, &n, &err));
    store_id copy = imported(s, json);
    assert_int_not_equal(copy, chat);
    branch_is(s, copy, "first \"quoted\" \\ \t 한국어|one\nline two 1/2|deep");
    title_is(s, copy, "A name");
    ok(store_tree(s, copy, &back, &n_back, &err));
    assert_int_equal(n_back, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(back[i].created_ms, m[i].created_ms);
        assert_int_equal(back[i].state, m[i].state);
        assert_int_equal(back[i].walked, m[i].walked);
        assert_true(!back[i].model == !m[i].model);
    }
    assert_string_equal(back[2].text, "broken \xEF\xBF\xBD here");
    store_messages_free(back, n_back);
    store_messages_free(m, n);
    store_settings got;
    ok(store_get_settings(s, copy, &got, &err));
    assert_string_equal(got.system, "sys");
    assert_true(got.has_sampling && got.sampling.temp == 1.5f && got.preset == preset);
    store_settings_free(&got);
    // What was exported of the copy differs in the ids alone; so it holds everything.
    ok(store_export_json(s, copy, &again, &err));
    assert_int_equal(count_found(s, "line two", NULL), 2);
    free(again);
    free(json);
    store_close(&s);
    is_sound();
}

#define MESSAGES(m) "{\"format\":\"pumice-chat\",\"version\":1,\"messages\":[" m "]}"
#define CHAT(more) "{\"format\":\"pumice-chat\",\"version\":1,\"messages\":[]," more "}"

/* A title is the same after it has been away; nobody's title is more than one, named or not. */
static void test_titles_of_imported_chats(void **state) {
    (void)state;
    static const char *const titles[] = {
        "A name",
        "the quick brown fox jumps over the lazy dogs",
        "the quick brown fox jumps over the lazy dog and it",
        "thequickbrownfoxjumpsoverthelazydogandthequickbrownfox",
        "서울은 오늘 하루 종일 맑고 바람이 조금 붑니다 그리고 내일은",
    };
    store *s = opened_well();
    for (size_t i = 0; i < sizeof titles / sizeof *titles; i++) {
        char *title, *json;
        store_id chat = chat_of(s, "text");
        ok(store_rename(s, chat, titles[i], &err));
        ok(store_title(s, chat, &title, &err));
        ok(store_export_json(s, chat, &json, &err));
        title_is(s, imported(s, json), title);
        free(title);
        free(json);
    }
    title_is(s, imported(s, CHAT("\"named\":false,\"title\":\"# two\\u0007 words\\nand a line\"")), "two words");
    store_close(&s);
}

static void test_hostile_json(void **state) {
    (void)state;
    static const struct {
        const char *json, *word;
    } cases[] = {
        {"{", "line 1"},
        {"{}", "format"},
        {"{\"format\":1}", "format"},
        {"{\"format\":\"other\",\"version\":1}", "format"},
        {"{\"format\":\"pumice-chat\",\"version\":2,\"messages\":[]}", "version"},
        {"{\"format\":\"pumice-chat\",\"version\":1}", "messages"},
        {"{\"format\":\"pumice-chat\",\"format\":\"pumice-chat\",\"version\":1}", "duplicate"},
        {CHAT("\"title\":7"), "title"},
        {CHAT("\"pinned\":\"yes\""), "pinned"},
        {CHAT("\"created\":-1"), "created"},
        {CHAT("\"created\":1e300"), "created"},
        {CHAT("\"created\":99999999999999999999999"), "line 1"},
        {CHAT("\"system\":[]"), "system"},
        {CHAT("\"sampling\":[]"), "sampling"},
        {CHAT("\"sampling\":{\"temp\":\"hot\"}"), "temp"},
        {CHAT("\"sampling\":{\"temp\":1e30}"), "temp"},
        {CHAT("\"sampling\":{\"temp\":-3}"), "sampling"},
        {CHAT("\"sampling\":{\"top_p\":NaN}"), "line 1"},
        {CHAT("\"sampling\":{\"top_k\":5000000000}"), "top_k"},
        {CHAT("\"sampling\":{\"top_k\":1.5}"), "top_k"},
        {CHAT("\"title\":\"\\u0000\""), "line 1"},
        {CHAT("\"title\":\"\\ud800\""), "line 1"},
        {MESSAGES("7"), "messages[0]"},
        {MESSAGES("{}"), "messages[0]"},
        {MESSAGES("{\"id\":1,\"role\":\"user\"}"), "text"},
        {MESSAGES("{\"id\":1,\"role\":\"tool\",\"text\":\"\"}"), "role"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\",\"parent\":1}"), "parent"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\",\"parent\":0}"), "parent"},
        {MESSAGES(
             "{\"id\":1,\"role\":\"user\",\"text\":\"\",\"parent\":2},{\"id\":2,\"role\":\"user\",\"text\":\"\",\"parent\":1}"),
         "parent"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\"},{\"id\":1,\"role\":\"user\",\"text\":\"\"}"), "messages[1]"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\",\"state\":\"odd\"}"), "state"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\",\"walked\":3}"), "walked"},
        {MESSAGES("{\"id\":1,\"role\":\"user\",\"text\":\"\",\"model\":{}}"), "model"},
    };
    store *s = opened_well();
    store_id chat;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        print_message("%s\n", cases[i].json);
        fails(store_import(s, cases[i].json, strlen(cases[i].json), NULL, &chat, &err), PUM_ERR_FORMAT, cases[i].word);
        assert_int_equal(chat, 0);
        assert_int_equal(count_found(s, "", NULL), 0);
    }
    fails(store_import(s, "a\0b", 3, NULL, &chat, &err), PUM_ERR_FORMAT, "UTF-8");
    fails(store_import(s, "\xC3\x28", 2, NULL, &chat, &err), PUM_ERR_FORMAT, "UTF-8");
    fails(store_import(s, " \n", 2, NULL, &chat, &err), PUM_ERR_FORMAT, "nothing");
    // Deeper than a parser's stack should go.
    size_t n = 3000000;
    char *deep = malloc(n + 1);
    assert_non_null(deep);
    memset(deep, '[', n);
    memcpy(deep, "{\"a\":", 5);
    deep[n] = 0;
    fails(store_import(s, deep, n, NULL, &chat, &err), PUM_ERR_FORMAT, "depth");
    free(deep);
    // Every beginning of a good one, and every byte of it changed: a sentence, or a chat.
    const char *good = MESSAGES("{\"id\":3,\"role\":\"user\",\"text\":\"한\",\"parent\":null},{\"id\":9,\"role\":\"assistant\","
                                "\"text\":\"b\",\"parent\":3}");
    imported(s, good);
    char bent[512];
    for (size_t i = 1; i < strlen(good); i++) {
        assert_int_equal(store_import(s, good, i, NULL, &chat, &err), PUM_ERR_FORMAT);
        for (int bit = 0; bit < 8; bit++) {
            strcpy(bent, good);
            bent[i] = (char)(bent[i] ^ 1 << bit);
            pum_status status = store_import(s, bent, strlen(good), NULL, &chat, &err);
            assert_true(status == PUM_OK ? chat > 0 : status == PUM_ERR_FORMAT && err.message[0]);
        }
    }
    store_close(&s);
    is_sound();
}

static void test_markdown(void **state) {
    (void)state;
    store *s = opened_well();
    store_id chat = chat_of(s, "Say:\n\n**You**\n\\**Pumice**\nend"), to;
    store_message *m;
    size_t n;
    ok(store_branch(s, chat, &m, &n, &err));
    answer(s, chat, m[0].id, "lost");
    store_id a = answer(s, chat, m[0].id, "# Kept\n\n- with *marks*");
    store_messages_free(m, n);
    ok(store_walk(s, a, 0, &to, &err));
    ok(store_set_settings(s, chat, &(store_settings){.system = "Be kind."}, &err));
    char *text;
    ok(store_export_markdown(s, chat, &text, &err));
    assert_string_equal(
        text, "# Say:\n\n**System**\n\nBe kind.\n\n**You**\n\nSay:\n\n\\**You**\n\\\\**Pumice**\nend\n\n**Pumice**\n\n# "
              "Kept\n\n- with *marks*\n\n");
    store_id copy = imported(s, text);
    free(text);
    title_is(s, copy, "Say:");
    branch_is(s, copy, "Say:\n\n**You**\n\\**Pumice**\nend|# Kept\n\n- with *marks*");
    store_settings got;
    ok(store_get_settings(s, copy, &got, &err));
    assert_string_equal(got.system, "Be kind.");
    store_settings_free(&got);
    branch_is(s, imported(s, "**user**\r\n\r\nhi\r\n\r\n**assistant**\r\n\r\nho\r\n"), "hi|ho");
    branch_is(s, imported(s, "\xEF\xBB\xBFjust a note\n\nof two lines"), "just a note\n\nof two lines");
    title_is(s, imported(s, "**You**\n\nhi\n"), "file.md");
    store_close(&s);
    is_sound();
}

/* ---- damage */

static void write_file(const char *name, const void *bytes, size_t n) {
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    fclose(file);
}

static char *read_file(const char *name, size_t *n) {
    FILE *file = fopen(name, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *n = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*n + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *n, file), *n);
    fclose(file);
    return bytes;
}

static char *a_database(size_t *n) {
    store *s = opened_well();
    for (int i = 0; i < 40; i++) {
        store_id chat = chat_of(s, "What is the weather like in the town where you live?");
        answer(s, chat, 0, "It rains. It rains every day, and so it has done for as long as anyone remembers; bring a coat.");
    }
    store_close(&s);
    return read_file(path, n);
}

static int count_set_aside(void) {
    char command[256];
    snprintf(command, sizeof command, "exit $(ls -d %s/a/b/chats.db.damaged-* 2>/dev/null | grep -cv -- '-wal$')", folder);
    int status = system(command);
    return status >> 8;
}

/* Whatever stands there: it opens, works, and was kept where it was not taken. */
static void takes(const char *what, bool must_set_aside) {
    int before = count_set_aside();
    print_message("%s\n", what);
    store *s = opened();
    bool aside = strstr(notice, "damaged");
    assert_true(aside || !must_set_aside);
    assert_int_equal(count_set_aside(), before + aside);
    store_id chat = chat_of(s, "still works");
    branch_is(s, chat, "still works");
    assert_true(count_found(s, "still works", NULL) >= 1);
    store_close(&s);
    // A byte of a text that changed is nobody's fault that could be found.
    is_sound_to("PRAGMA quick_check", "INSERT INTO words(words) VALUES('integrity-check')");
}

static void test_damage(void **state) {
    (void)state;
    size_t n;
    char *good = a_database(&n), *bad = malloc(n), name[64];
    assert_non_null(bad);
    write_file(path, "", 0);
    takes("zero length", false);
    write_file(path,
               "not a database, and long enough to be looked at: 0123456789012345678901234567890123456789012345678901234567890",
               100);
    takes("text", true);
    unlink(path);
    mkdir(path, 0700);
    takes("a folder", true);
    for (size_t part = 1; part < 8; part++) {
        write_file(path, good, n * part / 8);
        snprintf(name, sizeof name, "cut at %zu of %zu", n * part / 8, n);
        takes(name, true);
    }
    write_file(path, good, 50);
    takes("cut in its first line", true);
    unsigned seed = 12345;
    for (int i = 0; i < 40; i++) {
        memcpy(bad, good, n);
        for (int k = 0; k < 1 + i; k++) {
            seed = seed * 1103515245u + 12345u;
            size_t at = (size_t)seed % n;
            seed = seed * 1103515245u + 12345u;
            bad[at] = (char)(bad[at] ^ (1 + seed / 65536 % 255));
        }
        write_file(path, bad, n);
        snprintf(name, sizeof name, "%d bytes changed", 1 + i);
        takes(name, false);
    }
    // Whole pages, as a disk loses them.
    for (size_t page = 0; page * 4096 < n; page += 3) {
        memcpy(bad, good, n);
        memset(bad + page * 4096, 0, 4096);
        write_file(path, bad, n);
        snprintf(name, sizeof name, "page %zu of %zu zeroed", page, n / 4096);
        takes(name, false);
    }
    free(good);
    free(bad);
}

/* Runs SQL on the file as another program would. */
static void edit(const char *sql) {
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    int code = sqlite3_exec(db, sql, NULL, NULL, &why);
    if (code != SQLITE_OK) print_error("%s\n", why);
    assert_int_equal(code, SQLITE_OK);
    sqlite3_close(db);
}

static void test_other_versions(void **state) {
    (void)state;
    size_t n, n_after;
    // The first version, as its program left it.
    free(a_database(&n));
    edit("ALTER TABLE chats DROP COLUMN edited; ALTER TABLE chats DROP COLUMN edit; PRAGMA user_version = 1");
    store *old = opened_well();
    assert_true(count_found(old, "weather", NULL) > 30);
    ok(store_set_edit(old, 1, 1, "x", &err));
    store_close(&old);
    free(a_database(&n));
    edit("PRAGMA user_version = 1000");
    char *before = read_file(path, &n), *after;
    store *s;
    fails(store_open(path, &s, notice, &err), PUM_ERR_UNSUPPORTED, "newer Pumice");
    assert_null(s);
    after = read_file(path, &n_after);
    assert_int_equal(n, n_after);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
    // The window goes on in memory, and says so.
    setenv("XDG_DATA_HOME", folder, 1);
    char newer[160], command[400];
    snprintf(newer, sizeof newer, "%s/pumice", folder);
    mkdir(newer, 0700);
    snprintf(command, sizeof command, "cp %s %s/chats.db", path, newer);
    assert_int_equal(system(command), 0);
    ok(store_open_default(&s, notice, &err));
    assert_false(store_is_kept(s));
    assert_non_null(strstr(notice, "newer Pumice"));
    branch_is(s, chat_of(s, "in memory"), "in memory");
    store_close(&s);
    edit("PRAGMA user_version = 1; PRAGMA application_id = 42");
    takes("another program's database", true);
    // An index that is lost or has lost something is made again.
    free(a_database(&n));
    edit("DELETE FROM words_data WHERE id > 10");
    s = opened_well();
    assert_true(count_found(s, "weather", NULL) > 30);
    store_close(&s);
    edit("DROP TABLE messages");
    takes("a table is missing", true);
}

static void test_no_room(void **state) {
    (void)state;
    store *s, *second;
    // A folder that cannot be written, by root neither.
    fails(store_open("/proc/pumice/chats.db", &s, notice, &err), PUM_ERR_IO, "/proc/pumice");
    setenv("XDG_DATA_HOME", "/proc", 1);
    ok(store_open_default(&s, notice, &err));
    assert_false(store_is_kept(s));
    assert_non_null(strstr(notice, "not kept"));
    store_close(&s);
    if (geteuid() != 0) {
        s = opened_well();
        store_close(&s);
        char parent[128];
        snprintf(parent, sizeof parent, "%s/a/b", folder);
        chmod(parent, 0500);
        fails(store_open(path, &s, notice, &err), PUM_ERR_IO, "permissions");
        chmod(parent, 0700);
    }
    // Another process writes: this one waits, and says so in the end.
    s = opened_well();
    store_id chat = chat_of(s, "mine");
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    fails(store_rename(s, chat, "x", &err), PUM_ERR_IO, "another program");
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    ok(store_rename(s, chat, "x", &err));
    ok(store_open(path, &second, notice, &err));
    title_is(second, chat, "x");
    ok(store_rename(second, chat, "y", &err));
    title_is(s, chat, "y");
    store_close(&second);
    // A disk that is full: a limit on the size of files stands for it. What was there stays, and later it goes on.
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 200 * 1024;
    setrlimit(RLIMIT_FSIZE, &limit);
    char *large = malloc(100001);
    assert_non_null(large);
    memset(large, 'a', 100000);
    large[100000] = 0;
    store_id id;
    pum_status status = PUM_OK;
    int n = 0;
    for (; n < 50 && status == PUM_OK; n++) status = store_add(s, chat, 0, STORE_USER, large, NULL, STORE_FINISHED, &id, &err);
    fails(status, PUM_ERR_IO, "disk");
    assert_int_equal(id, 0);
    title_is(s, chat, "y");
    setrlimit(RLIMIT_FSIZE, &before);
    add(s, chat, 0, "goes on");
    branch_is(s, chat, n > 1 ? "goes on 3/3" : "goes on 2/2");
    free(large);
    store_close(&s);
    is_sound();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, removed)
    const struct CMUnitTest tests[] = {
        TEST(test_tree),           TEST(test_streaming),
        TEST(test_long_chain),     TEST(test_chats),
        TEST(test_settings),       TEST(test_titles),
        TEST(test_search),         TEST(test_json),
        TEST(test_hostile_json),   TEST(test_titles_of_imported_chats),
        TEST(test_markdown),       TEST(test_damage),
        TEST(test_other_versions), TEST(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
