#include "chat/download.h"

#include "chat/download_fetch.h"
#include "chat/fail.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    STALL_S = 30,
    FIRST_WAIT_MS = 1000,
    MOST_WAIT_MS = 60000,
    N_TRIES = 5,
    MOST_BEGINNINGS = 3, ///< of one source, before it is given up
    DESTROY_MS = 200,
    SAMPLE_MS = 500,
    N_SAMPLES = 10, ///< so that a speed is that of the last five seconds
};

typedef enum wish { WISH_GO, WISH_PAUSE, WISH_CANCEL, WISH_STOP } wish;

typedef struct sample {
    int64_t ms;
    uint64_t bytes;
} sample;

struct download {
    pthread_mutex_t lock; ///< of the next block
    pthread_cond_t changed;
    download_status status;
    wish wish;
    bool released; ///< the thread has let go of the files
    int n_users;   ///< the thread, and who started it

    /* What was asked for; it does not change. */
    char *file, **sources;
    int n_sources;
    uint64_t n_bytes;
    char sha256[PART_SHA256_BYTES];
    int stall_s, first_wait_ms, n_tries;
    CURLM *multi;

    /* The thread's. */
    part part;
    sample samples[N_SAMPLES];
    int n_samples;
};

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static struct timespec time_of(int64_t ms) { return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}; }

/* ---- what is told */

static void say(download *d, const char *message) {
    pthread_mutex_lock(&d->lock);
    snprintf(d->status.message, sizeof d->status.message, "%s", message);
    pthread_mutex_unlock(&d->lock);
}

/* message NULL: as it is. */
static void set_state(download *d, download_state state, const char *message) {
    pthread_mutex_lock(&d->lock);
    download_status *s = &d->status;
    s->state = state;
    s->done_bytes = state == DOWNLOAD_CANCELLED ? 0 : state == DOWNLOAD_CHECKING ? d->part.n_hashed : d->part.n_bytes;
    if (d->n_bytes)
        s->total_bytes = d->n_bytes;
    else if (d->part.origin.total_bytes)
        s->total_bytes = d->part.origin.total_bytes;
    s->bytes_per_s = 0;
    s->seconds_left = -1;
    if (message) snprintf(s->message, sizeof s->message, "%s", message);
    pthread_mutex_unlock(&d->lock);
    d->n_samples = 0;
}

/* The speed since the oldest sample. */
static void measure(download *d, download_status *s) {
    int64_t now = now_ms();
    sample *last = d->n_samples ? &d->samples[d->n_samples - 1] : NULL;
    if (last && s->done_bytes < last->bytes) d->n_samples = 0; // it began again
    if (d->n_samples == 0 || now - last->ms >= SAMPLE_MS) {
        if (d->n_samples == N_SAMPLES) memmove(d->samples, d->samples + 1, sizeof *d->samples * (size_t)(--d->n_samples));
        d->samples[d->n_samples++] = (sample){now, s->done_bytes};
    }
    const sample *first = &d->samples[0];
    if (now <= first->ms) return;
    s->bytes_per_s = (s->done_bytes - first->bytes) * 1000 / (uint64_t)(now - first->ms);
    s->seconds_left = -1;
    if (s->bytes_per_s && s->total_bytes >= s->done_bytes)
        s->seconds_left = (int64_t)((s->total_bytes - s->done_bytes + s->bytes_per_s - 1) / s->bytes_per_s);
}

static void on_came(void *user, const char *said) {
    download *d = user;
    if (said) say(d, said);
    pthread_mutex_lock(&d->lock);
    download_status *s = &d->status;
    s->state = DOWNLOAD_RUNNING;
    s->done_bytes = d->part.n_bytes;
    s->total_bytes = d->n_bytes ? d->n_bytes : d->part.origin.total_bytes;
    measure(d, s);
    pthread_mutex_unlock(&d->lock);
}

/* ---- what is wished */

static void release(download *d) {
    part_close(&d->part);
    pthread_mutex_lock(&d->lock);
    d->released = true;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
}

static wish wish_of(download *d) {
    pthread_mutex_lock(&d->lock);
    wish w = d->wish;
    pthread_mutex_unlock(&d->lock);
    return w;
}

/* Who stops waits for the files only: curl may need longer to get rid of a name that it looks up. */
static bool on_going(void *user) {
    download *d = user;
    wish w = wish_of(d);
    if (w == WISH_STOP) release(d);
    return w == WISH_GO;
}

/* Waits as long as it is wished that this waits, and at most so long; -1: no limit. */
static void wait_while(download *d, wish w, int64_t ms) {
    struct timespec until = time_of(now_ms() + ms);
    pthread_mutex_lock(&d->lock);
    while (d->wish == w) {
        if (ms < 0)
            pthread_cond_wait(&d->changed, &d->lock);
        else if (pthread_cond_timedwait(&d->changed, &d->lock, &until) == ETIMEDOUT)
            break;
    }
    pthread_mutex_unlock(&d->lock);
}

static void set_wish(download *d, wish w) {
    pthread_mutex_lock(&d->lock);
    if (d->wish != WISH_STOP && (d->wish != WISH_CANCEL || w == WISH_STOP)) d->wish = w;
    pthread_cond_broadcast(&d->changed);
    pthread_mutex_unlock(&d->lock);
    curl_multi_wakeup(d->multi);
}

/* ---- the thread */

/* Reads what was there before, for the checksum. */
static pum_status hash_what_is_there(download *d, pum_error *err) {
    while (d->part.n_hashed < d->part.n_bytes && wish_of(d) != WISH_STOP && wish_of(d) != WISH_CANCEL) {
        pum_status status = part_hash_more(&d->part, err);
        if (status != PUM_OK) return status;
        set_state(d, DOWNLOAD_CHECKING, NULL);
    }
    return PUM_OK;
}

/* Opens the part; what cannot be a beginning of the file is thrown away. */
static pum_status open_part(download *d, pum_error *err) {
    part *p = &d->part;
    pum_status status = part_open(p, d->file, err);
    if (status != PUM_OK) return status;
    bool too_long = d->n_bytes && p->n_bytes > d->n_bytes;
    bool another = *d->sha256 && *p->origin.sha256 && strcmp(d->sha256, p->origin.sha256) != 0;
    if (too_long || another) {
        if ((status = part_begin_again(p, err)) != PUM_OK) return status;
        say(d, "what was there was the beginning of another file, so the download began again");
    }
    if (d->n_bytes > p->n_bytes && (status = part_check_space(p, d->n_bytes - p->n_bytes, err)) != PUM_OK) return status;
    return hash_what_is_there(d, err);
}

/* The whole file: FETCH_WHOLE where it is right and has its name, FETCH_REFUSED where it is not right, and then it is removed. */
static fetch_end finish(download *d, pum_error *err) {
    part *p = &d->part;
    char got[PART_SHA256_BYTES];
    const char *wanted = *d->sha256 ? d->sha256 : p->origin.sha256;
    set_state(d, DOWNLOAD_CHECKING, NULL);
    part_digest(p, got);
    bool wrong = *wanted && strcmp(got, wanted) != 0;
    if (wrong)
        fail_with(err, PUM_ERR_FORMAT, "the download is damaged and was thrown away: expected the SHA-256 %s, got %s", wanted,
                  got);
    else if (d->n_bytes && p->n_bytes != d->n_bytes)
        fail_with(err, PUM_ERR_FORMAT, "the download was thrown away: expected %llu bytes, got %llu",
                  (unsigned long long)d->n_bytes, (unsigned long long)p->n_bytes);
    else if (!part_is_gguf(p))
        fail_with(err, PUM_ERR_FORMAT, "the download was thrown away: expected a GGUF file, got something else");
    else {
        bool checked = *wanted;
        if (part_finish(p, err) != PUM_OK) return FETCH_FAILED;
        pthread_mutex_lock(&d->lock);
        d->status.checked = checked;
        pthread_mutex_unlock(&d->lock);
        return FETCH_WHOLE;
    }
    pum_error why;
    if (part_begin_again(p, &why) != PUM_OK) *err = why;
    return FETCH_REFUSED;
}

static bool is_whole(const download *d) {
    uint64_t total = d->n_bytes ? d->n_bytes : d->part.origin.total_bytes;
    return total && d->part.n_bytes == total;
}

/* A wait that grows with each try that brings nothing, or that the server asks for. */
static void wait_before(download *d, int tries, int wait_s, const char *why) {
    int64_t ms = d->first_wait_ms;
    for (int i = 1; i < tries && ms < MOST_WAIT_MS; i++) ms *= 2;
    if (ms < (int64_t)wait_s * 1000) ms = (int64_t)wait_s * 1000;
    set_state(d, DOWNLOAD_WAITING, why);
    wait_while(d, WISH_GO, ms < MOST_WAIT_MS ? ms : MOST_WAIT_MS);
}

/* Everything that one source can give. FETCH_STOPPED: it is no longer wished. */
static fetch_end use_source(download *d, const char *url, pum_error *err) {
    fetch_params params = {.multi = d->multi,
                           .url = url,
                           .n_bytes = d->n_bytes,
                           .sha256 = d->sha256,
                           .stall_s = d->stall_s,
                           .going = on_going,
                           .came = on_came,
                           .user = d};
    for (int tries = 0, beginnings = 0;;) {
        if (wish_of(d) == WISH_PAUSE) {
            set_state(d, DOWNLOAD_PAUSED, "");
            wait_while(d, WISH_PAUSE, -1);
        }
        if (wish_of(d) != WISH_GO) {
            if (wish_of(d) == WISH_PAUSE) continue;
            return FETCH_STOPPED;
        }
        if (is_whole(d)) return finish(d, err);
        uint64_t before = d->part.n_bytes;
        int wait_s;
        set_state(d, DOWNLOAD_CONNECTING, NULL);
        fetch_end end = fetch(&params, &d->part, &wait_s, err);
        if (d->part.n_bytes > before) tries = 0;
        switch (end) {
        case FETCH_WHOLE:
            return finish(d, err);
        case FETCH_STOPPED:
            break;
        case FETCH_DROPPED:
            if (++tries >= d->n_tries) return FETCH_DROPPED;
            wait_before(d, tries, wait_s, err->message);
            say(d, "");
            break;
        case FETCH_BEGIN_AGAIN:
            if (++beginnings > MOST_BEGINNINGS) return FETCH_REFUSED;
            say(d, err->message);
            if (part_begin_again(&d->part, err) != PUM_OK) return FETCH_FAILED;
            break;
        case FETCH_REFUSED:
        case FETCH_FAILED:
            return end;
        }
    }
}

/* The source that the part is from comes first: it alone can tell whether its file is still the same. */
static int first_source(const download *d) {
    for (int i = 0; i < d->n_sources; i++)
        if (d->part.n_bytes && strcmp(d->sources[i], d->part.origin.url) == 0) return i;
    return 0;
}

static void use_sources(download *d) {
    pum_error err = {0};
    if (open_part(d, &err) != PUM_OK) {
        set_state(d, DOWNLOAD_FAILED, err.message);
        return;
    }
    int first = first_source(d);
    for (int i = 0; i < d->n_sources; i++) {
        int source = (first + i) % d->n_sources;
        pthread_mutex_lock(&d->lock);
        d->status.source = source;
        pthread_mutex_unlock(&d->lock);
        fetch_end end = use_source(d, d->sources[source], &err);
        if (end == FETCH_STOPPED) {
            if (wish_of(d) != WISH_CANCEL) return;
            part_remove(&d->part);
            set_state(d, DOWNLOAD_CANCELLED, "");
            return;
        }
        if (end == FETCH_WHOLE) {
            set_state(d, DOWNLOAD_DONE, NULL);
            return;
        }
        if (end == FETCH_FAILED) break;
        if (i + 1 < d->n_sources) say(d, err.message);
    }
    if (d->part.n_bytes == 0) part_remove(&d->part); // nothing to go on with
    set_state(d, DOWNLOAD_FAILED, err.message);
}

static void unuse(download *d) {
    pthread_mutex_lock(&d->lock);
    bool last = --d->n_users == 0;
    pthread_mutex_unlock(&d->lock);
    if (!last) return;
    for (int i = 0; d->sources && i < d->n_sources; i++) free(d->sources[i]);
    free(d->sources);
    free(d->file);
    curl_multi_cleanup(d->multi);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void *run(void *user) {
    download *d = user;
    use_sources(d);
    release(d);
    unuse(d);
    return NULL;
}

/* ---- for the others */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void begin_curl(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static pum_status check(const download_params *params, pum_error *err) {
    if (!params->file || !*params->file || params->n_sources < 1)
        return fail_with(err, PUM_ERR_ARGUMENT, "a download: expected a file and at least one source, got none");
    size_t n = params->sha256 ? strspn(params->sha256, "0123456789abcdefABCDEF") : 0;
    if (params->sha256 && (n != PART_SHA256_BYTES - 1 || params->sha256[n]))
        return fail_with(err, PUM_ERR_ARGUMENT, "a SHA-256: expected 64 hex digits, got %.80s", params->sha256);
    for (int i = 0; i < params->n_sources; i++)
        if (strlen(params->sources[i]) >= PART_URL_BYTES)
            return fail_with(err, PUM_ERR_ARGUMENT, "a source: expected less than %d bytes, got %.60s…", PART_URL_BYTES,
                             params->sources[i]);
    return PUM_OK;
}

static bool copy_params(download *d, const download_params *params) {
    d->n_bytes = params->n_bytes;
    d->stall_s = params->stall_s ? params->stall_s : STALL_S;
    d->first_wait_ms = params->first_wait_ms ? params->first_wait_ms : FIRST_WAIT_MS;
    d->n_tries = params->n_tries ? params->n_tries : N_TRIES;
    for (size_t i = 0; params->sha256 && i < sizeof d->sha256 - 1; i++)
        d->sha256[i] = (char)tolower((unsigned char)params->sha256[i]);
    d->n_sources = params->n_sources;
    d->file = strdup(params->file);
    d->sources = calloc((size_t)params->n_sources, sizeof *d->sources);
    for (int i = 0; d->sources && i < params->n_sources; i++)
        if (!(d->sources[i] = strdup(params->sources[i]))) return false;
    return d->file && d->sources && d->multi;
}

pum_status download_start(const download_params *params, download **out, pum_error *err) {
    *out = NULL;
    pum_status status = check(params, err);
    if (status != PUM_OK) return status;
    pthread_once(&curl_once, begin_curl);
    download *d = calloc(1, sizeof *d);
    if (!d) return fail_memory(err);
    d->part.fd = -1;
    d->status.seconds_left = -1;
    d->status.total_bytes = params->n_bytes;
    d->n_users = 1;
    d->multi = curl_multi_init();
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_t thread;
    bool ready = copy_params(d, params);
    d->n_users = 2;
    if (!ready || pthread_create(&thread, NULL, run, d) != 0) {
        d->n_users = 1;
        unuse(d);
        return fail_memory(err);
    }
    pthread_detach(thread);
    *out = d;
    return PUM_OK;
}

void download_get_status(download *d, download_status *status) {
    pthread_mutex_lock(&d->lock);
    *status = d->status;
    pthread_mutex_unlock(&d->lock);
}

void download_pause(download *d) { set_wish(d, WISH_PAUSE); }
void download_resume(download *d) { set_wish(d, WISH_GO); }
void download_cancel(download *d) { set_wish(d, WISH_CANCEL); }

pum_status download_discard(const char *file, pum_error *err) {
    part p;
    pum_status status = part_open(&p, file, err);
    if (status == PUM_OK) part_remove(&p);
    return status;
}

void download_destroy(download **out) {
    if (!out || !*out) return;
    download *d = *out;
    *out = NULL;
    set_wish(d, WISH_STOP);
    struct timespec until = time_of(now_ms() + DESTROY_MS);
    pthread_mutex_lock(&d->lock);
    while (!d->released && pthread_cond_timedwait(&d->changed, &d->lock, &until) != ETIMEDOUT) {
    }
    pthread_mutex_unlock(&d->lock);
    unuse(d);
}
