/* What of an answer is spoken: its sentences, in whatever pieces it comes; and what is asked of speech-dispatcher's library, for
 * which one that writes everything down stands.
 *   test_speak              the sentences
 *   test_speak spoken       with the stand-in in LD_LIBRARY_PATH
 *   test_speak absent       with something there that is no library */
#include "sentences.h"
#include "speak.h"

#include <SDL.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* All sentences, each ended by a |. */
static void read_all(const char *text, size_t n, unsigned seed, char *out, size_t n_out) {
    sentences s = {0};
    out[0] = 0;
    for (size_t end = seed ? 0 : n;; end = end + 1 + (seed >> 16) % 9 < n ? end + 1 + (seed >> 16) % 9 : n) {
        char *sentence;
        seed = seed * 1664525u + 1013904223u;
        while ((sentence = sentence_next(&s, text, end, false))) {
            snprintf(out + strlen(out), n_out - strlen(out), "%s|", sentence);
            free(sentence);
        }
        if (end < n) continue;
        while ((sentence = sentence_next(&s, text, n, true))) {
            snprintf(out + strlen(out), n_out - strlen(out), "%s|", sentence);
            free(sentence);
        }
        return;
    }
}

static const char *const READ[][2] = {
    {"", ""},
    {" \n\n ", ""},
    {"Hello.", "Hello.|"},
    {"Hello. How are you? Fine!", "Hello.|How are you?|Fine!|"},
    {"No end", "No end|"},
    {"Pi is 3.14, see example.org. Yes.", "Pi is 3.14, see example.org.|Yes.|"},
    {"Mr. Smith met Dr. Who, e.g. on the 3rd. Then J. Doe came at 5 p.m. Sharp.",
     "Mr. Smith met Dr. Who, e.g. on the 3rd.|Then J. Doe came at 5 p.m. Sharp.|"},
    {"See No. 5 in Fig. 2. No. Never.", "See No. 5 in Fig. 2.|No.|Never.|"},
    {"So I did. It was mine... and yours. \"Really?\" (Yes.) Good",
     "So I did.|It was mine... and yours.|\"Really?\"|(Yes.)|Good|"},
    {"안녕하세요. 저는 루미입니다! 3.5배 빠릅니다.", "안녕하세요.|저는 루미입니다!|3.5배 빠릅니다.|"},
    {"東京です。「そうですか？」はい！次", "東京です。|「そうですか？」|はい！|次|"},
    {"A line\nAnother line\nthat goes on", "A line|Another line that goes on|"},
    {"# Title\n\nSome **bold. Very** bold `a. B` and *more*.", "Title|Some bold.|Very bold a. B and more.|"},
    {"- one\n- two. Three\n1. four\n2. five\n\n> six", "one|two.|Three|four|five|six|"},
    {"See [the page](https://example.org/a.b?c) now. Use snake_case and 2*3", "See the page now.|Use snake_case and 2*3|"},
    {"Look:\n```c\nint x; // No. Not this.\n```\nDone.", "Look:|Done.|"},
    {"~~~~\n~~~\nno\n~~~~\nYes.", "Yes.|"},
    {"- Item:\n  ```\n  no\n  ```\n- Next", "Item:|Next|"},
    {"```\nnever closed", ""},
    {"```x``` is code. Yes", "x is code.|Yes|"},
    {"<think>\nHm. No.\n</think>\n\nYes.", "Yes.|"},
    {"<think>never closed. No", ""},
    {"a < b. Ok", "a < b.|Ok|"},
    {"| a | b |\n|---|---|\n| 1 | 2 |\n", "a, b|1, 2|"},
    {"One.\n\n---\n\n***\n\nTwo.", "One.|Two.|"},
    {"A &amp; B.", "A & B.|"},
    {"\xFF\xFE ok. \xE2", "ok.|"},
};

static void test_sentences(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof READ / sizeof *READ; i++)
        for (unsigned seed = 0; seed < 50; seed++) {
            char out[1024];
            read_all(READ[i][0], strlen(READ[i][0]), seed, out, sizeof out);
            if (strcmp(out, READ[i][1]) != 0)
                fail_msg("\"%s\", seed %u: expected \"%s\", got \"%s\"", READ[i][0], seed, READ[i][1], out);
        }
}

/* What never ends is spoken too, in parts, and nothing of it twice. */
static void test_without_end(void **state) {
    (void)state;
    char text[6001] = "", out[8000];
    for (int i = 0; i < 1000; i++) memcpy(text + 6 * i, i % 2 ? "word  " : "한국 x", 6); // a character is 3 bytes: also cut well
    read_all(text, 6000, 5, out, sizeof out);
    size_t n_words = 0, longest = 0, n = 0;
    for (const char *at = out; *at; at++) {
        n_words += strncmp(at, "word", 4) == 0;
        n = *at == '|' ? 0 : n + 1;
        longest = n > longest ? n : longest;
    }
    assert_int_equal(n_words, 500);
    assert_true(longest <= 602);
    for (int i = 0; i < 2000; i++) memcpy(text + 3 * i, "국", 3);
    read_all(text, 6000, 5, out, sizeof out);
    assert_null(strstr(out, "\xEF\xBF\xBD"));
    size_t n_out = 0;
    for (const char *at = out; *at; at++) n_out += *at != '|';
    assert_int_equal(n_out, 6000);
}

/* In whatever pieces it comes. */
static void test_pieces(void **state) {
    (void)state;
    static const char *const parts[] = {"\n",   "\n\n", "- ", "1. ", "```",     "~~~",      "> ",  "Word",
                                        "word", ".",    "! ", " ",   "<think>", "</think>", "|",   "**",
                                        "`",    "한",   "。", "」",  "…",       "\xFF",     "e.g", "\""};
    for (unsigned seed = 1; seed <= 3000; seed++) {
        char text[400] = "", whole[4096], pieces[4096];
        unsigned random = seed;
        for (int i = 0; i < 30; i++) strcat(text, parts[((random = random * 1664525u + 1013904223u) >> 16) % 24]);
        read_all(text, strlen(text), 0, whole, sizeof whole);
        read_all(text, strlen(text), seed, pieces, sizeof pieces);
        if (strcmp(whole, pieces) != 0) fail_msg("seed %u, \"%s\": expected \"%s\", got \"%s\"", seed, text, whole, pieces);
    }
}

static void test_languages(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"Hello.", "en"},
        {"안녕하세요.", "ko"},
        {"これはペンです。", "ja"},
        {"你好。", "zh"},
        {"東京タワー", "ja"},
        {"Vulkan API를 씁니다", "ko"},
        {"The word 한 means one, or great.", "en"},
        {"42!", "en"},
        {"", "en"},
        {"Привет", "en"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_string_equal(sentence_language(rows[i][0]), rows[i][1]);
}

/* ---- the library */

static char path[64];
static uint32_t problem;

static char *logged(void) {
    static char log[8192];
    FILE *file = fopen(path, "r");
    log[file ? fread(log, 1, sizeof log - 1, file) : 0] = 0;
    if (file) fclose(file);
    return log;
}

static void await(const char *log) {
    for (int i = 0; i < 500 && strcmp(logged(), log) != 0; i++) SDL_Delay(10);
    assert_string_equal(logged(), log);
}

static speak *begin(const char *fails) {
    unlink(path);
    if (fails)
        setenv("SPEECH_FAILS", fails, 1);
    else
        unsetenv("SPEECH_FAILS");
    SDL_FlushEvent(problem);
    speak *s = speak_start(problem);
    assert_non_null(s);
    return s;
}

static void expect_problem(speak *s, const char *part) {
    char why[SPEAK_WHY_BYTES];
    for (int i = 0; i < 500 && !SDL_HasEvent(problem); i++) {
        SDL_PumpEvents();
        SDL_Delay(10);
    }
    assert_true(SDL_HasEvent(problem));
    assert_true(speak_problem(s, why));
    if (!strstr(why, part)) fail_msg("expected \"%s\", got \"%s\"", part, why);
    assert_false(speak_problem(s, why)); // once
    SDL_FlushEvent(problem);
}

static void test_spoken(void **state) {
    (void)state;
    speak *s = begin(NULL);
    await("open pumice\n");
    speak_begin(s, "");
    await("open pumice\ncancel\n");
    speak_follow(s, "One. Tw", false);
    speak_follow(s, "One. Two. 셋", false);
    speak_follow(s, "One. Two. 셋", true);
    await("open pumice\ncancel\nlanguage en\nsay One.\nsay Two.\nlanguage ko\nsay 셋\n");
    speak_stop(&s);
    assert_null(s);
    await("open pumice\ncancel\nlanguage en\nsay One.\nsay Two.\nlanguage ko\nsay 셋\ncancel\nclose\n");
    char why[SPEAK_WHY_BYTES];
    speak_begin(NULL, "");
    speak_follow(NULL, "x", true);
    speak_hush(NULL);
    assert_false(speak_problem(NULL, why));
    speak_stop(&s);
}

static void test_hush(void **state) {
    (void)state;
    speak *s = begin(NULL);
    speak_begin(s, "");
    await("open pumice\ncancel\n");
    speak_follow(s, "One. T", false);
    await("open pumice\ncancel\nlanguage en\nsay One.\n");
    speak_hush(s);
    speak_follow(s, "One. Two. Three.", true);
    await("open pumice\ncancel\nlanguage en\nsay One.\ncancel\n");
    speak_begin(s, "Old. Half a"); // an answer that goes on
    await("open pumice\ncancel\nlanguage en\nsay One.\ncancel\ncancel\n");
    speak_follow(s, "Old. Half a sentence. New.", true);
    await("open pumice\ncancel\nlanguage en\nsay One.\ncancel\ncancel\nsay sentence.\nsay New.\n");
    speak_stop(&s);
}

/* A server that died is called again; one that stays away is told of once an answer at most. */
static void test_failures(void **state) {
    (void)state;
    speak *s = begin("1");
    speak_follow(s, "One.", true);
    await("open pumice\nlanguage en\nclose\nopen pumice\nlanguage en\nsay One.\n");
    speak_stop(&s);

    s = begin("open");
    expect_problem(s, "Answers are not spoken: speech-dispatcher does not answer (see whether spd-say works): the server is away");
    speak_begin(s, "");
    speak_follow(s, "One. Two.", true);
    await("open pumice\nopen pumice\n");
    SDL_Delay(100);
    assert_false(SDL_HasEvent(problem));
    setenv("SPEECH_FAILS", "0", 1); // it is back
    speak_begin(s, "");
    speak_follow(s, "Three.", true);
    await("open pumice\nopen pumice\nopen pumice\nlanguage en\nsay Three.\n");
    speak_stop(&s);
}

/* Last, for its thread is left behind. */
static void test_hanging(void **state) {
    (void)state;
    speak *s = begin("hang");
    speak_follow(s, "One.", true);
    await("open pumice\nlanguage en\n");
    uint64_t began = SDL_GetTicks64();
    speak_stop(&s);
    assert_true(SDL_GetTicks64() - began < 3000);
}

static void test_absent(void **state) {
    (void)state;
    speak *s = begin(NULL);
    expect_problem(s, "Answers are not spoken: speech-dispatcher is not installed. Install it");
    speak_begin(s, "");
    speak_follow(s, "One. Two.", true);
    SDL_Delay(100);
    assert_false(SDL_HasEvent(problem));
    speak_stop(&s);
}

int main(int argc, char **argv) {
    const struct CMUnitTest pure[] = {
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_without_end),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_languages),
    };
    const struct CMUnitTest spoken[] = {
        cmocka_unit_test(test_spoken),
        cmocka_unit_test(test_hush),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_hanging),
    };
    const struct CMUnitTest absent[] = {cmocka_unit_test(test_absent)};
    if (argc < 2) return cmocka_run_group_tests(pure, NULL, NULL);
    if (SDL_Init(SDL_INIT_EVENTS) != 0) return 1;
    problem = SDL_RegisterEvents(1);
    snprintf(path, sizeof path, "/tmp/test_speak.%ld", (long)getpid());
    setenv("SPEECH_LOG", path, 1);
    int failed =
        strcmp(argv[1], "spoken") == 0 ? cmocka_run_group_tests(spoken, NULL, NULL) : cmocka_run_group_tests(absent, NULL, NULL);
    unlink(path);
    return failed;
}
