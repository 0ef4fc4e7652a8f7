/* Downloads a model over HTTP, on a thread of its own: with pauses, going on where it was, several sources, and a checksum.
 *
 * What came is kept in FILE.part, also after kill -9, and the next download of the same file goes on behind it. FILE gets its
 * name only when it is whole, of the right length, has the right SHA-256, and is on the disk.
 *
 * Only http and https are spoken, and from https nothing leads back to http. Proxies are those of the environment, as curl has
 * them (https_proxy, no_proxy and so on). */
#ifndef CHAT_DOWNLOAD_H
#define CHAT_DOWNLOAD_H

#include "pumice.h"

/// All functions return at once, and may be called from any thread until download_destroy.
typedef struct download download;

enum { DOWNLOAD_MESSAGE_BYTES = 1024 };

typedef enum download_state {
    DOWNLOAD_CONNECTING, ///< nothing has come yet from this source
    DOWNLOAD_RUNNING,
    DOWNLOAD_WAITING, ///< for the next try; the message says why
    DOWNLOAD_PAUSED,
    DOWNLOAD_CHECKING, ///< reads what was there before, or compares the checksum and hands the file to the disk
    /* The ends. */
    DOWNLOAD_DONE,      ///< the file is there
    DOWNLOAD_FAILED,    ///< the message says why; what came is kept, but for what has a wrong checksum
    DOWNLOAD_CANCELLED, ///< what came is removed
} download_state;

typedef struct download_params {
    const char *file;           ///< the path that it gets in the end; replaced if it is there
    const char *const *sources; ///< [n_sources] URLs, tried in this order
    int n_sources;
    uint64_t n_bytes;   ///< that it must have; 0: not known
    const char *sha256; ///< that it must have, 64 hex digits; NULL: what a source says in X-Linked-ETag, or none
    /* For tests; 0: the usual. */
    int stall_s;       ///< after so long without a byte a connection is given up; 30
    int first_wait_ms; ///< before a dropped connection is tried again, doubled each time that nothing came; 1000
    int n_tries;       ///< of a source without anything coming; 5
} download_params;

typedef struct download_status {
    download_state state;
    uint64_t done_bytes, total_bytes; ///< total: 0 while it is not known
    uint64_t bytes_per_s;             ///< of the last seconds; 0 unless it runs
    int64_t seconds_left;             ///< -1: not known
    int source;                       ///< the one that is asked, or was last
    bool checked;                     ///< DONE: it has the SHA-256 that was promised. false: nobody promised one ("not checked")
    char message[DOWNLOAD_MESSAGE_BYTES]; ///< FAILED, WAITING: why; else what the person should know, such as that it had to
                                          ///< begin again; or ""
} download_status;

/// Begins, or goes on where an earlier one of this file was. What params points to is copied.
/// Errors: PUM_ERR_ARGUMENT (no source, a checksum that is none), PUM_ERR_MEMORY. What else fails is DOWNLOAD_FAILED.
pum_status download_start(const download_params *params, download **d, pum_error *err);
void download_get_status(download *d, download_status *status);
/// Closes the connection; what came stays. Without effect after the end.
void download_pause(download *d);
void download_resume(download *d);
/// Ends it and removes what came. Without effect after the end: see download_discard.
void download_cancel(download *d);
/// Removes what came of a file, where nothing downloads it now. Errors: PUM_ERR_IO.
pum_status download_discard(const char *file, pum_error *err);
/// Stops it within 200 ms, wherever it is; what came stays for the next time.
void download_destroy(download **d);

#endif
