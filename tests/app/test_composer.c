/* Characters as people see them, words, and undoing: what was written comes back byte by byte, with its selection. */
#include "composer.h"
#include "graphemes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- characters */

typedef struct sample {
    const char *what, *characters[8];
} sample;

static const sample SAMPLES[] = {
    {"ASCII", {"a", "b", " ", "c"}},
    {"Hangul syllables", {"한", "국", "어"}},
    {"Hangul in jamo", {"\u1112\u1161\u11AB", "\u1100\u116E\u11A8", "\u1112\u1161", "x"}},
    {"a syllable and a final jamo", {"하\u11AB", "국"}},
    {"combining marks", {"e\u0301", "o\u0302\u0323", "n"}},
    {"Devanagari", {"नि", "ध"}},
    {"Thai", {"กำ", "ที่"}},
    {"emoji with a skin colour", {"👍🏽", "👍"}},
    {"a family", {"👨\u200D👩\u200D👧\u200D👦", "👩\u200D💻"}},
    {"a variation selector", {"❤\uFE0F", "❤\uFE0F\u200D🔥"}},
    {"flags", {"🇰🇷", "🇯🇵", "🇬🇧", "a"}},
    {"half a flag", {"🇰🇷", "🇯"}},
    {"a keycap", {"1\uFE0F\u20E3", "2"}},
    {"a tag sequence", {"🏴\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "."}},
    {"line ends", {"a", "\r\n", "\n", "\u0301", "b"}},
    {"no UTF-8", {"\xFF", "\xC3", "a", "\x80", "\xED", "\xA0", "\x80"}},
    {"half a character at the end", {"a", "\xF0", "\x9F", "\x91"}},
};

static void test_characters(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++) {
        char text[256] = "";
        size_t at = 0;
        for (int k = 0; k < 8 && SAMPLES[i].characters[k]; k++) strcat(text, SAMPLES[i].characters[k]);
        size_t n = strlen(text);
        for (int k = 0; k < 8 && SAMPLES[i].characters[k]; k++) {
            size_t end = at + strlen(SAMPLES[i].characters[k]);
            for (size_t in = at; in < end; in++) { // also from where no character begins
                size_t after = grapheme_after(text, n, in), before = grapheme_before(text, n, in + 1),
                       floor = grapheme_floor(text, n, in);
                if (after != end || before != at || floor != at)
                    fail_msg("%s, byte %zu: expected [%zu, %zu), got [%zu, %zu) and %zu", SAMPLES[i].what, in, at, end, before,
                             after, floor);
            }
            at = end;
        }
        assert_int_equal(grapheme_after(text, n, n), n);
        assert_int_equal(grapheme_before(text, n, 0), 0);
        assert_int_equal(grapheme_floor(text, n, n + 5), n);
    }
}

/* A long text without a single ASCII character: each step looks at a part of it only, and every one gets on. */
static void test_long(void **state) {
    (void)state;
    enum { N = 100000 };
    char *text = malloc(3 * N + 1);
    for (size_t i = 0; i < N; i++) memcpy(text + 3 * i, "국", 3);
    text[3 * N] = 0;
    size_t at = 3 * N;
    for (size_t i = 0; i < 3000; i++) {
        size_t before = grapheme_before(text, 3 * N, at);
        assert_int_equal(before, at - 3);
        assert_int_equal(grapheme_after(text, 3 * N, before), at);
        at = before;
    }
    assert_int_equal(word_before(text, 3 * N, 30000), 0);
    free(text);
}

static void test_words(void **state) {
    (void)state;
    static const sample words[] = {
        {"English", {"don't", " stop", " now_2"}},         {"signs", {"foo", ".", "bar", "(", " x"}},
        {"Korean", {"한국어", " 문장을", " 씁니다", "."}}, {"Japanese", {"東京", "タワー", "に", "行", "きました", "。"}},
        {"accents", {"cafe\u0301", " \n na\u00EFve"}},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[256] = "";
        for (int k = 0; k < 8 && words[i].characters[k]; k++) strcat(text, words[i].characters[k]);
        size_t n = strlen(text), at = 0;
        for (int k = 0; k < 8 && words[i].characters[k]; k++) {
            const char *word = words[i].characters[k];
            size_t end = at + strlen(word), spaces = strspn(word, " \n");
            if (word_after(text, n, at) != end || word_before(text, n, end) != at + spaces)
                fail_msg("%s, \"%s\": expected [%zu, %zu), got [%zu, %zu)", words[i].what, word, at + spaces, end,
                         word_before(text, n, end), word_after(text, n, at));
            at = end;
        }
    }
}

/* ---- editing */

static void type(composer *c, const char *text, uint32_t ms) {
    for (size_t at = 0, n = strlen(text); at < n;) {
        size_t end = grapheme_after(text, n, at);
        char one[64] = "";
        memcpy(one, text + at, end - at);
        assert_true(composer_type(c, one, ms));
        at = end;
    }
}

static void expect(const composer *c, const char *text, size_t caret, size_t anchor) {
    assert_string_equal(composer_text(c), text);
    assert_int_equal(c->n_bytes, strlen(text));
    assert_int_equal(c->caret, caret);
    assert_int_equal(c->anchor, anchor);
}

static void test_moves(void **state) {
    (void)state;
    composer c = {0};
    composer_set(&c, "a🇰🇷e\u0301\nb👨\u200D👩\u200D👧");
    size_t n = c.n_bytes;
    composer_go(&c, MOVE_LEFT, false);
    expect(&c, c.text, n - 18, n - 18);
    composer_go(&c, MOVE_FIRST, true);
    expect(&c, c.text, 0, n - 18);
    composer_go(&c, MOVE_RIGHT, false); // collapses
    expect(&c, c.text, n - 18, n - 18);
    composer_go(&c, MOVE_FIRST, false);
    composer_go(&c, MOVE_RIGHT, false);
    composer_go(&c, MOVE_RIGHT, false);
    expect(&c, c.text, 9, 9);
    composer_go_to(&c, 5, false); // between the flag's halves
    expect(&c, c.text, 1, 1);
    composer_delete(&c, MOVE_RIGHT);
    expect(&c, "ae\u0301\nb👨\u200D👩\u200D👧", 1, 1);
    composer_go(&c, MOVE_END, false);
    composer_delete(&c, MOVE_LEFT);
    expect(&c, "a\nb👨\u200D👩\u200D👧", 1, 1);
    composer_go(&c, MOVE_LAST, false);
    composer_delete(&c, MOVE_LEFT);
    expect(&c, "a\nb", 3, 3);
    composer_go(&c, MOVE_START, false);
    expect(&c, "a\nb", 2, 2);
    composer_free(&c);
}

static void test_words_are_steps(void **state) {
    (void)state;
    composer c = {0};
    assert_false(composer_undo(&c));
    assert_false(composer_redo(&c));
    type(&c, "한국어 문장 x", 100);
    assert_true(composer_undo(&c));
    expect(&c, "한국어 문장 ", 17, 17);
    assert_true(composer_undo(&c));
    expect(&c, "한국어 ", 10, 10);
    assert_true(composer_redo(&c));
    expect(&c, "한국어 문장 ", 17, 17);
    assert_true(composer_undo(&c) && composer_undo(&c));
    expect(&c, "", 0, 0);
    assert_false(composer_undo(&c));
    assert_true(composer_redo(&c) && composer_redo(&c) && composer_redo(&c));
    expect(&c, "한국어 문장 x", 18, 18);
    assert_false(composer_redo(&c));
    composer_free(&c);
}

static void test_pauses_are_steps(void **state) {
    (void)state;
    composer c = {0};
    type(&c, "ab", UINT32_MAX - 100); // the clock wraps
    type(&c, "cd", 300);
    type(&c, "ef", 9000);
    composer_undo(&c);
    expect(&c, "abcd", 4, 4);
    composer_undo(&c);
    expect(&c, "", 0, 0);
    composer_free(&c);
}

static void test_selection_comes_back(void **state) {
    (void)state;
    composer c = {0};
    composer_set(&c, "one two three");
    composer_go_to(&c, 4, false);
    composer_go_to(&c, 7, true);
    type(&c, "2", 0);
    type(&c, "!", 10);
    expect(&c, "one 2! three", 6, 6);
    composer_undo(&c);
    expect(&c, "one two three", 7, 4);
    size_t n;
    assert_memory_equal(composer_selection(&c, &n), "two", 3);
    assert_int_equal(n, 3);
    composer_redo(&c);
    expect(&c, "one 2! three", 6, 6);
    composer_undo(&c);
    composer_delete(&c, MOVE_LEFT); // as cutting does; what was undone is gone
    expect(&c, "one  three", 4, 4);
    assert_false(composer_redo(&c));
    composer_undo(&c);
    expect(&c, "one two three", 7, 4);
    assert_false(composer_undo(&c)); // nothing before composer_set
    composer_free(&c);
}

static void test_pasting_and_erasing(void **state) {
    (void)state;
    composer c = {0};
    type(&c, "ab", 0);
    composer_insert(&c, "PASTE");
    type(&c, "cd", 0);
    expect(&c, "abPASTEcd", 9, 9);
    for (int i = 0; i < 4; i++) composer_delete(&c, MOVE_LEFT);
    expect(&c, "abPAS", 5, 5);
    composer_undo(&c); // one run
    expect(&c, "abPASTEcd", 9, 9);
    composer_redo(&c);
    expect(&c, "abPAS", 5, 5);
    composer_undo(&c);
    composer_undo(&c);
    expect(&c, "abPASTE", 7, 7);
    composer_undo(&c);
    expect(&c, "ab", 2, 2);
    composer_go(&c, MOVE_FIRST, false);
    composer_delete(&c, MOVE_RIGHT);
    composer_delete(&c, MOVE_RIGHT);
    expect(&c, "", 0, 0);
    composer_undo(&c);
    expect(&c, "ab", 0, 0);
    composer_go(&c, MOVE_LAST, false); // a step begins where the caret was moved
    type(&c, "c", 0);
    composer_go(&c, MOVE_LEFT, false);
    composer_go(&c, MOVE_RIGHT, false);
    type(&c, "d", 0);
    composer_undo(&c);
    expect(&c, "abc", 3, 3);
    composer_delete(&c, MOVE_WORD_LEFT);
    composer_undo(&c);
    expect(&c, "abc", 3, 3);
    composer_free(&c);
}

static void test_bounds(void **state) {
    (void)state;
    composer c = {0};
    for (int i = 0; i < 3 * EDITS_MAX; i++) composer_insert(&c, "x");
    assert_int_equal(c.edits.n, EDITS_MAX);
    int n = 0;
    while (composer_undo(&c)) n++;
    assert_int_equal(n, EDITS_MAX);
    assert_int_equal(c.n_bytes, 2 * EDITS_MAX);
    composer_set(&c, "");
    assert_false(composer_redo(&c));

    size_t n_big = EDITS_MAX_BYTES / 3;
    char *big = malloc(2 * n_big + EDITS_MAX_BYTES + 1);
    memset(big, 'b', n_big);
    big[n_big] = 0;
    for (int i = 0; i < 5; i++) {
        composer_insert(&c, big);
        assert_true(c.edits.n_bytes <= EDITS_MAX_BYTES);
    }
    for (n = 0; composer_undo(&c);) n++;
    assert_int_equal(n, 3);
    // A step that is larger than all that may be kept can still be undone: nothing a person wrote is lost by one paste.
    composer_set(&c, "mine");
    composer_select_all(&c);
    memset(big, 'b', n_big + EDITS_MAX_BYTES);
    big[n_big + EDITS_MAX_BYTES] = 0;
    composer_insert(&c, big);
    assert_int_equal(c.edits.n, 1);
    composer_undo(&c);
    expect(&c, "mine", 4, 0);
    composer_insert(&c, "x");
    assert_int_equal(c.edits.n_bytes, 5);
    free(big);
    composer_free(&c);
}

/* Whatever is done: undoing all of it gives the first text, redoing all of it the last one. */
static void test_anything(void **state) {
    (void)state;
    static const char *const pieces[] = {"a", " ", "\n", "한", "\u0301", "🇰", "👨\u200D", "\xFF", "word ", "\u1112", "\u1161"};
    uint32_t seed = 7, ms = 0;
    for (int round = 0; round < 300; round++) {
        composer c = {0};
        composer_set(&c, "begin");
        for (int i = 0; i < 60; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint32_t r = seed >> 16;
            ms += r % 700;
            const char *piece = pieces[r % 11];
            switch ((r >> 4) % 7) {
            case 0:
                composer_insert(&c, piece);
                break;
            case 1:
            case 2:
                composer_type(&c, piece, ms);
                break;
            case 3:
                composer_delete(&c, (composer_move)(r % 8));
                break;
            case 4:
                composer_go(&c, (composer_move)(r % 8), r & 1024);
                break;
            case 5:
                if (c.edits.done > 1) composer_undo(&c);
                break;
            default:
                composer_redo(&c);
            }
            assert_int_equal(strlen(composer_text(&c)), c.n_bytes);
            assert_true(c.caret <= c.n_bytes && c.anchor <= c.n_bytes);
        }
        while (composer_redo(&c)) {
        }
        char *last = strdup(composer_text(&c));
        while (composer_undo(&c)) {
        }
        assert_string_equal(composer_text(&c), "begin");
        while (composer_redo(&c)) {
        }
        assert_string_equal(composer_text(&c), last);
        free(last);
        composer_free(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_moves),
        cmocka_unit_test(test_words_are_steps),
        cmocka_unit_test(test_pauses_are_steps),
        cmocka_unit_test(test_selection_comes_back),
        cmocka_unit_test(test_pasting_and_erasing),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
