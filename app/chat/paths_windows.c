#include "chat/paths.h"

#define WIN32_LEAN_AND_MEAN
#include <stdio.h>
#include <windows.h>

static bool is_slash(wchar_t c) { return c == L'\\' || c == L'/'; }

/* An environment variable, if it holds a path with a drive or a server: the others are as good as none. text [n_bytes], UTF-8. */
static bool folder_of(const wchar_t *variable, char *text, size_t n_bytes) {
    wchar_t wide[PATHS_MAX] = L"";
    DWORD n = GetEnvironmentVariableW(variable, wide, PATHS_MAX);
    if (n < 3 || n >= PATHS_MAX) return false;
    bool drive = wide[1] == L':' && is_slash(wide[2]), server = is_slash(wide[0]) && is_slash(wide[1]);
    if (!drive && !server) return false;
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, (int)n_bytes, NULL, NULL) > 0;
}

bool paths_of(path_base base, const char *name, char *path, size_t n_bytes) {
    // Only the settings go along when a person signs in on another machine.
    static const struct {
        const wchar_t *xdg, *own;
        const char *below_own;
    } folders[] = {
        [PATH_DATA] = {L"XDG_DATA_HOME", L"LOCALAPPDATA", ""},
        [PATH_CONFIG] = {L"XDG_CONFIG_HOME", L"APPDATA", ""},
        [PATH_CACHE] = {L"XDG_CACHE_HOME", L"LOCALAPPDATA", "cache\\"},
        [PATH_STATE] = {L"XDG_STATE_HOME", L"LOCALAPPDATA", "state\\"},
    };
    char folder[PATHS_MAX];
    bool xdg = folder_of(folders[base].xdg, folder, sizeof folder);
    if (!xdg && !folder_of(folders[base].own, folder, sizeof folder)) return false;
    int n = snprintf(path, n_bytes, "%s\\pumice\\%s%s", folder, xdg ? "" : folders[base].below_own, name);
    if (n <= 0 || (size_t)n >= n_bytes) return false;
    for (char *at = path; *at; at++)
        if (*at == '/') *at = '\\';
    return true;
}

bool paths_documents(char *path, size_t n_bytes) {
    char folder[PATHS_MAX];
    if (!folder_of(L"USERPROFILE", folder, sizeof folder)) return false;
    int n = snprintf(path, n_bytes, "%s\\Documents", folder);
    return n > 0 && (size_t)n < n_bytes;
}
