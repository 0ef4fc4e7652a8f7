#include "vk/drivers.h"

#include "base/cache_file.h"
#include "base/files.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_DRIVERS = 256 };

static const char *variable(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool add(vk_drivers *d, const char *path) {
    struct stat s;
    bool whole = strlen(path) < FILES_MAX_PATH - 1 && !strpbrk(path, "\n\t:"); // else nobody could name it to the loader
    if (!whole || d->n == MOST_DRIVERS || stat(path, &s) != 0 || !S_ISREG(s.st_mode)) return true;
    for (int i = 0; i < d->n; i++)
        if (strcmp(d->manifests[i], path) == 0) return true;
    char **grown = realloc(d->manifests, ((size_t)d->n + 1) * sizeof *grown);
    if (!grown) return false;
    d->manifests = grown;
    if (!(grown[d->n] = strdup(path))) return false;
    d->n++;
    return true;
}

/* The manifests in a folder. That it is not there is no failure. */
static bool add_folder(vk_drivers *d, const char *folder) {
    DIR *opened = opendir(folder);
    bool good = true;
    for (struct dirent *e; opened && good && (e = readdir(opened));) {
        char path[FILES_MAX_PATH];
        size_t n = strlen(e->d_name);
        if (n < 5 || strcmp(e->d_name + n - 5, ".json") != 0) continue;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, e->d_name) < sizeof path) good = add(d, path);
    }
    if (opened) closedir(opened);
    return good;
}

/* Of a list with colons between: files and folders (inside: ""), or folders that have drivers inside them. */
static bool add_list(vk_drivers *d, const char *list, const char *inside) {
    bool good = true;
    for (const char *at = list; good && *at;) {
        char path[FILES_MAX_PATH];
        size_t n = strcspn(at, ":");
        bool fits = n > 0 && (size_t)snprintf(path, sizeof path, "%.*s%s", (int)n, at, inside) < sizeof path;
        if (fits) good = (*inside || add(d, path)) && add_folder(d, path);
        at += n + (at[n] == ':');
    }
    return good;
}

/* Where the loader's documentation says that it looks. folder: icd.d or implicit_layer.d. */
static bool find(vk_drivers *d, const char *folder) {
    char inside[64], at_home[64], of_user[64];
    const char *home = variable("HOME", ""), *config = variable("XDG_CONFIG_HOME", NULL), *data = variable("XDG_DATA_HOME", NULL);
    snprintf(inside, sizeof inside, "/vulkan/%s", folder);
    snprintf(at_home, sizeof at_home, "/.config/vulkan/%s", folder);
    snprintf(of_user, sizeof of_user, "/.local/share/vulkan/%s", folder);
    return add_list(d, config ? config : home, config ? inside : at_home) &&
           add_list(d, variable("XDG_CONFIG_DIRS", "/etc/xdg"), inside) && add_list(d, "/usr/local/etc:/etc", inside) &&
           add_list(d, data ? data : home, data ? inside : of_user) &&
           add_list(d, variable("XDG_DATA_DIRS", "/usr/local/share:/usr/share"), inside);
}

static bool find_drivers(vk_drivers *d) {
    const char *only = variable("VK_DRIVER_FILES", variable("VK_ICD_FILENAMES", NULL));
    return only ? add_list(d, only, "") : add_list(d, variable("VK_ADD_DRIVER_FILES", ""), "") && find(d, "icd.d");
}

static void sort(vk_drivers *d) {
    if (d->n > 1) qsort(d->manifests, (size_t)d->n, sizeof *d->manifests, by_bytes);
}

static uint64_t hash_files(uint64_t hash, const vk_drivers *d) {
    for (int i = 0; i < d->n; i++) {
        struct stat s;
        const char *path = d->manifests[i];
        if (stat(path, &s) != 0) memset(&s, 0, sizeof s);
        int64_t file[] = {(int64_t)s.st_size, (int64_t)s.st_mtime, (int64_t)s.st_ino};
        hash = cache_file_hash(cache_file_hash(hash, path, strlen(path) + 1), file, sizeof file);
    }
    return hash;
}

pum_status vk_drivers_find(vk_drivers *found, pum_error *err) {
    vk_drivers layers = {0};
    *found = (vk_drivers){0};
    bool good = find_drivers(found) && find(&layers, "implicit_layer.d");
    sort(found);
    sort(&layers);
    found->hash = hash_files(hash_files(0, found), &layers);
    vk_drivers_free(&layers);
    return good ? PUM_OK : pum_fail_memory(err, "the list of drivers", ((size_t)found->n + 1) * sizeof *found->manifests);
}

void vk_drivers_free(vk_drivers *drivers) {
    for (int i = 0; i < drivers->n; i++) free(drivers->manifests[i]);
    free(drivers->manifests);
    *drivers = (vk_drivers){0};
}

bool vk_drivers_use(const char *manifests) {
    // Loaders before 1.3.207 know the second alone.
    return setenv("VK_DRIVER_FILES", manifests, 1) == 0 && setenv("VK_ICD_FILENAMES", manifests, 1) == 0;
}

bool vk_drivers_without_layers(void) {
    const char *before = variable("VK_LOADER_LAYERS_DISABLE", NULL);
    char list[1024];
    int n = snprintf(list, sizeof list, "%s%s~implicit~", before ? before : "", before ? "," : "");
    return (size_t)n < sizeof list && setenv("VK_LOADER_LAYERS_DISABLE", list, 1) == 0;
}
