/* The default model: which file it is, and where. */
#ifndef CHAT_MODELS_H
#define CHAT_MODELS_H

#include "chat/paths.h"
#include "pumice.h"

typedef struct model_entry {
    const char *name; ///< for people
    const char *file; ///< below the models folder
    uint64_t n_bytes;
    const char *sha256; ///< in hex
    const char *licence;
} model_entry;

/// Static storage.
const model_entry *models_default(void);

/// The file to open: `given` if there is one, else the default model's. path [PATHS_MAX].
/// Errors: PUM_ERR_IO with a sentence that names tools/chat when the default model is not there.
pum_status models_find(const char *given, char *path, pum_error *err);

#endif
