/* What a person has set, in $XDG_CONFIG_HOME/pumice/settings.json: an object with a key for each field below.
 *
 * The file may be written by hand. Keys that this Pumice does not know stay in it, and so does what it does not understand, until
 * another value is chosen for that key. */
#ifndef CHAT_SETTINGS_H
#define CHAT_SETTINGS_H

#include "chat/paths.h"
#include "pumice.h"

enum { SETTINGS_NOTICE_BYTES = 1024, SETTINGS_DEVICE_BYTES = 256 };

typedef enum settings_theme {
    SETTINGS_THEME_SYSTEM,
    SETTINGS_THEME_LIGHT,
    SETTINGS_THEME_DARK,
    SETTINGS_THEME_CONTRAST
} settings_theme;
typedef enum settings_language { SETTINGS_LANGUAGE_SYSTEM, SETTINGS_LANGUAGE_EN, SETTINGS_LANGUAGE_KO } settings_language;

typedef struct settings {
    char model[PATHS_MAX];              ///< the file that was used last; "" (null): none yet
    char device[SETTINGS_DEVICE_BYTES]; ///< as --device takes it; "" (null): the default choice
    int n_ctx;                          ///< -1: the usual; 0: as much as the model and memory allow
    pum_kv_type kv;                     ///< "f16" or "q8_0"
    settings_theme theme;               ///< "system", "light", "dark" or "contrast"
    double font_scale;                  ///< 0.8 to 2.5
    settings_language language;         ///< "system", "en" or "ko"
    bool speak;                         ///< finished sentences are read aloud
} settings;

/// No model, the default device, n_ctx -1, f16, the system's theme and language, scale 1, silent.
settings settings_defaults(void);

/// Reads them. What is missing, of the wrong type or out of range is the default. A file that is no JSON is given the name
/// settings.json.damaged, or one like it.
/// notice   [SETTINGS_NOTICE_BYTES]: what the person should know, one sentence, or "".
void settings_load(settings *s, char *notice);

/// Writes them, in one step. Errors: PUM_ERR_IO (no folder, no space, a file that cannot be read and so is not replaced either),
/// PUM_ERR_MEMORY; the file is as it was.
pum_status settings_save(const settings *s, pum_error *err);

#endif
