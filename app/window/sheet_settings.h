/* The sheet of settings: looks, language, device, context. */
#ifndef WINDOW_SHEET_SETTINGS_H
#define WINDOW_SHEET_SETTINGS_H

#include "chat/settings.h"
#include "sheet.h"

typedef struct sheet_settings {
    pum_device_info *devices; ///< [n_devices] that there are, once the worker has told
    int n_devices;
    char notice[SETTINGS_NOTICE_BYTES]; ///< of keeping them
} sheet_settings;

/// What an action has changed.
typedef enum settings_change { SETTINGS_NOT_MINE, SETTINGS_SAME, SETTINGS_LOOKS, SETTINGS_ENGINE } settings_change;

/// Returns the bottom of what was drawn.
int sheet_settings_draw(sheet_settings *s, const settings *now, widgets *w, SDL_Rect content);
/// Changes *now. SETTINGS_ENGINE: a model has to be loaded again to be as it says.
settings_change sheet_settings_obey(sheet_settings *s, settings *now, const widget_news *did);

#endif
