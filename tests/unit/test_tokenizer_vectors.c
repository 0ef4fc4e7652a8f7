/* Tokenizers against ids made by other programs: test_tokenizer_vectors gpt-2 | llama-spm | llama-bpe | smollm2 | qwen2. */
#include "unit/small_vocab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CASES = 46, MAX_FILE = 4 << 20 };
static const char SEPARATOR[] = "\n__ggml_vocab_test__\n";
static const char *which;

static _Noreturn void skip_program(const char *why) {
    printf("skipped: %s\n", why);
    exit(77);
}

static const char *data_path(const char *name) {
    static char path[4096];
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(path, sizeof path, "%s/tokenizers/%s", data ? data : ".", name);
    return path;
}

static char *read_data(const char *name, size_t *n_bytes) {
    FILE *file = fopen(data_path(name), "rb");
    if (!file) skip_program("the vectors are not in the test data folder");
    char *bytes = calloc(1, MAX_FILE);
    assert_non_null(bytes);
    *n_bytes = fread(bytes, 1, MAX_FILE - 1, file);
    fclose(file);
    return bytes;
}

static pum_tokenizer *open_tokenizer(const char *path, const char *why_not) {
    FILE *there = fopen(path, "rb");
    if (!there) skip_program(why_not);
    fclose(there);
    pum_file *file;
    pum_tokenizer *t = NULL;
    pum_error err = {0};
    if (pum_file_open(path, &file, &err) != PUM_OK || pum_file_tokenizer(file, &t, &err) != PUM_OK) fail_msg("%s", err.message);
    pum_file_destroy(&file);
    return t;
}

/* ---- the cases of a pair of files */

typedef void case_fn(void *user, int number, const char *text, size_t n_bytes, char *expected);

static void for_each_case(const char *name, case_fn *check, void *user) {
    char path[256];
    size_t n_in, n_out;
    snprintf(path, sizeof path, "vocab/%s.inp", name);
    char *in = read_data(path, &n_in);
    snprintf(path, sizeof path, "vocab/%s.out", name);
    char *out = read_data(path, &n_out), *line = out;
    int n_cases = 0;
    for (char *text = in, *end; (end = strstr(text, SEPARATOR)); text = end + sizeof SEPARATOR - 1, n_cases++) {
        char *newline = strchr(line, '\n');
        if (!newline) fail_msg("%s: expected a line of ids for case %d, got the end of the file", name, n_cases);
        *newline = 0;
        check(user, n_cases, text, (size_t)(end - text), line);
        line = newline + 1;
    }
    assert_int_equal(n_cases, N_CASES);
    free(in);
    free(out);
}

static void check_ids(void *user, int number, const char *text, size_t n_bytes, char *expected) {
    const pum_tokenizer *t = user;
    int32_t *ids;
    size_t n, i = 0, n_back;
    pum_error err = {0};
    if (pum_tokenizer_encode(t, text, n_bytes, PUM_ENCODE_PLAIN, &ids, &n, &err) != PUM_OK) fail_msg("%s", err.message);
    for (char *word = strtok(expected, " "); word; word = strtok(NULL, " "), i++)
        if (i >= n || atoi(word) != ids[i])
            fail_msg("case %d (%.*s), token %zu: expected %s, got %d of %zu", number, (int)n_bytes, text, i, word,
                     i < n ? (int)ids[i] : -1, n);
    if (i != n) fail_msg("case %d (%.*s): expected %zu tokens, got %zu", number, (int)n_bytes, text, i, n);
    char *back;
    if (pum_tokenizer_decode(t, ids, n, false, &back, &n_back, &err) != PUM_OK) fail_msg("%s", err.message);
    if (n_back != n_bytes || memcmp(back, text, n_bytes) != 0)
        fail_msg("case %d: decoding gives %zu bytes or other ones, not the %zu that went in", number, n_back, n_bytes);
    pum_free(back);
    pum_free(ids);
}

/* ---- vocabularies */

static size_t decode_base64(const char *text, size_t n, char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t bits = 0;
    size_t n_bits = 0, n_out = 0;
    for (size_t i = 0; i < n && text[i] != '='; i++) {
        const char *digit = strchr(digits, text[i]);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        if ((n_bits += 6) >= 8) out[n_out++] = (char)(bits >> (n_bits -= 8));
    }
    return n_out;
}

enum { LLAMA3_RANKS = 128000, LLAMA3_TOKENS = 128256 };

/* LLaMA 3 publishes ranks, "base64 rank" lines, and no merges: the id of a result is its rank. */
static pum_tokenizer *make_llama3(void) {
    size_t n_bytes;
    char *ranks = read_data("llama3-tokenizer.model", &n_bytes), *storage = calloc(1, 8 << 20), *at = storage, bytes[1024];
    text_span *tokens = calloc(LLAMA3_TOKENS, sizeof *tokens);
    int32_t *kinds = calloc(LLAMA3_TOKENS, sizeof *kinds), n = 0;
    assert_true(storage && tokens && kinds);
    for (char *line = strtok(ranks, "\n"); line && n < LLAMA3_RANKS; line = strtok(NULL, "\n"), n++) {
        assert_int_equal(atoi(line + strcspn(line, " ")), n);
        size_t length = decode_base64(line, strcspn(line, " "), bytes);
        tokens[n].bytes = at;
        for (size_t i = 0; i < length; i++) at += write_byte((uint8_t)bytes[i], at);
        tokens[n].n_bytes = (uint64_t)(at - tokens[n].bytes);
        kinds[n] = TOKEN_NORMAL;
    }
    assert_int_equal(n, LLAMA3_RANKS);
    for (; n < LLAMA3_TOKENS; n++, at += tokens[n - 1].n_bytes + 1) {
        int length = n == 128000   ? sprintf(at, "<|begin_of_text|>")
                     : n == 128009 ? sprintf(at, "<|eot_id|>")
                                   : sprintf(at, "<|reserved_special_token_%d|>", n - LLAMA3_RANKS);
        tokens[n] = (text_span){at, (uint64_t)length};
        kinds[n] = TOKEN_CONTROL;
    }
    const tokenizer_params p = {.model = "gpt2",
                                .pre = "llama-bpe",
                                .n_vocab = LLAMA3_TOKENS,
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
    free(ranks);
    free(tokens);
    free(kinds);
    free(storage);
    return t;
}

static pum_tokenizer *open_default_model(void) {
    char path[4096];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    bool xdg = data && *data;
    snprintf(path, sizeof path, "%s%s/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf",
             xdg    ? data
             : home ? home
                    : "",
             xdg ? "" : "/.local/share");
    return open_tokenizer(path, "the default model has not been downloaded (tools/chat does)");
}

static void test_ids(void **state) {
    (void)state;
    pum_tokenizer *t;
    const char *vectors = which;
    char name[64];
    if (strcmp(which, "smollm2") == 0) {
        t = open_default_model();
    } else {
        snprintf(name, sizeof name, "ggml-vocab-%s.gguf", which);
        vectors = name;
        char file[80];
        snprintf(file, sizeof file, "vocab/%s", name);
        t = strcmp(which, "llama-bpe") == 0 ? make_llama3()
                                            : open_tokenizer(data_path(file), "the vocabulary is not in the test data folder");
    }
    for_each_case(vectors, check_ids, t);
    pum_tokenizer_destroy(&t);
}

/* ---- LLaMA 3's special tokens, in text where they count and where they do not */

static void test_llama3_special(void **state) {
    (void)state;
    pum_tokenizer *t = make_llama3();
    const char text[] = "<|begin_of_text|>Hello<|eot_id|><|reserved_special_token_247|>";
    int32_t *ids;
    size_t n;
    pum_error err = {0};
    assert_int_equal(pum_tokenizer_encode(t, text, strlen(text), PUM_ENCODE_SPECIAL, &ids, &n, &err), PUM_OK);
    assert_int_equal(n, 4);
    assert_int_equal(ids[0], 128000);
    assert_int_equal(ids[2], 128009);
    assert_int_equal(ids[3], 128247);
    assert_true(pum_tokenizer_is_stop(t, 128009));
    pum_free(ids);
    assert_int_equal(pum_tokenizer_encode(t, text, strlen(text), PUM_ENCODE_BOS, &ids, &n, &err), PUM_OK);
    assert_int_equal(ids[0], 128000);
    for (size_t i = 1; i < n; i++) assert_true(ids[i] < LLAMA3_RANKS);
    pum_free(ids);
    pum_tokenizer_destroy(&t);
}

/* ---- Qwen2: no vocabulary here, but its ids bound its splits from above */

typedef struct parts {
    const char *text;
    size_t at, n;
} parts;

static void count(void *user, const char *bytes, size_t n_bytes) {
    parts *p = user;
    assert_true(n_bytes > 0);
    assert_memory_equal(p->text + p->at, bytes, n_bytes);
    p->at += n_bytes;
    p->n++;
}

static void check_splits(void *user, int number, const char *text, size_t n_bytes, char *expected) {
    parts p = {.text = text};
    size_t n_ids = 0;
    pum_error err = {0};
    if (pretokenize(user, text, n_bytes, count, &p, &err) != PUM_OK) fail_msg("%s", err.message);
    for (char *word = strtok(expected, " "); word; word = strtok(NULL, " ")) n_ids++;
    assert_int_equal(p.at, n_bytes);
    if (p.n > n_ids) fail_msg("case %d (%.*s): %zu parts, but only %zu tokens", number, (int)n_bytes, text, p.n, n_ids);
}

static void test_splits(void **state) {
    (void)state;
    for_each_case("ggml-vocab-qwen2.gguf", check_splits, "qwen2");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s gpt-2 | llama-spm | llama-bpe | smollm2 | qwen2\n", argv[0]);
        return 2;
    }
    which = argv[1];
    const struct CMUnitTest ids[] = {cmocka_unit_test(test_ids)};
    const struct CMUnitTest llama3[] = {cmocka_unit_test(test_ids), cmocka_unit_test(test_llama3_special)};
    const struct CMUnitTest splits[] = {cmocka_unit_test(test_splits)};
    if (strcmp(which, "qwen2") == 0) return cmocka_run_group_tests_name(which, splits, NULL, NULL);
    if (strcmp(which, "llama-bpe") == 0) return cmocka_run_group_tests_name(which, llama3, NULL, NULL);
    return cmocka_run_group_tests_name(which, ids, NULL, NULL);
}
