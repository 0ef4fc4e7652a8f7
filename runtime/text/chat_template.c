#include "text/chat_template.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* ---- searching Jinja text */

static const char *find(const char *text, size_t n_bytes, const char *part) {
    size_t n = strlen(part);
    const char *end = text + n_bytes;
    while ((size_t)(end - text) >= n) {
        const char *at = memchr(text, part[0], (size_t)(end - text) - n + 1);
        if (!at) return NULL;
        if (memcmp(at, part, n) == 0) return at;
        text = at + 1;
    }
    return NULL;
}

static bool has(text_span text, const char *part) { return text.n_bytes && find(text.bytes, text.n_bytes, part); }

/* What stands after the first `mark` of a text; nothing when there is none. */
static text_span after(text_span text, const char *mark) {
    const char *at = text.n_bytes ? find(text.bytes, text.n_bytes, mark) : NULL;
    if (!at) return (text_span){0};
    at += strlen(mark);
    return (text_span){at, text.n_bytes - (uint64_t)(at - text.bytes)};
}

/* What stands before the first `mark`; nothing when there is none. */
static text_span before(text_span text, const char *mark) {
    const char *at = text.n_bytes ? find(text.bytes, text.n_bytes, mark) : NULL;
    return at ? (text_span){text.bytes, (uint64_t)(at - text.bytes)} : (text_span){0};
}

/* What stands before a quote that no backslash takes away; nothing when there is none. */
static text_span before_quote(text_span text, char quote) {
    for (uint64_t i = 0; i < text.n_bytes; i++) {
        if (text.bytes[i] == quote) return (text_span){text.bytes, i};
        if (text.bytes[i] == '\\') i++;
    }
    return (text_span){0};
}

/* ---- the text of a conversation in the making: template text and message text, in order */

typedef struct writer {
    text_piece *pieces;
    size_t n, capacity;
    bool failed;
    const char *bos, *eos;
    text_span jinja, default_system;
    pum_error *err;
} writer;

static void put_bytes(writer *w, const char *bytes, size_t n_bytes, bool special) {
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

static void put(writer *w, const char *marker) { put_bytes(w, marker, strlen(marker), true); }
static void put_text(writer *w, const char *content) { put_bytes(w, content, strlen(content), false); }

/* The template's own words, out of a string of the Jinja text: its escapes are resolved. */
static void put_literal(writer *w, text_span raw) {
    static const char escapes[] = "nrt\\'\"";
    static const char *const meant[] = {"\n", "\r", "\t", "\\", "'", "\""};
    uint64_t begin = 0;
    for (uint64_t i = 0; i + 1 < raw.n_bytes; i++) {
        const char *escape = raw.bytes[i] == '\\' && raw.bytes[i + 1] ? strchr(escapes, raw.bytes[i + 1]) : NULL;
        if (!escape) continue;
        put_bytes(w, raw.bytes + begin, i - begin, true);
        put(w, meant[escape - escapes]);
        begin = ++i + 1;
    }
    put_bytes(w, raw.bytes + begin, raw.n_bytes - begin, true);
}

/* White space as Jinja's trim and Python's strip take it. */
static bool is_space(uint32_t c) {
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

typedef enum trim_sides { TRIM_END, TRIM_BOTH } trim_sides;

static text_span trimmed(const char *content, trim_sides sides) {
    size_t n_bytes = strlen(content), begin = 0, end = 0;
    for (size_t at = 0; at < n_bytes;) {
        uint32_t code;
        int n = utf8_decode(content + at, n_bytes - at, &code);
        bool space = n > 0 && is_space(code);
        at += n > 0 ? (size_t)n : 1;
        if (!space)
            end = at;
        else if (end == 0)
            begin = at;
    }
    if (sides == TRIM_END || end == 0) begin = 0;
    return (text_span){content + begin, end - begin};
}

static void put_trimmed(writer *w, const char *content) {
    text_span text = trimmed(content, TRIM_BOTH);
    put_bytes(w, text.bytes, text.n_bytes, false);
}

static bool is(const pum_chat_message *m, const char *role) { return strcmp(m->role, role) == 0; }

static pum_status refuse(const writer *w, const char *name, const pum_chat_message *m, size_t i) {
    return pum_fail(w->err, PUM_ERR_ARGUMENT,
                    "the %s template: expected turns of user and assistant, one after the other, got \"%.20s\" as turn %zu", name,
                    m[i].role, i);
}

/* ---- the templates. Each renders messages as its Jinja original does. */

typedef pum_status render_fn(writer *w, const pum_chat_message *m, size_t n, bool generate);

static bool trims_content(text_span jinja) {
    static const char *const ways[] = {"message['content'] | trim", "message['content']|trim", "message['content'].strip()",
                                       "message.content | trim",    "message.content|trim",    "message.content.strip()"};
    bool any = false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) any = any || has(jinja, ways[i]);
    return any;
}

/* Of the many ChatML texts some begin with BOS, trim, or leave something of the last turn out when no answer is asked for: the
 * line end, or the end marker too. */
static pum_status render_chatml(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    bool trims = trims_content(w->jinja);
    text_span condition = before(after(w->jinja, "loop.last and add_generation_prompt"), "endif");
    bool keeps_marker = !has(condition, "<|im_end|>");
    if (has(w->jinja, "bos_token")) put(w, w->bos);
    if (n > 0 && !is(&m[0], "system") && w->default_system.n_bytes) {
        put(w, "<|im_start|>system\n");
        put_literal(w, w->default_system);
        put(w, "<|im_end|>\n");
    }
    for (size_t i = 0; i < n; i++) {
        bool whole = !condition.n_bytes || generate || i + 1 < n;
        put(w, "<|im_start|>");
        put(w, m[i].role);
        put(w, "\n");
        if (trims)
            put_trimmed(w, m[i].content);
        else
            put_text(w, m[i].content);
        if (whole || keeps_marker) put(w, "<|im_end|>");
        if (whole) put(w, "\n");
    }
    bool answered = n > 0 && is(&m[n - 1], "assistant") && has(w->jinja, "messages[-1]['role'] != 'assistant'");
    if (!answered && (generate || !has(w->jinja, "add_generation_prompt"))) put(w, "<|im_start|>assistant\n");
    return PUM_OK;
}

static void put_llama3_turn(writer *w, const pum_chat_message *m) {
    put(w, "<|start_header_id|>");
    put(w, m->role);
    put(w, "<|end_header_id|>\n\n");
    put_trimmed(w, m->content);
    put(w, "<|eot_id|>");
}

/* The first text that LLaMA 3 came with begins an answer always, those after it when asked. */
static pum_status render_llama3(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    if (n > 0) put(w, w->bos);
    for (size_t i = 0; i < n; i++) put_llama3_turn(w, &m[i]);
    if (generate || !has(w->jinja, "add_generation_prompt")) put(w, "<|start_header_id|>assistant<|end_header_id|>\n\n");
    return PUM_OK;
}

/* LLaMA 3.1 to 3.3, without tools: a system turn is always there and begins with two dates. The second is the day that the text
 * itself falls back to where it is told none, so that a prompt stays the same over night. */
static pum_status render_llama31(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    text_span date = before_quote(after(w->jinja, "date_string = \""), '"');
    size_t first = n > 0 && is(&m[0], "system") ? 1 : 0;
    put(w, w->bos);
    put(w, "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\nToday Date: ");
    if (date.n_bytes)
        put_literal(w, date);
    else
        put(w, "26 Jul 2024");
    put(w, "\n\n");
    if (first) put_trimmed(w, m[0].content);
    put(w, "<|eot_id|>");
    for (size_t i = first; i < n; i++) put_llama3_turn(w, &m[i]);
    if (generate) put(w, "<|start_header_id|>assistant<|end_header_id|>\n\n");
    return PUM_OK;
}

/* The markers are ordinary text. A line end follows a turn where one follows it in the Jinja text. */
static pum_status render_zephyr(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    bool breaks = !has(w->jinja, "eos_token }}{%") && !has(w->jinja, "eos_token}}{%");
    bool breaks_prompt = !has(w->jinja, "'<|assistant|>' }}{%") && !has(w->jinja, "'<|assistant|>'}}{%");
    for (size_t i = 0; i < n; i++) {
        put(w, is(&m[i], "system") ? "<|system|>\n" : is(&m[i], "user") ? "<|user|>\n" : "<|assistant|>\n");
        put_text(w, m[i].content);
        put(w, w->eos);
        if (breaks) put(w, "\n");
    }
    if (generate && n > 0) put(w, breaks_prompt ? "<|assistant|>\n" : "<|assistant|>");
    return PUM_OK;
}

/* The system turn stands inside the first user turn, and the two are trimmed as one. A system turn elsewhere, which the original
 * loses without a word, is refused. */
static void put_llama2_user(writer *w, const char *system, text_span default_system, const char *content) {
    bool opens = system || default_system.n_bytes;
    text_span user = trimmed(content, opens ? TRIM_END : TRIM_BOTH);
    put(w, w->bos);
    put(w, "[INST] ");
    if (opens) {
        put(w, "<<SYS>>\n");
        if (system)
            put_text(w, system);
        else
            put_literal(w, default_system);
        put(w, user.n_bytes ? "\n<</SYS>>\n\n" : "\n<</SYS>>");
    }
    put_bytes(w, user.bytes, user.n_bytes, false);
    put(w, " [/INST]");
}

static pum_status render_llama2(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    (void)generate; // an assistant turn begins where the user's ends
    const char *system = n > 0 && is(&m[0], "system") ? m[0].content : NULL;
    size_t first = system ? 1 : 0;
    for (size_t i = first; i < n; i++) {
        bool user = (i - first) % 2 == 0;
        if (!is(&m[i], user ? "user" : "assistant")) return refuse(w, "LLaMA 2", m, i);
        if (user) {
            put_llama2_user(w, i == first ? system : NULL, i == first ? w->default_system : (text_span){0}, m[i].content);
            continue;
        }
        put(w, " ");
        put_trimmed(w, m[i].content);
        put(w, " ");
        put(w, w->eos);
    }
    return PUM_OK;
}

/* Mistral's first instruct models: no system turn. */
static pum_status render_mistral(writer *w, const pum_chat_message *m, size_t n, bool generate) {
    (void)generate;
    bool space_after = has(w->jinja, "eos_token + ' '");
    put(w, w->bos);
    for (size_t i = 0; i < n; i++) {
        bool user = i % 2 == 0;
        if (!is(&m[i], user ? "user" : "assistant")) return refuse(w, "Mistral", m, i);
        if (user) put(w, "[INST] ");
        put_text(w, m[i].content);
        put(w, user ? " [/INST]" : w->eos);
        if (!user && space_after) put(w, " ");
    }
    return PUM_OK;
}

enum { MAX_MARKS = 4 };
struct chat_template {
    const char *name;
    const char *marks[MAX_MARKS]; ///< all of these stand in the Jinja text
    const char *never[MAX_MARKS]; ///< and none of these
    render_fn *render;
};

static const chat_template templates[] = {
    {"chatml", {"<|im_start|>", "<|im_end|>"}, {"[INST]", "<|start_header_id|>"}, render_chatml},
    {"llama3.1",
     {"<|start_header_id|>", "<|eot_id|>", "Cutting Knowledge Date: December 2023", "Today Date: "},
     {0},
     render_llama31},
    {"llama3", {"<|start_header_id|>", "<|eot_id|>"}, {"Cutting Knowledge Date"}, render_llama3},
    {"llama2", {"[INST]", "<<SYS>>"}, {"[AVAILABLE_TOOLS]"}, render_llama2},
    {"mistral",
     {"'[INST] ' + message['content'] + ' [/INST]'", "eos_token"},
     {"system_message", "[AVAILABLE_TOOLS]"},
     render_mistral},
    {"zephyr", {"<|user|>", "<|assistant|>", "eos_token"}, {"<|end|>", "bos_token"}, render_zephyr},
};

/* ---- recognising */

/* ChatML texts write their default system turn out, '<|im_start|>system\n…<|im_end|>' inside one string of the Jinja text; its
 * line end may be the character itself or Jinja's two. */
static text_span written_out(text_span jinja) {
    static const char BEGIN[] = "<|im_start|>system";
    for (text_span turn = after(jinja, BEGIN); turn.n_bytes; turn = after(turn, BEGIN)) {
        const char *marker = turn.bytes - (sizeof BEGIN - 1);
        char quote = marker > jinja.bytes && (marker[-1] == '\'' || marker[-1] == '"') ? marker[-1] : 0;
        uint64_t newline = turn.bytes[0] == '\n' ? 1 : turn.n_bytes > 1 && turn.bytes[0] == '\\' && turn.bytes[1] == 'n' ? 2 : 0;
        text_span text = before((text_span){turn.bytes + newline, turn.n_bytes - newline}, "<|im_end|>");
        // The string ends before the marker does: what follows is a message's own text.
        bool broken = quote ? before_quote(text, quote).bytes != NULL : has(text, "'") || has(text, "\"") || has(text, "{");
        if (newline && text.n_bytes && !broken) return text;
    }
    return (text_span){0};
}

/* … or keep it in a variable, as LLaMA 2's first text does, which has "false == true" where the words are switched off. */
static text_span in_a_variable(text_span jinja) {
    static const char SET[] = "system_message = ";
    for (text_span value = after(jinja, SET); value.n_bytes; value = after(value, SET)) {
        char quote = value.bytes[0];
        text_span text = {0};
        if (quote == '\'' || quote == '"') text = before_quote((text_span){value.bytes + 1, value.n_bytes - 1}, quote);
        if (text.n_bytes && !has(jinja, "false == true")) return text;
    }
    return (text_span){0};
}

static bool fits(const chat_template *row, text_span jinja) {
    bool all = true;
    for (int i = 0; i < MAX_MARKS; i++) {
        if (row->marks[i]) all = all && has(jinja, row->marks[i]);
        if (row->never[i]) all = all && !has(jinja, row->never[i]);
    }
    return all;
}

chat_format chat_template_detect(const char *jinja, size_t n_bytes) {
    chat_format format = {.jinja = {jinja, n_bytes}};
    for (size_t i = 0; i < sizeof templates / sizeof *templates && !format.row; i++)
        if (fits(&templates[i], format.jinja)) format.row = &templates[i];
    if (!format.row) return format;
    if (format.row->render == render_chatml) format.default_system = written_out(format.jinja);
    bool may_keep = format.row->render == render_chatml || format.row->render == render_llama2;
    if (may_keep && !format.default_system.n_bytes) format.default_system = in_a_variable(format.jinja);
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
    writer w = {.bos = bos, .eos = eos, .jinja = format->jinja, .default_system = format->default_system, .err = err};
    pum_status status = format->row->render(&w, messages, n_messages, generate);
    if (status == PUM_OK) status = w.failed ? pum_fail_memory(err, "the conversation's text", 0) : pack(&w, out, err);
    free(w.pieces);
    return status;
}
