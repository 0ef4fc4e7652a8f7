#include "chat/models.h"

#include "chat/system.h"

#include <stdio.h>

static const model_entry default_model = {
    .name = "SmolLM2 135M Instruct",
    .file = "SmolLM2-135M-Instruct.Q4_1.gguf",
    .n_bytes = 98362432,
    .sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    .licence = "Apache-2.0",
};

const model_entry *models_default(void) { return &default_model; }

static pum_status fail(pum_error *err, pum_status status, const char *format, const char *text) {
    if (err) {
        err->status = status;
        snprintf(err->message, sizeof err->message, format, text);
    }
    return status;
}

pum_status models_find(const char *given, char *path, pum_error *err) {
    if (given) {
        int n = snprintf(path, PATHS_MAX, "%s", given);
        return n >= 0 && n < PATHS_MAX ? PUM_OK : fail(err, PUM_ERR_ARGUMENT, "the path of the model is too long: %.60s…", given);
    }
    char name[256];
    snprintf(name, sizeof name, "models/%s", default_model.file);
    if (!paths_of(PATH_DATA, name, path, PATHS_MAX))
        return fail(err, PUM_ERR_IO, "no folder for models: set HOME or XDG_DATA_HOME, or name a file with -m%s", "");
    FILE *file = system_open(path, "rb");
    if (!file)
        return fail(err, PUM_ERR_IO, "the default model is not there yet (%s); get it with tools/chat, or name a file with -m",
                    path);
    fclose(file);
    return PUM_OK;
}
