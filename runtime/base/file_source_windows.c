#define WIN32_LEAN_AND_MEAN
#include "base/file_source.h"

#include "base/wide.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <windows.h>

static pum_status fail(pum_error *err, const char *path, const char *what) {
    char reason[512];
    return pum_fail(err, PUM_ERR_IO, "%s: cannot be %s: %s", path, what, wide_reason(GetLastError(), reason, sizeof reason));
}

pum_status file_source_open(const char *path, file_source *source, pum_error *err) {
    *source = (file_source){.path = path};
    wchar_t wide[FILES_MAX_PATH];
    if (!wide_path(path, wide)) return pum_fail(err, PUM_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    // The flag is for folders, which would be refused without a reason.
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_FLAG_SEQUENTIAL_SCAN | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (file == INVALID_HANDLE_VALUE) return fail(err, path, "opened");
    BY_HANDLE_FILE_INFORMATION info;
    pum_status status = PUM_OK;
    if (GetFileType(file) != FILE_TYPE_DISK)
        status = pum_fail(err, PUM_ERR_IO, "%s: expected a regular file, got a special file", path);
    else if (!GetFileInformationByHandle(file, &info))
        status = fail(err, path, "examined");
    else if (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        status = pum_fail(err, PUM_ERR_IO, "%s: expected a regular file, got a folder", path);
    uint64_t n_bytes = status == PUM_OK ? (uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow : 0;
    if (status == PUM_OK && n_bytes == 0)
        status = pum_fail(err, PUM_ERR_IO, "%s: the file is empty; download or copy it again", path);
    if (status != PUM_OK) {
        CloseHandle(file);
        return status;
    }
    source->handle = (intptr_t)file;
    source->n_bytes = n_bytes;
    return PUM_OK;
}

pum_status file_source_read(const file_source *source, uint64_t offset, void *bytes, uint64_t n_bytes, uint64_t *n_read,
                            pum_error *err) {
    enum { AT_ONCE = 1 << 30 };
    DWORD n = 1;
    for (*n_read = 0; *n_read < n_bytes && n > 0; *n_read += n) {
        uint64_t left = n_bytes - *n_read, at = offset + *n_read;
        // A place of its own for each read: threads do not share the handle's.
        OVERLAPPED place = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
        if (ReadFile((HANDLE)source->handle, (uint8_t *)bytes + *n_read, left < AT_ONCE ? (DWORD)left : AT_ONCE, &n, &place))
            continue;
        if (GetLastError() != ERROR_HANDLE_EOF) return fail(err, source->path, "read");
        n = 0;
    }
    return PUM_OK;
}

/* Windows has such advice for maps alone; it reads ahead by itself, as the file is opened to be read in order. */
void file_source_will_need(const file_source *source, uint64_t offset, uint64_t n_bytes) {
    (void)source;
    (void)offset;
    (void)n_bytes;
}

void file_source_close(file_source *source) {
    if (source->n_bytes) CloseHandle((HANDLE)source->handle);
    *source = (file_source){0};
}
