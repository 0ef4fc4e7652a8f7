/* What can be had and what is there: the catalogue, and the list of the models folder.
 *
 *   test_catalogue MODEL.gguf TOOLS_MODEL    a small model; tools/model, which gets the same file */
#include "chat/catalogue.h"
#include "chat/model_files.h"
#include "chat/models.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char *small_model, *tool;
static char folder[64], models[128], given[128];
static pum_error err;
static const model_file_use use = {.n_ctx = -1};

static int fresh(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pumice-catalogue-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(models, sizeof models, "%s/pumice", folder);
    mkdir(models, 0700);
    snprintf(models, sizeof models, "%s/pumice/models", folder);
    mkdir(models, 0700);
    snprintf(given, sizeof given, "%s/catalogue.json", folder);
    unsetenv("PUMICE_CATALOGUE");
    return setenv("XDG_DATA_HOME", folder, 1);
}

static int clean(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void write_bytes(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static char *read_all(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*n + 1);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    bytes[*n] = 0;
    fclose(f);
    return bytes;
}

static void has(const char *text, const char *part) {
    if (!strstr(text, part)) print_error("expected \"%s\" in: %s\n", part, text);
    assert_non_null(strstr(text, part));
}

/* ---- the catalogue */

static void test_own(void **state) {
    (void)state;
    static const char *const types[] = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0", "Q4_K", "Q6_K"}; // as the README has them
    catalogue *c;
    assert_int_equal(catalogue_load(&c, &err), PUM_OK);
    assert_true(c->n >= 5);
    for (int i = 0; i < c->n; i++) {
        const catalogue_entry *e = &c->entries[i];
        assert_true(e->name && e->licence && e->type && e->n_params && e->n_bytes && e->n_ctx && e->n_sources);
        bool known = false;
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) known = known || strcmp(e->type, types[t]) == 0;
        assert_true(known);
        for (int s = 0; s < e->n_sources; s++) {
            assert_ptr_equal(strstr(e->sources[s], "https://huggingface.co/"), e->sources[s]);
            assert_string_equal(strrchr(e->sources[s], '/') + 1, e->file);
        }
        for (int j = 0; j < i; j++) assert_string_not_equal(e->file, c->entries[j].file);
    }
    catalogue_free(&c);
    assert_null(c);
    catalogue_free(NULL);
}

/* The catalogue, the programs and tools/model mean the same file by the default model. */
static void test_default_model(void **state) {
    (void)state;
    catalogue *c;
    char text[256];
    size_t n;
    assert_int_equal(catalogue_load(&c, &err), PUM_OK);
    const catalogue_entry *e = &c->entries[0];
    const model_entry *m = models_default();
    assert_string_equal(e->name, m->name);
    assert_string_equal(e->file, m->file);
    assert_string_equal(e->sha256, m->sha256);
    assert_string_equal(e->licence, m->licence);
    assert_int_equal(e->n_bytes, m->n_bytes);
    char *script = read_all(tool, &n);
    snprintf(text, sizeof text, "name=%s\n", e->file);
    has(script, text);
    snprintf(text, sizeof text, "PUMICE_MODEL_SHA256:-%s}", e->sha256);
    has(script, text);
    snprintf(text, sizeof text, "PUMICE_MODEL_BYTES:-%llu}", (unsigned long long)e->n_bytes);
    has(script, text);
    snprintf(text, sizeof text, "%.*s", (int)(strrchr(e->sources[0], '/') + 1 - e->sources[0]), e->sources[0]); // $name follows
    has(script, text);
    free(script);
    catalogue_free(&c);
}

static pum_status load_text(const char *text, catalogue **c) {
    write_bytes(given, text, strlen(text));
    setenv("PUMICE_CATALOGUE", given, 1);
    return catalogue_load(c, &err);
}

static void test_another(void **state) {
    (void)state;
    catalogue *c;
    assert_int_equal(
        load_text("{\"models\": [{\"name\": \"우리 모델\", \"file\": \"a.gguf\", \"sources\": [\"http://a/b\", \"HTTPS://c\"], "
                  "\"later\": 1, \"sha256\": null}]}",
                  &c),
        PUM_OK);
    assert_int_equal(c->n, 1);
    const catalogue_entry *e = &c->entries[0];
    assert_string_equal(e->name, "우리 모델");
    assert_string_equal(e->sources[1], "HTTPS://c");
    assert_int_equal(e->n_sources, 2);
    assert_null(e->sha256);
    assert_null(e->licence);
    assert_int_equal(e->n_bytes, 0);
    catalogue_free(&c);
    setenv("PUMICE_CATALOGUE", "", 1); // as good as none
    assert_int_equal(catalogue_load(&c, &err), PUM_OK);
    catalogue_free(&c);
}

static void test_wrong(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"", "line 1, column "},
        {"{\"models\": [", "line 1, column "},
        {"[]", "models: expected a list of models, got none"},
        {"{\"models\": []}", "models: expected a list of models, got none"},
        {"{\"models\": [1]}", "models[0].name: expected a text, got nothing"},
        {"{\"models\": [{\"name\": \"a\", \"sources\": [\"http://a\"]}]}", "models[0].file: expected a text, got nothing"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"../a.gguf\", \"sources\": [\"http://a\"]}]}",
         "models[0].file: expected a name that ends in .gguf, without a folder, got \"../a.gguf\""},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a/b.gguf\", \"sources\": [\"http://a\"]}]}",
         "models[0].file: expected a name"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a\\\\b.gguf\", \"sources\": [\"http://a\"]}]}",
         "models[0].file: expected a name"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \".gguf\", \"sources\": [\"http://a\"]}]}",
         "models[0].file: expected a name"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a.sh\", \"sources\": [\"http://a\"]}]}", "models[0].file: expected a name"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a.gguf\"}]}",
         "models[0].sources: expected a list of addresses, got nothing"},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a.gguf\", \"sources\": [\"file:///a\"]}]}",
         "models[0].sources: expected http or https addresses, got \"file:///a\""},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a.gguf\", \"sources\": [\"http://a\"], \"sha256\": \"12\"}]}",
         "models[0].sha256: expected 64 small hex digits, or null, got \"12\""},
        {"{\"models\": [{\"name\": \"a\", \"file\": \"a.gguf\", \"sources\": [\"http://a\"], \"bytes\": -1}]}",
         "models[0].bytes: expected a whole number above 0, or null, got -1"},
    };
    catalogue *c;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load_text(cases[i].text, &c), PUM_ERR_FORMAT);
        assert_null(c);
        has(err.message, cases[i].expected);
        has(err.message, given);
    }
    unlink(given);
    assert_int_equal(catalogue_load(&c, &err), PUM_ERR_IO);
    has(err.message, "is not there");
}

static void test_into_the_folder(void **state) {
    (void)state;
    catalogue *c;
    char path[PATHS_MAX], expected[256];
    download *d;
    assert_int_equal(
        load_text("{\"models\": [{\"name\": \"a\", \"file\": \"a.gguf\", \"sources\": [\"http://127.0.0.1:9/\"]}]}", &c), PUM_OK);
    assert_int_equal(catalogue_download(&c->entries[0], path, &d, &err), PUM_OK);
    snprintf(expected, sizeof expected, "%s/a.gguf", models);
    assert_string_equal(path, expected);
    download_destroy(&d);
    catalogue_free(&c);
}

/* ---- the folder */

static void test_list(void **state) {
    (void)state;
    char path[200];
    size_t n_small, n;
    char *small = read_all(small_model, &n_small);
    static const struct {
        const char *name;
        size_t part;
    } copies[] = {{"Good.gguf", 1},   {"cut.gguf", 2},     {"b.gguf.part", 3},
                  {"a.gguf.part", 3}, {".hidden.gguf", 1}, {"else.txt", 1}};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        snprintf(path, sizeof path, "%s/%s", models, copies[i].name);
        write_bytes(path, small, n_small / copies[i].part);
    }
    snprintf(path, sizeof path, "%s/b.gguf.part.json", models);
    write_bytes(path, "{\"bytes\": 5000000000}", 21);
    snprintf(path, sizeof path, "%s/nothing.gguf", models);
    write_bytes(path, "", 0);
    snprintf(path, sizeof path, "%s/folder.gguf", models);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/pipe.gguf", models);
    mkfifo(path, 0600);
    snprintf(path, sizeof path, "%s/dangling.gguf", models);
    assert_int_equal(symlink("nowhere", path), 0);
    snprintf(path, sizeof path, "%s/link.gguf", models);
    assert_int_equal(symlink("Good.gguf", path), 0);

    model_file *files;
    assert_int_equal(model_files_list(&use, &files, &n, &err), PUM_OK);
    static const char *const names[] = {"a.gguf", "b.gguf", "cut.gguf", "Good.gguf", "link.gguf", "nothing.gguf"};
    static const model_file_state states[] = {MODEL_FILE_PARTIAL, MODEL_FILE_PARTIAL, MODEL_FILE_BAD,
                                              MODEL_FILE_GOOD,    MODEL_FILE_GOOD,    MODEL_FILE_BAD};
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(files[i].file, names[i]);
        assert_int_equal(files[i].state, states[i]);
        snprintf(path, sizeof path, "%s/%s", models, names[i]);
        assert_string_equal(files[i].path, path);
        assert_int_equal(files[i].message != NULL, states[i] == MODEL_FILE_BAD);
        if (files[i].message) has(files[i].message, names[i]);
    }
    assert_int_equal(files[0].total_bytes, 0);
    assert_int_equal(files[1].total_bytes, 5000000000);
    assert_int_equal(files[1].n_bytes, n_small / 3);
    const model_file *good = &files[3];
    assert_string_equal(good->architecture, "llama");
    assert_string_equal(good->type, "F32");
    assert_true(good->n_params > 200000 && good->n_params < 400000);
    assert_int_equal(good->n_bytes, n_small);
    assert_true(good->plan.weights_bytes > 900000 && good->plan.kv_bytes > 0 && good->n_ctx_train > 0);
    assert_null(good->licence); // it says none
    model_files_free(files, n);
    free(small);
}

/* Every beginning of a file, and bytes that are none. */
static void test_broken(void **state) {
    (void)state;
    char path[200];
    size_t n;
    char *bytes = read_all(small_model, &n);
    snprintf(path, sizeof path, "%s/x.gguf", models);
    for (size_t i = 0; i < 20000 && i < n; i += i < 100 ? 1 : 997) {
        model_file m;
        write_bytes(path, bytes, i);
        assert_int_equal(model_file_read(path, &use, &m, &err), PUM_OK);
        assert_int_equal(m.state, MODEL_FILE_BAD);
        assert_non_null(m.message);
        model_file_clear(&m);
    }
    free(bytes);
    model_file m;
    unlink(path);
    assert_int_equal(model_file_read(path, &use, &m, &err), PUM_OK);
    assert_int_equal(m.state, MODEL_FILE_BAD);
    model_file_clear(&m);
}

static void test_no_folder(void **state) {
    (void)state;
    model_file *files;
    size_t n = 5;
    rmdir(models);
    assert_int_equal(model_files_list(&use, &files, &n, &err), PUM_OK);
    assert_int_equal(n, 0);
    write_bytes(models, "", 0);
    assert_int_equal(model_files_list(&use, &files, &n, &err), PUM_ERR_IO);
    has(err.message, models);
}

/* The default model says its licence. */
static void test_default_model_file(void **state) {
    (void)state;
    char path[PATHS_MAX];
    setenv("XDG_DATA_HOME", "", 1);
    if (models_find(NULL, path, NULL) != PUM_OK) skip();
    model_file m;
    assert_int_equal(model_file_read(path, &use, &m, &err), PUM_OK);
    assert_int_equal(m.state, MODEL_FILE_GOOD);
    assert_string_equal(m.licence, "apache-2.0");
    assert_string_equal(m.type, "Q4_1");
    assert_int_equal(m.n_params, 134515008);
    assert_int_equal(m.n_ctx_train, 8192);
    model_file_clear(&m);
}

int main(int argc, char **argv) {
    if (argc < 3 || access(argv[1], R_OK) != 0) {
        puts("skipped: expected a small model and tools/model");
        return 77;
    }
    small_model = argv[1];
    tool = argv[2];
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, clean)
    const struct CMUnitTest tests[] = {
        TEST(own),       TEST(default_model),      TEST(another), TEST(wrong), TEST(into_the_folder), TEST(list), TEST(broken),
        TEST(no_folder), TEST(default_model_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
