#include "chat/download_fetch.h"

#include "chat/fail.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { MAX_REDIRECTS = 8, CONNECT_S = 20, POLL_MS = 500, RECEIVE_BYTES = 256 << 10 };

/* What the headers of the last answer say. */
typedef struct headers {
    char etag[PART_VALIDATOR_BYTES], last_modified[PART_VALIDATOR_BYTES], linked_etag[PART_VALIDATOR_BYTES],
        range[PART_VALIDATOR_BYTES];
} headers;

typedef struct fetch_state {
    const fetch_params *params;
    part *part;
    CURL *easy;
    headers headers;
    char linked_sha256[PART_SHA256_BYTES]; ///< the first that an answer on the way to the file had
    uint64_t asked_from;                   ///< where the part ended when this was asked for
    int64_t came_ms;                       ///< when the last byte came, or the asking began
    bool stalled;                          ///< too long ago
    bool begun;                            ///< the answer has been looked at, and its body belongs into the part
    uint64_t total_bytes;                  ///< of the file; 0: not known
    fetch_end end;                         ///< of a body that was not wanted
    char where[256];                       ///< the host that is asked, for messages
    pum_error *err;
} fetch_state;

static const char *const can_not_continue = "the source cannot go on in the middle of a file, so the download began again";
static const char *const has_changed = "the file has changed at the source since the download began, so it began again";

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- headers */

/* The value of a header line, if it is of that name and of printable ASCII: anything else is as good as none. */
static void take_header(const char *line, size_t n, const char *name, char *value, size_t value_bytes) {
    size_t n_name = strlen(name);
    if (n <= n_name || line[n_name] != ':' || strncasecmp(line, name, n_name) != 0) return;
    size_t from = n_name + 1;
    while (from < n && (line[from] == ' ' || line[from] == '\t')) from++;
    while (n > from && isspace((unsigned char)line[n - 1])) n--;
    if (n - from >= value_bytes) return;
    for (size_t i = from; i < n; i++)
        if (line[i] < ' ' || line[i] > '~') return;
    memcpy(value, line + from, n - from);
    value[n - from] = 0;
}

/* 64 hex digits, in quotes or not. */
static bool sha256_of_etag(const char *etag, char *sha256) {
    size_t n = 0;
    if (*etag == '"') etag++;
    for (; n < PART_SHA256_BYTES - 1 && isxdigit((unsigned char)etag[n]); n++) sha256[n] = (char)tolower((unsigned char)etag[n]);
    sha256[n] = 0;
    return n == PART_SHA256_BYTES - 1 && (etag[n] == 0 || strcmp(etag + n, "\"") == 0);
}

static size_t on_header(char *line, size_t size, size_t n, void *user) {
    fetch_state *f = user;
    headers *h = &f->headers;
    n *= size;
    f->came_ms = now_ms();
    if (n >= 5 && strncasecmp(line, "HTTP/", 5) == 0) *h = (headers){0}; // another answer
    take_header(line, n, "ETag", h->etag, sizeof h->etag);
    take_header(line, n, "Last-Modified", h->last_modified, sizeof h->last_modified);
    take_header(line, n, "X-Linked-ETag", h->linked_etag, sizeof h->linked_etag);
    take_header(line, n, "Content-Range", h->range, sizeof h->range);
    char sha256[PART_SHA256_BYTES];
    if (!*f->linked_sha256 && sha256_of_etag(h->linked_etag, sha256)) memcpy(f->linked_sha256, sha256, sizeof sha256);
    return n;
}

/* "bytes 100-199/200", or "bytes *" "/200"; *total is 0 where it is not said. */
static bool read_range(const char *text, uint64_t *first, uint64_t *total) {
    unsigned long long a = 0, b, all = 0;
    *first = *total = 0;
    if (sscanf(text, "bytes %llu-%llu/%llu", &a, &b, &all) >= 2 || sscanf(text, "bytes */%llu", &all) == 1) {
        *first = a;
        *total = all;
        return true;
    }
    return false;
}

/* ---- whether the answer is what was asked for */

static long code_of(const fetch_state *f) {
    long code = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &code);
    return code;
}

static bool ends(fetch_state *f, fetch_end end) {
    f->end = end;
    return false;
}

/* The checksum that is promised on the way to the file. */
static bool check_promise(fetch_state *f) {
    const char *promised = f->linked_sha256, *wanted = f->params->sha256;
    if (!*promised) return true;
    if (*wanted && strcmp(wanted, promised) != 0) {
        fail_with(f->err, PUM_ERR_IO, "%s has another file: expected the SHA-256 %s, got %s", f->where, wanted, promised);
        return ends(f, FETCH_REFUSED);
    }
    if (f->asked_from && *f->part->origin.sha256 && strcmp(f->part->origin.sha256, promised) != 0) {
        fail_with(f->err, PUM_ERR_IO, "%s", has_changed);
        return ends(f, FETCH_BEGIN_AGAIN);
    }
    return true;
}

/* A part of the file: it must begin where the part ends, and be of the same file. */
static bool check_continuation(fetch_state *f) {
    const part_origin *o = &f->part->origin;
    const headers *h = &f->headers;
    uint64_t first;
    if (!read_range(h->range, &first, &f->total_bytes) || first != f->asked_from) {
        fail_with(f->err, PUM_ERR_IO, "%s", can_not_continue);
        return ends(f, FETCH_BEGIN_AGAIN);
    }
    bool same_url = strcmp(o->url, f->params->url) == 0;
    bool changed = same_url && ((*o->etag && *h->etag && strcmp(o->etag, h->etag) != 0) ||
                                (*o->last_modified && *h->last_modified && strcmp(o->last_modified, h->last_modified) != 0));
    if (changed || (o->total_bytes && f->total_bytes && o->total_bytes != f->total_bytes)) {
        fail_with(f->err, PUM_ERR_IO, "%s", has_changed);
        return ends(f, FETCH_BEGIN_AGAIN);
    }
    return true;
}

/* The whole file: what is there is thrown away, and the person told why. */
static bool take_from_the_beginning(fetch_state *f) {
    curl_off_t length = -1;
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    f->total_bytes = length > 0 ? (uint64_t)length : 0;
    if (f->part->n_bytes == 0) return true;
    const part_origin *o = &f->part->origin;
    bool changed = *o->etag && *f->headers.etag && strcmp(o->etag, f->headers.etag) != 0 && strcmp(o->url, f->params->url) == 0;
    if (part_begin_again(f->part, f->err) != PUM_OK) return ends(f, FETCH_FAILED);
    f->params->came(f->params->user, changed ? has_changed : can_not_continue);
    return true;
}

static void note_origin(fetch_state *f) {
    part_origin *o = &f->part->origin;
    const headers *h = &f->headers;
    *o = (part_origin){.total_bytes = f->total_bytes};
    snprintf(o->url, sizeof o->url, "%s", f->params->url);
    // A weak one says that two files mean the same, not that they have the same bytes.
    if (*h->etag == '"') memcpy(o->etag, h->etag, sizeof o->etag);
    memcpy(o->last_modified, h->last_modified, sizeof o->last_modified);
    memcpy(o->sha256, f->linked_sha256, sizeof o->sha256);
}

/* Before the first byte of a body that belongs into the part. */
static bool begin_body(fetch_state *f) {
    const fetch_params *params = f->params;
    part *p = f->part;
    if (!check_promise(f)) return false;
    bool continues = code_of(f) == 206;
    if (continues ? !check_continuation(f) : !take_from_the_beginning(f)) return false;
    if (params->n_bytes && f->total_bytes && params->n_bytes != f->total_bytes) {
        fail_with(f->err, PUM_ERR_IO, "%s has another file: expected %llu bytes, got %llu", f->where,
                  (unsigned long long)params->n_bytes, (unsigned long long)f->total_bytes);
        return ends(f, FETCH_REFUSED);
    }
    if (f->total_bytes > p->n_bytes && part_check_space(p, f->total_bytes - p->n_bytes, f->err) != PUM_OK)
        return ends(f, FETCH_FAILED);
    note_origin(f);
    if (part_note(p, f->err) != PUM_OK) return ends(f, FETCH_FAILED);
    f->begun = true;
    return true;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
    fetch_state *f = user;
    part *p = f->part;
    n *= size;
    f->came_ms = now_ms();
    long code = code_of(f);
    if (code != 200 && code != 206) return n; // a page for people
    if (!f->begun && !begin_body(f)) return 0;
    // A page to log in at comes with a good code, too.
    if (p->n_bytes == 0 && n >= 4 && memcmp(bytes, "GGUF", 4) != 0) {
        fail_with(f->err, PUM_ERR_IO, "%s: expected a GGUF file, got something else, perhaps a page to log in at", f->where);
        ends(f, FETCH_REFUSED);
        return 0;
    }
    uint64_t most = f->params->n_bytes ? f->params->n_bytes : f->total_bytes;
    if (most && n > most - (p->n_bytes < most ? p->n_bytes : most)) {
        fail_with(f->err, PUM_ERR_IO, "%s has another file: expected %llu bytes, got more", f->where, (unsigned long long)most);
        ends(f, FETCH_REFUSED);
        return 0;
    }
    if (part_append(p, bytes, n, f->err) != PUM_OK) {
        ends(f, FETCH_FAILED);
        return 0;
    }
    f->params->came(f->params->user, NULL);
    return n;
}

/* ---- asking */

/* Whether what the source has can go behind what is there: where the checksum will tell, or the server can be asked whether the
 * file is still the same. */
static const char *validator_of(const fetch_state *f) {
    const part_origin *o = &f->part->origin;
    if (strcmp(o->url, f->params->url) != 0) return NULL;
    return *o->etag ? o->etag : *o->last_modified ? o->last_modified : NULL;
}

static bool is_scheme(const char *url, const char *scheme) {
    size_t n = strlen(scheme);
    return strncasecmp(url, scheme, n) == 0 && strncmp(url + n, "://", 3) == 0;
}

static void name_host(fetch_state *f, const char *url) {
    CURLU *parts = curl_url();
    char *host = NULL;
    if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) curl_url_get(parts, CURLUPART_HOST, &host, 0);
    snprintf(f->where, sizeof f->where, "%.200s", host ? host : url);
    curl_free(host);
    curl_url_cleanup(parts);
}

static bool set_up(fetch_state *f, const char *url, struct curl_slist **lines) {
    CURL *e = f->easy;
    curl_easy_reset(e);
    bool set =
        curl_easy_setopt(e, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L); // each step is looked at here
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "pumice");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, (long)(f->params->stall_s < CONNECT_S ? f->params->stall_s : CONNECT_S));
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); // those of a proxy
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
#ifdef __ANDROID__ // which keeps the certificates of authorities in a folder of its own
    curl_easy_setopt(e, CURLOPT_CAPATH, "/system/etc/security/cacerts");
#endif
    char text[PART_VALIDATOR_BYTES + 32];
    if (f->asked_from) {
        snprintf(text, sizeof text, "%llu-", (unsigned long long)f->asked_from);
        set = set && curl_easy_setopt(e, CURLOPT_RANGE, text) == CURLE_OK;
        const char *validator = validator_of(f);
        if (validator) {
            snprintf(text, sizeof text, "If-Range: %s", validator);
            *lines = curl_slist_append(*lines, text);
            set = set && *lines;
        }
    }
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, *lines);
    return set;
}

/* Runs the transfer until its end, or until it is no longer wanted. curl's own limit of speed is of an average of seconds, and so
 * sees late that nothing comes. */
static bool perform(fetch_state *f, CURLcode *result) {
    const fetch_params *params = f->params;
    int running = 1, n_left;
    *result = CURLE_FAILED_INIT;
    if (curl_multi_add_handle(params->multi, f->easy) != CURLM_OK) return true;
    bool going = true;
    f->came_ms = now_ms();
    while ((going = params->going(params->user))) {
        if (curl_multi_perform(params->multi, &running) != CURLM_OK || running == 0) break;
        if ((f->stalled = now_ms() - f->came_ms >= (int64_t)params->stall_s * 1000)) break;
        curl_multi_poll(params->multi, NULL, 0, POLL_MS, NULL);
    }
    for (CURLMsg *message; (message = curl_multi_info_read(params->multi, &n_left));)
        if (message->msg == CURLMSG_DONE) *result = message->data.result;
    if (f->stalled) *result = CURLE_OPERATION_TIMEDOUT;
    curl_multi_remove_handle(params->multi, f->easy);
    return going;
}

/* ---- what became of it */

static fetch_end end_of_error(fetch_state *f, CURLcode result) {
    switch (result) {
    case CURLE_WRITE_ERROR: // ours
        return f->end;
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
        fail_with(f->err, PUM_ERR_IO, "%.200s: expected a http or https address", f->params->url);
        return FETCH_REFUSED;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        fail_with(f->err, PUM_ERR_IO, "%s does not show that it is itself (%s): look at this computer's clock and certificates",
                  f->where, curl_easy_strerror(result));
        return FETCH_REFUSED;
    case CURLE_OUT_OF_MEMORY:
        fail_memory(f->err);
        return FETCH_FAILED;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
        fail_with(f->err, PUM_ERR_IO, "%s was not found: look at the network%s", f->where,
                  result == CURLE_COULDNT_RESOLVE_PROXY ? " and the proxy that is set" : "");
        return FETCH_DROPPED;
    case CURLE_COULDNT_CONNECT:
        fail_with(f->err, PUM_ERR_IO, "%s does not answer: look at the network", f->where);
        return FETCH_DROPPED;
    case CURLE_OPERATION_TIMEDOUT:
        fail_with(f->err, PUM_ERR_IO, "nothing came from %s for %d s", f->where, f->params->stall_s);
        return FETCH_DROPPED;
    default:
        fail_with(f->err, PUM_ERR_IO, "the connection to %s broke off (%s)", f->where, curl_easy_strerror(result));
        return FETCH_DROPPED;
    }
}

static fetch_end end_of_range_beyond(fetch_state *f) {
    uint64_t first, total;
    if (!check_promise(f)) return f->end;
    if (read_range(f->headers.range, &first, &total) && total == f->part->n_bytes) return FETCH_WHOLE;
    fail_with(f->err, PUM_ERR_IO, "%s", can_not_continue);
    return FETCH_BEGIN_AGAIN;
}

static fetch_end end_of_answer(fetch_state *f, int *wait_s) {
    long code = code_of(f);
    if (code == 200 || code == 206) {
        if (!f->begun && !begin_body(f)) return f->end; // without a byte
        if (f->part->n_bytes >= f->total_bytes && f->part->n_bytes > 0) return FETCH_WHOLE;
        fail_with(f->err, PUM_ERR_IO, "%s ended before the file did, after %llu of %llu bytes", f->where,
                  (unsigned long long)f->part->n_bytes, (unsigned long long)f->total_bytes);
        return FETCH_DROPPED;
    }
    if (code == 416 && f->asked_from) return end_of_range_beyond(f);
    bool for_now = code == 408 || code == 425 || code == 429 || code >= 500;
    if (code == 404 || code == 410)
        fail_with(f->err, PUM_ERR_IO, "%s does not have the file (HTTP %ld)", f->where, code);
    else if (code == 401 || code == 403)
        fail_with(f->err, PUM_ERR_IO, "%s does not give the file to everybody (HTTP %ld)", f->where, code);
    else
        fail_with(f->err, PUM_ERR_IO, "%s does not give the file%s (HTTP %ld)", f->where, for_now ? " now" : "", code);
    curl_off_t wait = 0;
    curl_easy_getinfo(f->easy, CURLINFO_RETRY_AFTER, &wait);
    *wait_s = wait > 0 && wait < 3600 ? (int)wait : 0;
    return for_now ? FETCH_DROPPED : FETCH_REFUSED;
}

/* Where an answer points to; NULL: it is none of those. */
static const char *redirect_of(const fetch_state *f) {
    char *to = NULL;
    long code = code_of(f);
    if (code < 300 || code > 399 || code == 304) return NULL;
    curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &to);
    return to;
}

bool fetch_may_lead(const char *from, const char *to) {
    return is_scheme(to, "https") || (is_scheme(to, "http") && !is_scheme(from, "https"));
}

static bool check_redirect(fetch_state *f, const char *from, const char *to, int n) {
    if (n >= MAX_REDIRECTS)
        fail_with(f->err, PUM_ERR_IO, "%s: expected the file, got sent on more than %d times", f->where, MAX_REDIRECTS);
    else if (!fetch_may_lead(from, to))
        fail_with(f->err, PUM_ERR_IO, "%s: expected to be sent on to a%s address, got %.60s", f->where,
                  is_scheme(from, "https") ? "n https" : " http or https", to);
    return n < MAX_REDIRECTS && fetch_may_lead(from, to);
}

static fetch_end ask(fetch_state *f, int *wait_s) {
    char *url = strdup(f->params->url);
    fetch_end end = FETCH_FAILED;
    for (int n = 0;; n++) {
        struct curl_slist *lines = NULL;
        CURLcode result = CURLE_OUT_OF_MEMORY;
        if (url) name_host(f, url);
        bool going = !url || !set_up(f, url, &lines) || perform(f, &result);
        curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, NULL);
        curl_slist_free_all(lines);
        const char *to = going && result == CURLE_OK ? redirect_of(f) : NULL;
        if (to && check_redirect(f, url, to, n)) {
            char *next = strdup(to);
            free(url);
            url = next;
            continue;
        }
        end = !going               ? FETCH_STOPPED
              : result != CURLE_OK ? end_of_error(f, result)
              : to                 ? FETCH_REFUSED
                                   : end_of_answer(f, wait_s);
        break;
    }
    free(url);
    return end;
}

fetch_end fetch(const fetch_params *params, part *p, int *wait_s, pum_error *err) {
    fetch_state f = {
        .params = params, .part = p, .asked_from = p->n_bytes, .end = FETCH_FAILED, .err = err, .easy = curl_easy_init()};
    *wait_s = 0;
    if (!f.easy) {
        fail_memory(err);
        return FETCH_FAILED;
    }
    // Bytes of which nobody can tell whether they are still the file's beginning.
    if (f.asked_from && !*params->sha256 && !validator_of(&f)) {
        f.asked_from = 0;
        if (part_begin_again(p, err) != PUM_OK) {
            curl_easy_cleanup(f.easy);
            return FETCH_FAILED;
        }
        params->came(params->user, can_not_continue);
    }
    fetch_end end = ask(&f, wait_s);
    curl_easy_cleanup(f.easy);
    return end;
}
