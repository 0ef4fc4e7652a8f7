#include "chat/settings.h"

#include "chat/fail.h"
#include "chat/small_files.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the keys */

typedef enum kind { TEXT, INTEGER, REAL, CHOICE, BOOLEAN } kind;

enum { MAX_N_CTX = 1 << 24, MAX_CHOICES = 4 };

typedef struct key {
    const char *name;
    kind kind;
    size_t offset, size;              ///< of the field
    double least, most;               ///< of numbers
    const char *choices[MAX_CHOICES]; ///< in the order of the enum
} key;

#define FIELD(name) #name, .offset = offsetof(settings, name), .size = sizeof((settings *)0)->name
static const key keys[] = {
    {FIELD(model), .kind = TEXT},
    {FIELD(device), .kind = TEXT},
    {FIELD(n_ctx), .kind = INTEGER, .least = -1, .most = MAX_N_CTX},
    {FIELD(kv), .kind = CHOICE, .choices = {"f16", "q8_0"}},
    {FIELD(theme), .kind = CHOICE, .choices = {"system", "light", "dark", "contrast"}},
    {FIELD(font_scale), .kind = REAL, .least = 0.8, .most = 2.5},
    {FIELD(language), .kind = CHOICE, .choices = {"system", "en", "ko"}},
    {FIELD(speak), .kind = BOOLEAN},
};
enum { N_KEYS = (int)(sizeof keys / sizeof *keys) };

settings settings_defaults(void) { return (settings){.n_ctx = -1, .kv = PUM_KV_F16, .font_scale = 1}; }

static const void *field_of(const settings *s, const key *k) { return (const char *)s + k->offset; }
static void *field_in(settings *s, const key *k) { return (char *)s + k->offset; }

/* An enum's field: each is as wide as an int here. */
_Static_assert(sizeof(pum_kv_type) == sizeof(int) && sizeof(settings_theme) == sizeof(int) &&
                   sizeof(settings_language) == sizeof(int),
               "a choice is read and written as an int");

/* ---- between JSON and a field */

/* Reads a value; false where it is none that the key takes, and the field stays as it was. */
static bool take(settings *s, const key *k, const json_t *value) {
    void *field = field_in(s, k);
    const char *text = json_string_value(value);
    double number = json_number_value(value);
    switch (k->kind) {
    case TEXT:
        if (json_is_null(value)) text = "";
        if (!text || strlen(text) >= k->size) return false;
        strcpy(field, text);
        return true;
    case INTEGER:
        if (!json_is_integer(value) || number < k->least || number > k->most) return false;
        *(int *)field = (int)json_integer_value(value);
        return true;
    case REAL:
        if (!json_is_number(value) || number < k->least || number > k->most) return false;
        *(double *)field = number;
        return true;
    case CHOICE:
        for (int i = 0; text && i < MAX_CHOICES && k->choices[i]; i++) {
            if (strcmp(text, k->choices[i]) != 0) continue;
            *(int *)field = i;
            return true;
        }
        return false;
    case BOOLEAN:
        if (!json_is_boolean(value)) return false;
        *(bool *)field = json_is_true(value);
        return true;
    }
    return false;
}

/* A new value; NULL without memory. */
static json_t *give(const settings *s, const key *k) {
    const void *field = field_of(s, k);
    switch (k->kind) {
    case TEXT: {
        const char *text = field;
        // A path that is no UTF-8 has no place in JSON; it is chosen again the next time.
        json_t *value = *text ? json_string(text) : NULL;
        return value ? value : json_null();
    }
    case INTEGER:
        return json_integer(*(const int *)field);
    case REAL:
        return json_real(*(const double *)field);
    case CHOICE:
        return json_string(k->choices[*(const int *)field]);
    case BOOLEAN:
        return json_boolean(*(const bool *)field);
    }
    return NULL;
}

static bool same(const settings *a, const settings *b, const key *k) {
    return k->kind == TEXT ? strcmp(field_of(a, k), field_of(b, k)) == 0 : memcmp(field_of(a, k), field_of(b, k), k->size) == 0;
}

/* ---- what a person is told */

typedef struct sentence {
    char *text; ///< [SETTINGS_NOTICE_BYTES]
    size_t used;
} sentence;

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void
add(sentence *s, const char *format, ...) {
    if (s->used >= SETTINGS_NOTICE_BYTES) return;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->text + s->used, SETTINGS_NOTICE_BYTES - s->used, format, args);
    va_end(args);
    if (n > 0) s->used += (size_t)n;
}

static void add_expected(sentence *s, const key *k) {
    switch (k->kind) {
    case TEXT:
        add(s, "a text of less than %zu bytes, or null", k->size);
        break;
    case INTEGER:
        add(s, "a whole number from %.0f to %.0f", k->least, k->most);
        break;
    case REAL:
        add(s, "a number from %.1f to %.1f", k->least, k->most);
        break;
    case CHOICE:
        for (int i = 0; i < MAX_CHOICES && k->choices[i]; i++) {
            bool last = i + 1 == MAX_CHOICES || !k->choices[i + 1];
            add(s, "%s\"%s\"", i == 0 ? "" : last ? " or " : ", ", k->choices[i]);
        }
        break;
    case BOOLEAN:
        add(s, "true or false");
        break;
    }
}

static void add_mistake(sentence *s, const key *k, const json_t *value, const char *path) {
    enum { SHOWN = 40 };
    if (s->used == 0)
        add(s, "%s: ", path);
    else
        add(s, "; ");
    add(s, "%s: expected ", k->name);
    add_expected(s, k);
    char *got = fail_got(value);
    add(s, ", got %.*s%s", SHOWN, got ? got : "?", got && strlen(got) > SHOWN ? "…" : "");
    free(got);
}

/* ---- reading */

/* Reads the fields of an object; says to `told`, unless it is NULL, what could not be understood. */
static void take_all(settings *s, const json_t *object, const char *path, sentence *told) {
    *s = settings_defaults();
    for (int i = 0; i < N_KEYS; i++) {
        const json_t *value = json_object_get(object, keys[i].name);
        if (value && !take(s, &keys[i], value) && told) add_mistake(told, &keys[i], value, path);
    }
    if (told && told->used) add(told, "; the usual is used for that, and the file stays as it is");
}

/* The object that a file holds; NULL with PUM_OK where there is no file. Errors: PUM_ERR_FORMAT where it holds something else. */
static pum_status read_object(const char *path, json_t **object, pum_error *err) {
    char *bytes;
    size_t n_bytes;
    *object = NULL;
    pum_status status = small_file_read(path, &bytes, &n_bytes, err);
    if (status != PUM_OK || !bytes) return status;
    json_error_t why = {0};
    json_t *root = json_loadb(bytes, n_bytes, 0, &why);
    free(bytes);
    if (root && json_is_object(root)) {
        *object = root;
        return PUM_OK;
    }
    if (!root) return fail_json(err, "", &why);
    json_decref(root);
    return fail_with(err, PUM_ERR_FORMAT, "expected an object, got something else");
}

static bool path_of(char *path) { return paths_of(PATH_CONFIG, "settings.json", path, PATHS_MAX); }

void settings_load(settings *s, char *notice) {
    *s = settings_defaults();
    *notice = 0;
    sentence told = {.text = notice};
    char path[PATHS_MAX], aside[PATHS_MAX];
    if (!path_of(path)) {
        add(&told, "no folder for settings, so that they are not kept: set HOME or XDG_CONFIG_HOME");
        return;
    }
    json_t *object;
    pum_error err, why;
    pum_status status = read_object(path, &object, &err);
    if (status == PUM_ERR_FORMAT) {
        if (small_file_set_aside(path, aside, sizeof aside, &why) == PUM_OK)
            add(&told, "the settings were damaged (%s): the file is now %s, and the usual settings are used", err.message, aside);
        else
            add(&told, "the settings are damaged (%s), and the usual ones are used; %s", err.message, why.message);
    } else if (status != PUM_OK) {
        add(&told, "%s; the usual settings are used", err.message);
    } else if (object) {
        take_all(s, object, path, &told);
    }
    json_decref(object);
}

/* ---- writing */

/* Only what is another value than the file's is written: what was not understood stays for as long as nothing else is chosen. */
static bool give_all(const settings *s, json_t *object) {
    settings there;
    take_all(&there, object, "", NULL);
    for (int i = 0; i < N_KEYS; i++) {
        if (json_object_get(object, keys[i].name) && same(s, &there, &keys[i])) continue;
        if (json_object_set_new(object, keys[i].name, give(s, &keys[i])) != 0) return false;
    }
    return true;
}

pum_status settings_save(const settings *s, pum_error *err) {
    char path[PATHS_MAX], aside[PATHS_MAX];
    if (!path_of(path)) return fail_with(err, PUM_ERR_IO, "no folder for settings: set HOME or XDG_CONFIG_HOME");
    json_t *object;
    pum_status status = read_object(path, &object, err);
    if (status == PUM_ERR_FORMAT) status = small_file_set_aside(path, aside, sizeof aside, err);
    if (status != PUM_OK) return status;
    if (!object) object = json_object();
    char *text = object && give_all(s, object) ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(object);
    if (!text) return fail_memory(err);
    size_t n = strlen(text);
    text[n] = '\n'; // in place of the zero
    status = small_file_write(path, text, n + 1, err);
    free(text);
    return status;
}
