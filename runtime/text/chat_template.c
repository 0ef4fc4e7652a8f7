#include "text/chat_template.h"

#include <stdlib.h>
#include <string.h>

/* The text of a conversation in the making: template text and message text, in order. */
typedef struct writer {
    text_piece *pieces;
    size_t n, capacity;
    bool failed;
    const char *bos, *eos;
    text_span default_system;
    pum_error *err;
} writer;

static void put_span(writer *w, const char *bytes, size_t n_bytes, bool special) {
    if (w->failed || n_bytes == 0) return;
    if (w->n == w->capacity) {
        size_t capacity = w->capacity ? 2 * w->capacity : 16;
        text_piece *pieces = realloc(w->pieces, capacity * sizeof *pieces);
        if (!pieces) {
            w->failed = true;
            return;
        }
        w->pieces = pieces;
        w->capacity = capacity;
    }
    w->pieces[w->n++] = (text_piece){bytes, n_bytes, special};
}

static void put(writer *w, const char *marker) { put_span(w, marker, strlen(marker), true); }
static void put_text(writer *w, const char *content) { put_span(w, content, strlen(content), false); }

/* As Jinja's trim, at the end or at both ends. */
static const char SPACES[] = " \t\r\n\v\f";
static void put_end_trimmed(writer *w, const char *content) {
    size_t end = strlen(content);
    while (end > 0 && strchr(SPACES, content[end - 1])) end--;
    put_span(w, content, end, false);
}
static void put_trimmed(writer *w, const char *content) { put_end_trimmed(w, content + strspn(content, SPACES)); }
static bool is_blank(const char *content) { return !content[strspn(content, SPACES)]; }

static bool is(const pum_chat_message *m, const char *role) { return strcmp(m->role, role) == 0; }

/* ---- the templates. Each renders messages as its Jinja original does. */

typedef pum_status render_fn(writer *w, const pum_chat_message *m, size_t n, bool generate);

static pum_status render_chatml(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    if (n > 0 && !is(&m[0], "system") && w->default_system.n_bytes) {
        put(w, "<|im_start|>system\n");
        put_span(w, w->default_system.bytes, w->default_system.n_bytes, true);
        put(w, "<|im_end|>\n");
    }
    for (size_t i = 0; i < n; i++) {
        put(w, "<|im_start|>");
        put(w, m[i].role);
        put(w, "\n");
        put_text(w, m[i].content);
        put(w, "<|im_end|>\n");
    }
    if (generate) put(w, "<|im_start|>assistant\n");
    return PUM_OK;
}

static pum_status render_llama3(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    put(w, w->bos);
    for (size_t i = 0; i < n; i++) {
        put(w, "<|start_header_id|>");
        put(w, m[i].role);
        put(w, "<|end_header_id|>\n\n");
        put_trimmed(w, m[i].content);
        put(w, "<|eot_id|>");
    }
    if (generate) put(w, "<|start_header_id|>assistant<|end_header_id|>\n\n");
    return PUM_OK;
}

static pum_status render_zephyr(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    for (size_t i = 0; i < n; i++) {
        put(w, is(&m[i], "system") ? "<|system|>\n" : is(&m[i], "user") ? "<|user|>\n" : "<|assistant|>\n");
        put_text(w, m[i].content);
        put(w, w->eos);
        put(w, "\n");
    }
    if (generate) put(w, "<|assistant|>\n");
    return PUM_OK;
}

/* The system turn stands inside the first user turn; turns must alternate, beginning with the user. */
static pum_status render_llama2(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    (void)generate; // an assistant turn begins where the user's ends
    const char *system = n > 0 && is(&m[0], "system") ? m[0].content : NULL;
    size_t first = system ? 1 : 0;
    for (size_t i = first; i < n; i++) {
        bool user = (i - first) % 2 == 0;
        if (!is(&m[i], user ? "user" : "assistant"))
            return pum_fail(w->err, PUM_ERR_ARGUMENT,
                            "the LLaMA 2 template: expected turns of user and assistant in turn, got \"%.20s\" as turn %zu",
                            m[i].role, i);
        if (user) {
            put(w, w->bos);
            put(w, "[INST] ");
            if (i == first && system) {
                put(w, "<<SYS>>\n");
                put_text(w, system);
                // System and user turn are trimmed as one text: an empty question takes the line ends before it along.
                put(w, is_blank(m[i].content) ? "\n<</SYS>>" : "\n<</SYS>>\n\n");
                put_end_trimmed(w, m[i].content);
            } else {
                put_trimmed(w, m[i].content);
            }
            put(w, " [/INST]");
        } else {
            put(w, " ");
            put_trimmed(w, m[i].content);
            put(w, " ");
            put(w, w->eos);
        }
    }
    return PUM_OK;
}

struct chat_template {
    const char *name;
    const char *marks[2]; ///< all of these stand in the Jinja text
    render_fn *render;
};

static const chat_template templates[] = {
    {"chatml", {"<|im_start|>"}, render_chatml},
    {"llama3", {"<|start_header_id|>", "<|eot_id|>"}, render_llama3},
    {"llama2", {"[INST]", "<<SYS>>"}, render_llama2},
    {"zephyr", {"<|user|>", "eos_token"}, render_zephyr},
};

/* ---- recognising */

static const char *find(const char *text, size_t n_bytes, const char *part) {
    size_t n = strlen(part);
    for (size_t i = 0; n <= n_bytes && i <= n_bytes - n; i++)
        if (memcmp(text + i, part, n) == 0) return text + i;
    return NULL;
}

/* ChatML templates write their default system turn out: '<|im_start|>system\n…<|im_end|>' in a string of the Jinja text, where
 * the line's end may be the character itself or Jinja's two. */
static text_span default_system_of(const char *jinja, size_t n_bytes) {
    static const char BEGIN[] = "<|im_start|>system";
    const char *end_of_text = jinja + n_bytes;
    for (const char *at = jinja; (at = find(at, (size_t)(end_of_text - at), BEGIN));) {
        at += sizeof BEGIN - 1;
        size_t left = (size_t)(end_of_text - at);
        size_t newline = left >= 1 && at[0] == '\n' ? 1 : left >= 2 && at[0] == '\\' && at[1] == 'n' ? 2 : 0;
        at += newline;
        const char *end = newline ? find(at, left - newline, "<|im_end|>") : NULL;
        // A quote in between: the string ends there and a message's own text follows.
        if (end && end > at && !memchr(at, '\'', (size_t)(end - at)) && !memchr(at, '"', (size_t)(end - at)) &&
            !memchr(at, '{', (size_t)(end - at)))
            return (text_span){at, (uint64_t)(end - at)};
    }
    return (text_span){0};
}

chat_format chat_template_detect(const char *jinja, size_t n_bytes) {
    chat_format format = {0};
    for (size_t i = 0; i < sizeof templates / sizeof *templates && !format.row; i++) {
        bool all = true;
        for (int k = 0; k < 2 && templates[i].marks[k]; k++) all = all && find(jinja, n_bytes, templates[i].marks[k]);
        if (all) format.row = &templates[i];
    }
    if (format.row && format.row->render == render_chatml) format.default_system = default_system_of(jinja, n_bytes);
    return format;
}

const char *chat_template_name(const chat_template *row) { return row ? row->name : "unknown"; }

/* ---- rendering */

/* One allocation: the pieces, then all their bytes, so that nothing of the caller's is borrowed. */
static pum_status pack(const writer *w, chat_pieces *out, pum_error *err) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < w->n; i++) n_bytes += w->pieces[i].n_bytes;
    text_piece *pieces = malloc(w->n * sizeof *pieces + n_bytes + 1);
    if (!pieces) return pum_fail_memory(err, "the conversation's text", n_bytes);
    char *at = (char *)(pieces + w->n);
    for (size_t i = 0; i < w->n; at += w->pieces[i++].n_bytes) {
        memcpy(at, w->pieces[i].bytes, w->pieces[i].n_bytes);
        pieces[i] = (text_piece){at, w->pieces[i].n_bytes, w->pieces[i].special};
    }
    *out = (chat_pieces){pieces, w->n};
    return PUM_OK;
}

pum_status chat_template_render(const chat_format *format, const pum_chat_message *messages, size_t n_messages, bool generate,
                                const char *bos, const char *eos, chat_pieces *out, pum_error *err) {
    *out = (chat_pieces){0};
    for (size_t i = 0; i < n_messages; i++)
        if (!is(&messages[i], "system") && !is(&messages[i], "user") && !is(&messages[i], "assistant"))
            return pum_fail(err, PUM_ERR_ARGUMENT, "message %zu: expected the role system, user or assistant, got \"%.20s\"", i,
                            messages[i].role);
    writer w = {.bos = bos, .eos = eos, .default_system = format->default_system, .err = err};
    pum_status status = format->row->render(&w, messages, n_messages, generate);
    if (status == PUM_OK) status = w.failed ? pum_fail_memory(err, "the conversation's text", 0) : pack(&w, out, err);
    free(w.pieces);
    return status;
}
