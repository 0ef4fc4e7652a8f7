#include "chat/catalogue.h"

#include "chat/fail.h"
#include "chat/small_files.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* assets/catalogue.json, with a zero behind. */
extern const unsigned char catalogue_json[];

enum { MAX_NAME_BYTES = 200 };

/* ---- what an entry may say */

typedef struct reader {
    const char *path; ///< of the file, for messages
    int index;        ///< of the entry
    pum_error *err;
    pum_status status;
} reader;

static void fail_key(reader *r, const char *key, const char *expected, const json_t *got) {
    if (r->status != PUM_OK) return; // the first is said
    char *text = got ? fail_got(got) : NULL;
    r->status = fail_with(r->err, PUM_ERR_FORMAT, "%s: models[%d].%s: expected %s, got %.60s", r->path, r->index, key, expected,
                          text ? text : "nothing");
    free(text);
}

static const char *text_of(reader *r, const json_t *entry, const char *key, bool needed) {
    const json_t *value = json_object_get(entry, key);
    if (json_is_string(value) && json_string_length(value) > 0) return json_string_value(value);
    if (needed || (value && !json_is_null(value))) fail_key(r, key, needed ? "a text" : "a text or null", value);
    return NULL;
}

static uint64_t number_of(reader *r, const json_t *entry, const char *key, json_int_t most) {
    const json_t *value = json_object_get(entry, key);
    json_int_t n = json_integer_value(value);
    if (json_is_integer(value) && n > 0 && n <= most) return (uint64_t)n;
    if (value && !json_is_null(value)) fail_key(r, key, "a whole number above 0, or null", value);
    return 0;
}

/* A name of a file, and nothing that leads out of the folder. */
static const char *file_of(reader *r, const json_t *entry) {
    const char *file = text_of(r, entry, "file", true);
    size_t n = file ? strlen(file) : 0;
    bool good = n > 5 && n <= MAX_NAME_BYTES && strcmp(file + n - 5, ".gguf") == 0 && file[0] != '.';
    for (size_t i = 0; i < n; i++) good = good && file[i] != '/' && file[i] != '\\' && (unsigned char)file[i] >= ' ';
    if (!good) fail_key(r, "file", "a name that ends in .gguf, without a folder", json_object_get(entry, "file"));
    return file;
}

static const char *sha256_of(reader *r, json_t *entry) {
    const char *text = text_of(r, entry, "sha256", false);
    size_t n = text ? strspn(text, "0123456789abcdef") : 0;
    if (text && (n != 64 || text[n])) fail_key(r, "sha256", "64 small hex digits, or null", json_object_get(entry, "sha256"));
    return text;
}

static void take_sources(reader *r, const json_t *entry, catalogue_entry *e) {
    const json_t *list = json_object_get(entry, "sources");
    size_t n = json_array_size(list);
    e->sources = n ? calloc(n, sizeof *e->sources) : NULL;
    if (n == 0) fail_key(r, "sources", "a list of addresses", list);
    if (n && !e->sources) r->status = fail_memory(r->err);
    for (size_t i = 0; e->sources && i < n; i++) {
        const json_t *source = json_array_get(list, i);
        const char *url = json_string_value(source);
        if (!url || (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0))
            fail_key(r, "sources", "http or https addresses", source);
        e->sources[e->n_sources++] = url;
    }
}

static void take_entry(reader *r, json_t *entry, catalogue_entry *e) {
    e->name = text_of(r, entry, "name", true);
    e->file = file_of(r, entry);
    e->n_params = number_of(r, entry, "parameters", INT64_MAX);
    e->n_bytes = number_of(r, entry, "bytes", INT64_MAX);
    e->n_ctx = (int)number_of(r, entry, "context", INT32_MAX);
    e->type = text_of(r, entry, "type", false);
    e->licence = text_of(r, entry, "licence", false);
    e->sha256 = sha256_of(r, entry);
    take_sources(r, entry, e);
}

/* ---- the whole */

static pum_status take_all(catalogue *c, const char *path, pum_error *err) {
    const json_t *list = json_object_get(c->owner, "models");
    reader r = {.path = path, .err = err, .status = PUM_OK};
    size_t n = json_array_size(list);
    if (n == 0) return fail_with(err, PUM_ERR_FORMAT, "%s: models: expected a list of models, got none", path);
    c->entries = calloc(n, sizeof *c->entries);
    if (!c->entries) return fail_memory(err);
    for (; c->n < (int)n && r.status == PUM_OK; c->n++) {
        r.index = c->n;
        take_entry(&r, json_array_get(list, (size_t)c->n), &c->entries[c->n]);
    }
    return r.status;
}

static pum_status read_json(const char *path, json_t **root, pum_error *err) {
    char *bytes = NULL;
    size_t n_bytes;
    json_error_t why;
    if (path) {
        pum_status status = small_file_read(path, &bytes, &n_bytes, err);
        if (status != PUM_OK) return status;
        if (!bytes) return fail_with(err, PUM_ERR_IO, "PUMICE_CATALOGUE: %s is not there", path);
    }
    *root = bytes ? json_loadb(bytes, n_bytes, 0, &why) : json_loads((const char *)catalogue_json, 0, &why);
    free(bytes);
    if (*root) return PUM_OK;
    char begin[PATHS_MAX + 2];
    snprintf(begin, sizeof begin, "%s: ", path ? path : "the catalogue");
    return fail_json(err, begin, &why);
}

pum_status catalogue_load(catalogue **out, pum_error *err) {
    const char *path = getenv("PUMICE_CATALOGUE");
    if (path && !*path) path = NULL;
    *out = NULL;
    json_t *root = NULL;
    pum_status status = read_json(path, &root, err);
    if (status != PUM_OK) return status;
    catalogue *c = calloc(1, sizeof *c);
    if (!c) {
        json_decref(root);
        return fail_memory(err);
    }
    c->owner = root;
    status = take_all(c, path ? path : "the catalogue", err);
    if (status != PUM_OK) {
        catalogue_free(&c);
        return status;
    }
    *out = c;
    return PUM_OK;
}

void catalogue_free(catalogue **c) {
    if (!c || !*c) return;
    for (int i = 0; (*c)->entries && i < (*c)->n; i++) free((*c)->entries[i].sources);
    free((*c)->entries);
    json_decref((*c)->owner);
    free(*c);
    *c = NULL;
}

pum_status catalogue_download(const catalogue_entry *entry, char *path, download **d, pum_error *err) {
    char name[MAX_NAME_BYTES + 16];
    *d = NULL;
    snprintf(name, sizeof name, "models/%s", entry->file);
    if (!paths_of(PATH_DATA, name, path, PATHS_MAX))
        return fail_with(err, PUM_ERR_IO, "no folder for models: set HOME or XDG_DATA_HOME");
    download_params params = {.file = path,
                              .sources = entry->sources,
                              .n_sources = entry->n_sources,
                              .n_bytes = entry->sha256 ? entry->n_bytes : 0,
                              .sha256 = entry->sha256};
    return download_start(&params, d, err);
}
