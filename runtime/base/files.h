/* Files named in UTF-8, and how a file is replaced so that nobody ever sees half of it. */
#ifndef BASE_FILES_H
#define BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { FILES_MAX_PATH = 4096 };

/* What fails returns NULL or false, with the reason in errno. Any thread. */

/// fopen, whatever the system's own encoding of names is. mode: with a b, or lines get other ends on some systems.
FILE *files_open(const char *path, const char *mode);
/// Makes a new file beside path for writing, under a name that nobody else uses.
/// name   [FILES_MAX_PATH], receives that name, for files_replace or files_remove
FILE *files_create_beside(const char *path, char *name);
/// Hands what was written to the disk, so that a power cut leaves it whole.
bool files_flush(FILE *file);
/// Gives a closed file the name `to`, in one step: who opens that gets all of the old file or all of the new one.
bool files_replace(const char *from, const char *to);
void files_remove(const char *path);
/// Makes the folder that path is in, and those above it, for this user alone. That they are there already is no failure.
bool files_make_folder_of(const char *path);

#endif
