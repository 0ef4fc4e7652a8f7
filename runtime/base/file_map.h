/* A whole file, mapped read-only. */
#ifndef BASE_FILE_MAP_H
#define BASE_FILE_MAP_H

#include "base/error.h"

typedef struct file_map {
    const uint8_t *bytes;
    uint64_t n_bytes;
} file_map;

/// Maps a regular, non-empty file. Errors: PUM_ERR_IO, naming the path and the system's reason.
pum_status file_map_open(const char *path, file_map *map, pum_error *err);
/// Tells the system that [offset, offset + n_bytes) will be read soon, front to back (or never again, so that its pages may go).
void file_map_will_need(const file_map *map, uint64_t offset, uint64_t n_bytes);
void file_map_done_with(const file_map *map, uint64_t offset, uint64_t n_bytes);
void file_map_close(file_map *map);

#endif
