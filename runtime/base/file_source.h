/* A file that is read at any place, by any number of threads. It is not mapped: where the file is cut short or its disk goes away
 * while it is open, reading a map ends the process (SIGBUS), reading the file is an error. */
#ifndef BASE_FILE_SOURCE_H
#define BASE_FILE_SOURCE_H

#include "base/error.h"

#include <stdint.h>

typedef struct file_source {
    const char *path; ///< for messages; the caller's
    intptr_t handle;  ///< a descriptor, or what Windows has for one
    uint64_t n_bytes; ///< when it was opened; 0: it is closed
} file_source;

/// Opens a regular, non-empty file. path: must outlive it. Errors: PUM_ERR_IO, naming the path and the system's reason.
pum_status file_source_open(const char *path, file_source *source, pum_error *err);
/// Reads [offset, offset + n_bytes). *n_read is less than n_bytes where the file ends before. Errors: PUM_ERR_IO.
pum_status file_source_read(const file_source *source, uint64_t offset, void *bytes, uint64_t n_bytes, uint64_t *n_read,
                            pum_error *err);
/// Tells the system that [offset, offset + n_bytes) will be read soon. Does not wait for the disk; any range will do.
void file_source_will_need(const file_source *source, uint64_t offset, uint64_t n_bytes);
void file_source_close(file_source *source);

#endif
