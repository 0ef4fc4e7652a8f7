#include "transfer.h"

#include "chat/paths.h"
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME_BYTES = 80, MOST_NUMBER = 999 };
static const long most_bytes = 256L << 20;

/* A title as the name of a file: what systems do not take in names becomes a space. */
static void file_name(char *name, size_t n_bytes, const char *title) {
    size_t n = 0;
    for (const char *at = *title ? title : "chat"; *at && n + 1 < n_bytes; at++)
        name[n++] = (unsigned char)*at < 0x20 || strchr("/\\:*?\"<>|", *at) ? ' ' : *at;
    while (n && ((unsigned char)name[n - 1] & 0xC0) == 0x80 && n + 1 == n_bytes) n--; // not half a character at the end
    if (n + 1 == n_bytes && n && (unsigned char)name[n - 1] >= 0xC0) n--;
    while (n && (name[n - 1] == ' ' || name[n - 1] == '.')) n--;
    name[n] = 0;
    if (name[0] == '.') name[0] = ' ';
}

static FILE *create(const char *title, const char *ending, char *path, size_t n_bytes) {
    char folder[PATHS_MAX], name[MOST_NAME_BYTES];
    if (!paths_documents(folder, sizeof folder)) return NULL;
    file_name(name, sizeof name, title);
    for (int i = 1; i <= MOST_NUMBER; i++) {
        int n = i == 1 ? snprintf(path, n_bytes, "%s/%s.%s", folder, name, ending)
                       : snprintf(path, n_bytes, "%s/%s (%d).%s", folder, name, i, ending);
        if (n < 0 || (size_t)n >= n_bytes) return NULL;
        FILE *f = fopen(path, "wbx");
        if (f || errno != EEXIST) return f;
    }
    return NULL;
}

void transfer_export(chats *c, bool json, char *notice, size_t n_bytes) {
    pum_error err;
    char *title = NULL, *text = NULL, path[PATHS_MAX] = "";
    pum_status status = store_title(c->store, c->open, &title, &err);
    if (status == PUM_OK)
        status = json ? store_export_json(c->store, c->open, &text, &err) : store_export_markdown(c->store, c->open, &text, &err);
    if (status != PUM_OK) {
        snprintf(notice, n_bytes, "%s", err.message);
    } else {
        FILE *f = create(title, json ? "json" : "md", path, sizeof path);
        bool ok = f && fwrite(text, 1, strlen(text), f) == strlen(text);
        int why = errno;
        if (f && fclose(f) != 0) {
            ok = false;
            why = errno;
        }
        if (f && !ok) remove(path); // half a file is worse than none
        say_with(notice, n_bytes, ok ? W_EXPORTED : W_NOT_EXPORTED, path, strerror(why), NULL);
    }
    free(title);
    free(text);
}

bool transfer_is_chat(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (SDL_strcasecmp(dot, ".json") == 0 || SDL_strcasecmp(dot, ".md") == 0);
}

static char *read_all(const char *path, size_t *n, int *why) {
    FILE *f = fopen(path, "rb");
    char *bytes = NULL;
    *why = errno;
    if (!f) return NULL;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size > most_bytes) {
        *why = EFBIG;
    } else if (size >= 0 && fseek(f, 0, SEEK_SET) == 0 && (bytes = malloc((size_t)size + 1))) {
        *n = fread(bytes, 1, (size_t)size, f);
        bytes[*n] = 0;
    } else {
        *why = errno;
    }
    if (bytes && ferror(f)) {
        *why = errno;
        free(bytes);
        bytes = NULL;
    }
    fclose(f);
    return bytes;
}

store_id transfer_import(chats *c, const char *path, char *notice, size_t n_bytes) {
    pum_error err;
    size_t n = 0;
    int why = 0;
    store_id chat = 0;
    char *bytes = read_all(path, &n, &why), name[MOST_NAME_BYTES];
    const char *last = strrchr(path, '/');
    snprintf(name, sizeof name, "%s", last ? last + 1 : path);
    if (strrchr(name, '.')) *strrchr(name, '.') = 0;
    notice[0] = 0;
    if (!bytes)
        say_with(notice, n_bytes, W_NOT_READ, path, strerror(why), NULL);
    else if (store_import(c->store, bytes, n, name, &chat, &err) != PUM_OK)
        say_with(notice, n_bytes, W_NOT_READ, path, err.message, NULL);
    free(bytes);
    return chat;
}
