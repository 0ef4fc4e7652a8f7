#include "chat/paths.h"

#include <stdio.h>
#include <stdlib.h>

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
