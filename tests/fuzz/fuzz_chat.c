/* A chat from a file's template to the screen: any Jinja text, any messages, any stop strings. What people write is never taken
 * for markers of the template, and the stream shows the text up to the first stop string, in whole characters.
 * An input: one byte of flags; then, with SEPARATOR between, the Jinja text, BOS, EOS, stop strings (a line each) and messages (a
 * letter for the role, then the content). */
#include "base/utf8.h"
#include "fuzz/fuzz.h"
#include "text/chat_template.h"
#include "unit/small_vocab.h"

#include <stdlib.h>
#include <string.h>

enum { SEPARATOR = 0x1E, MAX_MESSAGES = 12, MAX_STOPS = 4, MAX_SHOWN = 256, GENERATE = 1, SENTENCEPIECE = 2 };

typedef struct chat {
    char *jinja, *bos, *eos, *stops;
    size_t n_jinja;
    const char *stop[MAX_STOPS];
    size_t n_stops;
    char *written[MAX_MESSAGES]; ///< role and content
    pum_chat_message messages[MAX_MESSAGES];
    size_t n_messages;
} chat;

static const char *role_of(char letter) {
    switch (letter) {
    case 's':
        return "system";
    case 'u':
        return "user";
    case 'a':
        return "assistant";
    default:
        return "tool"; // which no template takes
    }
}

static void read_chat(fuzz_input *in, chat *c) {
    *c = (chat){0};
    c->jinja = fuzz_text(in, SEPARATOR, &c->n_jinja);
    c->bos = fuzz_text(in, SEPARATOR, NULL);
    c->eos = fuzz_text(in, SEPARATOR, NULL);
    c->stops = fuzz_text(in, SEPARATOR, NULL);
    for (char *line = c->stops; *line && c->n_stops < MAX_STOPS;) {
        char *end = line + strcspn(line, "\n");
        c->stop[c->n_stops++] = line;
        if (!*end) break;
        *end = 0;
        line = end + 1;
    }
    while (in->left && c->n_messages < MAX_MESSAGES) {
        char *text = c->written[c->n_messages] = fuzz_text(in, SEPARATOR, NULL);
        c->messages[c->n_messages++] = (pum_chat_message){role_of(*text), *text ? text + 1 : text};
    }
}

static void free_chat(chat *c) {
    free(c->jinja);
    free(c->bos);
    free(c->eos);
    free(c->stops);
    for (size_t i = 0; i < c->n_messages; i++) free(c->written[i]);
}

/* ---- rendering */

static const pum_tokenizer *tokenizer(bool sentencepiece) {
    static const pum_tokenizer *both[2]; // they live as long as the program
    if (!both[sentencepiece]) {
        small_vocab *v = calloc(1, sizeof *v);
        must(v != NULL, "no memory for a vocabulary");
        (sentencepiece ? small_spm : small_bpe)(v);
        both[sentencepiece] = small_create(v);
        free(v);
    }
    return both[sentencepiece];
}

static bool says(const chat *c, const text_piece *piece) {
    for (size_t m = 0; m < c->n_messages; m++) {
        const char *content = c->messages[m].content;
        for (size_t at = 0, n = strlen(content); at + piece->n_bytes <= n; at++)
            if (memcmp(content + at, piece->bytes, piece->n_bytes) == 0) return true;
    }
    return false;
}

static size_t count_control(const pum_tokenizer *t, const chat_pieces *pieces) {
    int32_t *ids;
    size_t n, n_control = 0;
    const char *bytes;
    must(tokenizer_encode_pieces(t, pieces->pieces, pieces->n_pieces, true, &ids, &n, NULL) == PUM_OK, "encoding failed");
    for (size_t i = 0; i < n; i++) {
        must(ids[i] >= 0 && ids[i] < pum_tokenizer_n_vocab(t), "an id outside the vocabulary");
        n_control += pum_tokenizer_bytes(t, ids[i], false, &bytes) == 0;
    }
    pum_free(ids);
    return n_control;
}

/* The same chat, in which nobody says anything but "x": it must have as many control tokens. */
static void check_markers(const chat *c, const chat_format *format, bool generate, const pum_tokenizer *t,
                          const chat_pieces *pieces) {
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    pum_chat_message dull[MAX_MESSAGES];
    for (size_t m = 0; m < c->n_messages; m++) {
        const char *content = c->messages[m].content;
        // What is blank may be left out with what stands around it.
        dull[m] = (pum_chat_message){c->messages[m].role, content[strcspn(content, LETTERS)] ? "x" : content};
        if (dull[m].content == content && *content) return;
    }
    chat_pieces others;
    must(chat_template_render(format, dull, c->n_messages, generate, c->bos, c->eos, &others, NULL) == PUM_OK,
         "whether a chat is rendered depends on what is said");
    must(count_control(t, pieces) == count_control(t, &others), "a message was taken for a marker");
    pum_free(others.pieces);
}

static void check_rendering(const chat *c, const chat_format *format, bool generate, const pum_tokenizer *t) {
    pum_error err = {0};
    chat_pieces pieces;
    pum_status status = chat_template_render(format, c->messages, c->n_messages, generate, c->bos, c->eos, &pieces, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        must(pieces.pieces == NULL, "pieces of a chat that was refused");
        return;
    }
    for (size_t i = 0; i < pieces.n_pieces; i++)
        must(pieces.pieces[i].n_bytes > 0 && (pieces.pieces[i].special || says(c, &pieces.pieces[i])),
             "plain text that nobody has said");
    check_markers(c, format, generate, t, &pieces);
    pum_free(pieces.pieces);
}

/* ---- the text of an answer */

/* Where the first stop string begins that all of it holds, or SIZE_MAX. */
static size_t first_stop(const chat *c, const char *text, size_t n_bytes) {
    for (size_t at = 0; at < n_bytes; at++)
        for (size_t i = 0; i < c->n_stops; i++) {
            size_t n = strlen(c->stop[i]);
            if (n && n <= n_bytes - at && memcmp(text + at, c->stop[i], n) == 0) return at;
        }
    return SIZE_MAX;
}

/* What people may see of these bytes: broken ones and zeros as U+FFFD. out [3 * n_bytes + 1]. */
static size_t readable(const char *text, size_t n_bytes, char *out) {
    size_t n = 0;
    for (size_t at = 0; at < n_bytes;) {
        uint32_t code;
        int step = utf8_decode(text + at, n_bytes - at, &code);
        bool shown = step > 0 && code != 0;
        size_t length = shown ? (size_t)step : 3;
        memcpy(out + n, shown ? text + at : "\xEF\xBF\xBD", length);
        n += length;
        at += step > 0 ? (size_t)step : step == 0 ? n_bytes - at : 1;
    }
    return n;
}

static void check_stream(const chat *c, const pum_tokenizer *t, const char *text, size_t n_bytes) {
    int32_t *ids;
    size_t n, n_all, n_shown = 0, n_come = 0;
    char *all;
    const char *bytes;
    pum_stream *s;
    if (n_bytes > MAX_SHOWN) n_bytes = MAX_SHOWN; // for the comparison's sake, which looks at all of it again and again
    must(pum_tokenizer_encode(t, text, n_bytes, PUM_ENCODE_PLAIN, &ids, &n, NULL) == PUM_OK, "encoding failed");
    must(pum_tokenizer_decode(t, ids, n, false, &all, &n_all, NULL) == PUM_OK, "decoding failed");
    must(pum_stream_create(t, c->stop, c->n_stops, true, &s, NULL) == PUM_OK, "no stream");
    char *shown = malloc(6 * n_all + 16), *expected = malloc(3 * n_all + 16);
    must(shown && expected, "no memory for a text");
    bool stopped = false, drop_space = tokenizer_drops_first_space(t);
    for (size_t i = 0; i <= n && !stopped; i++) {
        const char *out = i < n ? NULL : pum_stream_finish(s);
        if (i < n) must(pum_stream_push(s, ids[i], &out, &stopped, NULL) == PUM_OK, "the stream failed");
        if (i < n) n_come += tokenizer_running_bytes(t, ids[i], false, &drop_space, &bytes);
        must(stopped == (first_stop(c, all, n_come) != SIZE_MAX), "a stop string was missed, or seen where there is none");
        must(n_shown + strlen(out) <= 3 * n_all, "more was shown than there is");
        memcpy(shown + n_shown, out, strlen(out));
        n_shown += strlen(out);
    }
    size_t end = stopped ? first_stop(c, all, n_come) : n_all, n_expected = readable(all, end, expected);
    must(n_shown == n_expected && memcmp(shown, expected, n_shown) == 0, "another text was shown than came");
    free(shown);
    free(expected);
    pum_stream_destroy(&s);
    pum_free(all);
    pum_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input in = {data, size};
    uint8_t flags = fuzz_byte(&in);
    const pum_tokenizer *t = tokenizer(flags & SENTENCEPIECE);
    chat c;
    read_chat(&in, &c);
    chat_format format = chat_template_detect(c.jinja, c.n_jinja);
    text_span system = format.default_system;
    must(system.n_bytes == 0 || (system.bytes >= c.jinja && system.bytes + system.n_bytes <= c.jinja + c.n_jinja),
         "a default system turn outside of the template");
    if (format.row) check_rendering(&c, &format, flags & GENERATE, t);
    for (size_t m = 0; m < c.n_messages; m++) check_stream(&c, t, c.messages[m].content, strlen(c.messages[m].content));
    check_stream(&c, t, c.jinja, c.n_jinja);
    free_chat(&c);
    return 0;
}
