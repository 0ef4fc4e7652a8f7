/* Real files, read in place: a trained model in version 1 beside the checkpoint it was made from, and vocabularies.
 * test_gguf_files default-model: the default model, where it has been downloaded. */
#include "gguf/gguf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void skip_program(const char *why) {
    printf("skipped: %s\n", why);
    exit(77);
}

static gguf *open_file(const char *path) {
    gguf *file = NULL;
    pum_error err = {0};
    pum_status status = gguf_open(path, &file, &err);
    if (status != PUM_OK) fail_msg("%s: %s", pum_status_name(status), err.message);
    return file;
}

static const char *data_path(const char *name) {
    static char path[4096];
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", data ? data : ".", name);
    return path;
}

static void assert_text(const gguf *file, const char *key, const char *expected) {
    char text[256];
    assert_non_null(gguf_find_key(file, key));
    gguf_value_text(file, gguf_find_key(file, key), text, sizeof text);
    assert_string_equal(text, expected);
}

static int64_t int_of(const gguf *file, const char *key) {
    int64_t value = -1;
    pum_error err = {0};
    if (gguf_get_int(file, key, 0, INT64_MAX, &value, &err) != PUM_OK) fail_msg("%s", err.message);
    return value;
}

static void assert_string(gguf_string s, const char *expected) {
    assert_int_equal(s.n_bytes, strlen(expected));
    assert_memory_equal(s.bytes, expected, s.n_bytes);
}

static gguf_string string_at(const gguf *file, const char *key, int index) {
    gguf_string s = {0};
    const uint8_t *cursor = gguf_find_key(file, key)->value;
    for (int i = 0; i <= index; i++) s = gguf_next_string(file, &cursor);
    return s;
}

/* ------------------------------------------------------------------ stories260K */

/// The checkpoint: seven integers, then the embedding [512][64] in float.
static float *read_embedding(void) {
    FILE *f = fopen(data_path("models/stories260K/stories260K.bin"), "rb");
    float *values = malloc(512 * 64 * sizeof *values);
    assert_true(f && values && fseek(f, 7 * 4, SEEK_SET) == 0 && fread(values, sizeof *values, 512 * 64, f) == 512 * 64);
    fclose(f);
    return values;
}

static void test_version_1(void **state) {
    (void)state;
    gguf *file = open_file(data_path("models/stories260K/stories260K-f32.gguf"));
    assert_true(gguf_version(file) == 1 && gguf_n_tensors(file) == 48 && gguf_n_keys(file) == 18);
    assert_text(file, "general.architecture", "llama");
    assert_true(int_of(file, "llama.block_count") == 5 && int_of(file, "llama.embedding_length") == 64);
    assert_true(int_of(file, "llama.attention.head_count") == 8 && int_of(file, "llama.attention.head_count_kv") == 4);
    assert_int_equal(gguf_find_key(file, "tokenizer.ggml.tokens")->n_items, 512);
    assert_string(string_at(file, "tokenizer.ggml.tokens", 1), "<s>");

    const gguf_tensor *t = gguf_find_tensor(file, "token_embd.weight");
    assert_true(t && t->type->type == TENSOR_F32 && t->n_dims == 2 && t->dims[0] == 64 && t->dims[1] == 512);
    float *expected = read_embedding(), *values = malloc(512 * 64 * sizeof *values);
    assert_non_null(values);
    assert_int_equal(gguf_read(file, t, 0, 512 * 64 * sizeof *values, values, NULL), PUM_OK);
    assert_memory_equal(values, expected, 512 * 64 * sizeof *values);
    free(values);
    free(expected);
    gguf_close(&file);
}

/* ------------------------------------------------------------------ vocabularies */

static void test_gpt2_vocabulary(void **state) {
    (void)state;
    gguf *file = open_file(data_path("tokenizers/vocab/ggml-vocab-gpt-2.gguf"));
    assert_int_equal(gguf_n_tensors(file), 0);
    assert_text(file, "general.architecture", "gpt2");
    assert_text(file, "tokenizer.ggml.model", "gpt2");
    assert_int_equal(gguf_find_key(file, "tokenizer.ggml.tokens")->n_items, 50257);
    assert_int_equal(gguf_find_key(file, "tokenizer.ggml.merges")->n_items, 50000);
    assert_string(string_at(file, "tokenizer.ggml.tokens", 0), "!");
    assert_string(string_at(file, "tokenizer.ggml.tokens", 50256), "<|endoftext|>");
    assert_string(string_at(file, "tokenizer.ggml.merges", 0), "Ġ t");
    gguf_close(&file);
}

static void test_spm_vocabulary(void **state) {
    (void)state;
    gguf *file = open_file(data_path("tokenizers/vocab/ggml-vocab-llama-spm.gguf"));
    assert_int_equal(gguf_n_tensors(file), 0);
    assert_text(file, "tokenizer.ggml.model", "llama");
    const gguf_key *scores = gguf_find_key(file, "tokenizer.ggml.scores"),
                   *kinds = gguf_find_key(file, "tokenizer.ggml.token_type");
    assert_true(scores->n_items == 32000 && scores->item_type == GGUF_F32 && kinds->n_items == 32000);
    assert_true(gguf_number_at(scores, 31999) == -31740.0);
    assert_true(gguf_int_at(kinds, 0) == 2 && gguf_int_at(kinds, 1) == 3 && gguf_int_at(kinds, 3) == 6 &&
                gguf_int_at(kinds, 300) == 1);
    assert_string(string_at(file, "tokenizer.ggml.tokens", 3), "<0x00>");
    gguf_close(&file);
}

/* ------------------------------------------------------------------ the default model */

static const char *default_model(void) {
    static char path[4096];
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && *data)
        snprintf(path, sizeof path, "%s/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf", data);
    else
        snprintf(path, sizeof path, "%s/.local/share/pumice/models/SmolLM2-135M-Instruct.Q4_1.gguf", home ? home : "");
    return path;
}

static void test_default_model(void **state) {
    (void)state;
    gguf *file = open_file(default_model());
    assert_int_equal(gguf_file_bytes(file), 98362432);
    assert_text(file, "general.architecture", "llama");
    assert_true(int_of(file, "llama.block_count") == 30 && int_of(file, "llama.embedding_length") == 576);
    assert_true(int_of(file, "llama.feed_forward_length") == 1536 && int_of(file, "llama.context_length") == 8192);
    assert_int_equal(gguf_find_key(file, "tokenizer.ggml.tokens")->n_items, 49152);
    const gguf_tensor *embd = gguf_find_tensor(file, "token_embd.weight"),
                      *down = gguf_find_tensor(file, "blk.29.ffn_down.weight");
    assert_true(embd->type->type == TENSOR_Q8_0 && embd->dims[0] == 576 && embd->dims[1] == 49152);
    assert_true(down->type->type == TENSOR_Q4_1 && down->dims[0] == 1536 && down->dims[1] == 576);
    assert_null(gguf_find_tensor(file, "output.weight"));
    uint64_t n_bytes = 0;
    for (int i = 0; i < gguf_n_tensors(file); i++) n_bytes += gguf_tensor_at(file, i)->n_bytes;
    assert_true(n_bytes < 98362432 && n_bytes > 90000000);
    gguf_close(&file);
}

static void need(const char *path, const char *why) {
    FILE *probe = fopen(path, "rb");
    if (!probe) skip_program(why);
    fclose(probe);
}

int main(int argc, char **argv) {
    const struct CMUnitTest data[] = {
        cmocka_unit_test(test_version_1),
        cmocka_unit_test(test_gpt2_vocabulary),
        cmocka_unit_test(test_spm_vocabulary),
    };
    const struct CMUnitTest model[] = {cmocka_unit_test(test_default_model)};
    if (argc == 2 && strcmp(argv[1], "default-model") == 0) {
        need(default_model(), "the default model is not there; tools/chat downloads it");
        return cmocka_run_group_tests(model, NULL, NULL);
    }
    need(data_path("models/stories260K/stories260K-f32.gguf"), "the test data folder (PUMICE_TEST_DATA) has no models");
    return cmocka_run_group_tests(data, NULL, NULL);
}
