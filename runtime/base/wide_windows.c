#define WIN32_LEAN_AND_MEAN
#include "base/wide.h"

#include <errno.h>
#include <windows.h>

bool wide_path(const char *path, wchar_t *wide) {
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, FILES_MAX_PATH) > 0) return true;
    errno = GetLastError() == ERROR_INSUFFICIENT_BUFFER ? ENAMETOOLONG : EILSEQ;
    return false;
}

const char *wide_reason(uint32_t number, char *text, size_t n_bytes) {
    wchar_t wide[512];
    DWORD n = FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, number, 0, wide,
                             sizeof wide / sizeof *wide, NULL);
    while (n > 0 && (wide[n - 1] <= L' ' || wide[n - 1] == L'.')) n--; // a part of our sentence
    int n_text = WideCharToMultiByte(CP_UTF8, 0, wide, (int)n, text, (int)n_bytes - 1, NULL, NULL);
    if (n_text > 0)
        text[n_text] = 0;
    else
        snprintf(text, n_bytes, "error %lu of Windows", (unsigned long)number);
    return text;
}

int wide_errno(uint32_t number) {
    switch (number) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return ENOENT;
    case ERROR_ACCESS_DENIED:
        return EACCES;
    case ERROR_SHARING_VIOLATION:
    case ERROR_LOCK_VIOLATION:
        return EBUSY;
    case ERROR_DISK_FULL:
        return ENOSPC;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
        return EEXIST;
    case ERROR_FILENAME_EXCED_RANGE:
        return ENAMETOOLONG;
    default:
        return EIO;
    }
}
