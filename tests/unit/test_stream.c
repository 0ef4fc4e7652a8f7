/* Text of a running generation, one token at a time: whole characters only, and nothing of a stop string. */
#include "text/tokenizer.h"

#include "base/utf8.h"
#include "unit/small_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define REPLACED "\xEF\xBF\xBD"

/* Tokens 0 … 255 are the bytes; then some longer ones and a control token. */
enum { TOKEN_SPACE_HELLO = 256, TOKEN_END, TOKEN_SPACE, N_TOKENS };

static pum_tokenizer *make_tokenizer(const char *model) {
    static char names[256][8];
    static text_span tokens[N_TOKENS];
    static int32_t kinds[N_TOKENS];
    bool spm = strcmp(model, "llama") == 0;
    for (int i = 0; i < 256; i++) {
        if (spm) {
            static const char digits[] = "0123456789ABCDEF";
            const char name[7] = {'<', '0', 'x', digits[i / 16], digits[i % 16], '>', 0};
            memcpy(names[i], name, sizeof name);
            tokens[i] = (text_span){names[i], 6};
        } else { // the printable character that stands for the byte
            bool printable = (i >= 0x21 && i <= 0x7E) || (i >= 0xA1 && i != 0xAD);
            uint32_t code = printable ? (uint32_t)i : 0x100u + (uint32_t)(i < 0x21 ? i : i < 0xA1 ? i - 0x7F + 0x21 : 0x43);
            tokens[i] = (text_span){names[i], (uint64_t)utf8_encode(code, names[i])};
        }
        kinds[i] = spm ? TOKEN_BYTE : TOKEN_NORMAL;
    }
    const char *hello = spm ? "\xE2\x96\x81Hello" : "\xC4\xA0Hello", *space = spm ? "\xE2\x96\x81" : "\xC4\xA0\xC4\xA0";
    tokens[TOKEN_SPACE_HELLO] = (text_span){hello, strlen(hello)};
    tokens[TOKEN_END] = (text_span){"</s>", 4};
    tokens[TOKEN_SPACE] = (text_span){space, strlen(space)};
    kinds[TOKEN_SPACE_HELLO] = kinds[TOKEN_SPACE] = TOKEN_NORMAL;
    kinds[TOKEN_END] = TOKEN_CONTROL;
    tokenizer_params p = {.model = model,
                          .pre = spm ? NULL : "gpt-2",
                          .n_vocab = N_TOKENS,
                          .tokens = tokens,
                          .kinds = kinds,
                          .bos = -1,
                          .eos = TOKEN_END,
                          .unk = -1,
                          .eot = -1,
                          .add_space_prefix = spm};
    pum_tokenizer *t;
    pum_error err = {0};
    if (tokenizer_create(&p, &t, &err) != PUM_OK) fail_msg("%s", err.message);
    return t;
}

static pum_stream *make_stream(const pum_tokenizer *t, const char *const *stops, bool first) {
    pum_stream *s;
    pum_error err = {0};
    size_t n = 0;
    while (stops && stops[n]) n++;
    if (pum_stream_create(t, stops, n, first, &s, &err) != PUM_OK) fail_msg("%s", err.message);
    return s;
}

static const char *push(pum_stream *s, int32_t token, bool *stopped) {
    const char *text;
    pum_error err = {0};
    if (pum_stream_push(s, token, &text, stopped, &err) != PUM_OK) fail_msg("%s", err.message);
    return text;
}

/* What comes for each byte of a text, the pieces between bars, the end behind "||"; "!" where it stopped. */
static void expect_pieces(const char *const *stops, const char *bytes, size_t n_bytes, const char *expected) {
    pum_tokenizer *t = make_tokenizer("gpt2");
    pum_stream *s = make_stream(t, stops, true);
    char got[1024] = "";
    for (size_t i = 0; i < n_bytes; i++) {
        bool stopped;
        strcat(got, push(s, (uint8_t)bytes[i], &stopped));
        strcat(got, stopped ? "!" : "|");
    }
    strcat(got, "|");
    strcat(got, pum_stream_finish(s));
    if (strcmp(got, expected) != 0) fail_msg("%.*s: expected \"%s\", got \"%s\"", (int)n_bytes, bytes, expected, got);
    pum_stream_destroy(&s);
    pum_tokenizer_destroy(&t);
}
#define EXPECT(stops, bytes, expected) expect_pieces(stops, bytes, sizeof(bytes) - 1, expected)

static void test_characters(void **state) {
    (void)state;
    EXPECT(NULL, "", "|");
    EXPECT(NULL, "ab", "a|b||");
    EXPECT(NULL, "\xC3\xA9x", "|\xC3\xA9|x||");
    EXPECT(NULL, "\xED\x95\x9C\xEA\xB8\x80", "||\xED\x95\x9C|||\xEA\xB8\x80||");          // 한글
    EXPECT(NULL, "\xF0\x9F\x99\x82!", "|||\xF0\x9F\x99\x82|!||");                         // an emoji
    EXPECT(NULL, "\xF0\x9F\x91\xA9\xE2\x80\x8D", "|||\xF0\x9F\x91\xA9|||\xE2\x80\x8D||"); // and one that others join
}

static void test_broken_characters(void **state) {
    (void)state;
    EXPECT(NULL,
           "a\x80"
           "b",
           "a|" REPLACED "|b||");
    EXPECT(NULL, "\xFF\xFE", REPLACED "|" REPLACED "||");
    EXPECT(NULL, "\xED\x95", "|||" REPLACED); // unfinished at the end: one sign
    EXPECT(NULL, "\xF0\x9F\x99", "||||" REPLACED);
    EXPECT(NULL, "\xED\x95x", "||" REPLACED REPLACED "x||");               // unfinished in the middle: one for each byte
    EXPECT(NULL, "\xC0\xAF", REPLACED "|" REPLACED "||");                  // overlong
    EXPECT(NULL, "\xED\xA0\x80", "|" REPLACED REPLACED "|" REPLACED "||"); // a surrogate
}

static void test_stop_strings(void **state) {
    (void)state;
    static const char *const end[] = {"END", NULL}, *const two[] = {"ab", "abcd", NULL}, *const newline[] = {"\n\n", NULL};
    static const char *const inner[] = {"aab", NULL}, *const empty[] = {"", NULL}, *const korean[] = {"\xEB\x81\x9D", NULL};
    EXPECT(end, "xEND", "x|||!|");
    EXPECT(end, "ENDx", "||!!|");        // nothing comes after it
    EXPECT(end, "ENxEN", "||ENx||||EN"); // held back, shown when it did not come, and at the end
    EXPECT(end, "EENDx", "|E||!!|");
    EXPECT(two, "xabcd", "x||!!!|");
    EXPECT(newline, "a\nb\n\nc", "a||\nb||!!|");
    EXPECT(inner, "aaab", "||a|!|"); // it begins again inside its own beginning
    EXPECT(inner, "aac", "||aac||");
    EXPECT(empty, "ab", "a|b||");
    EXPECT(korean, "\xEB\x81\x9D", "||!|");
    EXPECT(korean, "\xEB\x81\x9Ex", "||\xEB\x81\x9E|x||"); // 끞 begins with the same bytes as 끝
    EXPECT(korean, "\xEB\x81", "|||" REPLACED);
}

static void test_stop_inside_a_token(void **state) {
    (void)state;
    pum_tokenizer *t = make_tokenizer("gpt2");
    static const char *const stops[] = {"ell", NULL};
    pum_stream *s = make_stream(t, stops, true);
    bool stopped;
    assert_string_equal(push(s, 'x', &stopped), "x");
    assert_false(stopped);
    assert_string_equal(push(s, TOKEN_SPACE_HELLO, &stopped), " H");
    assert_true(stopped);
    assert_string_equal(push(s, 'y', &stopped), "");
    assert_true(stopped);
    assert_string_equal(pum_stream_finish(s), "");
    pum_stream_destroy(&s);
    assert_null(s);
    pum_stream_destroy(&s);
    pum_tokenizer_destroy(&t);
}

static void test_control_tokens_are_silent(void **state) {
    (void)state;
    pum_tokenizer *t = make_tokenizer("gpt2");
    static const char *const stops[] = {"</s>", NULL};
    pum_stream *s = make_stream(t, stops, true);
    bool stopped;
    assert_string_equal(push(s, TOKEN_END, &stopped), "");
    assert_false(stopped);
    assert_string_equal(push(s, -1, &stopped), ""); // ids that no vocabulary has
    assert_string_equal(push(s, N_TOKENS, &stopped), "");
    assert_string_equal(push(s, 'a', &stopped), "a");
    pum_stream_destroy(&s);
    pum_tokenizer_destroy(&t);
}

/* SentencePiece writes a space in front of a text; it is not the text's. A text that goes on has its own. */
static void test_first_space(void **state) {
    (void)state;
    const struct {
        const char *model;
        bool first;
        int32_t tokens[3];
        const char *expected;
    } cases[] = {
        {"llama", true, {TOKEN_SPACE_HELLO, TOKEN_SPACE_HELLO, '!'}, "Hello Hello!"},
        {"llama", false, {TOKEN_SPACE_HELLO, TOKEN_SPACE_HELLO, '!'}, " Hello Hello!"},
        {"llama", true, {'a', TOKEN_SPACE_HELLO, '!'}, "a Hello!"},
        {"llama", true, {TOKEN_SPACE, TOKEN_SPACE_HELLO, '!'}, " Hello!"},
        {"gpt2", true, {TOKEN_SPACE_HELLO, TOKEN_SPACE, '!'}, " Hello  !"},
        {"gpt2", false, {TOKEN_SPACE_HELLO, TOKEN_SPACE, '!'}, " Hello  !"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pum_tokenizer *t = make_tokenizer(cases[i].model);
        pum_stream *s = make_stream(t, NULL, cases[i].first);
        char got[64] = "";
        bool stopped;
        for (int k = 0; k < 3; k++) strcat(got, push(s, cases[i].tokens[k], &stopped));
        if (strcmp(got, cases[i].expected) != 0) fail_msg("case %zu: expected \"%s\", got \"%s\"", i, cases[i].expected, got);
        pum_stream_destroy(&s);
        pum_tokenizer_destroy(&t);
    }
}

/* Whatever bytes come: valid UTF-8 goes out, the same however the bytes are cut into tokens, and what was valid is unchanged. */
static void test_any_bytes(void **state) {
    (void)state;
    pum_tokenizer *t = make_tokenizer("llama");
    uint64_t random = 1;
    for (int round = 0; round < 300; round++) {
        char in[64], out[256] = "";
        size_t n = 0;
        while (n < 40) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t code = (uint32_t)(random >> 43); // 21 bits
            if (round % 2 && code != 0 && code < 0x110000 && (code < 0xD800 || code > 0xDFFF))
                n += (size_t)utf8_encode(code, in + n);
            else if (round % 2 == 0)
                in[n++] = (char)(1 + (code & 0xFF) % 255);
        }
        in[n] = 0;
        pum_stream *s = make_stream(t, NULL, false);
        bool stopped;
        for (size_t i = 0; i < n; i++) strcat(out, push(s, (uint8_t)in[i], &stopped));
        strcat(out, pum_stream_finish(s));
        if (round % 2) assert_string_equal(in, out);
        uint32_t code;
        for (size_t at = 0, length = strlen(out); at < length;) {
            int step = utf8_decode(out + at, length - at, &code);
            assert_true(step > 0);
            at += (size_t)step;
        }
        pum_stream_destroy(&s);
    }
    pum_tokenizer_destroy(&t);
}

static void expect(pum_stream *s, int32_t token, const char *expected) {
    bool stopped;
    assert_string_equal(push(s, token, &stopped), expected);
    assert_false(stopped);
}

static void expect_stop(pum_stream *s, int32_t token, const char *expected) {
    bool stopped;
    assert_string_equal(push(s, token, &stopped), expected);
    assert_true(stopped);
}

/* A zero would end the text for whoever reads it. */
static void test_zero(void **state) {
    (void)state;
    EXPECT(NULL, "a\0b", "a|" REPLACED "|b||");
    static const char *const stops[] = {"ab", NULL};
    EXPECT(stops, "a\0ab", "|a" REPLACED "||!|");
}

static void test_spaces_of_sentencepiece(void **state) {
    (void)state;
    static small_vocab vocab;
    small_spm(&vocab);
    pum_tokenizer *spm = small_create(&vocab);
    pum_stream *s = make_stream(spm, NULL, true);
    expect(s, SPM_BLANK_A, "a"); // the first is the tokenizer's own
    expect(s, SPM_BLANK_A, " a");
    expect(s, SPM_USER, "[user]");
    expect(s, SPM_BLANK_A, "a"); // and that after a special token
    pum_stream_destroy(&s);
    s = make_stream(spm, NULL, true);
    expect(s, SPM_BLANKS, " "); // only one
    expect(s, SPM_USER_BLANKS, "   ");
    pum_stream_destroy(&s);
    s = make_stream(spm, NULL, true);
    expect(s, SPM_IM_END, "");
    expect(s, SPM_A, "a");
    expect(s, SPM_BLANK_A, " a");
    pum_stream_destroy(&s);
    s = make_stream(spm, NULL, false); // the text began before
    expect(s, SPM_BLANK_A, " a");
    expect(s, SPM_BYTES + 0xEA, "");
    expect(s, SPM_BYTES + 0xB0, "");
    expect(s, SPM_BYTES + 0x81, "각");
    pum_stream_destroy(&s);
    static const char *const stops[] = {"a b", NULL};
    s = make_stream(spm, stops, true);
    expect(s, SPM_BLANK_A, "");
    expect(s, SPM_BLANK, "");
    expect_stop(s, SPM_B, "");
    pum_stream_destroy(&s);
    pum_tokenizer_destroy(&spm);
}

/* Whatever the tokens, the pieces together are the decoded text. */
static void test_pieces_are_the_text(void **state) {
    (void)state;
    const char text[] = "가 a ab  😀[user]abc\n   b <|im_end|> ▁ 나";
    static small_vocab vocab;
    small_bpe(&vocab);
    pum_tokenizer *both[] = {small_create(&vocab), NULL};
    small_spm(&vocab);
    both[1] = small_create(&vocab);
    for (int k = 0; k < 2; k++) {
        int32_t *ids;
        size_t n;
        pum_error err = {0};
        assert_int_equal(pum_tokenizer_encode(both[k], text, strlen(text), PUM_ENCODE_PLAIN, &ids, &n, &err), PUM_OK);
        static const char *const stops[] = {"가가", "   c", NULL};
        pum_stream *s = make_stream(both[k], stops, true);
        char out[200] = "";
        for (size_t i = 0; i < n; i++) {
            const char *piece;
            bool stopped;
            assert_int_equal(pum_stream_push(s, ids[i], &piece, &stopped, &err), PUM_OK);
            assert_false(stopped);
            strcat(out, piece);
        }
        strcat(out, pum_stream_finish(s));
        assert_string_equal(out, text);
        pum_stream_destroy(&s);
        pum_free(ids);
        pum_tokenizer_destroy(&both[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_characters),
        cmocka_unit_test(test_broken_characters),
        cmocka_unit_test(test_stop_strings),
        cmocka_unit_test(test_stop_inside_a_token),
        cmocka_unit_test(test_control_tokens_are_silent),
        cmocka_unit_test(test_first_space),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_zero),
        cmocka_unit_test(test_spaces_of_sentencepiece),
        cmocka_unit_test(test_pieces_are_the_text),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
