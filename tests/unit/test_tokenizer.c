/* Tokenizers against vectors made by other programs, and round trips of any bytes. */
#include "text/tokenizer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char SEPARATOR[] = "\n__ggml_vocab_test__\n";

static char *read_data(const char *name, size_t *n_bytes) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tokenizers/%s", getenv("PUMICE_TEST_DATA") ? getenv("PUMICE_TEST_DATA") : ".", name);
    FILE *file = fopen(path, "rb");
    if (!file) return NULL;
    char *bytes = calloc(1, 4 << 20);
    *n_bytes = bytes ? fread(bytes, 1, (4 << 20) - 1, file) : 0;
    fclose(file);
    return bytes;
}

static pum_tokenizer *open_tokenizer(const char *path) {
    pum_file *file;
    pum_tokenizer *t;
    pum_error err = {0};
    if (pum_file_open(path, &file, &err) != PUM_OK) return NULL;
    if (pum_file_tokenizer(file, &t, &err) != PUM_OK) fail_msg("%s", err.message);
    pum_file_destroy(&file);
    return t;
}

static void check_case(const pum_tokenizer *t, const char *name, int number, const char *text, size_t n_bytes, char *expected) {
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    if (pum_tokenizer_encode(t, text, n_bytes, PUM_ENCODE_PLAIN, &ids, &n, &err) != PUM_OK) fail_msg("%s", err.message);
    size_t i = 0;
    for (char *word = strtok(expected, " \n"); word; word = strtok(NULL, " \n"), i++)
        if (i >= n || atoi(word) != ids[i])
            fail_msg("%s, case %d (%.*s), token %zu: expected %s, got %d of %zu", name, number, (int)n_bytes, text, i, word,
                     i < n ? (int)ids[i] : -1, n);
    if (i != n) fail_msg("%s, case %d (%.*s): expected %zu tokens, got %zu", name, number, (int)n_bytes, text, i, n);
    char *back;
    size_t n_back;
    if (pum_tokenizer_decode(t, ids, n, false, &back, &n_back, &err) != PUM_OK) fail_msg("%s", err.message);
    if (n_back != n_bytes || memcmp(back, text, n_bytes) != 0)
        fail_msg("%s, case %d: decoding gives %zu bytes, not the %zu that went in", name, number, n_back, n_bytes);
    pum_free(back);
    pum_free(ids);
}

static void check_vectors(const pum_tokenizer *t, const char *name) {
    char in_name[256], out_name[256];
    snprintf(in_name, sizeof in_name, "vocab/%s.inp", name);
    snprintf(out_name, sizeof out_name, "vocab/%s.out", name);
    size_t n_in, n_out;
    char *in = read_data(in_name, &n_in), *out = read_data(out_name, &n_out);
    assert_non_null(in);
    assert_non_null(out);
    int n_cases = 0;
    char *line = out;
    for (char *text = in, *end; (end = strstr(text, SEPARATOR)); text = end + sizeof SEPARATOR - 1, n_cases++) {
        char *newline = strchr(line, '\n');
        assert_non_null(newline);
        *newline = 0;
        check_case(t, name, n_cases, text, (size_t)(end - text), line);
        line = newline + 1;
    }
    print_message("%s: %d cases\n", name, n_cases);
    assert_true(n_cases >= 40);
    free(in);
    free(out);
}

static void check_file(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tokenizers/vocab/%s", getenv("PUMICE_TEST_DATA") ? getenv("PUMICE_TEST_DATA") : ".", name);
    pum_tokenizer *t = open_tokenizer(path);
    if (!t) skip();
    check_vectors(t, name);
    pum_tokenizer_destroy(&t);
}

static void test_gpt2(void **state) {
    (void)state;
    check_file("ggml-vocab-gpt-2.gguf");
}

static void test_llama_spm(void **state) {
    (void)state;
    check_file("ggml-vocab-llama-spm.gguf");
}

static void test_smollm2(void **state) {
    (void)state;
    char path[4096];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    snprintf(path, sizeof path, "%s%s/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf",
             data   ? data
             : home ? home
                    : "",
             data ? "" : "/.local/share");
    pum_tokenizer *t = open_tokenizer(path);
    if (!t) {
        print_message("skipped: the default model is not there\n");
        skip();
    }
    check_vectors(t, "smollm2");
    pum_tokenizer_destroy(&t);
}

/* ---- LLaMA 3: base64 ranks, merged by rank */

static size_t decode_base64(const char *text, size_t n, char *out) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n_bits = 0, n_out = 0;
    for (size_t i = 0; i < n && text[i] != '='; i++) {
        bits = bits << 6 | (uint32_t)(strchr(alphabet, text[i]) - alphabet);
        if ((n_bits += 6) >= 8) out[n_out++] = (char)(bits >> (n_bits -= 8));
    }
    return n_out;
}

/* The printable character that byte-level vocabularies write for a byte. */
static size_t write_byte(uint8_t byte, char *out) {
    uint32_t code = byte;
    bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    if (!printable) code = 0x100 + (byte < 0x21 ? byte : byte < 0xA1 ? byte - 0x7F + 0x21u : 0x43u);
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
}

static void test_llama3(void **state) {
    (void)state;
    size_t n_bytes;
    char *ranks = read_data("llama3-tokenizer.model", &n_bytes);
    if (!ranks) skip();
    enum { N = 128256 };
    text_span *tokens = calloc(N, sizeof *tokens);
    char *storage = calloc(1, 8 << 20), *at = storage, bytes[1024];
    uint32_t n = 0;
    for (char *line = strtok(ranks, "\n"); line && n < N; line = strtok(NULL, "\n"), n++) {
        size_t length = decode_base64(line, strcspn(line, " "), bytes);
        tokens[n].bytes = at;
        for (size_t i = 0; i < length; i++) at += write_byte((uint8_t)bytes[i], at);
        tokens[n].n_bytes = (uint64_t)(at - tokens[n].bytes);
    }
    assert_int_equal(n, 128000);
    int32_t *kinds = calloc(N, sizeof *kinds);
    for (uint32_t i = 0; i < N; i++) kinds[i] = i < n ? TOKEN_NORMAL : TOKEN_CONTROL;
    for (uint32_t i = n; i < N; i++) {
        tokens[i] = (text_span){at, (uint64_t)sprintf(at, "<|reserved_special_token_%u|>", i - n)};
        at += tokens[i].n_bytes + 1;
    }
    tokenizer_params p = {.model = "gpt2",
                          .pre = "llama-bpe",
                          .n_vocab = N,
                          .tokens = tokens,
                          .kinds = kinds,
                          .bos = 128000,
                          .eos = 128001,
                          .unk = -1,
                          .eot = -1,
                          .add_bos = true};
    pum_tokenizer *t;
    pum_error err = {0};
    if (tokenizer_create(&p, &t, &err) != PUM_OK) fail_msg("%s", err.message);
    check_vectors(t, "ggml-vocab-llama-bpe.gguf");
    pum_tokenizer_destroy(&t);
    free(ranks);
    free(tokens);
    free(kinds);
    free(storage);
}

/* ---- small vocabularies of our own */

static pum_tokenizer *small_bpe(void) {
    static char names[300][16];
    static text_span tokens[300];
    static int32_t kinds[300];
    for (int i = 0; i < 256; i++) {
        tokens[i] = (text_span){names[i], write_byte((uint8_t)i, names[i])};
        kinds[i] = TOKEN_NORMAL;
    }
    const char *more[] = {"ab", "abc", "<|im_end|>", "<|im_start|>"};
    for (int i = 0; i < 4; i++) {
        tokens[256 + i] = (text_span){more[i], strlen(more[i])};
        kinds[256 + i] = i < 2 ? TOKEN_NORMAL : TOKEN_CONTROL;
    }
    static const text_span merges[] = {{"a b", 3}, {"ab c", 4}};
    tokenizer_params p = {.model = "gpt2",
                          .pre = "gpt-2",
                          .n_vocab = 260,
                          .tokens = tokens,
                          .kinds = kinds,
                          .n_merges = 2,
                          .merges = merges,
                          .bos = -1,
                          .eos = 258,
                          .unk = -1,
                          .eot = -1};
    pum_tokenizer *t;
    pum_error err = {0};
    if (tokenizer_create(&p, &t, &err) != PUM_OK) fail_msg("%s", err.message);
    return t;
}

static void test_any_bytes_come_back(void **state) {
    (void)state;
    pum_tokenizer *t = small_bpe();
    uint64_t random = 1;
    for (int round = 0; round < 200; round++) {
        char text[300];
        size_t n = (size_t)round + 1;
        for (size_t i = 0; i < n; i++) text[i] = (char)((random = random * 6364136223846793005u + 1442695040888963407u) >> 56);
        int32_t *ids;
        size_t n_ids, n_back;
        char *back;
        pum_error err = {0};
        assert_int_equal(pum_tokenizer_encode(t, text, n, PUM_ENCODE_PLAIN, &ids, &n_ids, &err), PUM_OK);
        assert_int_equal(pum_tokenizer_decode(t, ids, n_ids, false, &back, &n_back, &err), PUM_OK);
        assert_int_equal(n_back, n);
        assert_memory_equal(back, text, n);
        pum_free(ids);
        pum_free(back);
    }
    pum_tokenizer_destroy(&t);
}

static void test_special_text(void **state) {
    (void)state;
    pum_tokenizer *t = small_bpe();
    const char text[] = "abc<|im_end|>ab";
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    assert_int_equal(pum_tokenizer_encode(t, text, strlen(text), PUM_ENCODE_SPECIAL, &ids, &n, &err), PUM_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 257);
    assert_int_equal(ids[1], 258);
    assert_int_equal(ids[2], 256);
    pum_free(ids);
    assert_int_equal(pum_tokenizer_encode(t, text, strlen(text), PUM_ENCODE_PLAIN, &ids, &n, &err), PUM_OK);
    assert_int_equal(n, 1 + 10 + 1);
    pum_free(ids);
    // A marker inside a message stays text, one of the template does not.
    text_piece pieces[] = {{"<|im_start|>", 12, true}, {"x<|im_end|>", 11, false}, {"<|im_end|>", 10, true}};
    assert_int_equal(tokenizer_encode_pieces(t, pieces, 3, false, &ids, &n, &err), PUM_OK);
    assert_int_equal(n, 1 + 11 + 1);
    assert_int_equal(ids[0], 259);
    assert_int_equal(ids[n - 1], 258);
    pum_free(ids);
    assert_true(pum_tokenizer_is_stop(t, 258));
    assert_false(pum_tokenizer_is_stop(t, 257));
    assert_false(pum_tokenizer_is_stop(t, -1));
    pum_tokenizer_destroy(&t);
}

static void test_long_words_are_not_quadratic(void **state) {
    (void)state;
    pum_tokenizer *t = small_bpe();
    size_t n = 2 << 20, n_ids;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++) text[i] = "ab"[i % 2];
    int32_t *ids;
    pum_error err = {0};
    assert_int_equal(pum_tokenizer_encode(t, text, n, PUM_ENCODE_PLAIN, &ids, &n_ids, &err), PUM_OK);
    assert_int_equal(n_ids, n / 2);
    pum_free(ids);
    free(text);
    pum_tokenizer_destroy(&t);
}

static void collect(void *user, const char *bytes, size_t n_bytes) {
    char *text = user;
    snprintf(text + strlen(text), 500 - strlen(text), "[%.*s]", (int)n_bytes, bytes);
}

static void test_splits(void **state) {
    (void)state;
    const struct {
        const char *pre, *text, *expected;
    } cases[] = {
        {"gpt-2", "I'll go 1234  now!", "[I]['ll][ go][ 1234][ ][ now][!]"},
        {"llama-bpe", "I'LL go 1234  now!\n\n x", "[I]['LL][ go][ ][123][4][ ][ now][!\n\n][ x]"},
        {"smollm", "In 2024 we", "[In][ ][2][0][2][4][ we]"},
        {"qwen2", "I'LL 12\n\nx", "[I]['LL][ ][1][2][\n\n][x]"},
        {"none", "a b  c", "[a b  c]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[500] = "";
        pum_error err = {0};
        if (pretokenize(cases[i].pre, cases[i].text, strlen(cases[i].text), collect, got, &err) != PUM_OK)
            fail_msg("%s", err.message);
        assert_string_equal(got, cases[i].expected);
    }
    pum_error err = {0};
    assert_int_equal(pretokenize("martian", "x", 1, collect, NULL, &err), PUM_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "martian"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gpt2),
        cmocka_unit_test(test_llama_spm),
        cmocka_unit_test(test_smollm2),
        cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_special_text),
        cmocka_unit_test(test_long_words_are_not_quadratic),
        cmocka_unit_test(test_splits),
    };
    return cmocka_run_group_tests_name("tokenizer", tests, NULL, NULL);
}
