#include "transcript_parts.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

transcript *transcript_create(void) { return calloc(1, sizeof(transcript)); }

static void drop(section *s) { laid_free(&s->laid); }

void transcript_clear(transcript *t) {
    for (size_t i = 0; i < t->n; i++) {
        for (uint32_t s = 0; s < t->messages[i].sections.n; s++) drop(&t->messages[i].sections.all[s]);
        free(t->messages[i].sections.all);
        free(t->messages[i].text);
    }
    t->n = t->first_dirty = t->n_hits = t->hit_now = 0;
    t->n_turns = 0;
    t->height = 0;
    t->from = t->to = (text_place){0};
    t->has_anchor = false;
}

void transcript_destroy(transcript **t) {
    if (!*t) return;
    transcript_clear(*t);
    free((*t)->messages);
    free((*t)->query);
    free((*t)->hits);
    free(*t);
    *t = NULL;
}

static bool append_to(transcript *t, size_t i, const char *text) {
    message *m = &t->messages[i];
    size_t n = strlen(text);
    if (m->n_bytes + n + 1 > m->capacity) {
        size_t capacity = (m->n_bytes + n) + (m->n_bytes + n) / (m->n_bytes ? 1 : 16) + 64;
        char *grown = realloc(m->text, capacity);
        if (!grown) return false;
        m->text = grown;
        m->capacity = capacity;
    }
    memcpy(m->text + m->n_bytes, text, n + 1);
    m->n_bytes += n;
    if (t->first_dirty > i) t->first_dirty = i;
    return true;
}

bool transcript_append(transcript *t, const char *text) {
    for (size_t i = t->n; i-- > 0;)
        if (t->messages[i].turn >= 0) return append_to(t, i, text);
    return false;
}

bool transcript_add(transcript *t, message_kind kind, const char *text) {
    if (t->n == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 32;
        message *messages = realloc(t->messages, capacity * sizeof *messages);
        if (!messages) return false;
        t->messages = messages;
        t->capacity = capacity;
    }
    bool turn = kind == MESSAGE_USER || kind == MESSAGE_ASSISTANT;
    t->messages[t->n++] = (message){.kind = kind, .turn = turn ? t->n_turns++ : -1, .sections.plain = kind != MESSAGE_ASSISTANT};
    if (t->first_dirty > t->n - 1) t->first_dirty = t->n - 1;
    return append_to(t, t->n - 1, text);
}

char *transcript_markdown(const transcript *t) {
    size_t n = 1;
    for (size_t i = 0; i < t->n; i++) n += t->messages[i].n_bytes + 32;
    char *all = malloc(n), *at = all;
    if (!all) return NULL;
    *at = 0;
    for (size_t i = 0; i < t->n; i++) {
        const message *m = &t->messages[i];
        if (m->kind == MESSAGE_USER || m->kind == MESSAGE_ASSISTANT)
            at += sprintf(at, "**%s**\n\n%s\n\n", m->kind == MESSAGE_USER ? "You" : "Pumice", m->text);
    }
    return all;
}

/* ---- heights */

int transcript_inset(const transcript *t) { return t->line_height / 2; }
int transcript_text_top(const transcript *t, const message *m) { return m->y + transcript_inset(t) / 2 + t->line_height; }
bool transcript_hidden(const message *m, const section *s) { return s->thought && s->kind != SECTION_THOUGHT && !m->unfolded; }

/* The lines that a text will have, more or less: of letters half as wide as high. */
static int guess_lines(const char *text, size_t n, int columns) {
    int lines = 1, used = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            lines++;
            used = 0;
        } else if ((c & 0xC0) != 0x80) {
            used += c >= 0xE0 ? 2 : 1;
            if (used > columns) {
                lines++;
                used = 0;
            }
        }
    }
    return lines;
}

static bool goes_on(const message *m, size_t i) { return i + 1 < m->sections.n && m->sections.all[i + 1].joins; }

static bool is_laid(const message *m, size_t i) {
    const section *s = &m->sections.all[i];
    return s->kind == SECTION_THOUGHT || transcript_hidden(m, s) ||
           (s->laid && s->laid_end == s->end && s->laid_ends == !goes_on(m, i));
}

static int guess(const transcript *t, const message *m, const section *s) {
    if (s->kind == SECTION_THOUGHT) return t->line_height * 3 / 2;
    int columns = (t->width - 2 * transcript_inset(t)) * 3 / t->line_height;
    return guess_lines(m->text + s->begin, s->end - s->begin, columns > 8 ? columns : 8) * t->line_height +
           (s->kind == SECTION_CODE && !s->joins ? 2 : 0) * t->line_height + t->line_height / 2;
}

/* Adds the heights up, of the messages from one on. */
void transcript_place(transcript *t, size_t from) {
    int y = from ? t->messages[from - 1].y + t->messages[from - 1].height : 0;
    for (size_t i = from; i < t->n; i++) {
        message *m = &t->messages[i];
        m->y = y;
        if (!m->counted) {
            int inner = 0;
            for (uint32_t s = 0; s < m->sections.n; s++) {
                section *at = &m->sections.all[s];
                at->y = inner;
                inner += transcript_hidden(m, at) ? 0 : at->height;
            }
            if (m->sections.n == 0) inner = t->line_height;
            // A line for who speaks, the text, and room below.
            m->height = inner + t->line_height + transcript_inset(t) * 3 / 2;
            m->counted = true;
        }
        y += m->height;
    }
    t->height = y;
}

static void read_message(transcript *t, message *m) {
    // Sections that are new, or have grown without having been seen, get a guess.
    size_t before = m->n_read;
    if (!sections_read(&m->sections, m->text, m->n_bytes, drop)) return;
    m->n_read = m->n_bytes;
    for (uint32_t i = m->sections.n; i-- > 0;) {
        section *s = &m->sections.all[i];
        if (s->end < before && !t->stale && s->height) break;
        if (!s->laid) s->height = guess(t, m, s);
    }
    m->counted = false;
}

void transcript_invalidate(transcript *t) { t->stale = true; }

/* What is at the top stays there. */
static void set_anchor(transcript *t) {
    if (t->has_anchor) return;
    for (size_t i = 0; i < t->n && !t->has_anchor; i++) {
        const message *m = &t->messages[i];
        if (m->y + m->height <= t->last_scroll) continue;
        int top = transcript_text_top(t, m);
        for (uint32_t s = 0; s < m->sections.n; s++) {
            const section *at = &m->sections.all[s];
            if (top + at->y + at->height <= t->last_scroll || !at->height) continue;
            t->anchor_message = i;
            t->anchor_section = s;
            t->anchor_part = (float)(t->last_scroll - top - at->y) / (float)at->height;
            t->has_anchor = t->anchor_part >= 0 || s > 0 || i > 0;
            if (t->anchor_part < 0) t->anchor_part = 0;
            return;
        }
    }
}

static void guess_all(transcript *t) {
    for (size_t i = 0; i < t->n; i++) {
        message *m = &t->messages[i];
        for (uint32_t s = 0; s < m->sections.n; s++) {
            drop(&m->sections.all[s]);
            m->sections.all[s].height = guess(t, m, &m->sections.all[s]);
        }
        m->counted = false;
    }
}

void transcript_layout(transcript *t, fonts *f, int width) {
    int line_height = fonts_line_height(f);
    bool stale = t->stale || width != t->width || line_height != t->line_height;
    if (stale && t->width > 0) set_anchor(t);
    t->stale = stale;
    t->width = width;
    t->line_height = line_height;
    for (size_t i = t->first_dirty; i < t->n; i++)
        if (t->messages[i].n_read != t->messages[i].n_bytes || t->messages[i].n_bytes == 0) read_message(t, &t->messages[i]);
    if (stale) guess_all(t);
    transcript_place(t, stale ? 0 : t->first_dirty);
    t->first_dirty = t->n;
    t->stale = false;
}

int transcript_height(const transcript *t) { return t->height; }

md_doc *transcript_read_section(const message *m, const section *s) {
    const char *text = m->text + s->begin;
    size_t n = s->end - s->begin;
    if (s->kind == SECTION_CODE) {
        char language[24] = {0};
        memcpy(language, m->text + s->language, s->n_language);
        return md_code(text, n, language);
    }
    return m->sections.plain ? md_plain(text, n) : md_read(text, n);
}

void transcript_lay_out(transcript *t, fonts *f, size_t message_index, size_t i) {
    message *m = &t->messages[message_index];
    section *s = &m->sections.all[i];
    if (is_laid(m, i)) return;
    drop(s);
    laid_params p = {
        .width = t->width - 2 * transcript_inset(t), .code = s->kind == SECTION_CODE, .joins = s->joins, .ends = !goes_on(m, i)};
    s->laid = laid_build(f, transcript_read_section(m, s), &p);
    s->laid_end = s->end;
    s->laid_ends = p.ends;
    int height = s->laid ? s->laid->height : s->height;
    if (height == s->height) return;
    s->height = height;
    m->counted = false;
    transcript_place(t, message_index);
}

/* The first message that reaches below y, by halves: the cost follows what is visible. */
static size_t first_message(const transcript *t, int y) {
    size_t low = 0, high = t->n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (t->messages[middle].y + t->messages[middle].height <= y)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t first_section(const message *m, int y) {
    size_t low = 0, high = m->sections.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->sections.all[middle].y + m->sections.all[middle].height <= y)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

typedef struct seen {
    size_t message, section;
    bool there;
} seen;

/* The first section that is seen and laid out, or is not: from the top, or (last) from the bottom. */
static seen find_seen(const transcript *t, int scroll, int height, bool ready, bool last) {
    seen found = {0};
    for (size_t i = first_message(t, scroll); i < t->n && t->messages[i].y < scroll + height; i++) {
        const message *m = &t->messages[i];
        int top = transcript_text_top(t, m);
        for (size_t s = first_section(m, scroll - top); s < m->sections.n && top + m->sections.all[s].y < scroll + height; s++) {
            if (is_laid(m, s) != ready || (ready && !m->sections.all[s].laid)) continue;
            found = (seen){i, s, true};
            if (!last) return found;
        }
    }
    return found;
}

/* Lays out one section that is seen and is not laid out. What was seen before stays where it is: stays. Returns whether there was
 * one. */
static bool settle_one(transcript *t, fonts *f, int *scroll, int height, bool sticks, const seen *stays) {
    seen next = find_seen(t, *scroll, height, false, sticks);
    if (!next.there) return false;
    const message *m = &t->messages[next.message];
    const section *s = &m->sections.all[next.section];
    int before = s->height, top = transcript_text_top(t, m) + s->y;
    bool guessed = !s->laid,
         above = next.message < stays->message || (next.message == stays->message && next.section < stays->section);
    transcript_lay_out(t, f, next.message, next.section);
    s = &t->messages[next.message].sections.all[next.section];
    if (guessed && !sticks && (stays->there ? above : top < *scroll)) *scroll += s->height - before;
    return s->laid != NULL;
}

/* Where to scroll so that the anchor is at the top. */
static int anchored(transcript *t, fonts *f, int scroll) {
    if (t->anchor_message >= t->n || t->anchor_section >= t->messages[t->anchor_message].sections.n) return scroll;
    transcript_lay_out(t, f, t->anchor_message, t->anchor_section);
    const message *m = &t->messages[t->anchor_message];
    const section *s = &m->sections.all[t->anchor_section];
    return transcript_text_top(t, m) + s->y + (int)(t->anchor_part * (float)s->height);
}

int transcript_settle(transcript *t, fonts *f, int scroll, int height, bool sticks) {
    enum { MOST_SECTIONS = 2000 };
    if (t->has_anchor && !sticks) scroll = anchored(t, f, scroll);
    t->has_anchor = false;
    seen stays = find_seen(t, scroll, height, true, false);
    for (int i = 0; i < MOST_SECTIONS; i++) {
        int bottom = t->height - height;
        if (sticks || scroll > bottom) scroll = bottom;
        if (scroll < 0) scroll = 0;
        if (!settle_one(t, f, &scroll, height, sticks, &stays)) break;
    }
    t->last_scroll = scroll;
    return scroll;
}

/* ---- drawing */

static text_place place_of(size_t m, size_t s) { return (text_place){(uint32_t)m, (uint32_t)s, 0, 0}; }

static bool selection_mark(const transcript *t, size_t m, size_t s, SDL_Color color, laid_mark *mark) {
    text_place begin = place_of(m, s), end = {(uint32_t)m, (uint32_t)s, UINT32_MAX, UINT32_MAX};
    if (text_place_compare(&t->from, &t->to) == 0) return false;
    if (text_place_compare(&t->to, &begin) <= 0 || text_place_compare(&t->from, &end) > 0) return false;
    if (text_place_compare(&t->from, &begin) > 0) begin = t->from;
    if (text_place_compare(&t->to, &end) < 0) end = t->to;
    *mark = (laid_mark){begin.cell, begin.byte, end.cell, end.byte, color};
    return true;
}

enum { MOST_MARKS = 64 };

static size_t find_marks(const transcript *t, size_t m, size_t s, const theme *colors, laid_mark *marks) {
    size_t n = 0;
    const md_doc *doc = t->messages[m].sections.all[s].laid->doc;
    for (uint32_t c = 0; t->query && c < doc->n_cells; c++) {
        uint32_t length, end = doc->cells[c].end;
        for (uint32_t at = doc->cells[c].begin; n < MOST_MARKS - 1; at += length) {
            at = transcript_search(doc->text, at, end, t->query, &length);
            if (at >= end) break;
            text_place here = {(uint32_t)m, (uint32_t)s, c, at};
            bool now = t->hit_now < t->n_hits && text_place_compare(&t->hits[t->hit_now], &here) == 0;
            marks[n++] = (laid_mark){c, at, c, at + length, now ? colors->mark_now : colors->mark};
        }
    }
    if (selection_mark(t, m, s, colors->selection, &marks[n])) n++;
    return n;
}

static void draw_code_head(const message *m, const section *s, fonts *f, const theme *colors, draw_list *list, int x, int y,
                           int width) {
    int pad = fonts_line_height(f) / 3, line = fonts_line_height(f);
    const char *label = say(W_COPY);
    int copy = fonts_width(f, label, strlen(label));
    draw_text(list, x + pad, y + pad / 4, m->text + s->language, s->n_language, colors->faint);
    draw_text(list, x + width - pad - copy, y + pad / 4, label, strlen(label), colors->accent);
    draw_rect(list, (SDL_Rect){x, y + line + pad / 3, width, 1}, colors->border);
}

static void draw_section(const transcript *t, size_t mi, size_t si, fonts *f, const theme *colors, SDL_Color ink, draw_list *list,
                         SDL_Rect area, int x, int y) {
    const message *m = &t->messages[mi];
    const section *s = &m->sections.all[si];
    if (s->kind == SECTION_THOUGHT) {
        const char *mark = m->unfolded ? "\xE2\x96\xBE " : "\xE2\x96\xB8 ", *label = say(W_THOUGHTS);
        draw_text(list, x, y, mark, strlen(mark), colors->faint);
        draw_text(list, x + fonts_width(f, mark, strlen(mark)), y, label, strlen(label), colors->faint);
        return;
    }
    if (transcript_hidden(m, s) || !s->laid) return;
    laid_mark marks[MOST_MARKS];
    size_t n_marks = find_marks(t, mi, si, colors, marks);
    laid_draw(s->laid, f, colors, s->thought ? colors->faint : ink, list, area, x, y, marks, n_marks);
    if (s->kind == SECTION_CODE && !s->joins) draw_code_head(m, s, f, colors, list, x, y, t->width - 2 * transcript_inset(t));
}

static void draw_message(const transcript *t, size_t i, fonts *f, const theme *colors, draw_list *list, SDL_Rect area, int top) {
    static const word names[] = {W_YOU, W_PUMICE, W_NOTE, W_ERROR};
    const message *m = &t->messages[i];
    int inset = transcript_inset(t), x = area.x + inset;
    SDL_Color ink = m->kind == MESSAGE_ERROR ? colors->error : m->kind == MESSAGE_NOTICE ? colors->faint : colors->text;
    if (m->kind == MESSAGE_USER) draw_rect(list, (SDL_Rect){area.x, top, area.w, m->height - inset}, colors->bubble);
    SDL_Color name = m->kind == MESSAGE_ERROR ? colors->error : m->kind == MESSAGE_ASSISTANT ? colors->accent : colors->faint;
    draw_text(list, x, top + inset / 2, say(names[m->kind]), strlen(say(names[m->kind])), name);
    int text_top = top + inset / 2 + t->line_height;
    for (size_t s = first_section(m, area.y - text_top); s < m->sections.n && text_top + m->sections.all[s].y < area.y + area.h;
         s++)
        draw_section(t, i, s, f, colors, ink, list, area, x, text_top + m->sections.all[s].y);
}

void transcript_draw(const transcript *t, fonts *f, const theme *colors, draw_list *list, SDL_Rect area, int scroll) {
    draw_clip(list, area);
    for (size_t i = first_message(t, scroll); i < t->n && t->messages[i].y < scroll + area.h; i++)
        draw_message(t, i, f, colors, list, area, area.y + t->messages[i].y - scroll);
    draw_clip(list, (SDL_Rect){0});
}

/* ---- what is where */

bool transcript_next_head(const transcript *t, fonts *f, SDL_Rect area, int scroll, size_t *at, transcript_head *head) {
    if (*at == 0) *at = first_message(t, scroll);
    if (*at >= t->n || t->messages[*at].y >= scroll + area.h) return false;
    const message *m = &t->messages[*at];
    int inset = transcript_inset(t), name = fonts_line_height(f) * 4;
    *head = (transcript_head){
        .message = *at,
        .turn = m->turn,
        .kind = m->kind,
        .line = {area.x + inset + name, area.y + m->y - scroll + inset / 2, area.w - 2 * inset - name, t->line_height}};
    ++*at;
    return true;
}

const char *transcript_message(const transcript *t, size_t i) { return i < t->n ? t->messages[i].text : ""; }

click_target transcript_target(const transcript *t, fonts *f, SDL_Rect area, int scroll, int x, int y) {
    click_target what = {0};
    if (x < area.x || y < area.y || x >= area.x + area.w || y >= area.y + area.h) return what;
    int at = y - area.y + scroll, inset = transcript_inset(t), right = area.x + area.w - inset,
        copy = fonts_width(f, say(W_COPY), strlen(say(W_COPY)));
    size_t i = first_message(t, at);
    if (i >= t->n || at < t->messages[i].y) return what;
    const message *m = &t->messages[i];
    what.message = (uint32_t)i;
    int inner = at - transcript_text_top(t, m);
    if (inner < 0) return what;
    what.kind = TARGET_TEXT;
    size_t s = first_section(m, inner);
    if (s >= m->sections.n) return what;
    what.section = (uint32_t)s;
    const section *on = &m->sections.all[s];
    if (on->kind == SECTION_THOUGHT) what.kind = TARGET_THOUGHTS;
    if (!on->laid) return what;
    if (on->kind == SECTION_CODE && !on->joins && inner - on->y < laid_code_head(f)) {
        if (x >= right - copy - 2 * inset) what.kind = TARGET_COPY_CODE;
        return what;
    }
    const layout_piece *p = laid_piece_at(on->laid, x - area.x - inset, inner - on->y);
    if (p && p->link) {
        what.kind = TARGET_LINK;
        what.link = on->laid->doc->links[p->link - 1];
    }
    return what;
}

bool transcript_place_at(const transcript *t, fonts *f, SDL_Rect area, int scroll, int x, int y, text_place *place) {
    int at = y - area.y + scroll;
    size_t i = first_message(t, at > 0 ? at : 0);
    if (i >= t->n) {
        text_place first;
        return transcript_ends(t, &first, place);
    }
    const message *m = &t->messages[i];
    int inner = at - transcript_text_top(t, m);
    size_t s = first_section(m, inner);
    if (s >= m->sections.n && m->sections.n) s = m->sections.n - 1;
    if (s >= m->sections.n || !m->sections.all[s].laid) return false;
    const section *on = &m->sections.all[s];
    *place = place_of(i, s);
    return laid_at(on->laid, f, x - area.x - transcript_inset(t), inner - on->y, &place->cell, &place->byte);
}

void transcript_locate(transcript *t, fonts *f, text_place place, int *y, int *height) {
    message *m = &t->messages[place.message];
    section *s = &m->sections.all[place.section];
    if (transcript_hidden(m, s)) transcript_fold(t, place.message);
    transcript_lay_out(t, f, place.message, place.section);
    *y = transcript_text_top(t, m) + s->y;
    *height = t->line_height;
    if (!s->laid || place.cell >= s->laid->doc->n_cells) return;
    const laid_cell *c = &s->laid->cells[place.cell];
    *y += c->y + (int)layout_line_of(&c->layout, place.byte) * c->layout.line_height;
    *height = c->layout.line_height;
}

void transcript_fold(transcript *t, uint32_t message_index) {
    message *m = &t->messages[message_index];
    m->unfolded = !m->unfolded;
    for (uint32_t s = 0; s < m->sections.n; s++)
        if (!m->sections.all[s].height) m->sections.all[s].height = guess(t, m, &m->sections.all[s]);
    m->counted = false;
    transcript_place(t, message_index);
}
