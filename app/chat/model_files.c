#include "chat/model_files.h"

#include "chat/fail.h"
#include "chat/paths.h"
#include "chat/small_files.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- what a header says */

static bool keep(char **text, const char *value) {
    if (!value || !*value) return true;
    *text = strdup(value);
    return *text != NULL;
}

/* The value of a key, if it has one that is short enough to be shown. */
static bool keep_key(char **text, const pum_file *file, const char *name) {
    char value[256];
    for (int i = 0; i < pum_file_n_keys(file); i++) {
        if (strcmp(pum_file_key(file, i), name) != 0) continue;
        int n = pum_file_value(file, i, value, sizeof value);
        return n <= 0 || (size_t)n >= sizeof value || keep(text, value);
    }
    return true;
}

/* The type that most bytes have: a file "in Q4_K" keeps some of its tensors in others. */
static const char *most_common_type(const pum_file *file) {
    enum { MAX_TYPES = 40 };
    struct {
        const char *type;
        uint64_t n_bytes;
    } types[MAX_TYPES] = {0}, *most = &types[0];
    int n = 0;
    for (int i = 0; i < pum_file_n_tensors(file); i++) {
        pum_tensor_info t;
        pum_file_get_tensor(file, i, &t);
        int at = 0;
        while (at < n && strcmp(types[at].type, t.type) != 0) at++;
        if (at == MAX_TYPES) continue;
        if (at == n) types[n++].type = t.type;
        types[at].n_bytes += t.n_bytes;
        if (types[at].n_bytes > most->n_bytes) most = &types[at];
    }
    return most->type;
}

static pum_status read_header(const pum_file *file, const model_file_use *use, model_file *m, pum_error *err) {
    pum_model_info info;
    pum_error why;
    pum_file_get_info(file, &info);
    m->n_params = info.n_params;
    m->n_ctx_train = info.n_ctx_train;
    if (!keep(&m->name, info.name) || !keep(&m->architecture, info.architecture) || !keep(&m->type, most_common_type(file)) ||
        !keep_key(&m->licence, file, "general.license"))
        return fail_memory(err);
    pum_status status = pum_file_plan(file, use->device, use->n_ctx, use->kv, &m->plan, &why);
    if (status == PUM_ERR_MEMORY) return fail_memory(err);
    m->state = status == PUM_OK ? MODEL_FILE_GOOD : MODEL_FILE_BAD;
    return status == PUM_OK || keep(&m->message, why.message) ? PUM_OK : fail_memory(err);
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool set_path(model_file *m, const char *path) {
    m->path = strdup(path);
    if (m->path) m->file = m->path + (last_part(path) - path);
    return m->path != NULL;
}

pum_status model_file_read(const char *path, const model_file_use *use, model_file *m, pum_error *err) {
    *m = (model_file){.state = MODEL_FILE_BAD};
    if (!set_path(m, path)) return fail_memory(err);
    struct stat s;
    if (stat(path, &s) == 0) m->n_bytes = m->total_bytes = (uint64_t)s.st_size;
    pum_file *file = NULL;
    pum_error why;
    pum_status status = pum_file_open(path, &file, &why);
    if (status == PUM_OK)
        status = read_header(file, use, m, err);
    else
        status = status != PUM_ERR_MEMORY && keep(&m->message, why.message) ? PUM_OK : fail_memory(err);
    pum_file_destroy(&file);
    if (status != PUM_OK) model_file_clear(m);
    return status;
}

/* ---- what came of a download */

static bool read_partial(const char *path, size_t n_end, uint64_t n_bytes, model_file *m) {
    char whole[PATHS_MAX], notes[PATHS_MAX];
    *m = (model_file){.state = MODEL_FILE_PARTIAL, .n_bytes = n_bytes};
    snprintf(whole, sizeof whole, "%.*s", (int)(strlen(path) - n_end), path);
    if (!set_path(m, whole)) return false;
    char *bytes = NULL;
    size_t n = 0;
    int written = snprintf(notes, sizeof notes, "%s.json", path);
    if (written < 0 || (size_t)written >= sizeof notes || small_file_read(notes, &bytes, &n, NULL) != PUM_OK || !bytes)
        return true;
    json_t *root = json_loadb(bytes, n, 0, NULL);
    free(bytes);
    json_int_t total = json_integer_value(json_object_get(root, "bytes"));
    m->total_bytes = total > 0 ? (uint64_t)total : 0;
    json_decref(root);
    return true;
}

/* ---- the folder */

/* The length of the end, if the name has it and something before. */
static size_t has_end(const char *name, const char *end) {
    size_t n = strlen(name), n_end = strlen(end);
    return n > n_end && strcmp(name + n - n_end, end) == 0 ? n_end : 0;
}

static int by_name(const void *a, const void *b) {
    const model_file *x = a, *y = b;
    int order = strcasecmp(x->file, y->file);
    return order ? order : strcmp(x->file, y->file);
}

static pum_status add_file(const char *path, const model_file_use *use, model_file **files, size_t *n, pum_error *err) {
    struct stat s;
    const char *name = last_part(path);
    size_t n_part = has_end(name, ".gguf.part") ? strlen(".part") : 0;
    if (name[0] == '.' || (!n_part && !has_end(name, ".gguf")) || stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return PUM_OK;
    model_file *grown = realloc(*files, (*n + 1) * sizeof **files);
    if (!grown) return fail_memory(err);
    *files = grown;
    pum_status status = PUM_OK;
    if (!n_part)
        status = model_file_read(path, use, &grown[*n], err);
    else if (!read_partial(path, n_part, (uint64_t)s.st_size, &grown[*n]))
        status = fail_memory(err);
    if (status == PUM_OK) ++*n;
    return status;
}

pum_status model_files_list(const model_file_use *use, model_file **files, size_t *n, pum_error *err) {
    char folder[PATHS_MAX], path[PATHS_MAX];
    *files = NULL;
    *n = 0;
    if (!paths_of(PATH_DATA, "models", folder, sizeof folder))
        return fail_with(err, PUM_ERR_IO, "no folder for models: set HOME or XDG_DATA_HOME");
    DIR *dir = opendir(folder);
    if (!dir && errno == ENOENT) return PUM_OK;
    if (!dir) return fail_with(err, PUM_ERR_IO, "%s could not be read: %s; look at its permissions", folder, strerror(errno));
    pum_status status = PUM_OK;
    for (struct dirent *entry; status == PUM_OK && (entry = readdir(dir));) {
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (length > 0 && (size_t)length < sizeof path) status = add_file(path, use, files, n, err);
    }
    closedir(dir);
    if (status == PUM_OK) {
        if (*n) qsort(*files, *n, sizeof **files, by_name);
        return PUM_OK;
    }
    model_files_free(*files, *n);
    *files = NULL;
    *n = 0;
    return status;
}

void model_file_clear(model_file *m) {
    free(m->path);
    free(m->message);
    free(m->name);
    free(m->architecture);
    free(m->licence);
    free(m->type);
    *m = (model_file){0};
}

void model_files_free(model_file *files, size_t n) {
    for (size_t i = 0; i < n; i++) model_file_clear(&files[i]);
    free(files);
}
