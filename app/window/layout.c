#include "layout.h"

#include "draw.h"

#include <fribidi.h>

#include <stdlib.h>
#include <string.h>

/* What is drawn, and stays together: a character with its marks, or an emoji with what changes it. */
typedef struct cluster {
    uint32_t begin, end, code;
    int width;
    int16_t face;
    uint8_t style, marks, word, level;
    uint16_t link, script;
} cluster;

typedef struct builder {
    layout *l;
    fonts *f;
    const md_doc *doc;
    int style, width;
    char align;
    cluster *clusters;
    uint32_t n, capacity;
    uint32_t run; ///< the run that the last cluster was of
    uint32_t line_capacity, piece_capacity;
    bool any_rtl, any_complex;
} builder;

/* Scripts that have to be shaped. The first is for all others. */
static const struct {
    char name[5];
    uint32_t first, last;
} scripts[] = {
    {"Zyyy", 0, 0},           {"Hebr", 0x590, 0x5FF},   {"Arab", 0x600, 0x6FF},   {"Syrc", 0x700, 0x74F},
    {"Arab", 0x750, 0x77F},   {"Thaa", 0x780, 0x7BF},   {"Arab", 0x8A0, 0x8FF},   {"Deva", 0x900, 0x97F},
    {"Beng", 0x980, 0x9FF},   {"Guru", 0xA00, 0xA7F},   {"Gujr", 0xA80, 0xAFF},   {"Orya", 0xB00, 0xB7F},
    {"Taml", 0xB80, 0xBFF},   {"Telu", 0xC00, 0xC7F},   {"Knda", 0xC80, 0xCFF},   {"Mlym", 0xD00, 0xD7F},
    {"Sinh", 0xD80, 0xDFF},   {"Thai", 0xE00, 0xE7F},   {"Laoo", 0xE80, 0xEFF},   {"Tibt", 0xF00, 0xFFF},
    {"Mymr", 0x1000, 0x109F}, {"Hang", 0x1100, 0x11FF}, {"Khmr", 0x1780, 0x17FF}, {"Hebr", 0xFB1D, 0xFB4F},
    {"Arab", 0xFB50, 0xFDFF}, {"Arab", 0xFE70, 0xFEFF},
};

const char *layout_script(uint16_t script) { return scripts[script].name; }

static uint16_t script_of(uint32_t code) {
    if (code < 0x590) return 0;
    for (uint16_t i = 1; i < sizeof scripts / sizeof *scripts; i++)
        if (code >= scripts[i].first && code <= scripts[i].last) return i;
    return 0;
}

static bool is_emoji(uint32_t code) {
    return (code >= 0x1F000 && code < 0x1FB00) || code == 0x2705 || code == 0x274C || code == 0x2728 || code == 0x2B50;
}
static bool is_flag(uint32_t code) { return code >= 0x1F1E6 && code <= 0x1F1FF; }

static bool extends(uint32_t code) {
    if (code < 0x300) return false;
    return code == 0x200D || (code >= 0xFE00 && code <= 0xFE0F) || (code >= 0x1F3FB && code <= 0x1F3FF) ||
           (code >= 0xE0020 && code <= 0xE007F) || fribidi_get_bidi_type(code) == FRIBIDI_TYPE_NSM;
}

int layout_style(int style, const md_run *run) {
    return style | (run->marks & RUN_BOLD ? FONT_BOLD : 0) | (run->marks & RUN_ITALIC ? FONT_ITALIC : 0) |
           (run->marks & RUN_CODE ? FONT_MONO : 0);
}

static const md_run *run_at(builder *b, uint32_t at) {
    static const md_run none;
    while (b->run < b->doc->n_runs && b->doc->runs[b->run].end <= at) b->run++;
    return b->run < b->doc->n_runs && b->doc->runs[b->run].begin <= at ? &b->doc->runs[b->run] : &none;
}

static void find_first_run(builder *b, uint32_t at) {
    uint32_t low = 0, high = b->doc->n_runs;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (b->doc->runs[middle].end <= at)
            low = middle + 1;
        else
            high = middle;
    }
    b->run = low;
}

/* Reads the cluster at `at`. */
static cluster next_cluster(builder *b, uint32_t at, uint32_t end) {
    const char *text = b->doc->text;
    const md_run *run = run_at(b, at);
    uint32_t code, next;
    cluster c = {.begin = at, .marks = run->marks, .word = run->word, .link = run->link};
    c.style = (uint8_t)layout_style(b->style, run);
    c.end = at + (uint32_t)fonts_next(text + at, end - at, &c.code);
    bool emoji = is_emoji(c.code), joined = false, many = false;
    while (c.end < end) {
        size_t n = fonts_next(text + c.end, end - c.end, &next);
        bool pair = is_flag(c.code) && is_flag(next) && !many;
        if (c.code < 0x20 || (!extends(next) && !joined && !pair)) break;
        if (next == 0xFE0F || next == 0x20E3) emoji = true;
        if (next == 0xFE0E) emoji = false;
        joined = next == 0x200D && emoji;
        many = true;
        c.end += (uint32_t)n;
    }
    code = c.code;
    int face = emoji ? fonts_emoji_face(b->f, c.style, code) : -1;
    c.script = script_of(code);
    c.face = (int16_t)(face >= 0 ? face : fonts_styled_face(b->f, c.style, code));
    c.width = face >= 0 || many || c.script ? -1 : fonts_styled_advance(b->f, c.style, code);
    b->any_complex = b->any_complex || c.width < 0;
    b->any_rtl = b->any_rtl || (code >= 0x590 && FRIBIDI_IS_RTL(fribidi_get_bidi_type(code)));
    if (code >= 0x202A && code <= 0x2069 && (code <= 0x202E || code >= 0x2066)) { // marks of direction are not seen
        c.width = 0;
        b->any_rtl = true;
    } else if (code == 0x200B || (code >= 0x200E && code <= 0x200F) || code == 0xFEFF || (code >= 0xFE00 && code <= 0xFE0F) ||
               code == 0x200D) {
        c.width = 0;
    }
    return c;
}

static bool add_cluster(builder *b, cluster c) {
    if (b->n == b->capacity) {
        uint32_t capacity = b->capacity ? 2 * b->capacity : 256;
        cluster *clusters = realloc(b->clusters, capacity * sizeof *clusters);
        if (!clusters) return false;
        b->clusters = clusters;
        b->capacity = capacity;
    }
    b->clusters[b->n++] = c;
    return true;
}

static bool same_look(const cluster *a, const cluster *b) {
    return a->face == b->face && a->style == b->style && a->marks == b->marks && a->word == b->word && a->link == b->link &&
           a->level == b->level && a->script == b->script;
}

static int shaped(builder *b, uint32_t begin, uint32_t end, const cluster *like) {
    char run[DRAW_RUN_BYTES];
    uint32_t n = end - begin < sizeof run ? end - begin : sizeof run - 1;
    memcpy(run, b->doc->text + begin, n);
    run[n] = 0;
    return fonts_shaped_width(b->f, like->face, run, like->level & 1, scripts[like->script].name);
}

static bool shapes_together(const cluster *first, const cluster *c) {
    return c->width < 0 && same_look(first, c) && c->end - first->begin < 120;
}

/* What is shaped is as wide as the word up to it, less the word before it; all of a word, as it is as a whole. */
static void measure_complex(builder *b) {
    for (uint32_t i = 0; i < b->n;) {
        const cluster *first = &b->clusters[i];
        uint32_t end = i;
        while (end < b->n && shapes_together(first, &b->clusters[end])) end++;
        if (end == i) { // simple, or longer than any that is meant
            if (b->clusters[i].width < 0) b->clusters[i].width = 0;
            i++;
            continue;
        }
        int before = 0, all = shaped(b, first->begin, b->clusters[end - 1].end, first);
        for (; i < end; i++) {
            int now = i + 1 < end ? shaped(b, first->begin, b->clusters[i].end, first) : all;
            now = now > all ? all : now < before ? before : now;
            b->clusters[i].width = now - before;
            before = now;
        }
    }
}

/* The levels of one paragraph's clusters (Unicode annex 9). Returns whether it goes from right to left as a whole. */
static bool find_levels(builder *b) {
    FriBidiChar *codes = malloc(b->n * sizeof *codes);
    FriBidiCharType *types = malloc(b->n * sizeof *types);
    FriBidiBracketType *brackets = malloc(b->n * sizeof *brackets);
    FriBidiLevel *levels = malloc(b->n * sizeof *levels);
    FriBidiParType base = FRIBIDI_PAR_ON;
    if (codes && types && brackets && levels) {
        for (uint32_t i = 0; i < b->n; i++) codes[i] = b->clusters[i].code;
        fribidi_get_bidi_types(codes, (FriBidiStrIndex)b->n, types);
        fribidi_get_bracket_types(codes, (FriBidiStrIndex)b->n, types, brackets);
        if (fribidi_get_par_embedding_levels_ex(types, brackets, (FriBidiStrIndex)b->n, &base, levels))
            for (uint32_t i = 0; i < b->n; i++) b->clusters[i].level = (uint8_t)levels[i];
    }
    free(codes);
    free(types);
    free(brackets);
    free(levels);
    return FRIBIDI_IS_RTL(base);
}

static void *room(void *array, uint32_t n, uint32_t *capacity, size_t size) {
    if (n < *capacity) return array;
    uint32_t wanted = *capacity ? 2 * *capacity : 2;
    void *grown = realloc(array, wanted * size);
    if (grown) *capacity = wanted;
    return grown;
}

static bool add_piece(builder *b, const cluster *first, const cluster *last) {
    layout *l = b->l;
    layout_piece *pieces = room(l->pieces, l->n_pieces, &b->piece_capacity, sizeof *pieces);
    if (!pieces) return false;
    l->pieces = pieces;
    int width = 0;
    for (const cluster *c = first; c <= last; c++) width += c->width;
    pieces[l->n_pieces++] = (layout_piece){.begin = first->begin,
                                           .end = last->end,
                                           .width = width,
                                           .face = first->face,
                                           .style = first->style,
                                           .marks = first->marks,
                                           .word = first->word,
                                           .rtl = first->level,
                                           .link = first->link,
                                           .script = first->script};
    return true;
}

/* Puts a line's pieces beside one another as they are seen: of each level the runs are turned round, the highest first. */
static void place_pieces(builder *b, layout_line *line, bool rtl) {
    if (line->n_pieces == 0) return;
    layout_piece *pieces = b->l->pieces + line->piece;
    uint32_t n = line->n_pieces, small[64], *order = n <= 64 ? small : malloc(n * sizeof *order), highest = 0;
    if (!order) return;
    for (uint32_t i = 0; i < n; i++) {
        order[i] = i;
        if (pieces[i].rtl > highest) highest = pieces[i].rtl;
    }
    for (uint32_t level = highest; level > 0; level--)
        for (uint32_t i = 0; i < n;) {
            uint32_t end = i;
            while (end < n && pieces[order[end]].rtl >= level) end++;
            for (uint32_t a = i, z = end; a + 1 < z; a++) {
                z--;
                uint32_t t = order[a];
                order[a] = order[z];
                order[z] = t;
            }
            i = end > i ? end : i + 1;
        }
    int width = line->width, spare = b->width - width;
    char align = b->align == 'l' && rtl ? 'r' : b->align;
    int x = spare <= 0 || align == 'l' ? 0 : align == 'c' ? spare / 2 : spare;
    for (uint32_t i = 0; i < n; i++) {
        layout_piece *p = &pieces[order[i]];
        p->x = x;
        x += p->width;
        p->rtl &= 1;
    }
    if (order != small) free(order);
}

/* One line of clusters [first, last); end: the byte behind it, the newline counted. */
static bool add_line(builder *b, uint32_t first, uint32_t last, uint32_t begin, uint32_t end, bool rtl) {
    layout *l = b->l;
    layout_line *lines = room(l->lines, l->n_lines, &b->line_capacity, sizeof *lines);
    if (!lines) return false;
    l->lines = lines;
    layout_line *line = &lines[l->n_lines++];
    *line = (layout_line){.begin = begin, .end = end, .piece = l->n_pieces};
    // Spaces at the end of a line are not turned round (rule L1), and do not widen it.
    uint32_t seen = last;
    while (seen > first && b->clusters[seen - 1].code == ' ') b->clusters[--seen].level = rtl;
    for (uint32_t i = first; i < last;) {
        uint32_t from = i;
        for (i++; i < last && same_look(&b->clusters[from], &b->clusters[i]) &&
                  b->clusters[i].end - b->clusters[from].begin < DRAW_RUN_BYTES;
             i++)
            if (i == seen || b->clusters[i].code == '\t' || b->clusters[i - 1].code == '\t') break;
        if (!add_piece(b, &b->clusters[from], &b->clusters[i - 1])) return false;
        l->lines[l->n_lines - 1].n_pieces++;
    }
    line = &l->lines[l->n_lines - 1];
    for (uint32_t i = first; i < seen; i++) line->width += b->clusters[i].width;
    if (line->width > l->width) l->width = line->width;
    // Spaces that would hang out on the left stand over nothing.
    if (rtl)
        for (uint32_t i = 0; i < line->n_pieces; i++)
            if (seen < last && l->pieces[line->piece + i].begin >= b->clusters[seen].begin) l->pieces[line->piece + i].width = 0;
    place_pieces(b, line, rtl);
    return true;
}

/* Where the line that begins with a cluster ends. */
static uint32_t line_end(const builder *b, uint32_t first) {
    uint32_t chance = 0;
    int used = 0;
    for (uint32_t i = first; i < b->n; i++) {
        const cluster *c = &b->clusters[i];
        if (fonts_breaks_anywhere(c->code) && i > first) chance = i;
        used += c->width;
        if (used > b->width && c->code != ' ' && i > first) return chance ? chance : i;
        if (c->code == ' ' || c->code == 0x200B || fonts_breaks_anywhere(c->code) ||
            (c->code == '-' && i > first && b->clusters[i - 1].code != ' '))
            chance = i + 1;
    }
    return b->n;
}

static bool add_paragraph(builder *b, uint32_t begin, uint32_t end, bool newline) {
    b->n = 0;
    b->any_rtl = b->any_complex = false;
    for (uint32_t at = begin; at < end;) {
        cluster c = next_cluster(b, at, end);
        if (!add_cluster(b, c)) return false;
        at = c.end;
    }
    bool rtl = b->any_rtl && find_levels(b);
    if (b->any_complex) measure_complex(b);
    uint32_t first = 0, at = begin;
    do {
        uint32_t last = line_end(b, first);
        uint32_t stop = last < b->n ? b->clusters[last].begin : end + (newline ? 1 : 0);
        if (!add_line(b, first, last, at, stop, rtl)) return false;
        first = last;
        at = stop;
    } while (first < b->n);
    return true;
}

bool layout_build(layout *l, fonts *f, const md_doc *doc, uint32_t begin, uint32_t end, int style, int width, char align) {
    builder b = {.l = l, .f = f, .doc = doc, .style = style, .width = width, .align = align};
    *l = (layout){.line_height = fonts_styled_line_height(f, style), .base = fonts_styled_base(f, style)};
    find_first_run(&b, begin);
    bool good = true;
    uint32_t at = begin;
    do {
        const char *newline = memchr(doc->text + at, '\n', end - at);
        uint32_t stop = newline ? (uint32_t)(newline - doc->text) : end;
        good = add_paragraph(&b, at, stop, newline != NULL);
        at = newline ? stop + 1 : end;
    } while (good && at < end);
    // What the last newline begins is a line, too.
    if (good && end > begin && doc->text[end - 1] == '\n') good = add_line(&b, 0, 0, end, end, false);
    free(b.clusters);
    return good;
}

void layout_free(layout *l) {
    free(l->lines);
    free(l->pieces);
    *l = (layout){0};
}

uint32_t layout_line_of(const layout *l, uint32_t byte) {
    uint32_t low = 0, high = l->n_lines ? l->n_lines - 1 : 0;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (l->lines[middle].end <= byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The width of the first bytes of a piece. */
static int width_to(fonts *f, const layout_piece *p, const char *text, uint32_t byte) {
    if (byte >= p->end) return p->width;
    if (byte <= p->begin) return 0;
    if (p->script || fonts_scale(f, p->face) < 1) {
        char run[DRAW_RUN_BYTES];
        uint32_t n = byte - p->begin < sizeof run ? byte - p->begin : sizeof run - 1;
        memcpy(run, text + p->begin, n);
        run[n] = 0;
        int width = fonts_shaped_width(f, p->face, run, p->rtl, scripts[p->script].name);
        return width < p->width ? width : p->width;
    }
    int width = 0;
    for (uint32_t at = p->begin; at < byte;) {
        uint32_t code;
        at += (uint32_t)fonts_next(text + at, byte - at, &code);
        if (!extends(code)) width += fonts_styled_advance(f, p->style, code);
    }
    return width < p->width ? width : p->width;
}

int layout_x(const layout *l, fonts *f, const char *text, uint32_t line, uint32_t byte) {
    const layout_line *at = &l->lines[line];
    const layout_piece *p = NULL;
    for (uint32_t i = 0; i < at->n_pieces; i++) {
        p = &l->pieces[at->piece + i];
        if (byte < p->end) break;
    }
    if (!p) return 0;
    int width = width_to(f, p, text, byte);
    return p->rtl ? p->x + p->width - width : p->x + width;
}

uint32_t layout_byte_at(const layout *l, fonts *f, const char *text, uint32_t line, int x) {
    const layout_line *on = &l->lines[line];
    const layout_piece *best = NULL;
    int nearest = 0;
    for (uint32_t i = 0; i < on->n_pieces; i++) {
        const layout_piece *p = &l->pieces[on->piece + i];
        int away = x < p->x ? p->x - x : x > p->x + p->width ? x - p->x - p->width : 0;
        if (!best || away < nearest) best = p, nearest = away;
    }
    if (!best) return on->begin;
    uint32_t at = best->begin, found = at;
    int least = -1;
    for (;;) {
        int w = width_to(f, best, text, at), here = best->rtl ? best->x + best->width - w : best->x + w,
            away = x > here ? x - here : here - x;
        if (least < 0 || away < least) least = away, found = at;
        if (at >= best->end) break;
        uint32_t code;
        at += (uint32_t)fonts_next(text + at, best->end - at, &code);
        while (at < best->end) { // not into the middle of a cluster
            size_t n = fonts_next(text + at, best->end - at, &code);
            if (!extends(code)) break;
            at += (uint32_t)n;
        }
    }
    return found;
}
