#include "sections.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_LINES = 48, MOST_BYTES = 12000 };

static section *push(sections *s, section_kind kind, uint32_t begin) {
    if (s->n == s->capacity) {
        uint32_t capacity = s->capacity ? 2 * s->capacity : 4;
        section *all = realloc(s->all, capacity * sizeof *all);
        if (!all) return NULL;
        s->all = all;
        s->capacity = capacity;
    }
    section *added = &s->all[s->n++];
    *added = (section){.begin = begin, .end = begin, .kind = (uint8_t)kind, .thought = s->state.thought};
    s->state.open = true;
    return added;
}

static uint32_t indent_of(const char *line, uint32_t n) {
    uint32_t i = 0;
    while (i < n && (line[i] == ' ' || line[i] == '\t')) i++;
    return i < n && memchr(line, '\t', i) ? 4 : i;
}

static const char *skip(const char *line, uint32_t n) {
    uint32_t i = 0;
    while (i < n && (line[i] == ' ' || line[i] == '\t')) i++;
    return line + i;
}

/* How many ticks or tildes begin a fence here; 0: none. */
static uint8_t fence_length(const char *at, const char *end) {
    uint8_t n = 0;
    if (at == end || (*at != '`' && *at != '~')) return 0;
    while (at + n < end && n < 200 && at[n] == *at) n++;
    return n >= 3 && !(*at == '`' && memchr(at + n, '`', (size_t)(end - at) - n)) ? n : 0;
}

static bool closes(const section_state *st, const char *at, const char *end) {
    uint32_t n = 0;
    while (at + n < end && at[n] == st->fence) n++;
    if (n < st->n_fence) return false;
    for (at += n; at < end; at++)
        if (*at != ' ' && *at != '\t' && *at != '\r') return false;
    return true;
}

static bool is_item(const char *at, const char *end) {
    if (at < end && (*at == '-' || *at == '*' || *at == '+')) return at + 1 == end || at[1] == ' ' || at[1] == '\t';
    uint32_t n = 0;
    while (at + n < end && n < 9 && at[n] >= '0' && at[n] <= '9') n++;
    return n && at + n < end && (at[n] == '.' || at[n] == ')') && (at + n + 1 == end || at[n + 1] == ' ');
}

static bool begins(const char *at, const char *end, const char *with) {
    size_t n = strlen(with);
    return (size_t)(end - at) >= n && memcmp(at, with, n) == 0;
}

/* A display formula that this line begins or ends. */
static bool formula_after(bool inside, const char *at, const char *end) {
    for (; at + 1 < end; at++) {
        if (at[0] == '$' && at[1] == '$') {
            inside = !inside;
            at++;
        } else if (at[0] == '\\' && (at[1] == '[' || at[1] == ']')) {
            inside = at[1] == '[';
            at++;
        }
    }
    return inside;
}

static bool code_line(sections *s, uint32_t at, uint32_t end, const char *first, const char *last) {
    section_state *st = &s->state;
    if (closes(st, first, last)) {
        st->fence = 0;
        st->open = false;
        return true;
    }
    section *now = &s->all[s->n - 1];
    if (st->n_lines >= CODE_LINES) {
        section like = *now, *next = push(s, SECTION_CODE, at);
        if (!next) return false;
        next->language = like.language;
        next->n_language = like.n_language;
        next->joins = true;
        st->n_lines = 0;
        now = next;
    }
    st->n_lines++;
    now->end = end;
    return true;
}

static bool open_fence(sections *s, const char *source, uint32_t end, const char *first, const char *last, uint8_t n_fence) {
    section *now = push(s, SECTION_CODE, end);
    if (!now) return false;
    const char *word = skip(first + n_fence, (uint32_t)(last - first) - n_fence);
    uint32_t n = 0;
    while (word + n < last && n < 23 && word[n] != ' ' && word[n] != '\r' && word[n] != ',' && word[n] != '{') n++;
    now->language = (uint32_t)(word - source);
    now->n_language = (uint8_t)n;
    s->state.fence = *first;
    s->state.n_fence = n_fence;
    s->state.n_lines = 0;
    s->state.list = s->state.blank = s->state.formula = false;
    return true;
}

static bool text_line(sections *s, const char *source, uint32_t at, uint32_t end, const char *first, const char *last) {
    section_state *st = &s->state;
    uint32_t indent = indent_of(source + at, end - at);
    bool empty = first == last || *first == '\r', item = !s->plain && !empty && is_item(first, last) && indent < 4;
    if (st->inner_fence) {
        if (closes(st, first, last)) st->fence = 0, st->inner_fence = false;
    } else if (!empty) {
        uint8_t n_fence = fence_length(first, last);
        if (n_fence && st->list && indent >= 2) {
            st->fence = *first;
            st->n_fence = n_fence;
            st->inner_fence = true;
        } else if (n_fence && indent < 4) {
            return open_fence(s, source, end, first, last, n_fence);
        }
    }
    bool goes_on =
        st->inner_fence || st->formula || !st->blank || (st->list && (item || indent >= 2)) || (!st->list && indent >= 4);
    bool too_long = st->open && end - s->all[s->n - 1].begin > MOST_BYTES;
    if (!empty && (!st->open || !goes_on || too_long)) {
        if (!push(s, SECTION_TEXT, at)) return false;
        st->list = false;
        if (too_long) st->formula = st->inner_fence = false, st->fence = 0;
    }
    if (item) st->list = true;
    st->blank = empty;
    if (!empty && !s->plain) st->formula = formula_after(st->formula, first, last);
    if (!empty) s->all[s->n - 1].end = end; // blank lines are between sections, not in them
    return true;
}

/* One line, [at, end), with its newline if it has one. */
static bool read_line(sections *s, const char *source, uint32_t at, uint32_t end) {
    static const char open[] = "<think>", close[] = "</think>";
    section_state *st = &s->state;
    const char *last = source + end - (source[end - 1] == '\n' ? 1 : 0),
               *first = skip(source + at, (uint32_t)(last - source) - at);
    bool in_code = st->fence && !st->inner_fence; // there only at the beginning of a line
    if (st->thought)
        for (const char *c = first; c < last && (!in_code || c == first); c++)
            if (begins(c, last, close)) {
                uint32_t here = (uint32_t)(c - source), after = here + (uint32_t)sizeof close - 1;
                if (here > at && !text_line(s, source, at, here, first, c)) return false;
                uint32_t stood = st->at;
                *st = (section_state){.at = stood};
                return after >= end || source[after] == '\n' || read_line(s, source, after, end);
            }
    if (!s->plain && !st->thought && !st->fence && begins(first, last, open)) {
        uint32_t after = (uint32_t)(first - source) + (uint32_t)sizeof open - 1, stood = st->at;
        *st = (section_state){.at = stood, .thought = true};
        if (!push(s, SECTION_THOUGHT, after)) return false;
        st->open = false;
        return after >= end || source[after] == '\n' || read_line(s, source, after, end);
    }
    if (st->fence && !st->inner_fence) return code_line(s, at, end, first, last);
    return text_line(s, source, at, end, first, last);
}

static void take_back(sections *s, void (*drop)(section *)) {
    while (s->n > s->n_settled) drop(&s->all[--s->n]);
    if (s->n) s->all[s->n - 1].end = s->settled_end;
}

bool sections_read(sections *s, const char *source, size_t n_bytes, void (*drop)(section *)) {
    if (n_bytes > UINT32_MAX / 2) return false;
    take_back(s, drop);
    uint32_t n = (uint32_t)n_bytes;
    for (const char *newline; s->state.at < n && (newline = memchr(source + s->state.at, '\n', n - s->state.at));) {
        uint32_t end = (uint32_t)(newline - source) + 1;
        if (!read_line(s, source, s->state.at, end)) return false;
        s->state.at = end;
        s->n_settled = s->n;
        s->settled_end = s->n ? s->all[s->n - 1].end : 0;
    }
    if (s->state.at == n) return true;
    // The line that has not ended may still become something else.
    section_state settled = s->state;
    bool good = read_line(s, source, s->state.at, n);
    s->state = settled;
    return good;
}
