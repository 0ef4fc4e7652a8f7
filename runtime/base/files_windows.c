#define WIN32_LEAN_AND_MEAN
#include "base/files.h"

#include "base/wide.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <windows.h>

FILE *files_open(const char *path, const char *mode) {
    wchar_t wide[FILES_MAX_PATH], wide_mode[8];
    if (!wide_path(path, wide) || MultiByteToWideChar(CP_UTF8, 0, mode, -1, wide_mode, 8) == 0) return NULL;
    return _wfopen(wide, wide_mode);
}

FILE *files_create_beside(const char *path, char *name) {
    static atomic_uint n_made;
    wchar_t wide[FILES_MAX_PATH];
    int fd = -1;
    do {
        // A process that is no more may have left one.
        int n = snprintf(name, FILES_MAX_PATH, "%s.%lu-%u.part", path, (unsigned long)GetCurrentProcessId(),
                         atomic_fetch_add(&n_made, 1));
        if (n < 0 || n >= FILES_MAX_PATH) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        if (!wide_path(name, wide)) return NULL;
        fd = _wopen(wide, _O_WRONLY | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT, _S_IREAD | _S_IWRITE);
    } while (fd < 0 && errno == EEXIST);
    FILE *file = fd < 0 ? NULL : _fdopen(fd, "wb");
    if (fd >= 0 && !file) _close(fd);
    return file;
}

bool files_flush(FILE *file) { return fflush(file) == 0 && _commit(_fileno(file)) == 0; }

bool files_replace(const char *from, const char *to) {
    enum { N_TRIES = 20, PAUSE_MS = 10 };
    wchar_t wide_from[FILES_MAX_PATH], wide_to[FILES_MAX_PATH];
    if (!wide_path(from, wide_from) || !wide_path(to, wide_to)) return false;
    DWORD error = 0;
    for (int i = 0; i < N_TRIES; i++) {
        if (MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)) return true;
        error = GetLastError();
        // Windows refuses as long as somebody reads the old file; virus scanners do for a moment.
        if (error != ERROR_ACCESS_DENIED && error != ERROR_SHARING_VIOLATION) break;
        Sleep(PAUSE_MS);
    }
    errno = wide_errno(error);
    return false;
}

void files_remove(const char *path) {
    wchar_t wide[FILES_MAX_PATH];
    if (wide_path(path, wide)) DeleteFileW(wide);
}

static bool is_slash(wchar_t c) { return c == L'/' || c == L'\\'; }

/* What may lie before the first folder that could be made: the drive, or the server and what it shares. */
static wchar_t *behind_root(wchar_t *path) {
    if (path[0] && path[1] == L':') return path + 2 + is_slash(path[2]);
    if (!is_slash(path[0]) || !is_slash(path[1])) return path + is_slash(path[0]);
    wchar_t *at = path + 2;
    for (int part = 0; part < 2; part++) {
        while (*at && !is_slash(*at)) at++;
        if (*at) at++;
    }
    return at;
}

bool files_make_folder_of(const char *path) {
    wchar_t wide[FILES_MAX_PATH];
    if (!wide_path(path, wide)) return false;
    for (wchar_t *at = behind_root(wide); *at; at++) {
        if (!is_slash(*at)) continue;
        wchar_t slash = *at;
        *at = 0;
        // Below the user's own folder others have no access anyway.
        bool made = CreateDirectoryW(wide, NULL);
        DWORD error = made ? 0 : GetLastError();
        if (!made && error != ERROR_ALREADY_EXISTS) {
            errno = wide_errno(error);
            return false;
        }
        *at = slash;
    }
    return true;
}
