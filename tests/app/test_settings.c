/* The settings: what was saved is read, what is damaged is set aside and said, what is not understood stays. */
#include "chat/settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], own[96], path[128];
static char notice[SETTINGS_NOTICE_BYTES];
static pum_error err;
static settings s;

static int fresh(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pumice-settings-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(own, sizeof own, "%s/pumice", folder);
    snprintf(path, sizeof path, "%s/settings.json", own);
    return setenv("XDG_CONFIG_HOME", folder, 1);
}

/* Removes what is in the folder of the settings, and tells how many files that were. */
static int empty(void) {
    int n = 0;
    DIR *dir = opendir(own);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char name[400];
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s/%s", own, entry->d_name);
        unlink(name);
        n++;
    }
    if (dir) closedir(dir);
    return n;
}

static int clean(void **state) {
    (void)state;
    chmod(own, 0700);
    empty();
    rmdir(path);
    rmdir(own);
    return rmdir(folder);
}

static void write_bytes(const char *bytes, size_t n) {
    mkdir(own, 0700);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void write_text(const char *text) { write_bytes(text, strlen(text)); }

static char *read_text(void) {
    static char text[20000];
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    return text;
}

static void save(void) {
    pum_status status = settings_save(&s, &err);
    if (status != PUM_OK) print_error("%s\n", err.message);
    assert_int_equal(status, PUM_OK);
}

static void has(const char *text, const char *part) {
    if (!strstr(text, part)) print_error("expected \"%s\" in: %s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void are_defaults(void) {
    settings usual = settings_defaults();
    assert_string_equal(s.model, "");
    assert_string_equal(s.device, "");
    assert_int_equal(s.n_ctx, usual.n_ctx);
    assert_int_equal(s.kv, usual.kv);
    assert_int_equal(s.theme, usual.theme);
    assert_true(s.font_scale == usual.font_scale);
    assert_int_equal(s.language, usual.language);
    assert_int_equal(s.speak, usual.speak);
}

static settings others(void) {
    settings other = {.model = "/모델/a \"b\".gguf",
                      .device = "GTX 1060",
                      .n_ctx = 2048,
                      .kv = PUM_KV_Q8_0,
                      .theme = SETTINGS_THEME_CONTRAST,
                      .font_scale = 1.1,
                      .language = SETTINGS_LANGUAGE_KO,
                      .speak = true};
    return other;
}

static void test_first_start(void **state) {
    (void)state;
    settings_load(&s, notice);
    are_defaults();
    assert_string_equal(notice, "");
    assert_int_equal(access(path, F_OK), -1);
}

static void test_saved(void **state) {
    (void)state;
    s = others();
    save();
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    has(read_text(), "\"font_scale\": 1.1,");
    memset(&s, 0xA5, sizeof s);
    settings_load(&s, notice);
    assert_string_equal(notice, "");
    settings other = others();
    assert_string_equal(s.model, other.model);
    assert_string_equal(s.device, other.device);
    assert_int_equal(s.n_ctx, 2048);
    assert_int_equal(s.kv, PUM_KV_Q8_0);
    assert_int_equal(s.theme, SETTINGS_THEME_CONTRAST);
    assert_true(s.font_scale == 1.1);
    assert_int_equal(s.language, SETTINGS_LANGUAGE_KO);
    assert_true(s.speak);
    s = settings_defaults();
    save();
    settings_load(&s, notice);
    are_defaults();
    assert_int_equal(empty(), 1); // nothing is left beside it
}

static void test_unknown_keys_stay(void **state) {
    (void)state;
    write_text("{\"later\": {\"a\": [1, 2.5, null]}, \"theme\": \"dark\", \"speak\": false}");
    settings_load(&s, notice);
    assert_string_equal(notice, "");
    assert_int_equal(s.theme, SETTINGS_THEME_DARK);
    s.theme = SETTINGS_THEME_LIGHT;
    save();
    has(read_text(), "\"later\": {");
    has(read_text(), "2.5");
    has(read_text(), "\"theme\": \"light\"");
}

static void test_what_is_not_understood(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"{\"font_scale\": 4}", "font_scale: expected a number from 0.8 to 2.5, got 4;"},
        {"{\"font_scale\": 0.79}", "font_scale: expected a number from 0.8 to 2.5, got 0.79"},
        {"{\"font_scale\": \"big\"}", "got \"big\""},
        {"{\"theme\": \"blue\"}", "theme: expected \"system\", \"light\", \"dark\" or \"contrast\", got \"blue\""},
        {"{\"kv\": 8}", "kv: expected \"f16\" or \"q8_0\", got 8"},
        {"{\"language\": null}", "language: expected \"system\", \"en\" or \"ko\", got null"},
        {"{\"n_ctx\": 2048.5}", "n_ctx: expected a whole number from -1 to 16777216, got 2048.5"},
        {"{\"n_ctx\": -2}", "got -2"},
        {"{\"n_ctx\": 9223372036854775807}", "got 9223372036854775807"},
        {"{\"speak\": 1}", "speak: expected true or false, got 1"},
        {"{\"model\": {}}", "model: expected a text of less than 4096 bytes, or null, got {}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text(cases[i].text);
        settings_load(&s, notice);
        are_defaults();
        has(notice, cases[i].expected);
        has(notice, path);
        // It stays while other things are saved …
        s.speak = true;
        save();
        char kept[64];
        snprintf(kept, sizeof kept, "%.*s", (int)strlen(cases[i].text) - 2, cases[i].text + 1); // without the braces
        if (!strchr(kept, '{') && !strstr(kept, "speak")) has(read_text(), kept);
        // … and no longer when something is chosen in its place.
        s = others();
        save();
        settings_load(&s, notice);
        assert_string_equal(notice, "");
        assert_int_equal(empty(), 1);
    }
    write_text("{\"font_scale\": 4, \"kv\": [], \"speak\": true}");
    settings_load(&s, notice);
    has(notice, "got []; font_scale: expected");
    assert_true(s.speak);
}

static void test_too_long_a_name(void **state) {
    (void)state;
    char text[400];
    snprintf(text, sizeof text, "{\"device\": \"%0300d\"}", 0);
    write_text(text);
    settings_load(&s, notice);
    are_defaults();
    has(notice, "device: expected a text of less than 256 bytes, or null, got \"000000000000000000000000000000000000000…;");
}

static void test_null_is_none(void **state) {
    (void)state;
    write_text("{\"model\": null, \"device\": null}");
    settings_load(&s, notice);
    assert_string_equal(notice, "");
    are_defaults();
}

/* Reads whatever is in the file: the settings are in their ranges, and a file that was set aside is said and whole. */
static void damaged(const char *bytes, size_t n) {
    char aside[160], copy[4096];
    write_bytes(bytes, n);
    settings_load(&s, notice);
    assert_true(s.font_scale >= 0.8 && s.font_scale <= 2.5);
    assert_true(s.n_ctx >= -1 && s.theme >= 0 && s.theme <= SETTINGS_THEME_CONTRAST && s.kv >= 0 && s.kv <= PUM_KV_Q8_0);
    snprintf(aside, sizeof aside, "%s.damaged", path);
    FILE *file = fopen(aside, "rb");
    if (file) {
        assert_int_equal(fread(copy, 1, sizeof copy, file), n);
        assert_memory_equal(copy, bytes, n);
        fclose(file);
        are_defaults();
        has(notice, aside);
        assert_int_equal(access(path, F_OK), -1);
    }
    save();
    settings_load(&s, notice);
    assert_int_equal(empty(), file ? 2 : 1);
}

static void test_truncated(void **state) {
    (void)state;
    s = others();
    save();
    char good[4096];
    strcpy(good, read_text());
    size_t n = strlen(good);
    for (size_t i = 0; i < n; i++) {
        write_bytes(good, i);
        settings_load(&s, notice);
        if (i + 1 < n)
            has(notice, ".damaged"); // without its last newline it is whole
        else
            assert_string_equal(notice, "");
        empty();
        damaged(good, i);
    }
}

static void test_flipped(void **state) {
    (void)state;
    s = others();
    save();
    char good[4096], bad[4096];
    strcpy(good, read_text());
    size_t n = strlen(good);
    for (size_t i = 0; i < n; i++) {
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bad, good, n);
            bad[i] ^= (char)(1 << bit);
            damaged(bad, n);
        }
    }
}

static void test_damaged_ones_are_kept(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        write_text("{");
        settings_load(&s, notice);
        has(notice, "the settings were damaged (line 1, column 1: ");
    }
    has(notice, "settings.json.damaged-3");
    assert_int_equal(empty(), 3);
    // One that was damaged while the program ran is not written over either.
    write_text("[1, 2]");
    s = others();
    save();
    assert_int_equal(empty(), 2);
}

static void test_not_to_be_had(void **state) {
    (void)state;
    // Something else of that name.
    mkdir(own, 0700);
    assert_int_equal(mkdir(path, 0700), 0);
    settings_load(&s, notice);
    are_defaults();
    has(notice, "expected a file, got something else");
    char aside[160];
    snprintf(aside, sizeof aside, "%s.damaged", path);
    assert_int_equal(rmdir(aside), 0);
    // A folder that is a file.
    rmdir(own);
    FILE *file = fopen(own, "w");
    fclose(file);
    settings_load(&s, notice);
    are_defaults();
    assert_int_equal(settings_save(&s, &err), PUM_ERR_IO);
    has(err.message, path);
    unlink(own);
    // No folder at all.
    char *home = strdup(getenv("HOME"));
    unsetenv("HOME");
    unsetenv("XDG_CONFIG_HOME");
    settings_load(&s, notice);
    has(notice, "set HOME or XDG_CONFIG_HOME");
    assert_int_equal(settings_save(&s, &err), PUM_ERR_IO);
    setenv("HOME", home, 1);
    setenv("XDG_CONFIG_HOME", folder, 1);
    free(home);
}

static void test_too_long(void **state) {
    (void)state;
    size_t n = (1 << 20) + 1;
    char *spaces = malloc(n);
    memset(spaces, ' ', n);
    write_bytes(spaces, n);
    free(spaces);
    settings_load(&s, notice);
    has(notice, "expected at most 1048576 bytes, got 1048577");
    assert_int_equal(empty(), 1);
}

static void test_a_path_that_is_no_text(void **state) {
    (void)state;
    s = others();
    strcpy(s.model, "/a\xff.gguf");
    save();
    settings_load(&s, notice);
    assert_string_equal(notice, "");
    assert_string_equal(s.model, "");
    assert_true(s.speak);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_start, fresh, clean),
        cmocka_unit_test_setup_teardown(test_saved, fresh, clean),
        cmocka_unit_test_setup_teardown(test_unknown_keys_stay, fresh, clean),
        cmocka_unit_test_setup_teardown(test_what_is_not_understood, fresh, clean),
        cmocka_unit_test_setup_teardown(test_too_long_a_name, fresh, clean),
        cmocka_unit_test_setup_teardown(test_null_is_none, fresh, clean),
        cmocka_unit_test_setup_teardown(test_truncated, fresh, clean),
        cmocka_unit_test_setup_teardown(test_flipped, fresh, clean),
        cmocka_unit_test_setup_teardown(test_damaged_ones_are_kept, fresh, clean),
        cmocka_unit_test_setup_teardown(test_not_to_be_had, fresh, clean),
        cmocka_unit_test_setup_teardown(test_too_long, fresh, clean),
        cmocka_unit_test_setup_teardown(test_a_path_that_is_no_text, fresh, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
