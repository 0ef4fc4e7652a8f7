#define WIN32_LEAN_AND_MEAN
#include "base/file_map.h"

#include "base/wide.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <windows.h>

static pum_status fail(pum_error *err, const char *path, const char *what) {
    char reason[512];
    return pum_fail(err, PUM_ERR_IO, "%s: cannot be %s: %s", path, what, wide_reason(GetLastError(), reason, sizeof reason));
}

static pum_status map_whole(HANDLE file, const char *path, uint64_t n_bytes, file_map *map, pum_error *err) {
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READONLY, 0, 0, NULL);
    if (!mapping) return fail(err, path, "mapped");
    // The view keeps the mapping and the file open.
    const void *bytes = MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0);
    pum_status status = bytes ? PUM_OK : fail(err, path, "mapped");
    CloseHandle(mapping);
    if (bytes) *map = (file_map){.bytes = bytes, .n_bytes = n_bytes};
    return status;
}

pum_status file_map_open(const char *path, file_map *map, pum_error *err) {
    *map = (file_map){0};
    wchar_t wide[FILES_MAX_PATH];
    if (!wide_path(path, wide)) return pum_fail(err, PUM_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    // The flag is for folders, which would be refused without a reason.
    HANDLE file = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING,
                              FILE_ATTRIBUTE_NORMAL | FILE_FLAG_BACKUP_SEMANTICS, NULL);
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
    else if (n_bytes > SIZE_MAX / 2)
        status = pum_fail(err, PUM_ERR_IO, "%s: %" PRIu64 " bytes do not fit this machine's address space", path, n_bytes);
    if (status == PUM_OK) status = map_whole(file, path, n_bytes, map, err);
    CloseHandle(file);
    return status;
}

/* [offset, offset + n_bytes) as far as it is in the map: its length. */
static size_t clip(const file_map *map, uint64_t offset, uint64_t n_bytes) {
    if (offset >= map->n_bytes) return 0;
    return (size_t)(n_bytes > map->n_bytes - offset ? map->n_bytes - offset : n_bytes);
}

void file_map_will_need(const file_map *map, uint64_t offset, uint64_t n_bytes) {
    WIN32_MEMORY_RANGE_ENTRY range = {(void *)(uintptr_t)(map->bytes + offset), clip(map, offset, n_bytes)};
    if (range.NumberOfBytes) PrefetchVirtualMemory(GetCurrentProcess(), 1, &range, 0);
}

void file_map_done_with(const file_map *map, uint64_t offset, uint64_t n_bytes) {
    size_t n = clip(map, offset, n_bytes);
    // Pages that were never locked leave the working set.
    if (n) VirtualUnlock((void *)(uintptr_t)(map->bytes + offset), n);
}

void file_map_close(file_map *map) {
    if (map->bytes) UnmapViewOfFile(map->bytes);
    *map = (file_map){0};
}
