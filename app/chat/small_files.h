/* Small files that are read and written as a whole: settings, what is known of a download. */
#ifndef CHAT_SMALL_FILES_H
#define CHAT_SMALL_FILES_H

#include "pumice.h"

enum { SMALL_FILE_MAX_BYTES = 1 << 20 };

/// Reads a whole file. *bytes: new, with a zero behind, to be freed with free(); NULL where there is no such file, which is no
/// failure. Errors: PUM_ERR_IO, PUM_ERR_FORMAT (longer than SMALL_FILE_MAX_BYTES, or no file), PUM_ERR_MEMORY.
pum_status small_file_read(const char *path, char **bytes, size_t *n_bytes, pum_error *err);

/// Replaces a file in one step: whoever opens it, also after kill -9 or a power cut, gets all of the old one or all of the new
/// one. Makes its folder. Errors: PUM_ERR_IO; the old file is as it was.
pum_status small_file_write(const char *path, const char *bytes, size_t n_bytes, pum_error *err);

/// Makes the folder that path is in, and those above it, for this user alone; false with the reason in errno.
bool small_file_make_folder_of(const char *path);
/// Hands the names in that folder to the disk: a file that was made or renamed is found there after a power cut only then.
void small_file_sync_folder_of(const char *path);

/// Opens a file for reading and writing (flags: O_CREAT or 0) and locks it, for as long as the descriptor is open, which programs
/// that are started do not get. Returns it; -1 with the reason in errno: EWOULDBLOCK where another process, or another part of
/// this one, holds it.
int small_file_open_locked(const char *path, int flags);

/// Gives a damaged file the name PATH.damaged, or PATH.damaged-2 and so on where that is taken.
/// name   [name_bytes], receives that. Errors: PUM_ERR_IO.
pum_status small_file_set_aside(const char *path, char *name, size_t name_bytes, pum_error *err);

#endif
