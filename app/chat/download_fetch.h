/* One try to get the rest of a file from one source. */
#ifndef CHAT_DOWNLOAD_FETCH_H
#define CHAT_DOWNLOAD_FETCH_H

#include "chat/download_part.h"

#include <curl/curl.h>

typedef enum fetch_end {
    FETCH_WHOLE,       ///< all that the source has is in the part
    FETCH_STOPPED,     ///< as `going` said
    FETCH_DROPPED,     ///< the connection, or the server for now: try again
    FETCH_BEGIN_AGAIN, ///< the part is no beginning of what the source has
    FETCH_REFUSED,     ///< this source does not give the file
    FETCH_FAILED,      ///< no source would do: the disk
} fetch_end;

typedef struct fetch_params {
    CURLM *multi; ///< without other handles; curl_multi_wakeup makes the fetch look at `going`
    const char *url;
    uint64_t n_bytes;   ///< that the file must have; 0: not known
    const char *sha256; ///< that it must have, in small hex digits; "": not known
    int stall_s;
    bool (*going)(void *user);                  ///< false: stop
    void (*came)(void *user, const char *said); ///< bytes were added to the part; said: what the person should know, or NULL
    void *user;
} fetch_params;

/// Asks for what the part lacks and adds it. What the source says of the file is in p->origin, and written down.
/// err      says why, where it is neither WHOLE nor STOPPED.
/// wait_s   what the server asks to wait before the next try; 0: it does not say.
fetch_end fetch(const fetch_params *params, part *p, int *wait_s, pum_error *err);

/// Whether a server may send us on from one address to another: to http and https alone, and never from https to http.
bool fetch_may_lead(const char *from, const char *to);

#endif
