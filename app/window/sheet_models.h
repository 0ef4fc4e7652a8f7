/* The sheet of models: those that are here, with what they need, and those that can be had, with their downloads. */
#ifndef WINDOW_SHEET_MODELS_H
#define WINDOW_SHEET_MODELS_H

#include "chat/catalogue.h"
#include "chat/model_files.h"
#include "chat/settings.h"
#include "sheet.h"

typedef struct sheet_models {
    catalogue *catalogue;  ///< NULL: it cannot be read
    download **downloads;  ///< [catalogue->n]; NULL: none
    download_state *known; ///< [catalogue->n] as last seen
    model_file *files;     ///< [n_files] in the models folder
    size_t n_files;
    uint64_t free_bytes; ///< of the device's memory; 0: not known yet
    composer path;
    char notice[1024];
} sheet_models;

/// What a person wants, or what has come about.
typedef enum models_wish { MODELS_NOT_MINE, MODELS_NOTHING, MODELS_LOAD } models_wish;

void sheet_models_free(sheet_models *s);
/// Looks what there is. s: what a model would be loaded with.
void sheet_models_open(sheet_models *s, const settings *now);
/// used: the path of the model that is loaded, or NULL. Returns the bottom of what was drawn.
int sheet_models_draw(sheet_models *s, const char *used, widgets *w, SDL_Rect content);
/// path [PATHS_MAX]: of what MODELS_LOAD means.
models_wish sheet_models_obey(sheet_models *s, const widget_news *did, char *path);
/// Whether something comes in, so that sheet_models_look has to be asked a few times a second.
bool sheet_models_busy(const sheet_models *s);
/// MODELS_LOAD: a download is complete. MODELS_NOT_MINE: nothing has changed.
models_wish sheet_models_look(sheet_models *s, const settings *now, char *path);

#endif
