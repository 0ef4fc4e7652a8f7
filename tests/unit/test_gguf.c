/* Well-formed files: every version, every type of value, the writer and the reader against each other. */
#include "assert_ok.h"
#include "gguf/write.h"
#include "unit/gguf_bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static gguf *open_bytes(const gguf_bytes *b) {
    gguf *file = NULL;
    pum_error err = {0};
    assert_ok(gguf_open_memory("test.gguf", b->at, b->n, &file, &err), err);
    return file;
}

static int64_t int_of(const gguf *file, const char *key) {
    int64_t value = 12345;
    pum_error err = {0};
    assert_ok(gguf_get_int(file, key, INT64_MIN, INT64_MAX, &value, &err), err);
    return value;
}

static double number_of(const gguf *file, const char *key) {
    double value = 12345;
    pum_error err = {0};
    assert_ok(gguf_get_float(file, key, &value, &err), err);
    return value;
}

static void assert_text(const gguf *file, const char *key, const char *expected) {
    char text[256];
    assert_int_equal(gguf_value_text(file, gguf_find_key(file, key), text, sizeof text), strlen(expected));
    assert_string_equal(text, expected);
}

static bool is_double(double value, double expected) { return memcmp(&value, &expected, sizeof value) == 0; }

/* ------------------------------------------------------------------ reading */

static void test_numbers(void **state) {
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        put_small_file(&b, version);
        gguf *file = open_bytes(&b);
        assert_int_equal(gguf_version(file), version);
        assert_string_equal(gguf_path(file), "test.gguf");
        assert_int_equal(gguf_n_keys(file), SMALL_FILE_KEYS);
        assert_true(int_of(file, "k.u8") == 200 && int_of(file, "k.i8") == -7);
        assert_true(int_of(file, "k.u16") == 60000 && int_of(file, "k.i16") == -30000);
        assert_true(int_of(file, "k.u32") == 4000000000 && int_of(file, "k.i32") == -2000000000);
        assert_true(int_of(file, "k.i64") == INT64_MIN && int_of(file, "k.u64") == INT64_MAX);
        assert_true(int_of(file, "absent") == 12345 && is_double(number_of(file, "absent"), 12345));
        assert_true(is_double(number_of(file, "k.f32"), 1.5) && is_double(number_of(file, "k.f64"), -2.5));
        assert_true(is_double(number_of(file, "k.u64"), 0x1p64) && is_double(number_of(file, "k.i8"), -7));
        bool truth = false;
        assert_int_equal(gguf_get_bool(file, "k.bool", &truth, NULL), PUM_OK);
        assert_true(truth);
        const gguf_key *ints = gguf_find_key(file, "k.ints");
        assert_int_equal(ints->n_items, 10);
        for (int i = 0; i < 10; i++) assert_int_equal(gguf_int_at(ints, (uint64_t)i), -i);
        const gguf_key *floats = gguf_find_key(file, "k.floats");
        assert_true(is_double(gguf_number_at(floats, 0), 1) && is_double(gguf_number_at(floats, 1), -2));
        assert_true(gguf_int_at(floats, 1) == -2);
        gguf_close(&file);
        assert_null(file);
    }
}

static void test_strings(void **state) {
    (void)state;
    static const char *const words[] = {"one", "", "zwei\n", "셋"};
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        put_small_file(&b, version);
        gguf *file = open_bytes(&b);
        gguf_string s = {0};
        assert_int_equal(gguf_get_string(file, "general.architecture", &s, NULL), PUM_OK);
        assert_int_equal(s.n_bytes, 5);
        assert_memory_equal(s.bytes, "llama", 5);
        const gguf_key *key = gguf_find_key(file, "k.strings");
        const uint8_t *cursor = key->value;
        for (int i = 0; i < 4; i++) {
            s = gguf_next_string(file, &cursor);
            assert_int_equal(s.n_bytes, strlen(words[i]));
            assert_memory_equal(s.bytes, words[i], s.n_bytes);
        }
        gguf_close(&file);
    }
}

static void test_text(void **state) {
    (void)state;
    gguf_bytes b;
    put_small_file(&b, 3);
    gguf *file = open_bytes(&b);
    assert_text(file, "general.architecture", "llama");
    assert_text(file, "k.u64", "18446744073709551615");
    assert_text(file, "k.i64", "-9223372036854775808");
    assert_text(file, "k.bool", "true");
    assert_text(file, "k.f32", "1.5");
    assert_text(file, "k.f64", "-2.5");
    assert_text(file, "k.strings", "[\"one\", \"\", \"zwei\\n\", \"셋\"]");
    assert_text(file, "k.floats", "[1, -2]");
    assert_text(file, "k.ints", "[0, -1, -2, -3, -4, -5, -6, -7, …] (10 items)");
    char few[6];
    assert_int_equal(gguf_value_text(file, gguf_find_key(file, "k.u32"), few, sizeof few), 10);
    assert_string_equal(few, "40000");
    gguf_close(&file);
}

/// A key that is there with a value that cannot be meant is an error that names it; the default stays.
static void test_wrong_values(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, 0, 4);
    put_key(&b, "text", GGUF_STRING);
    put_text(&b, "seven");
    put_key(&b, "nan", GGUF_F32);
    put_u32(&b, 0x7FC00000u);
    put_key(&b, "inf", GGUF_F64);
    put_u64(&b, 0x7FF0000000000000u);
    put_key(&b, "n", GGUF_U32);
    put_u32(&b, 70);
    gguf *file = open_bytes(&b);
    pum_error err = {0};
    int64_t integer = -1;
    double number = -1;
    bool truth = true;
    gguf_string string = {"x", 1};
    assert_int_equal(gguf_get_int(file, "text", 0, 9, &integer, &err), PUM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "test.gguf: key 'text': expected an integer, got a string"));
    assert_int_equal(gguf_get_int(file, "n", 0, 64, &integer, &err), PUM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "expected 0 to 64, got 70"));
    assert_int_equal(gguf_get_float(file, "nan", &number, &err), PUM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "a finite number, got NaN"));
    assert_int_equal(gguf_get_float(file, "inf", &number, &err), PUM_ERR_FORMAT);
    assert_int_equal(gguf_get_float(file, "text", &number, &err), PUM_ERR_FORMAT);
    assert_int_equal(gguf_get_bool(file, "n", &truth, &err), PUM_ERR_FORMAT);
    assert_int_equal(gguf_get_string(file, "n", &string, &err), PUM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "expected a string, got a 32-bit number"));
    assert_true(integer == -1 && is_double(number, -1) && truth && string.n_bytes == 1);
    assert_int_equal(gguf_get_int(file, "n", 0, 70, &integer, &err), PUM_OK);
    assert_int_equal(integer, 70);
    gguf_close(&file);
}

static void test_tensors(void **state) {
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        put_small_file(&b, version);
        gguf *file = open_bytes(&b);
        assert_int_equal(gguf_n_tensors(file), 2);
        const gguf_tensor *a = gguf_find_tensor(file, "a.weight"), *q = gguf_find_tensor(file, "b.weight");
        assert_ptr_equal(a, gguf_tensor_at(file, 0));
        assert_true(a->n_dims == 2 && a->dims[0] == 3 && a->dims[1] == 2 && a->dims[2] == 1 && a->dims[3] == 1);
        assert_true(a->n_bytes == 24 && q->n_bytes == 34 && q->n_dims == 1);
        float values[32];
        uint8_t data[34];
        assert_int_equal(gguf_read(file, a, 0, 24, data, NULL), PUM_OK);
        a->type->expand(data, 6, values);
        for (int i = 0; i < 6; i++) assert_true(values[i] == (float)i);
        assert_int_equal(gguf_read(file, q, 0, 34, data, NULL), PUM_OK);
        q->type->expand(data, 1, values);
        for (int i = 0; i < 32; i++) assert_true(values[i] == (float)i);
        assert_null(gguf_find_tensor(file, "c.weight"));
        gguf_close(&file);
    }
}

static void test_empty(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, 0, 0);
    gguf *file = open_bytes(&b);
    assert_int_equal(gguf_n_keys(file) + gguf_n_tensors(file), 0);
    assert_null(gguf_find_key(file, "general.architecture"));
    assert_null(gguf_find_tensor(file, "token_embd.weight"));
    gguf_close(&file);
}

/* ------------------------------------------------------------------ writing */

static const float weights[12] = {0.5f, -1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static gguf_writer *make(void) {
    static const gguf_string words[] = {{"a\0b", 3}, {"", 0}, {"Ġthe", 5}};
    gguf_writer *w = gguf_writer_create();
    gguf_writer_add_string(w, "general.architecture", "llama");
    gguf_writer_add_u32(w, "llama.block_count", 5);
    gguf_writer_add_i32(w, "i", -3);
    gguf_writer_add_u64(w, "u", (uint64_t)1 << 40);
    gguf_writer_add_f32(w, "f", 1e-5f);
    gguf_writer_add_bool(w, "b", true);
    gguf_writer_add_strings(w, "tokenizer.ggml.tokens", words, 3);
    gguf_writer_add_floats(w, "tokenizer.ggml.scores", weights, 3);
    gguf_writer_add_ints(w, "tokenizer.ggml.token_type", (const int32_t[]){1, -2, 3}, 3);
    gguf_writer_add_tensor(w, "x", TENSOR_F32, 2, (const uint64_t[]){3, 4}, weights);
    gguf_writer_add_tensor(w, "y", TENSOR_F32, 1, (const uint64_t[]){1}, weights);
    gguf_writer_add_tensor(w, "z", TENSOR_F32, 4, (const uint64_t[]){2, 1, 2, 1}, weights + 2);
    return w;
}

static void assert_data(const gguf *file, const gguf_tensor *t, const float *expected) {
    float data[12];
    pum_error err = {0};
    assert_true(t->n_bytes <= sizeof data);
    assert_ok(gguf_read(file, t, 0, t->n_bytes, data, &err), err);
    assert_memory_equal(data, expected, t->n_bytes);
    assert_ok(gguf_read(file, t, t->n_bytes - 4, 4, data, &err), err);
    assert_memory_equal(data, expected + t->n_bytes / 4 - 1, 4);
    assert_int_equal(gguf_read(file, t, 1, t->n_bytes, data, &err), PUM_ERR_ARGUMENT);
    assert_int_equal(gguf_read(file, t, t->n_bytes + 1, 0, data, &err), PUM_ERR_ARGUMENT);
}

static void check_made(const gguf *file) {
    assert_int_equal(gguf_version(file), 3);
    assert_int_equal(gguf_n_keys(file), 9);
    assert_text(file, "general.architecture", "llama");
    assert_true(int_of(file, "llama.block_count") == 5 && int_of(file, "i") == -3 && int_of(file, "u") == (int64_t)1 << 40);
    assert_true(is_double(number_of(file, "f"), (double)1e-5f));
    assert_text(file, "b", "true");
    assert_text(file, "tokenizer.ggml.tokens", "[\"a\\x00b\", \"\", \"Ġthe\"]");
    assert_text(file, "tokenizer.ggml.scores", "[0.5, -1, 2]");
    assert_text(file, "tokenizer.ggml.token_type", "[1, -2, 3]");
    const gguf_tensor *x = gguf_find_tensor(file, "x"), *y = gguf_find_tensor(file, "y"), *z = gguf_find_tensor(file, "z");
    assert_true(x->n_dims == 2 && x->dims[0] == 3 && x->dims[1] == 4 && y->n_dims == 1 && z->n_dims == 4 && z->dims[2] == 2);
    assert_data(file, x, weights);
    assert_data(file, y, weights);
    assert_data(file, z, weights + 2);
}

static void test_writer_bytes(void **state) {
    (void)state;
    gguf_writer *w = make();
    uint8_t *bytes = NULL;
    size_t n = 0;
    pum_error err = {0};
    assert_ok(gguf_writer_bytes(w, &bytes, &n, &err), err);
    assert_ok(walk_gguf(bytes, n, &err), err);
    gguf *file = NULL;
    assert_ok(gguf_open_memory("made", bytes, n, &file, &err), err);
    check_made(file);
    gguf_close(&file);
    free(bytes);
    gguf_writer_destroy(&w);
    assert_null(w);
    gguf_writer_destroy(&w);
    gguf_writer_destroy(NULL);
}

/* A file may claim, and hold, as holes at least, more than any header has: it is not read into memory. */
static void test_endless_header(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, 0, 1);
    put_key(&b, "k", GGUF_STRING);
    put_count(&b, (uint64_t)300 << 20);
    char path[] = "/tmp/pumice_test_gguf_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, b.at, b.n) == (ssize_t)b.n && ftruncate(fd, (off_t)301 << 20) == 0);
    close(fd);
    gguf *file = NULL;
    pum_error err = {0};
    assert_int_equal(gguf_open(path, &file, &err), PUM_ERR_FORMAT);
    assert_non_null(strstr(err.message, "at most 256 MiB"));
    unlink(path);
}

static void test_writer_save(void **state) {
    (void)state;
    char folder[] = "/tmp/pumice_test_gguf_XXXXXX", path[64], other[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/made.gguf", folder);
    gguf_writer *w = make();
    pum_error err = {0};
    for (int again = 0; again < 2; again++) { // the second replaces the first
        assert_ok(gguf_writer_save(w, path, &err), err);
        gguf *file = NULL;
        assert_ok(gguf_open(path, &file, &err), err);
        check_made(file);
        gguf_will_need(file, gguf_tensor_at(file, 0), 0, gguf_tensor_at(file, 0)->n_bytes);
        gguf_will_need(file, gguf_tensor_at(file, 2), 1, UINT64_MAX / 2); // far beyond its end
        check_made(file);
        gguf_close(&file);
    }
    snprintf(other, sizeof other, "%s/no/made.gguf", folder);
    assert_int_equal(gguf_writer_save(w, other, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, "no/made.gguf: cannot be written: No such file"));
    // A target that cannot be replaced: the error is said, and nothing is left beside it.
    snprintf(other, sizeof other, "%s/folder", folder);
    assert_int_equal(mkdir(other, 0777), 0);
    assert_int_equal(gguf_writer_save(w, other, &err), PUM_ERR_IO);
    gguf_writer_destroy(&w);
    assert_int_equal(rmdir(other), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); // fails if a temporary file were left
}

static void test_writer_failures(void **state) {
    (void)state;
    static const uint64_t shapes[][2] = {{31, 1}, {0, 1}, {32, 0}, {(uint64_t)1 << 62, 4}};
    pum_error err = {0};
    uint8_t *bytes = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        gguf_writer *w = gguf_writer_create();
        gguf_writer_add_tensor(w, "odd", TENSOR_Q4_0, 2, shapes[i], weights);
        gguf_writer_add_u32(w, "after", 1);
        assert_int_equal(gguf_writer_bytes(w, &bytes, &n, &err), PUM_ERR_ARGUMENT);
        assert_non_null(strstr(err.message, "tensor 'odd'"));
        assert_null(bytes);
        gguf_writer_destroy(&w);
    }
    gguf_writer_add_u32(NULL, "key", 1);
    assert_int_equal(gguf_writer_bytes(NULL, &bytes, &n, &err), PUM_ERR_MEMORY);
}

/// Thousands of names: every one is found, and only those.
static void test_many_names(void **state) {
    (void)state;
    enum { N = 5000 };
    gguf_writer *w = gguf_writer_create();
    char name[32];
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key.%u", i);
        gguf_writer_add_u32(w, name, i);
        snprintf(name, sizeof name, "blk.%u.weight", i);
        gguf_writer_add_tensor(w, name, TENSOR_F32, 1, (const uint64_t[]){1}, &weights[i % 12]);
    }
    uint8_t *bytes = NULL;
    size_t n = 0;
    gguf *file = NULL;
    pum_error err = {0};
    assert_ok(gguf_writer_bytes(w, &bytes, &n, &err), err);
    assert_ok(gguf_open_memory("many", bytes, n, &file, &err), err);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(name, sizeof name, "key.%u", i);
        assert_int_equal(int_of(file, name), i);
        snprintf(name, sizeof name, "blk.%u.weight", i);
        assert_ptr_equal(gguf_find_tensor(file, name), gguf_tensor_at(file, (int)i));
        assert_null(gguf_find_key(file, name));
    }
    gguf_close(&file);
    free(bytes);
    gguf_writer_destroy(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),         cmocka_unit_test(test_strings),     cmocka_unit_test(test_text),
        cmocka_unit_test(test_wrong_values),    cmocka_unit_test(test_tensors),     cmocka_unit_test(test_empty),
        cmocka_unit_test(test_writer_bytes),    cmocka_unit_test(test_writer_save), cmocka_unit_test(test_endless_header),
        cmocka_unit_test(test_writer_failures), cmocka_unit_test(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
