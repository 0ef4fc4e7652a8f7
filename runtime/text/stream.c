/* Text of a running generation: characters are shown when they are whole, and nothing of a stop string is. */
#include "base/arena.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    char *bytes;
    size_t n, capacity;
} buffer;

struct pum_stream {
    const pum_tokenizer *tokenizer;
    arena arena;
    const char **stops;
    size_t n_stops;
    bool drop_space; ///< see tokenizer_running_bytes
    bool stopped;
    buffer held;  ///< not shown yet
    buffer shown; ///< of the last call
};

static bool reserve(buffer *b, size_t more) {
    if (b->capacity - b->n > more) return true;
    size_t capacity = 2 * (b->n + more) + 64;
    char *bytes = realloc(b->bytes, capacity);
    if (!bytes) return false;
    b->bytes = bytes;
    b->capacity = capacity;
    return true;
}

static void append(buffer *b, const char *bytes, size_t n) { // room was reserved
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
}

pum_status pum_stream_create(const pum_tokenizer *tokenizer, const char *const *stops, size_t n_stops, bool first,
                             pum_stream **stream, pum_error *err) {
    *stream = NULL;
    pum_stream *s = calloc(1, sizeof *s);
    if (!s) return pum_fail_memory(err, "a text stream", sizeof *s);
    s->tokenizer = tokenizer;
    s->drop_space = first && tokenizer_drops_first_space(tokenizer);
    s->stops = arena_alloc(&s->arena, n_stops + 1, sizeof *s->stops);
    bool ok = s->stops && reserve(&s->shown, 1);
    for (size_t i = 0; i < n_stops && ok; i++) {
        if (!*stops[i]) continue;
        ok = (s->stops[s->n_stops++] = arena_copy(&s->arena, stops[i], strlen(stops[i])));
    }
    if (!ok) {
        pum_stream_destroy(&s);
        return pum_fail_memory(err, "a text stream", 64);
    }
    *stream = s;
    return PUM_OK;
}

void pum_stream_destroy(pum_stream **stream) {
    if (!stream || !*stream) return;
    arena_free(&(*stream)->arena);
    free((*stream)->held.bytes);
    free((*stream)->shown.bytes);
    free(*stream);
    *stream = NULL;
}

/* Where the first stop string begins in what is held, or SIZE_MAX. */
static size_t find_stop(const pum_stream *s) {
    for (size_t at = 0; at < s->held.n; at++)
        for (size_t i = 0; i < s->n_stops; i++) {
            size_t n = strlen(s->stops[i]);
            if (n <= s->held.n - at && memcmp(s->held.bytes + at, s->stops[i], n) == 0) return at;
        }
    return SIZE_MAX;
}

/* The bytes from here on may be the beginning of a stop string. */
static size_t safe_end(const pum_stream *s) {
    for (size_t at = 0; at < s->held.n; at++)
        for (size_t i = 0; i < s->n_stops; i++)
            if (strncmp(s->stops[i], s->held.bytes + at, s->held.n - at) == 0) return at;
    return s->held.n;
}

/* Moves whole characters from what is held, up to end, to what is shown; all: an unfinished one too, as U+FFFD. So is a zero,
 * which would end the text for its reader. */
static bool show(pum_stream *s, size_t end, bool all) {
    s->shown.n = 0;
    if (!reserve(&s->shown, 3 * end + 1)) return false;
    size_t at = 0;
    while (at < end) {
        uint32_t code;
        int n = utf8_decode(s->held.bytes + at, end - at, &code);
        if (n == 0 && !all) break;
        if (n > 0 && code != 0)
            append(&s->shown, s->held.bytes + at, (size_t)n);
        else
            append(&s->shown, "\xEF\xBF\xBD", 3);
        at += n > 0 ? (size_t)n : n == 0 ? end - at : 1;
    }
    memmove(s->held.bytes, s->held.bytes + at, s->held.n - at);
    s->held.n -= at;
    s->shown.bytes[s->shown.n] = 0;
    return true;
}

pum_status pum_stream_push(pum_stream *s, int32_t token, const char **text, bool *stopped, pum_error *err) {
    *text = "";
    *stopped = s->stopped;
    if (s->stopped) return PUM_OK;
    const char *bytes;
    size_t n = tokenizer_running_bytes(s->tokenizer, token, false, &s->drop_space, &bytes);
    if (!reserve(&s->held, n)) return pum_fail_memory(err, "a text stream", n);
    append(&s->held, bytes, n);
    size_t stop = find_stop(s);
    s->stopped = stop != SIZE_MAX;
    if (!show(s, s->stopped ? stop : safe_end(s), s->stopped)) return pum_fail_memory(err, "a text stream", s->held.n);
    if (s->stopped) s->held.n = 0;
    *stopped = s->stopped;
    *text = s->shown.bytes;
    return PUM_OK;
}

const char *pum_stream_finish(pum_stream *s) {
    if (s->stopped || s->held.n == 0 || !show(s, s->held.n, true)) return "";
    return s->shown.bytes;
}
