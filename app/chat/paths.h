/* Where Pumice keeps its files: the XDG base folders. */
#ifndef CHAT_PATHS_H
#define CHAT_PATHS_H

#include <stdbool.h>
#include <stddef.h>

enum { PATHS_MAX = 4096 };

typedef enum path_base { PATH_DATA, PATH_CONFIG, PATH_CACHE, PATH_STATE } path_base;

/// Writes the path of a file in Pumice's folder of that kind, e.g. PATH_DATA and "models/x.gguf". No folder is made.
/// Returns false where neither the XDG variable nor HOME is set, or the path is longer than n_bytes.
bool paths_of(path_base base, const char *name, char *path, size_t n_bytes);

/// Writes the path of the person's folder for documents: what the desktop's user-dirs.dirs names, else Documents in the home folder
/// where that is, else the home folder. Returns false as above.
bool paths_documents(char *path, size_t n_bytes);

#endif
