/* Tokenizers on small vocabularies: merging, special tokens, spaces, bytes of any kind, long texts, and what is refused. */
#include "unit/small_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static small_vocab vocab;

static pum_tokenizer *make_bpe(void) {
    small_bpe(&vocab);
    return small_create(&vocab);
}

static pum_tokenizer *make_spm(bool add_space_prefix) {
    small_spm(&vocab);
    vocab.params.add_space_prefix = add_space_prefix;
    return small_create(&vocab);
}

/* Ids end with -1. */
static void assert_ids(const int32_t *ids, size_t n, const int32_t *expected, const char *what) {
    size_t i = 0;
    for (; expected[i] >= 0; i++)
        if (i >= n || ids[i] != expected[i])
            fail_msg("%s, token %zu: expected %d, got %d of %zu tokens", what, i, (int)expected[i], i < n ? (int)ids[i] : -1, n);
    if (i != n) fail_msg("%s: expected %zu tokens, got %zu, the next is %d", what, i, n, (int)ids[i]);
}

static void assert_encodes(const pum_tokenizer *t, const char *text, int flags, const int32_t *expected) {
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    if (pum_tokenizer_encode(t, text, strlen(text), flags, &ids, &n, &err) != PUM_OK) fail_msg("%s", err.message);
    assert_ids(ids, n, expected, text);
    pum_free(ids);
}
#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})
#define BYTE(c) (SPM_BYTES + (uint8_t)(c))

static void assert_comes_back(const pum_tokenizer *t, const char *text, size_t n, int flags, uint64_t seed) {
    int32_t *ids;
    size_t n_ids, n_back;
    char *back;
    pum_error err = {0};
    if (pum_tokenizer_encode(t, text, n, flags, &ids, &n_ids, &err) != PUM_OK) fail_msg("%s", err.message);
    bool special = flags & PUM_ENCODE_SPECIAL;
    if (pum_tokenizer_decode(t, ids, n_ids, special, &back, &n_back, &err) != PUM_OK) fail_msg("%s", err.message);
    if (n_back != n || memcmp(back, text, n) != 0)
        fail_msg("seed %llu, %zu bytes: decoding gives %zu bytes or other ones", (unsigned long long)seed, n, n_back);
    pum_free(ids);
    pum_free(back);
}

/* ---- merging */

static void test_bpe_merges(void **state) {
    (void)state;
    pum_tokenizer *t = make_bpe();
    assert_encodes(t, "abc", PUM_ENCODE_PLAIN, IDS(BPE_ABC));
    assert_encodes(t, "bc ab a", PUM_ENCODE_PLAIN, IDS('b', 'c', ' ', BPE_AB, BPE_SPACE_A)); // "a b" comes before "Ġ a"
    assert_encodes(t, "ababc", PUM_ENCODE_PLAIN, IDS(BPE_AB, BPE_ABC));
    assert_encodes(t, "", PUM_ENCODE_PLAIN, IDS(-1));
    pum_tokenizer_destroy(&t);
    assert_null(t);
    // Without merges the id of the result is its rank: " a" waits for "ab".
    vocab.params.n_merges = 0;
    t = small_create(&vocab);
    assert_encodes(t, " abc a", PUM_ENCODE_PLAIN, IDS(' ', BPE_ABC, BPE_SPACE_A));
    pum_tokenizer_destroy(&t);
}

static void test_whole_words_come_before_merges(void **state) {
    (void)state;
    small_bpe(&vocab);
    vocab.params.n_merges = 1; // "abc" cannot be merged
    pum_tokenizer *t = small_create(&vocab);
    assert_encodes(t, "abc", PUM_ENCODE_PLAIN, IDS(BPE_AB, 'c'));
    pum_tokenizer_destroy(&t);
    vocab.params.pre = "llama-bpe";
    t = small_create(&vocab);
    assert_encodes(t, "abc", PUM_ENCODE_PLAIN, IDS(BPE_ABC));
    assert_encodes(t, "abcab", PUM_ENCODE_PLAIN, IDS(BPE_AB, 'c', BPE_AB));
    pum_tokenizer_destroy(&t);
}

static void test_spm_merges_by_score(void **state) {
    (void)state;
    pum_tokenizer *t = make_spm(true);
    assert_encodes(t, "ab", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_AB));         // "ab" -2 before "▁a" -3, then "▁ab"
    assert_encodes(t, "abc", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_AB, SPM_C)); // "▁ab" -4 before "abc" -5
    assert_encodes(t, "b", PUM_ENCODE_PLAIN, IDS(SPM_BLANK, SPM_B));
    assert_encodes(t, "c abc", PUM_ENCODE_PLAIN, IDS(SPM_BLANK, SPM_C, SPM_BLANK_AB, SPM_C));
    assert_encodes(t, "가나", PUM_ENCODE_PLAIN, IDS(SPM_BLANK, SPM_GA, BYTE(0xEB), BYTE(0x82), BYTE(0x98)));
    assert_encodes(t, "", PUM_ENCODE_PLAIN, IDS(-1));
    pum_tokenizer_destroy(&t);
    t = make_spm(false);
    assert_encodes(t, "abc", PUM_ENCODE_PLAIN, IDS(SPM_ABC)); // no "▁" before it
    assert_encodes(t, " abc", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_AB, SPM_C));
    pum_tokenizer_destroy(&t);
}

static void test_equal_scores_merge_from_the_left(void **state) {
    (void)state;
    small_spm(&vocab);
    vocab.params.add_space_prefix = false;
    int32_t aa = small_add(&vocab, "aa", TOKEN_NORMAL, -1);
    pum_tokenizer *t = small_create(&vocab);
    assert_encodes(t, "aaaaa", PUM_ENCODE_PLAIN, IDS(aa, aa, SPM_A));
    pum_tokenizer_destroy(&t);
}

static void test_spm_merges_across_words_where_tokens_do(void **state) {
    (void)state;
    small_spm(&vocab);
    vocab.params.add_space_prefix = false;
    int32_t c_blank = small_add(&vocab, "c▁", TOKEN_NORMAL, -1);
    pum_tokenizer *t = small_create(&vocab);
    assert_encodes(t, "bc b", PUM_ENCODE_PLAIN, IDS(SPM_B, c_blank, SPM_B));
    pum_tokenizer_destroy(&t);
}

/* ---- special tokens */

static void test_special_tokens(void **state) {
    (void)state;
    pum_tokenizer *t = make_bpe();
    const char text[] = "abc<|im_end|>ab";
    assert_encodes(t, text, PUM_ENCODE_SPECIAL, IDS(BPE_ABC, BPE_IM_END, BPE_AB));
    assert_encodes(t, text, PUM_ENCODE_PLAIN, IDS(BPE_ABC, '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>', BPE_AB));
    // The longest that is there; one that is only begun is not.
    assert_encodes(t, "<|im_e<|im_start|>", PUM_ENCODE_SPECIAL, IDS(BPE_IM, '_', 'e', BPE_IM_START));
    assert_encodes(t, "<|im", PUM_ENCODE_SPECIAL, IDS(BPE_IM));
    assert_encodes(t, "<|i", PUM_ENCODE_SPECIAL, IDS('<', '|', 'i'));
    // User-defined tokens always are.
    assert_encodes(t, "a[user]<|im", PUM_ENCODE_PLAIN, IDS('a', BPE_USER, '<', '|', 'i', 'm'));
    pum_tokenizer_destroy(&t);
}

static void test_special_stretches(void **state) {
    (void)state;
    pum_tokenizer *t = make_bpe();
    const text_piece message[] = {{"<|im_start|>", 12, true}, {"x<|im_end|>[user]", 17, false}, {"<|im_end|>", 10, true}};
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    assert_int_equal(tokenizer_encode_pieces(t, message, 3, false, &ids, &n, &err), PUM_OK);
    assert_ids(ids, n, IDS(BPE_IM_START, 'x', '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>', BPE_USER, BPE_IM_END),
               "a message");
    pum_free(ids);
    // A marker that a message finishes is none, also where a shorter one is inside; one in two special stretches is.
    const text_piece half[] = {{"<|im_en", 7, true}, {"d|>", 3, false}, {"<|im_", 5, true}, {"end|>", 5, true}};
    assert_int_equal(tokenizer_encode_pieces(t, half, 4, false, &ids, &n, &err), PUM_OK);
    assert_ids(ids, n, IDS(BPE_IM, '_', 'e', 'n', 'd', '|', '>', BPE_IM_END), "half a marker");
    pum_free(ids);
    // Merging crosses stretches.
    const text_piece parts[] = {{"a", 1, true}, {"b", 1, false}, {"", 0, true}, {"c", 1, true}};
    assert_int_equal(tokenizer_encode_pieces(t, parts, 4, false, &ids, &n, &err), PUM_OK);
    assert_ids(ids, n, IDS(BPE_ABC), "parts of a word");
    pum_free(ids);
    assert_int_equal(tokenizer_encode_pieces(t, NULL, 0, false, &ids, &n, &err), PUM_OK);
    assert_null(ids);
    assert_int_equal(n, 0);
    pum_tokenizer_destroy(&t);
}

static void test_many_special_tokens(void **state) {
    (void)state;
    small_bpe(&vocab);
    int32_t first = -1, id = -1;
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "<|reserved_%d|>", i);
        id = small_add(&vocab, name, TOKEN_CONTROL, 0);
        if (i == 0) first = id;
    }
    pum_tokenizer *t = small_create(&vocab);
    for (int i = 0; i < 300; i++) {
        char text[80];
        snprintf(text, sizeof text, "<|reserved_%d|><|reserved_%d|>a", i, 299 - i);
        assert_encodes(t, text, PUM_ENCODE_SPECIAL, IDS(first + i, first + 299 - i, 'a'));
    }
    assert_encodes(t, "<|reserved_300|>", PUM_ENCODE_SPECIAL,
                   IDS('<', '|', 'r', 'e', 's', 'e', 'r', 'v', 'e', 'd', '_', '3', '0', '0', '|', '>'));
    pum_tokenizer_destroy(&t);
}

static void test_spm_spaces(void **state) {
    (void)state;
    pum_tokenizer *t = make_spm(true);
    // The prefix stands at the beginning and after special tokens, and nowhere without text.
    assert_encodes(t, "a<|im_end|>a", PUM_ENCODE_SPECIAL, IDS(SPM_BLANK_A, SPM_IM_END, SPM_BLANK_A));
    assert_encodes(t, "<|im_end|></s>", PUM_ENCODE_SPECIAL, IDS(SPM_IM_END, SPM_EOS));
    assert_encodes(t, "[user]a", PUM_ENCODE_PLAIN, IDS(SPM_USER, SPM_BLANK_A));
    assert_encodes(t, "a  a", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_A, SPM_BLANKS, SPM_A));
    assert_encodes(t, " a", PUM_ENCODE_PLAIN, IDS(SPM_BLANKS, SPM_A));
    // A file writes the user-defined run of three as U+2581; text has spaces.
    assert_encodes(t, "a   a", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_A, SPM_USER_BLANKS, SPM_BLANK_A));
    // What the text itself writes as U+2581 is no space.
    assert_encodes(t, "▁", PUM_ENCODE_PLAIN, IDS(SPM_BLANK, BYTE(0xE2), BYTE(0x96), BYTE(0x81)));
    // Names of control and byte tokens are text.
    assert_encodes(t, "<0x0A>", PUM_ENCODE_PLAIN,
                   IDS(SPM_BLANK, BYTE('<'), BYTE('0'), BYTE('x'), BYTE('0'), BYTE('A'), BYTE('>')));
    assert_encodes(t, "</s>", PUM_ENCODE_PLAIN, IDS(SPM_BLANK, BYTE('<'), BYTE('/'), BYTE('s'), BYTE('>')));
    pum_tokenizer_destroy(&t);
}

static void test_bos_and_eos(void **state) {
    (void)state;
    pum_tokenizer *t = make_spm(true);
    assert_encodes(t, "a", PUM_ENCODE_BOS, IDS(SPM_BOS, SPM_BLANK_A));
    assert_encodes(t, "", PUM_ENCODE_BOS, IDS(SPM_BOS));
    assert_int_equal(pum_tokenizer_bos(t), SPM_BOS);
    assert_int_equal(pum_tokenizer_eos(t), SPM_EOS);
    assert_int_equal(pum_tokenizer_n_vocab(t), SPM_IM_END + 1);
    assert_string_equal(tokenizer_describe(t), "llama");
    pum_tokenizer_destroy(&t);
    vocab.params.add_eos = true;
    vocab.params.add_bos = false;
    t = small_create(&vocab);
    assert_encodes(t, "a", PUM_ENCODE_BOS, IDS(SPM_BLANK_A, SPM_EOS));
    assert_encodes(t, "a", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_A));
    pum_tokenizer_destroy(&t);
    t = make_bpe(); // has no BOS
    assert_encodes(t, "a", PUM_ENCODE_BOS, IDS('a'));
    assert_int_equal(pum_tokenizer_bos(t), -1);
    assert_string_equal(tokenizer_describe(t), "gpt2 (gpt-2)");
    pum_tokenizer_destroy(&t);
}

static void test_stop_tokens(void **state) {
    (void)state;
    small_bpe(&vocab);
    vocab.params.eot = 'e';
    int32_t stops[] = {small_add(&vocab, "<|eot_id|>", TOKEN_CONTROL, 0), small_add(&vocab, "<|end_of_text|>", TOKEN_CONTROL, 0),
                       small_add(&vocab, "<|endoftext|>", TOKEN_CONTROL, 0),
                       small_add(&vocab, "<end_of_turn>", TOKEN_CONTROL, 0)};
    int32_t plain = small_add(&vocab, "</s>", TOKEN_USER_DEFINED, 0); // a tag of HTML in some vocabularies
    pum_tokenizer *t = small_create(&vocab);
    for (int i = 0; i < 4; i++) assert_true(pum_tokenizer_is_stop(t, stops[i]));
    assert_true(pum_tokenizer_is_stop(t, BPE_IM_END));
    assert_true(pum_tokenizer_is_stop(t, 'e'));
    assert_false(pum_tokenizer_is_stop(t, plain));
    assert_false(pum_tokenizer_is_stop(t, BPE_IM_START));
    assert_false(pum_tokenizer_is_stop(t, 'a'));
    assert_false(pum_tokenizer_is_stop(t, -1));
    assert_false(pum_tokenizer_is_stop(t, INT32_MAX));
    pum_tokenizer_destroy(&t);
}

/* ---- bytes */

static const char *const alphabet[] = {"a",  "b",          "c",      " ",    " ",        "가",   "😀", "▁",
                                       "\n", "<|im_end|>", "[user]", "\xFF", "\xEA\xB0", "\x80", "\0"};

/* Random bytes, or random pieces of the alphabet. */
static size_t soup(char *text, size_t n_max, uint64_t *random) {
    size_t n = 0;
    bool bytes = (*random >> 40) % 2;
    while (n + 16 < n_max) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(*random >> 33);
        const char *piece = alphabet[r % (sizeof alphabet / sizeof *alphabet)];
        size_t n_piece = *piece ? strlen(piece) : 1;
        if (bytes) text[n++] = (char)r;
        if (!bytes) memcpy(text + n, piece, n_piece), n += n_piece;
    }
    return n;
}

static void check_soup(pum_tokenizer *t) {
    char text[400];
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t random = seed * 0x9E3779B97F4A7C15u;
        size_t n = soup(text, 20 + (size_t)seed % 380, &random);
        assert_comes_back(t, text, n, PUM_ENCODE_PLAIN, seed);
        assert_comes_back(t, text, n, PUM_ENCODE_SPECIAL, seed);
    }
    pum_tokenizer_destroy(&t);
}

static void test_any_bytes_come_back(void **state) {
    (void)state;
    check_soup(make_spm(true));
    check_soup(make_spm(false));
    static const char *const rules[] = {"gpt-2", "llama-bpe", "smollm", "qwen2", "default", "none"};
    for (int i = 0; i < 6; i++) {
        small_bpe(&vocab);
        vocab.params.pre = rules[i];
        check_soup(small_create(&vocab));
    }
}

static void test_bytes_without_a_token(void **state) {
    (void)state;
    small_bpe(&vocab);
    vocab.params.unk = BPE_IM_END; // as in SmolLM2, whose unknown token is its end of text
    vocab.kinds[4] = TOKEN_UNUSED;
    pum_tokenizer *t = small_create(&vocab);
    assert_encodes(t,
                   "a\x04"
                   "b",
                   PUM_ENCODE_PLAIN, IDS('a', 'b'));
    pum_tokenizer_destroy(&t);
    small_spm(&vocab);
    vocab.kinds[BYTE(0x98)] = TOKEN_UNUSED;
    t = small_create(&vocab);
    assert_encodes(t, "a나a", PUM_ENCODE_PLAIN, IDS(SPM_BLANK_A, SPM_UNK, SPM_A));
    pum_tokenizer_destroy(&t);
    small_spm(&vocab);
    vocab.tokens[SPM_BLANK] = (text_span){"@", 1}; // no token for a space
    t = small_create(&vocab);
    assert_encodes(t, "b", PUM_ENCODE_PLAIN, IDS(BYTE(' '), SPM_B));
    assert_comes_back(t, "b b", 3, PUM_ENCODE_PLAIN, 0);
    pum_tokenizer_destroy(&t);
}

static void test_bytes_of_tokens(void **state) {
    (void)state;
    pum_tokenizer *t = make_spm(true);
    const char *bytes;
    assert_int_equal(pum_tokenizer_bytes(t, SPM_BLANK_AB, false, &bytes), 3);
    assert_memory_equal(bytes, " ab", 3);
    assert_int_equal(pum_tokenizer_bytes(t, BYTE(0xEB), false, &bytes), 1);
    assert_int_equal((uint8_t)*bytes, 0xEB);
    assert_int_equal(pum_tokenizer_bytes(t, SPM_IM_END, false, &bytes), 0);
    assert_int_equal(pum_tokenizer_bytes(t, SPM_IM_END, true, &bytes), 10);
    assert_memory_equal(bytes, "<|im_end|>", 10);
    assert_int_equal(pum_tokenizer_bytes(t, -1, true, &bytes), 0);
    assert_int_equal(pum_tokenizer_bytes(t, SPM_IM_END + 1, true, &bytes), 0);
    char *text;
    size_t n;
    pum_error err = {0};
    assert_int_equal(pum_tokenizer_decode(t, IDS(SPM_A, SPM_IM_END + 1), 2, true, &text, &n, &err), PUM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "token 1: expected an id below"));
    assert_null(text);
    assert_int_equal(pum_tokenizer_decode(t, NULL, 0, true, &text, &n, &err), PUM_OK);
    assert_string_equal(text, "");
    pum_free(text);
    pum_tokenizer_destroy(&t);
}

/* ---- long texts: a step that looks at all that comes, or came, would take hours here */

static void test_long_texts(void **state) {
    (void)state;
    static const char *const units[] = {"a", "ab",        " ",  "\n",   " \n",   "1", "!",
                                        "<", "<|im_end|", "가", "\xFF", "\xFFx", "'", "x "};
    enum { N = 1 << 21 };
    char *text = malloc(N);
    assert_non_null(text);
    pum_tokenizer *tokenizers[] = {make_bpe(), make_spm(true)};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t n_unit = strlen(units[u]), n = N / n_unit * n_unit;
        for (size_t i = 0; i < n; i++) text[i] = units[u][i % n_unit];
        for (int k = 0; k < 2; k++) assert_comes_back(tokenizers[k], text, n, PUM_ENCODE_SPECIAL, u);
    }
    for (int k = 0; k < 2; k++) pum_tokenizer_destroy(&tokenizers[k]);
    free(text);
}

/* ---- pre-tokenizers; the expected splits were made by another regular-expression engine */

static void collect(void *user, const char *bytes, size_t n_bytes) {
    char *text = user;
    snprintf(text + strlen(text), 500 - strlen(text), "[%.*s]", (int)n_bytes, bytes);
}

static void test_splits(void **state) {
    (void)state;
    static const struct {
        const char *pre, *text, *expected;
    } cases[] = {
        {"gpt-2", "I'll GO, it'S 1234567  now!?\n\n  x\t\ty ",
         "[I]['ll][ GO][,][ it]['][S][ 1234567][ ][ now][!?][\n\n ][ x][\t][\t][y][ ]"},
        {"gpt-2", "안녕 3개월 e\u0301 ①½\u0663 a\u180E b\u00A0\u3000c",
         "[안녕][ 3][개월][ e][\u0301][ ①½\u0663][ a][\u180E][ b][\u00A0][\u3000][c]"},
        {"gpt-2", "...\r\n\r\n#include <x>\n\tif (a==b)  {",
         "[...][\r\n\r][\n][#][include][ <][x][>][\n][\t][if][ (][a][==][b][)][ ][ {]"},
        {"gpt-2", "'Tis 'LL''re 100% _under_score__ 😀😀 x", "['][Tis][ '][LL][''][re][ 100][%][ _][under][_][score][__][ 😀😀][ x]"},
        {"llama-bpe", "I'll GO, it'S 1234567  now!?\n\n  x\t\ty ",
         "[I]['ll][ GO][,][ it]['S][ ][123][456][7][ ][ now][!?\n\n][ ][ x][\t][\ty][ ]"},
        {"llama-bpe", "안녕 3개월 e\u0301 ①½\u0663 a\u180E b\u00A0\u3000c",
         "[안녕][ ][3][개월][ e][\u0301][ ][①½\u0663][ a][\u180E][ b][\u00A0][\u3000c]"},
        {"llama-bpe", "...\r\n\r\n#include <x>\n\tif (a==b)  {",
         "[...\r\n\r\n][#include][ <][x][>\n][\tif][ (][a][==][b][)][ ][ {]"},
        {"llama-bpe", "'Tis 'LL''re 100% _under_score__ 😀😀 x",
         "['T][is][ '][LL][''][re][ ][100][%][ _][under][_score][__][ 😀😀][ x]"},
        {"qwen2", "I'll GO, it'S 1234567  now!?\n\n  x\t\ty ",
         "[I]['ll][ GO][,][ it]['S][ ][1][2][3][4][5][6][7][ ][ now][!?\n\n][ ][ x][\t][\ty][ ]"},
        {"qwen2", "안녕 3개월 e\u0301 ①½\u0663 a\u180E b\u00A0\u3000c",
         "[안녕][ ][3][개월][ e][\u0301][ ][①][½][\u0663][ a][\u180E][ b][\u00A0][\u3000c]"},
        {"qwen2", "...\r\n\r\n#include <x>\n\tif (a==b)  {", "[...\r\n\r\n][#include][ <][x][>\n][\tif][ (][a][==][b][)][ ][ {]"},
        {"qwen2", "'Tis 'LL''re 100% _under_score__ 😀😀 x",
         "['T][is][ '][LL][''][re][ ][1][0][0][%][ _][under][_score][__][ 😀😀][ x]"},
        {"smollm", "I'll GO, it'S 1234567  now!?\n\n  x\t\ty ",
         "[I]['ll][ GO][,][ it]['][S][ ][1][2][3][4][5][6][7][ ][ now][!?][\n\n ][ x][\t][\t][y][ ]"},
        {"smollm", "안녕 3개월 e\u0301 ①½\u0663 a\u180E b\u00A0\u3000c",
         "[안녕][ ][3][개월][ e][\u0301][ ][①][½][\u0663][ a][\u180E][ b][\u00A0][\u3000][c]"},
        {"smollm", "...\r\n\r\n#include <x>\n\tif (a==b)  {",
         "[...][\r\n\r][\n][#][include][ <][x][>][\n][\t][if][ (][a][==][b][)][ ][ {]"},
        {"smollm", "'Tis 'LL''re 100% _under_score__ 😀😀 x",
         "['][Tis][ '][LL][''][re][ ][1][0][0][%][ _][under][_][score][__][ 😀😀][ x]"},
        {"default", "I'll GO, it'S 1234567  now!?\n\n  x\t\ty ",
         "[I]['][ll][ GO][,][ it]['][S][ ][123][456][7][ ][ now][!?][\n\n ][ x][\t][\t][y][ ]"},
        {"default", "안녕 3개월 e\u0301 ①½\u0663 a\u180E b\u00A0\u3000c",
         "[안녕][ ][3][개월][ e][\u0301][ ][①½\u0663][ a][\u180E][ b][\u00A0][\u3000][c]"},
        {"default", "...\r\n\r\n#include <x>\n\tif (a==b)  {",
         "[...][\r\n\r\n][#][include][ ][<][x][>][\n][\t][if][ ][(][a][==][b][)][  ][{]"},
        {"default", "'Tis 'LL''re 100% _under_score__ 😀😀 x",
         "['][Tis][ ]['][LL][''][re][ ][100][%][ ][_][under][_][score][__][ 😀😀][ x]"},
        {"none", "a b  c", "[a b  c]"},
        {"gpt-2", "a\xFF\xFE b\xEA\xB0", "[a][\xFF\xFE][ b][\xEA\xB0]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[500] = "";
        pum_error err = {0};
        if (pretokenize(cases[i].pre, cases[i].text, strlen(cases[i].text), collect, got, &err) != PUM_OK)
            fail_msg("%s", err.message);
        if (strcmp(got, cases[i].expected) != 0) fail_msg("%s: expected\n%s, got\n%s", cases[i].pre, cases[i].expected, got);
    }
}

/* ---- what is refused */

static void assert_refused(pum_status expected, const char *part) {
    pum_tokenizer *t;
    pum_error err = {0};
    assert_int_equal(tokenizer_create(&vocab.params, &t, &err), expected);
    assert_null(t);
    if (!strstr(err.message, part)) fail_msg("expected a message with \"%s\", got \"%s\"", part, err.message);
}

static void test_refused_vocabularies(void **state) {
    (void)state;
    small_bpe(&vocab);
    vocab.params.model = "martian";
    assert_refused(PUM_ERR_UNSUPPORTED, "\"martian\"");
    small_bpe(&vocab);
    vocab.params.pre = "martian";
    assert_refused(PUM_ERR_UNSUPPORTED, "\"martian\"");
    small_bpe(&vocab);
    vocab.merges[1] = (text_span){"abc", 3};
    assert_refused(PUM_ERR_FORMAT, "merge 1: expected two tokens");
    small_bpe(&vocab);
    vocab.params.eos = (int32_t)vocab.params.n_vocab;
    assert_refused(PUM_ERR_FORMAT, "the eos token: expected an id below 263, got 263");
    small_spm(&vocab);
    vocab.scores[SPM_A] = NAN;
    assert_refused(PUM_ERR_FORMAT, "the score of token 260");
    small_spm(&vocab);
    char *long_name = calloc(1, 70000);
    vocab.tokens[SPM_A] = (text_span){long_name, 70000};
    assert_refused(PUM_ERR_FORMAT, "token 260: expected at most 65535 bytes, got 70000");
    free(long_name);
}

static void test_refused_texts(void **state) {
    (void)state;
    pum_tokenizer *t = make_bpe();
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    assert_int_equal(pum_tokenizer_encode(t, "", ((size_t)1 << 30) + 1, PUM_ENCODE_PLAIN, &ids, &n, &err), PUM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "split it"));
    const text_piece wraps[] = {{"a", 1, true}, {"", SIZE_MAX, true}};
    assert_int_equal(tokenizer_encode_pieces(t, wraps, 2, true, &ids, &n, &err), PUM_ERR_ARGUMENT);
    assert_null(ids);
    assert_int_equal(pretokenize("martian", "x", 1, collect, NULL, &err), PUM_ERR_UNSUPPORTED);
    pum_tokenizer_destroy(&t);
    pum_tokenizer_destroy(&t);
    pum_tokenizer_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe_merges),
        cmocka_unit_test(test_whole_words_come_before_merges),
        cmocka_unit_test(test_spm_merges_by_score),
        cmocka_unit_test(test_equal_scores_merge_from_the_left),
        cmocka_unit_test(test_spm_merges_across_words_where_tokens_do),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_special_stretches),
        cmocka_unit_test(test_many_special_tokens),
        cmocka_unit_test(test_spm_spaces),
        cmocka_unit_test(test_bos_and_eos),
        cmocka_unit_test(test_stop_tokens),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_bytes_without_a_token),
        cmocka_unit_test(test_bytes_of_tokens),
        cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_splits),
        cmocka_unit_test(test_refused_vocabularies),
        cmocka_unit_test(test_refused_texts),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
