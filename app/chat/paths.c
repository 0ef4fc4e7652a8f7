#include "chat/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool paths_of(path_base base, const char *name, char *path, size_t n_bytes) {
    static const struct {
        const char *variable, *below_home;
    } folders[] = {
        [PATH_DATA] = {"XDG_DATA_HOME", "/.local/share"},
        [PATH_CONFIG] = {"XDG_CONFIG_HOME", "/.config"},
        [PATH_CACHE] = {"XDG_CACHE_HOME", "/.cache"},
        [PATH_STATE] = {"XDG_STATE_HOME", "/.local/state"},
    };
    const char *folder = getenv(folders[base].variable), *home = getenv("HOME");
    // As the XDG rules say: a path that is not absolute is as good as none.
    bool given = folder && folder[0] == '/';
    if (!given && !home) return false;
    int n = snprintf(path, n_bytes, "%s%s/pumice/%s", given ? folder : home, given ? "" : folders[base].below_home, name);
    return n > 0 && (size_t)n < n_bytes;
}

static bool is_folder(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

/* A line of user-dirs.dirs: XDG_DOCUMENTS_DIR="$HOME/…", or an absolute path. */
static bool read_line(const char *line, const char *home, char *path, size_t n_bytes) {
    static const char key[] = "XDG_DOCUMENTS_DIR=\"", below_home[] = "$HOME/";
    if (strncmp(line, key, strlen(key)) != 0) return false;
    const char *value = line + strlen(key);
    size_t n = strcspn(value, "\"\n");
    bool below = strncmp(value, below_home, strlen(below_home)) == 0;
    if (value[n] != '"' || (!below && value[0] != '/')) return false;
    size_t skipped = below ? strlen(below_home) - 1 : 0;
    int length = snprintf(path, n_bytes, "%s%.*s", below ? home : "", (int)(n - skipped), value + skipped);
    return length > 0 && (size_t)length < n_bytes && is_folder(path);
}

bool paths_documents(char *path, size_t n_bytes) {
    const char *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");
    if (!home) return false;
    char line[PATHS_MAX];
    bool given = config && config[0] == '/', found = false;
    int n = snprintf(line, sizeof line, "%s%s/user-dirs.dirs", given ? config : home, given ? "" : "/.config");
    FILE *f = n > 0 && (size_t)n < sizeof line ? fopen(line, "r") : NULL;
    while (f && !found && fgets(line, sizeof line, f)) found = read_line(line, home, path, n_bytes);
    if (f) fclose(f);
    if (found) return true;
    n = snprintf(path, n_bytes, "%s/Documents", home);
    if (n > 0 && (size_t)n < n_bytes && is_folder(path)) return true;
    n = snprintf(path, n_bytes, "%s", home);
    return n > 0 && (size_t)n < n_bytes;
}
