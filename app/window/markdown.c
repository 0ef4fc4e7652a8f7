#include "markdown.h"

#include "highlight.h"
#include "latex.h"

#include <md4c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 8 };

/* Room for one more of an array of n, whose capacity is the next power of two. */
static void *grow(void *array, uint32_t n, size_t size) {
    if (n && (n & (n - 1))) return array;
    return realloc(array, (n ? 2 * (size_t)n : 1) * size);
}

/* ---- building a document */

typedef struct list_state {
    bool ordered;
    unsigned next;
    char delimiter;
} list_state;

typedef struct reader {
    md_doc *doc;
    md_out text;
    list_state lists[MOST_DEPTH];
    int n_lists, n_quotes;
    char marker[12]; ///< of the item that has just begun
    bool open;       ///< the last block takes text
    bool in_code;
    uint8_t marks;
    int depth[5]; ///< how often each mark is on
    uint16_t link;
    uint16_t row, column;
    char align;
} reader;

static md_block *add_block(reader *r, md_kind kind) {
    md_block *blocks = grow(r->doc->blocks, r->doc->n_blocks, sizeof *blocks);
    if (!blocks) return NULL;
    r->doc->blocks = blocks;
    md_block *b = &blocks[r->doc->n_blocks++];
    int lists = r->n_lists < MOST_DEPTH ? r->n_lists : MOST_DEPTH, quotes = r->n_quotes < MOST_DEPTH ? r->n_quotes : MOST_DEPTH;
    *b = (md_block){.kind = kind, .quotes = (uint8_t)quotes, .indent = (uint8_t)lists, .first_cell = r->doc->n_cells};
    memcpy(b->marker, r->marker, sizeof b->marker);
    r->marker[0] = 0;
    return b;
}

static bool begin_cell(reader *r) {
    md_cell *cells = grow(r->doc->cells, r->doc->n_cells, sizeof *cells);
    if (!cells) return false;
    r->doc->cells = cells;
    uint32_t at = (uint32_t)r->text.n_bytes;
    cells[r->doc->n_cells++] = (md_cell){at, at, r->row, r->column, r->align ? r->align : 'l'};
    r->doc->blocks[r->doc->n_blocks - 1].n_cells++;
    r->open = true;
    return true;
}

static bool begin_block(reader *r, md_kind kind) { return add_block(r, kind) && begin_cell(r); }

static bool end_cell(reader *r) {
    if (!r->open) return true;
    r->open = false;
    return md_put(&r->text, "", 1);
}

static bool put_run(reader *r, const char *text, size_t n_bytes, uint8_t marks, uint8_t word) {
    if (n_bytes == 0) return true;
    md_doc *d = r->doc;
    uint32_t begin = (uint32_t)r->text.n_bytes, end = begin + (uint32_t)n_bytes;
    if (!md_put(&r->text, text, n_bytes)) return false;
    d->cells[d->n_cells - 1].end = end;
    md_run *last = d->n_runs ? &d->runs[d->n_runs - 1] : NULL;
    if (last && last->end == begin && last->marks == marks && last->word == word && last->link == r->link) {
        last->end = end;
        return true;
    }
    md_run *runs = grow(d->runs, d->n_runs, sizeof *runs);
    if (!runs) return false;
    d->runs = runs;
    d->runs[d->n_runs++] = (md_run){begin, end, marks, word, r->link};
    return true;
}

/* A zero byte would end what is shown. */
static bool put_text(reader *r, const char *text, size_t n_bytes, uint8_t marks, uint8_t word) {
    for (const char *zero; (zero = memchr(text, 0, n_bytes)); n_bytes -= (size_t)(zero + 1 - text), text = zero + 1)
        if (!put_run(r, text, (size_t)(zero - text), marks, word) || !put_run(r, "\xEF\xBF\xBD", 3, marks, word)) return false;
    return put_run(r, text, n_bytes, marks, word);
}

static md_doc *finish(reader *r, bool good) {
    good = good && end_cell(r);
    md_doc *doc = r->doc;
    doc->text = r->text.text;
    doc->n_bytes = (uint32_t)r->text.n_bytes;
    if (!good) md_free(&doc);
    return doc;
}

/* ---- md4c's callbacks; anything but 0 stops it */

static void begin_item(reader *r, const MD_BLOCK_LI_DETAIL *item) {
    static const char *const bullets[] = {"\xE2\x80\xA2", "\xE2\x97\xA6", "\xE2\x96\xAA"}; // • ◦ ▪
    list_state *list = r->n_lists <= MOST_DEPTH ? &r->lists[r->n_lists - 1] : NULL;
    if (item->is_task)
        strcpy(r->marker, item->task_mark == ' ' ? "\xE2\x98\x90" : "\xE2\x98\x91"); // ☐ ☑
    else if (list && list->ordered)
        snprintf(r->marker, sizeof r->marker, "%u%c", list->next++ % 1000000000, list->delimiter);
    else
        strcpy(r->marker, bullets[(r->n_lists - 1) % 3]);
}

static void begin_list(reader *r, bool ordered, const MD_BLOCK_OL_DETAIL *detail) {
    if (r->n_lists++ < MOST_DEPTH)
        r->lists[r->n_lists - 1] = (list_state){ordered, ordered ? detail->start : 0, ordered ? detail->mark_delimiter : 0};
}

static void copy_attribute(char *to, size_t size, const MD_ATTRIBUTE *from) {
    size_t n = from->size < size - 1 ? from->size : size - 1;
    if (n) memcpy(to, from->text, n);
    to[n] = 0;
    to[strcspn(to, " \t,{")] = 0;
}

/* An item without a text is seen by its marker. */
static bool show_empty_item(reader *r) { return !r->marker[0] || (begin_block(r, MD_PARAGRAPH) && end_cell(r)); }

static int enter_block(MD_BLOCKTYPE type, void *detail, void *user) {
    reader *r = user;
    if (!end_cell(r)) return 1;
    switch (type) {
    case MD_BLOCK_QUOTE:
        r->n_quotes++;
        return 0;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        if (!show_empty_item(r)) return 1;
        begin_list(r, type == MD_BLOCK_OL, detail);
        return 0;
    case MD_BLOCK_LI:
        begin_item(r, detail);
        return 0;
    case MD_BLOCK_HR:
        return add_block(r, MD_RULE) ? 0 : 1;
    case MD_BLOCK_H:
        if (!begin_block(r, MD_HEADING)) return 1;
        r->doc->blocks[r->doc->n_blocks - 1].level = (uint8_t)((MD_BLOCK_H_DETAIL *)detail)->level;
        return 0;
    case MD_BLOCK_CODE: {
        md_block *b = add_block(r, MD_CODE);
        if (b) copy_attribute(b->language, sizeof b->language, &((MD_BLOCK_CODE_DETAIL *)detail)->lang);
        r->in_code = true;
        return b && begin_cell(r) ? 0 : 1;
    }
    case MD_BLOCK_P:
    case MD_BLOCK_HTML:
        return begin_block(r, MD_PARAGRAPH) ? 0 : 1;
    case MD_BLOCK_TABLE: {
        md_block *b = add_block(r, MD_TABLE);
        if (b) b->n_columns = (uint16_t)((MD_BLOCK_TABLE_DETAIL *)detail)->col_count;
        r->row = 0;
        return b ? 0 : 1;
    }
    case MD_BLOCK_TR:
        r->column = 0;
        return 0;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD: {
        MD_ALIGN align = ((MD_BLOCK_TD_DETAIL *)detail)->align;
        r->align = align == MD_ALIGN_RIGHT ? 'r' : align == MD_ALIGN_CENTER ? 'c' : 'l';
        return begin_cell(r) ? 0 : 1;
    }
    default:
        return 0;
    }
}

/* The last line's end belongs to the fence, not to the code. */
static bool end_code(reader *r) {
    md_doc *d = r->doc;
    md_cell *cell = &d->cells[d->n_cells - 1];
    if (cell->end > cell->begin && r->text.text[cell->end - 1] == '\n') {
        r->text.n_bytes--;
        cell->end--;
        d->runs[d->n_runs - 1].end--;
        if (d->runs[d->n_runs - 1].end == d->runs[d->n_runs - 1].begin) d->n_runs--;
    }
    r->in_code = false;
    uint32_t begin = cell->begin, end = cell->end;
    const char *language = d->blocks[d->n_blocks - 1].language;
    return end_cell(r) && highlight(d, r->text.text, begin, end, language);
}

static int leave_block(MD_BLOCKTYPE type, void *detail, void *user) {
    (void)detail;
    reader *r = user;
    if (type == MD_BLOCK_CODE) return end_code(r) ? 0 : 1;
    if (!end_cell(r)) return 1;
    switch (type) {
    case MD_BLOCK_QUOTE:
        r->n_quotes--;
        break;
    case MD_BLOCK_UL:
    case MD_BLOCK_OL:
        r->n_lists--;
        break;
    case MD_BLOCK_LI:
        return show_empty_item(r) ? 0 : 1;
    case MD_BLOCK_TR:
        r->row++;
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        r->column++;
        r->align = 0;
        break;
    default:
        break;
    }
    return 0;
}

static bool add_link(reader *r, const MD_ATTRIBUTE *address) {
    md_doc *d = r->doc;
    char *copy = malloc((size_t)address->size + 1), **links = grow(d->links, d->n_links, sizeof *links);
    if (links) d->links = links;
    if (!copy || !links || d->n_links >= UINT16_MAX - 1) {
        free(copy);
        return copy && links; // too many for one piece of text: the rest are text
    }
    if (address->size) memcpy(copy, address->text, address->size);
    copy[address->size] = 0;
    links[d->n_links++] = copy;
    r->link = (uint16_t)d->n_links;
    return true;
}

static int mark_of(MD_SPANTYPE type) {
    switch (type) {
    case MD_SPAN_STRONG:
        return 0;
    case MD_SPAN_EM:
        return 1;
    case MD_SPAN_CODE:
        return 2;
    case MD_SPAN_DEL:
        return 3;
    case MD_SPAN_A:
    case MD_SPAN_IMG:
        return 4;
    default:
        return -1;
    }
}

static int enter_span(MD_SPANTYPE type, void *detail, void *user) {
    reader *r = user;
    int mark = mark_of(type);
    if (mark >= 0 && r->depth[mark]++ == 0) r->marks |= (uint8_t)(1 << mark);
    if (type == MD_SPAN_A) return add_link(r, &((MD_SPAN_A_DETAIL *)detail)->href) ? 0 : 1;
    if (type == MD_SPAN_IMG && !r->link) return add_link(r, &((MD_SPAN_IMG_DETAIL *)detail)->src) ? 0 : 1;
    return 0;
}

static int leave_span(MD_SPANTYPE type, void *detail, void *user) {
    (void)detail;
    reader *r = user;
    int mark = mark_of(type);
    if (mark >= 0 && --r->depth[mark] == 0) r->marks &= (uint8_t) ~(1 << mark);
    if (mark == 4 && r->depth[4] == 0) r->link = 0;
    return 0;
}

static size_t encode(uint32_t code, char *out) {
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
    if (code < 0x80) return out[0] = (char)code, 1;
    size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)((n == 2 ? 0xC0 : n == 3 ? 0xE0 : 0xF0) | code);
    return n;
}

/* The names that are met; others are shown as they stand. */
static size_t decode_entity(const char *text, size_t n, char *out) {
    static const struct {
        const char *name;
        uint32_t code;
    } names[] = {{"&amp;", '&'},      {"&lt;", '<'},        {"&gt;", '>'},       {"&quot;", '"'},     {"&apos;", '\''},
                 {"&nbsp;", 0xA0},    {"&copy;", 0xA9},     {"&reg;", 0xAE},     {"&deg;", 0xB0},     {"&times;", 0xD7},
                 {"&ndash;", 0x2013}, {"&mdash;", 0x2014},  {"&lsquo;", 0x2018}, {"&rsquo;", 0x2019}, {"&ldquo;", 0x201C},
                 {"&rdquo;", 0x201D}, {"&hellip;", 0x2026}, {"&euro;", 0x20AC},  {"&larr;", 0x2190},  {"&rarr;", 0x2192},
                 {"&le;", 0x2264},    {"&ge;", 0x2265},     {"&ne;", 0x2260},    {"&middot;", 0xB7},  {"&bull;", 0x2022}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i].name) == n && memcmp(names[i].name, text, n) == 0) return encode(names[i].code, out);
    if (n < 4 || text[1] != '#') return 0;
    uint32_t code = 0;
    bool hex = text[2] == 'x' || text[2] == 'X';
    for (size_t i = hex ? 3 : 2; i + 1 < n && code <= 0x10FFFF; i++) {
        char c = text[i];
        uint32_t digit = c >= '0' && c <= '9' ? (uint32_t)(c - '0') : ((uint32_t)c | 32) - 'a' + 10;
        code = code * (hex ? 16 : 10) + digit;
    }
    return encode(code, out);
}

static int take_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *user) {
    reader *r = user;
    char entity[4];
    size_t n;
    if (!r->open && !begin_block(r, MD_PARAGRAPH)) return 1; // a tight item has no paragraph of its own
    switch (type) {
    case MD_TEXT_BR:
    case MD_TEXT_SOFTBR: // models end lines where they mean it
        return put_run(r, "\n", 1, r->marks, WORD_PLAIN) ? 0 : 1;
    case MD_TEXT_NULLCHAR:
        return put_run(r, "\xEF\xBF\xBD", 3, r->marks, WORD_PLAIN) ? 0 : 1;
    case MD_TEXT_ENTITY:
        n = decode_entity(text, size, entity);
        return (n ? put_text(r, entity, n, r->marks, WORD_PLAIN) : put_text(r, text, size, r->marks, WORD_PLAIN)) ? 0 : 1;
    default:
        return put_text(r, text, size, r->marks, WORD_PLAIN) ? 0 : 1;
    }
}

/* md4c wants three dashes under a table's head; models, and others' readers, are content with one. */
static bool is_rule_of_table(const char *line, size_t n) {
    bool bar = false, dash = false;
    for (size_t i = 0; i < n; i++) {
        if (!strchr("|-: \t\r>", line[i]) || !line[i]) return false;
        bar = bar || line[i] == '|';
        dash = dash || line[i] == '-';
    }
    return bar && dash;
}

static bool put_rule(md_out *out, const char *line, size_t n) {
    bool good = true;
    for (size_t i = 0; i < n && good; i++) {
        bool alone = line[i] == '-' && (i == 0 || line[i - 1] != '-') && (i + 2 >= n || line[i + 1] != '-' || line[i + 2] != '-');
        good = md_put(out, alone ? "---" : line + i, alone ? 3 : 1);
    }
    return good;
}

static bool widen_tables(md_out *text) {
    if (!text->n_bytes || !memchr(text->text, '|', text->n_bytes)) return true;
    md_out wide = {0};
    bool good = true;
    for (size_t at = 0; at < text->n_bytes && good;) {
        const char *line = text->text + at, *newline = memchr(line, '\n', text->n_bytes - at);
        size_t n = newline ? (size_t)(newline + 1 - line) : text->n_bytes - at, seen = newline ? n - 1 : n;
        if (is_rule_of_table(line, seen))
            good = put_rule(&wide, line, seen) && md_put(&wide, "\n", newline ? 1 : 0);
        else
            good = md_put(&wide, line, n);
        at += n;
    }
    free(text->text);
    *text = wide;
    return good;
}

md_doc *md_read(const char *source, size_t n_bytes) {
    static const MD_PARSER parser = {.flags = MD_DIALECT_GITHUB | MD_FLAG_NOHTML,
                                     .enter_block = enter_block,
                                     .leave_block = leave_block,
                                     .enter_span = enter_span,
                                     .leave_span = leave_span,
                                     .text = take_text};
    reader r = {.doc = calloc(1, sizeof *r.doc)};
    md_out told = {0};
    if (!r.doc) return NULL;
    bool good = n_bytes < UINT32_MAX / 4 && latex_tell(&told, source, n_bytes) && widen_tables(&told);
    good = good && (told.n_bytes == 0 || md_parse(told.text, (MD_SIZE)told.n_bytes, &parser, &r) == 0);
    free(told.text);
    return finish(&r, good);
}

md_doc *md_plain(const char *text, size_t n_bytes) {
    reader r = {.doc = calloc(1, sizeof *r.doc)};
    if (!r.doc) return NULL;
    return finish(&r, begin_block(&r, MD_PARAGRAPH) && put_text(&r, text, n_bytes, 0, WORD_PLAIN));
}

md_doc *md_code(const char *text, size_t n_bytes, const char *language) {
    reader r = {.doc = calloc(1, sizeof *r.doc)};
    if (!r.doc) return NULL;
    bool good = begin_block(&r, MD_CODE) && put_text(&r, text, n_bytes, 0, WORD_PLAIN);
    if (good) {
        snprintf(r.doc->blocks[0].language, sizeof r.doc->blocks[0].language, "%s", language);
        good = end_code(&r);
    }
    return finish(&r, good);
}

void md_free(md_doc **doc_in) {
    md_doc *doc = *doc_in;
    if (!doc) return;
    for (uint32_t i = 0; i < doc->n_links; i++) free(doc->links[i]);
    free(doc->links);
    free(doc->text);
    free(doc->blocks);
    free(doc->cells);
    free(doc->runs);
    free(doc);
    *doc_in = NULL;
}

/* ---- back to Markdown */

static bool put_string(md_out *out, const char *text) { return md_put(out, text, strlen(text)); }

static bool put_mark(md_out *out, const md_doc *doc, const md_run *run, bool opens) {
    static const char *const marks[] = {"**", "*", "`", "~~"};
    bool good = true;
    if (opens && run->link) good = put_string(out, "[");
    for (int i = 0; i < 4; i++) {
        int mark = opens ? i : 3 - i;
        if (run->marks & 1 << mark) good = good && put_string(out, marks[mark]);
    }
    if (!opens && run->link)
        good = good && put_string(out, "](") && put_string(out, doc->links[run->link - 1]) && put_string(out, ")");
    return good;
}

static bool put_runs(md_out *out, const md_doc *doc, uint32_t begin, uint32_t end) {
    bool good = true;
    for (uint32_t i = 0; i < doc->n_runs && good; i++) {
        const md_run *run = &doc->runs[i];
        uint32_t from = run->begin > begin ? run->begin : begin, to = run->end < end ? run->end : end;
        if (from < to)
            good = put_mark(out, doc, run, true) && md_put(out, doc->text + from, to - from) && put_mark(out, doc, run, false);
    }
    return good;
}

static bool put_prefix(md_out *out, const md_block *b, bool first) {
    bool good = true;
    for (int i = 0; i < b->quotes; i++) good = good && put_string(out, "> ");
    for (int i = 1; i < b->indent; i++) good = good && put_string(out, "   ");
    if (b->indent && first && b->marker[0]) {
        bool number = b->marker[0] >= '0' && b->marker[0] <= '9', task = strncmp(b->marker, "\xE2\x98", 2) == 0;
        good = good && put_string(out, number ? b->marker : "-") && put_string(out, " ");
        if (task) good = good && put_string(out, b->marker[2] == '\x91' ? "[x] " : "[ ] ");
    } else if (b->indent) {
        good = good && put_string(out, "   ");
    }
    for (int i = 0; b->kind == MD_HEADING && i < b->level; i++) good = good && put_string(out, "#");
    return good && (b->kind != MD_HEADING || put_string(out, " "));
}

static const md_block *block_of(const md_doc *doc, uint32_t cell) {
    for (uint32_t i = 0; i < doc->n_blocks; i++)
        if (cell >= doc->blocks[i].first_cell && cell < doc->blocks[i].first_cell + doc->blocks[i].n_cells)
            return &doc->blocks[i];
    return NULL;
}

static bool put_field(md_out *out, const md_doc *doc, const md_block *b, uint32_t cell, uint32_t begin, uint32_t end) {
    const md_cell *c = &doc->cells[cell];
    bool good =
        (c->column || put_string(out, "|")) && put_string(out, " ") && put_runs(out, doc, begin, end) && put_string(out, " |");
    if (!good || c->column + 1 != b->n_columns || c->row != 0) return good;
    good = put_string(out, "\n|");
    for (uint32_t i = 0; i < b->n_columns && good; i++) {
        char align = doc->cells[b->first_cell + i].align;
        good = put_string(out, align == 'r' ? " --: |" : align == 'c' ? " :-: |" : " --- |");
    }
    return good;
}

bool md_put_cell(md_out *out, const md_doc *doc, uint32_t cell, uint32_t begin, uint32_t end, bool markdown) {
    const md_block *b = block_of(doc, cell);
    if (!b) return true;
    if (!markdown) {
        bool first = begin == doc->cells[cell].begin && cell == b->first_cell && b->marker[0];
        return (!first || (put_string(out, b->marker) && put_string(out, " "))) && md_put(out, doc->text + begin, end - begin);
    }
    if (b->kind == MD_TABLE) return put_field(out, doc, b, cell, begin, end);
    bool good = put_prefix(out, b, begin == doc->cells[cell].begin);
    if (b->kind != MD_CODE) return good && put_runs(out, doc, begin, end);
    return good && put_string(out, "```") && put_string(out, b->language) && put_string(out, "\n") &&
           md_put(out, doc->text + begin, end - begin) && put_string(out, "\n```");
}
