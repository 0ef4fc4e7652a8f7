/* What a phone does its own way. On a desktop all of it is nothing (phone.c). */
#ifndef WINDOW_PHONE_H
#define WINDOW_PHONE_H

#include "pumice.h"

#include <stdbool.h>

/// To be called first in main: where files are kept.
void phone_start(void);
/// Whether the system has a picker of files that the window should offer.
bool phone_has_picker(void);
/// Opens it and returns; a file that was picked comes as SDL_DROPFILE. Of the thread of the window.
void phone_pick_file(void);
/// The file that was picked last, if it can still be read: a path for worker_load, good until the next one is picked; else NULL.
const char *phone_last_file(void);
/// How near the system is to throttling: 1 where it begins to be severe; NaN where that is not known. Any thread.
float phone_heat(void);
/// The process in which kernels are checked, or NULL for the program beside the library.
const pum_check_service *phone_check_service(void);

#endif
