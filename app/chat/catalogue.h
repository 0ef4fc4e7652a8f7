/* The models that can be had: assets/catalogue.json, which is compiled in, or the file that PUMICE_CATALOGUE names.
 *
 *     {"models": [{"name", "file", "sources": [URL, …], and, where they are known: "parameters", "type", "bytes", "licence",
 * "context", "sha256"}, …]}
 *
 * The first is the model that is offered at the first start. */
#ifndef CHAT_CATALOGUE_H
#define CHAT_CATALOGUE_H

#include "chat/download.h"
#include "chat/paths.h"
#include "pumice.h"

typedef struct catalogue_entry {
    const char *name;           ///< for people
    const char *file;           ///< below the models folder
    uint64_t n_params, n_bytes; ///< 0: not known. n_bytes is exact where there is a checksum, else about that
    const char *type;           ///< of most of the weights, "Q4_K"; NULL: not known
    const char *licence;        ///< NULL: not known
    int n_ctx;                  ///< that it was trained for; 0: not known
    const char **sources;       ///< [n_sources] URLs, http or https
    int n_sources;
    const char *sha256; ///< 64 small hex digits; NULL: what a source says, or nobody
} catalogue_entry;

/// Immutable: any thread.
typedef struct catalogue {
    catalogue_entry *entries; ///< [n]
    int n;
    void *owner; ///< of all texts
} catalogue;

/// Errors: PUM_ERR_IO and PUM_ERR_FORMAT for a file that PUMICE_CATALOGUE names, with the entry and the key; PUM_ERR_MEMORY.
pum_status catalogue_load(catalogue **c, pum_error *err);
void catalogue_free(catalogue **c);

/// Begins the download of an entry into the models folder. path [PATHS_MAX], receives where the file will be.
/// Errors: PUM_ERR_IO without a folder, and those of download_start.
pum_status catalogue_download(const catalogue_entry *entry, char *path, download **d, pum_error *err);

#endif
