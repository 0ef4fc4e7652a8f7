/* The small files of the window, and what a person attaches to a message. An input: a letter for what it is, then its bytes. */
#include "attachment.h"
#include "base/utf8.h"
#include "chat/catalogue.h"
#include "chat/settings.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What catalogue.c has beside its file: none that is compiled in, and nothing is downloaded. */
extern const unsigned char catalogue_json[];
const unsigned char catalogue_json[] = "{}";
pum_status download_start(const download_params *params, download **d, pum_error *err) {
    (void)params;
    (void)d;
    (void)err;
    abort();
}

/* ---- settings.json */

static char folder[] = "/tmp/pumice-fuzz-XXXXXX", inner[64], path[96];

static void empty_folder(void) {
    char name[512];
    DIR *all = opendir(inner);
    for (struct dirent *one; all && (one = readdir(all));) {
        snprintf(name, sizeof name, "%s/%s", inner, one->d_name);
        unlink(name);
    }
    if (all) closedir(all);
}

static void remove_folder(void) {
    empty_folder();
    rmdir(inner);
    rmdir(folder);
}

static void make_folder(void) {
    if (path[0]) return;
    must(mkdtemp(folder) && setenv("XDG_CONFIG_HOME", folder, 1) == 0, "no folder for settings");
    snprintf(inner, sizeof inner, "%s/pumice", folder);
    snprintf(path, sizeof path, "%s/settings.json", inner);
    must(mkdir(inner, 0700) == 0, "no folder in it");
    atexit(remove_folder);
}

static bool is_one_of(int value, int n) { return value >= 0 && value < n; }

static void check_settings(const uint8_t *bytes, size_t n) {
    char notice[SETTINGS_NOTICE_BYTES];
    settings first, second;
    make_folder();
    empty_folder();
    FILE *file = fopen(path, "wb");
    must(file && fwrite(bytes, 1, n, file) == n && fclose(file) == 0, "the settings cannot be written");
    settings_load(&first, notice);
    must_be_clean(notice, "a notice with bytes of the file's that no window should see");
    must(first.n_ctx >= -1 && first.font_scale >= 0.8 && first.font_scale <= 2.5, "a number outside its bounds");
    must(is_one_of((int)first.kv, 2) && is_one_of((int)first.theme, 4) && is_one_of((int)first.language, 3), "no such choice");
    must(settings_save(&first, NULL) == PUM_OK, "settings that were read and cannot be kept");
    settings_load(&second, notice);
    must(strcmp(first.model, second.model) == 0 && strcmp(first.device, second.device) == 0 && first.n_ctx == second.n_ctx &&
             first.kv == second.kv && first.theme == second.theme && first.language == second.language &&
             first.speak == second.speak,
         "other settings than were kept");
}

/* ---- the catalogue */

static void check_catalogue(const uint8_t *bytes, size_t n) {
    pum_error err = {0};
    catalogue *c;
    must(setenv("PUMICE_CATALOGUE", fuzz_file(bytes, n), 1) == 0, "no memory for the environment");
    pum_status status = catalogue_load(&c, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return;
    }
    must(c->n > 0, "a catalogue of nothing");
    for (int i = 0; i < c->n; i++) {
        const catalogue_entry *e = &c->entries[i];
        size_t length = strlen(e->file);
        must(e->name[0] && length > 5 && strcmp(e->file + length - 5, ".gguf") == 0 && !strpbrk(e->file, "/\\") &&
                 e->file[0] != '.',
             "a file that is elsewhere");
        must(e->n_sources > 0 && e->n_ctx >= 0, "an entry without a source");
        for (int k = 0; k < e->n_sources; k++) must(strstr(e->sources[k], "://") != NULL, "a source that is no address");
        must(!e->sha256 || strlen(e->sha256) == 64, "a checksum that is none");
    }
    catalogue_free(&c);
}

/* ---- attachments */

static void must_be_text(const char *text, const char *what) {
    uint32_t code;
    for (size_t at = 0, n = strlen(text); at < n;) {
        int step = utf8_decode(text + at, n - at, &code);
        must(step > 0 && code != '\r', what);
        at += (size_t)step;
    }
}

/* A line with the file's name, then what it holds: it comes back from the message that it is put into. */
static void check_attachment(fuzz_input *in) {
    char *name = fuzz_text(in, '\n', NULL), why[ATTACHMENT_WHY_BYTES] = "";
    attachments a = {0}, back = {0};
    if (attachments_bytes(&a, name, in->at, in->left, why)) {
        must_be_text(a.list[0].text, "an attachment that is no UTF-8");
        must_be_clean(a.list[0].name, "a name that no window should see");
        char *message = attachments_message(&a, "words");
        must(message && strcmp(attachments_read(&back, message), "words") == 0, "a message without its words");
        must(back.n == 1 && strcmp(back.list[0].name, a.list[0].name) == 0 && strcmp(back.list[0].text, a.list[0].text) == 0,
             "another attachment");
        free(message);
    } else {
        must(why[0] != 0, "no reason");
        must_be_clean(why, "a reason that no window should see");
    }
    attachments_clear(&a);
    attachments_clear(&back);
    free(name);
}

/* Any message: what is taken for attachments gives it back. */
static void check_message(fuzz_input *in) {
    char *message = fuzz_text(in, 0, NULL);
    attachments a = {0};
    const char *words = attachments_read(&a, message);
    char *again = attachments_message(&a, words);
    must(again && strcmp(again, message) == 0, "a message that changes");
    free(again);
    attachments_clear(&a);
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = {data, size};
    uint8_t kind = fuzz_byte(&in);
    if (kind == 's') check_settings(in.at, in.left);
    if (kind == 'c') check_catalogue(in.at, in.left);
    if (kind == 'a') check_attachment(&in);
    if (kind == 'm') check_message(&in);
    return 0;
}
