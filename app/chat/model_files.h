/* The models that are there: the GGUF files in the models folder, and what came of downloads. Only headers are read. */
#ifndef CHAT_MODEL_FILES_H
#define CHAT_MODEL_FILES_H

#include "pumice.h"

typedef enum model_file_state {
    MODEL_FILE_GOOD,    ///< can be loaded, if there is memory: plan.fits says so
    MODEL_FILE_BAD,     ///< cannot: the message says why
    MODEL_FILE_PARTIAL, ///< of a download that can go on
} model_file_state;

/// Texts are its own; NULL and 0: not known.
typedef struct model_file {
    char *path; ///< PARTIAL: without the ".part", as download_start takes it
    char *file; ///< the last part of that
    model_file_state state;
    uint64_t n_bytes, total_bytes; ///< the latter of PARTIAL: when it will be whole
    char *message;                 ///< BAD: one sentence
    char *name, *architecture, *licence;
    char *type; ///< that most of the weights' bytes have
    uint64_t n_params;
    int n_ctx_train;
    pum_plan plan; ///< GOOD: the memory that it needs, and what is free
} model_file;

/// What the plans are for; see pum_file_plan.
typedef struct model_file_use {
    pum_device *device; ///< NULL: then no plan says whether it fits
    int n_ctx;
    pum_kv_type kv;
} model_file_use;

/// Reads the header of one file. What is wrong with it is its state and message.
/// Errors: PUM_ERR_MEMORY.
pum_status model_file_read(const char *path, const model_file_use *use, model_file *m, pum_error *err);
/// All of Pumice's models folder, by name; none where there is no folder. *files: [*n], to be freed with model_files_free.
/// Errors: PUM_ERR_IO (the folder cannot be read), PUM_ERR_MEMORY.
pum_status model_files_list(const model_file_use *use, model_file **files, size_t *n, pum_error *err);
/// Frees what one holds, and not the struct.
void model_file_clear(model_file *m);
void model_files_free(model_file *files, size_t n);

#endif
