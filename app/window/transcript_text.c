/* The transcript's text: places in it, copying, searching. */
#include "transcript_parts.h"

#include <stdlib.h>
#include <string.h>

int text_place_compare(const text_place *a, const text_place *b) {
    if (a->message != b->message) return a->message < b->message ? -1 : 1;
    if (a->section != b->section) return a->section < b->section ? -1 : 1;
    if (a->cell != b->cell) return a->cell < b->cell ? -1 : 1;
    return a->byte == b->byte ? 0 : a->byte < b->byte ? -1 : 1;
}

static bool has_text(const message *m, const section *s) { return s->kind != SECTION_THOUGHT && !transcript_hidden(m, s); }

bool transcript_ends(const transcript *t, text_place *first, text_place *last) {
    bool found = false;
    for (size_t i = 0; i < t->n; i++)
        for (uint32_t s = 0; s < t->messages[i].sections.n; s++)
            if (has_text(&t->messages[i], &t->messages[i].sections.all[s])) {
                if (!found) *first = (text_place){(uint32_t)i, s, 0, 0};
                *last = (text_place){(uint32_t)i, s, UINT32_MAX, UINT32_MAX};
                found = true;
            }
    return found;
}

void transcript_select(transcript *t, text_place from, text_place to) {
    bool turned = text_place_compare(&from, &to) > 0;
    t->from = turned ? to : from;
    t->to = turned ? from : to;
}

/* ---- moving */

/* The next section with a text, or the one before. */
static bool other_section(const transcript *t, text_place *place, int by) {
    int64_t m = place->message, s = (int64_t)place->section + by;
    for (; m >= 0 && m<(int64_t)t->n; m += by, s = by> 0 || m < 0 || m >= (int64_t)t->n ? 0
                                                                                        : (int64_t)t->messages[m].sections.n - 1)
        for (; s >= 0 && s < (int64_t)t->messages[m].sections.n; s += by)
            if (has_text(&t->messages[m], &t->messages[m].sections.all[s])) {
                *place = (text_place){(uint32_t)m, (uint32_t)s, 0, 0};
                return true;
            }
    return false;
}

static const laid *laid_of(transcript *t, fonts *f, const text_place *place) {
    if (place->message >= t->n || place->section >= t->messages[place->message].sections.n) return NULL;
    transcript_lay_out(t, f, place->message, place->section);
    return t->messages[place->message].sections.all[place->section].laid;
}

/* To the next cell's beginning, or the end of the one before. */
static bool other_cell(transcript *t, fonts *f, text_place *place, int by) {
    const laid *l = laid_of(t, f, place);
    if (!l) return false;
    text_place to = *place;
    if (by > 0 ? place->cell + 1 < l->doc->n_cells : place->cell > 0) {
        to.cell += (uint32_t)by;
    } else {
        do {
            if (!other_section(t, &to, by)) return false;
            l = laid_of(t, f, &to);
        } while (!l || l->doc->n_cells == 0);
        to.cell = by > 0 ? 0 : l->doc->n_cells - 1;
    }
    to.byte = by > 0 ? l->doc->cells[to.cell].begin : l->doc->cells[to.cell].end;
    *place = to;
    return true;
}

static void step_line(transcript *t, fonts *f, text_place *place, int by) {
    const laid *l = laid_of(t, f, place);
    const layout *lines = &l->cells[place->cell].layout;
    uint32_t line = layout_line_of(lines, place->byte);
    int x = l->cells[place->cell].x + layout_x(lines, f, l->doc->text, line, place->byte);
    if (by > 0 ? line + 1 < lines->n_lines : line > 0) {
        line += (uint32_t)by;
    } else {
        if (!other_cell(t, f, place, by)) return;
        l = laid_of(t, f, place);
        lines = &l->cells[place->cell].layout;
        line = by > 0 || !lines->n_lines ? 0 : lines->n_lines - 1;
    }
    if (lines->n_lines) place->byte = layout_byte_at(lines, f, l->doc->text, line, x - l->cells[place->cell].x);
}

void transcript_step(transcript *t, fonts *f, text_place *place, text_step step) {
    const laid *l = laid_of(t, f, place);
    if (!l || l->doc->n_cells == 0) return;
    if (place->cell >= l->doc->n_cells) place->cell = l->doc->n_cells - 1;
    const md_cell *c = &l->doc->cells[place->cell];
    if (place->byte > c->end) place->byte = c->end;
    if (place->byte < c->begin) place->byte = c->begin;
    const layout *lines = &l->cells[place->cell].layout;
    const layout_line *line = &lines->lines[layout_line_of(lines, place->byte)];
    uint32_t code;
    switch (step) {
    case STEP_LEFT:
        if (place->byte == c->begin) {
            other_cell(t, f, place, -1);
        } else {
            do place->byte--;
            while (place->byte > c->begin && ((unsigned char)l->doc->text[place->byte] & 0xC0) == 0x80);
        }
        break;
    case STEP_RIGHT:
        if (place->byte >= c->end)
            other_cell(t, f, place, 1);
        else
            place->byte += (uint32_t)fonts_next(l->doc->text + place->byte, c->end - place->byte, &code);
        break;
    case STEP_UP:
    case STEP_DOWN:
        step_line(t, f, place, step == STEP_UP ? -1 : 1);
        break;
    case STEP_LINE_START:
        place->byte = line->begin;
        break;
    case STEP_LINE_END:
        place->byte = line->end > line->begin && l->doc->text[line->end - 1] == '\n' ? line->end - 1 : line->end;
        break;
    }
}

/* ---- copying */

/* What stands between a cell and the one before it. */
static bool put_gap(md_out *out, const md_doc *doc, uint32_t cell, bool markdown) {
    uint32_t b = 0;
    while (b + 1 < doc->n_blocks && doc->blocks[b + 1].first_cell <= cell) b++;
    const md_block *block = &doc->blocks[b];
    if (block->kind == MD_TABLE && cell > block->first_cell) {
        bool row = doc->cells[cell].column == 0;
        return md_put(out, row ? "\n" : "\t", markdown && !row ? 0 : 1);
    }
    bool tight = block->indent && b && doc->blocks[b - 1].indent;
    return md_put(out, "\n\n", markdown && !tight ? 2 : 1);
}

static bool put_section(md_out *out, const message *m, const section *s, uint32_t first, uint32_t begin, uint32_t last,
                        uint32_t end, bool markdown) {
    md_doc *read = s->laid ? NULL : transcript_read_section(m, s);
    const md_doc *doc = s->laid ? s->laid->doc : read;
    bool good = doc != NULL;
    for (uint32_t c = first; good && c < doc->n_cells && c <= last; c++) {
        const md_cell *cell = &doc->cells[c];
        uint32_t from = c == first && begin > cell->begin ? begin : cell->begin,
                 to = c == last && end < cell->end ? end : cell->end;
        if (from > to) from = to;
        good = (c == first || put_gap(out, doc, c, markdown)) && md_put_cell(out, doc, c, from, to, markdown);
    }
    md_free(&read);
    return good;
}

char *transcript_copy(const transcript *t, text_place from, text_place to, bool markdown) {
    if (text_place_compare(&from, &to) > 0) {
        text_place swapped = from;
        from = to;
        to = swapped;
    }
    md_out out = {0};
    bool good = md_put(&out, "", 0), any = false;
    for (uint32_t i = from.message; good && i <= to.message && i < t->n; i++) {
        const message *m = &t->messages[i];
        uint32_t s = i == from.message ? from.section : 0, last = i == to.message ? to.section : UINT32_MAX;
        for (; good && s < m->sections.n && s <= last; s++) {
            const section *at = &m->sections.all[s];
            if (!has_text(m, at)) continue;
            bool first = i == from.message && s == from.section, end = i == to.message && s == to.section;
            bool whole_code = at->kind == SECTION_CODE && markdown && !first && !end;
            if (any) good = md_put(&out, "\n\n", at->joins ? 1 : 2);
            if (at->joins && markdown && !whole_code && out.n_bytes > 5 && memcmp(out.text + out.n_bytes - 5, "\n```\n", 5) == 0)
                out.n_bytes -= 4;
            good = good && put_section(&out, m, at, first ? from.cell : 0, first ? from.byte : 0, end ? to.cell : UINT32_MAX,
                                       end ? to.byte : UINT32_MAX, markdown);
            any = true;
        }
    }
    if (!good) free(out.text);
    return good ? out.text : NULL;
}

char *transcript_copy_target(const transcript *t, const click_target *what) {
    const message *m = &t->messages[what->message];
    if (what->kind != TARGET_COPY_CODE) return NULL;
    uint32_t s = what->section, begin = m->sections.all[s].begin;
    while (s + 1 < m->sections.n && m->sections.all[s + 1].joins) s++;
    return strndup(m->text + begin, m->sections.all[s].end - begin);
}

/* ---- searching */

/* One case, in the scripts that have two. */
static uint32_t fold(uint32_t code) {
    if (code >= 'A' && code <= 'Z') return code + 32;
    if ((code >= 0xC0 && code <= 0xDE && code != 0xD7) || (code >= 0x391 && code <= 0x3A9) || (code >= 0x410 && code <= 0x42F))
        return code + 32;
    if (code >= 0x400 && code <= 0x40F) return code + 80;
    if (code >= 0x100 && code <= 0x17F && code != 0x138 && code != 0x149) return code | 1;
    return code;
}

static bool matches(const char *text, uint32_t n, const char *query, uint32_t n_query, uint32_t *length) {
    uint32_t at = 0, q = 0, a, b;
    while (q < n_query) {
        if (at >= n) return false;
        at += (uint32_t)fonts_next(text + at, n - at, &a);
        q += (uint32_t)fonts_next(query + q, n_query - q, &b);
        if (a != b && fold(a) != fold(b)) return false;
    }
    *length = at;
    return true;
}

uint32_t transcript_search(const char *text, uint32_t at, uint32_t end, const char *query, uint32_t *n) {
    uint32_t n_query = (uint32_t)strlen(query);
    unsigned char first = (unsigned char)query[0], low = first >= 'A' && first <= 'Z' ? (unsigned char)(first + 32) : first;
    unsigned char high = low >= 'a' && low <= 'z' ? (unsigned char)(low - 32) : low;
    for (; at < end; at++) {
        unsigned char c = (unsigned char)text[at];
        if ((c != low && c != high && (first < 0x80 || c < 0x80)) || (c & 0xC0) == 0x80) continue;
        if (matches(text + at, end - at, query, n_query, n)) return at;
    }
    return end;
}

static bool add_hit(transcript *t, text_place place) {
    if (t->n_hits == t->hit_capacity) {
        size_t capacity = t->hit_capacity ? 2 * t->hit_capacity : 64;
        text_place *hits = realloc(t->hits, capacity * sizeof *hits);
        if (!hits) return false;
        t->hits = hits;
        t->hit_capacity = capacity;
    }
    t->hits[t->n_hits++] = place;
    return true;
}

static void search_section(transcript *t, uint32_t m, uint32_t s) {
    const message *in = &t->messages[m];
    const section *at = &in->sections.all[s];
    if (at->kind == SECTION_THOUGHT) return;
    md_doc *read = at->laid ? NULL : transcript_read_section(in, at);
    const md_doc *doc = at->laid ? at->laid->doc : read;
    for (uint32_t c = 0; doc && c < doc->n_cells; c++) {
        uint32_t length = 1, end = doc->cells[c].end;
        for (uint32_t i = doc->cells[c].begin; (i = transcript_search(doc->text, i, end, t->query, &length)) < end; i += length)
            if (!add_hit(t, (text_place){m, s, c, i})) break;
    }
    md_free(&read);
}

size_t transcript_find(transcript *t, const char *query) {
    free(t->query);
    t->query = query && *query ? strdup(query) : NULL;
    t->n_hits = t->hit_now = 0;
    if (!t->query) return 0;
    for (uint32_t i = 0; i < t->n; i++)
        for (uint32_t s = 0; s < t->messages[i].sections.n; s++) search_section(t, i, s);
    return t->n_hits;
}

text_place transcript_found(transcript *t, size_t i) {
    t->hit_now = i < t->n_hits ? i : 0;
    return t->n_hits ? t->hits[t->hit_now] : (text_place){0};
}
