/* One running window for a person and a display: a later start hands its file to the first one. */
#ifndef WINDOW_INSTANCE_H
#define WINDOW_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct instance instance;

/// Becomes the first instance, or hands `file` (NULL: none; relative to the working folder) to the one that is there. Returns
/// false where that one took it: end then. Where there can be no such arrangement (no $XDG_RUNTIME_DIR, or the other does not
/// answer) it returns true and *first is NULL.
bool instance_claim(instance **first, const char *file);
/// From now on each later start pushes an SDL_DROPFILE if it has a file, then an SDL event of the type `raise`. After SDL_Init.
void instance_listen(instance *first, uint32_t raise);
/// Takes NULL too.
void instance_release(instance **first);

#endif
