#include "laid.h"

#include <stdlib.h>
#include <string.h>

static int em(const fonts *f) { return fonts_line_height(f) * 2 / 3; }
int laid_code_head(const fonts *f) { return fonts_line_height(f) + em(f) / 2; }

void laid_free(laid **l_in) {
    laid *l = *l_in;
    if (!l) return;
    for (uint32_t i = 0; l->cells && i < l->doc->n_cells; i++) layout_free(&l->cells[i].layout);
    for (uint32_t i = 0; l->blocks && i < l->doc->n_blocks; i++) free(l->blocks[i].columns);
    free(l->cells);
    free(l->blocks);
    md_free(&l->doc);
    free(l);
    *l_in = NULL;
}

static int heading_style(int level) {
    return FONT_BOLD | (level == 1 ? FONT_LARGEST : level == 2 ? FONT_LARGER : level == 3 ? FONT_LARGE : 0);
}

/* ---- tables */

/* Each column gets what its widest line wants where all fit; else the narrow ones do, and the others share the rest. */
static void share_width(const int *wanted, int *given, int n, int room, int least) {
    int left = room, open = n;
    for (int i = 0; i < n; i++) given[i] = -1;
    for (bool changed = true; changed && open;) {
        changed = false;
        for (int i = 0; i < n && open; i++)
            if (given[i] < 0 && wanted[i] <= left / open) {
                given[i] = wanted[i];
                left -= wanted[i];
                open--;
                changed = true;
            }
    }
    for (int i = 0; i < n; i++)
        if (given[i] < 0) {
            given[i] = left / open > least ? left / open : least;
            left -= given[i];
            open--;
            if (open == 0) break;
        }
    for (int i = 0; i < n; i++)
        if (given[i] < least) given[i] = least;
}

static bool lay_out_table(laid *l, fonts *f, const md_block *b, laid_block *to, int width) {
    int n = b->n_columns, pad = em(f) / 2, most = 100000;
    int *wanted = calloc(2 * (size_t)n + 1, sizeof *wanted), *given = wanted ? wanted + n : NULL;
    to->columns = calloc((size_t)n + 1, sizeof *to->columns);
    if (!wanted || !to->columns || n == 0) {
        free(wanted);
        return n == 0;
    }
    bool good = true;
    for (uint32_t i = 0; i < b->n_cells && good; i++) {
        const md_cell *c = &l->doc->cells[b->first_cell + i];
        layout line;
        good = layout_build(&line, f, l->doc, c->begin, c->end, c->row ? 0 : FONT_BOLD, most, 'l');
        if (c->column < n && line.width > wanted[c->column]) wanted[c->column] = line.width;
        layout_free(&line);
    }
    share_width(wanted, given, n, width - to->x - 2 * n * pad, 2 * em(f));
    to->columns[0] = to->x;
    for (int i = 0; i < n; i++) to->columns[i + 1] = to->columns[i] + given[i] + 2 * pad;
    to->width = to->columns[n] - to->x;
    int y = to->y, height = 0;
    for (uint32_t i = 0; i < b->n_cells && good; i++) {
        const md_cell *c = &l->doc->cells[b->first_cell + i];
        laid_cell *cell = &l->cells[b->first_cell + i];
        int column = c->column < n ? c->column : n - 1;
        if (c->column == 0 && i) {
            y += height + pad;
            height = 0;
        }
        good = layout_build(&cell->layout, f, l->doc, c->begin, c->end, c->row ? 0 : FONT_BOLD, given[column], c->align);
        cell->x = to->columns[column] + pad;
        cell->y = y + pad / 2;
        int h = (int)cell->layout.n_lines * cell->layout.line_height;
        if (h > height) height = h;
    }
    to->height = y + height + pad - to->y;
    free(wanted);
    return good;
}

/* ---- blocks */

static bool lay_out_block(laid *l, fonts *f, uint32_t i, int *y, const laid_params *p) {
    const md_block *b = &l->doc->blocks[i];
    laid_block *to = &l->blocks[i];
    int step = em(f), left = b->quotes * step + b->indent * step * 2, width = p->width;
    if (left > width / 3) left = width / 3;
    bool in_list = b->indent && i && l->doc->blocks[i - 1].indent;
    if (i) *y += in_list ? step / 4 : b->kind == MD_HEADING ? step : step * 2 / 3;
    *to = (laid_block){.x = left, .y = *y, .width = width - left};
    laid_cell *cell = b->n_cells ? &l->cells[b->first_cell] : NULL;
    const md_cell *source = b->n_cells ? &l->doc->cells[b->first_cell] : NULL;
    bool good = true;
    if (b->kind == MD_RULE) {
        to->height = step;
    } else if (b->kind == MD_TABLE) {
        good = lay_out_table(l, f, b, to, width);
    } else if (cell) {
        int pad = b->kind == MD_CODE ? step * 2 / 3 : 0, head = b->kind == MD_CODE && !p->joins ? laid_code_head(f) : 0;
        int style = b->kind == MD_HEADING ? heading_style(b->level) : b->kind == MD_CODE ? FONT_MONO : 0;
        good = layout_build(&cell->layout, f, l->doc, source->begin, source->end, style, width - left - 2 * pad, 'l');
        cell->x = left + pad;
        cell->y = *y + head;
        int foot = b->kind == MD_CODE && (!p->code || p->ends) ? pad : 0;
        to->height = head + (int)cell->layout.n_lines * cell->layout.line_height + foot;
    }
    *y += to->height;
    return good;
}

laid *laid_build(fonts *f, md_doc *doc, const laid_params *p) {
    laid *l = calloc(1, sizeof *l);
    if (!l || !doc) {
        free(l);
        md_free(&doc);
        return NULL;
    }
    l->doc = doc;
    l->cells = calloc((size_t)doc->n_cells + 1, sizeof *l->cells);
    l->blocks = calloc((size_t)doc->n_blocks + 1, sizeof *l->blocks);
    bool good = l->cells && l->blocks;
    for (uint32_t i = 0; i < doc->n_blocks && good; i++) good = lay_out_block(l, f, i, &l->height, p);
    if (good && !(p->code && !p->ends)) l->height += em(f) * 2 / 3;
    if (!good) laid_free(&l);
    return l;
}

/* ---- drawing */

static SDL_Color ink_of(const theme *colors, const layout_piece *p, SDL_Color ink) {
    const SDL_Color words[] = {ink, colors->keyword, colors->string, colors->comment, colors->number};
    return p->link ? colors->accent : words[p->word];
}

static void draw_grounds(const layout *t, const layout_line *line, const theme *colors, draw_list *list, int x, int y) {
    int thin = t->line_height / 20 > 0 ? t->line_height / 20 : 1;
    for (uint32_t i = 0; i < line->n_pieces; i++) {
        const layout_piece *p = &t->pieces[line->piece + i];
        if (p->marks & RUN_CODE)
            draw_rect(list, (SDL_Rect){x + p->x - thin, y + thin * 2, p->width + 2 * thin, t->line_height - 4 * thin},
                      colors->code);
    }
}

static void draw_pieces(const layout *t, const layout_line *line, const char *text, const theme *colors, SDL_Color ink,
                        draw_list *list, int x, int y) {
    int thin = t->line_height / 20 > 0 ? t->line_height / 20 : 1;
    for (uint32_t i = 0; i < line->n_pieces; i++) {
        const layout_piece *p = &t->pieces[line->piece + i];
        SDL_Color color = ink_of(colors, p, ink);
        if (text[p->begin] != '\t' && p->width > 0)
            draw_run(list, x + p->x, y + t->base, text + p->begin, p->end - p->begin, p->face, p->rtl, layout_script(p->script),
                     color);
        if (p->link) draw_rect(list, (SDL_Rect){x + p->x, y + t->base + 2 * thin, p->width, thin}, color);
        if (p->marks & RUN_STRIKE) draw_rect(list, (SDL_Rect){x + p->x, y + t->base - t->line_height / 5, p->width, thin}, color);
    }
}

/* Behind the part of a line that is marked: piece by piece, as it is seen. */
static void draw_mark(const layout *t, uint32_t at, const char *text, fonts *f, draw_list *list, int x, int y, uint32_t begin,
                      uint32_t end, SDL_Color color) {
    const layout_line *line = &t->lines[at];
    for (uint32_t i = 0; i < line->n_pieces; i++) {
        const layout_piece *p = &t->pieces[line->piece + i];
        uint32_t from = p->begin > begin ? p->begin : begin, to = p->end < end ? p->end : end;
        if (from >= to) continue;
        int a = from == p->begin ? (p->rtl ? p->x + p->width : p->x) : layout_x(t, f, text, at, from);
        int z = to == p->end ? (p->rtl ? p->x : p->x + p->width) : layout_x(t, f, text, at, to);
        draw_rect(list, (SDL_Rect){x + (a < z ? a : z), y, a < z ? z - a : a - z, t->line_height}, color);
    }
    if (end >= line->end && begin < line->end && line->n_pieces == 0)
        draw_rect(list, (SDL_Rect){x, y, t->line_height / 4, t->line_height}, color);
}

static void draw_cell(const laid *l, uint32_t cell, fonts *f, const theme *colors, SDL_Color ink, draw_list *list, SDL_Rect area,
                      int x, int y, const laid_mark *marks, size_t n_marks, bool in_code) {
    const laid_cell *c = &l->cells[cell];
    const layout *t = &c->layout;
    if (!t->line_height) return;
    int top = y + c->y, first = (area.y - top) / t->line_height, last = (area.y + area.h - top) / t->line_height;
    for (int i = first > 0 ? first : 0; i < (int)t->n_lines && i <= last; i++) {
        int line_y = top + i * t->line_height;
        // The grounds of code first, then the marks, then the text.
        if (!in_code) draw_grounds(t, &t->lines[i], colors, list, x + c->x, line_y);
        for (size_t m = 0; m < n_marks; m++) {
            if (cell < marks[m].first_cell || cell > marks[m].last_cell) continue;
            uint32_t begin = cell == marks[m].first_cell ? marks[m].begin : 0,
                     end = cell == marks[m].last_cell ? marks[m].end : UINT32_MAX;
            if (begin < t->lines[i].end + (t->lines[i].end == t->lines[i].begin) && end > t->lines[i].begin)
                draw_mark(t, (uint32_t)i, l->doc->text, f, list, x + c->x, line_y, begin, end, marks[m].color);
        }
        draw_pieces(t, &t->lines[i], l->doc->text, colors, ink, list, x + c->x, line_y);
    }
}

static void draw_grid(const laid *l, const md_block *b, const laid_block *at, const theme *colors, draw_list *list, int x,
                      int y) {
    if (!at->columns || !b->n_cells) return;
    draw_rect(list, (SDL_Rect){x + at->x, y + at->y, at->width, 1}, colors->border);
    draw_rect(list, (SDL_Rect){x + at->x, y + at->y + at->height - 1, at->width, 1}, colors->border);
    int row_y = -1;
    for (uint32_t i = 0; i < b->n_cells; i++) {
        const laid_cell *c = &l->cells[b->first_cell + i];
        if (c->y == row_y) continue;
        row_y = c->y;
        int above = l->cells[b->first_cell].y - at->y;
        if (i) draw_rect(list, (SDL_Rect){x + at->x, y + c->y - above, at->width, 1}, colors->border);
    }
    for (int i = 0; i <= b->n_columns; i++)
        draw_rect(list, (SDL_Rect){x + at->columns[i] - (i == b->n_columns), y + at->y, 1, at->height}, colors->border);
}

static void draw_marker(const md_block *b, const laid_block *at, fonts *f, SDL_Color color, draw_list *list, int x, int y) {
    int width = fonts_width(f, b->marker, strlen(b->marker)), gap = em(f) / 2;
    draw_text(list, x + at->x - gap - width, y + at->y, b->marker, strlen(b->marker), color);
}

void laid_draw(const laid *l, fonts *f, const theme *colors, SDL_Color ink, draw_list *list, SDL_Rect area, int x, int y,
               const laid_mark *marks, size_t n_marks) {
    for (uint32_t i = 0; i < l->doc->n_blocks; i++) {
        const md_block *b = &l->doc->blocks[i];
        const laid_block *at = &l->blocks[i];
        if (y + at->y + at->height < area.y || y + at->y > area.y + area.h) continue;
        SDL_Color color = b->quotes ? colors->faint : ink;
        for (int q = 0; q < b->quotes; q++)
            draw_rect(list, (SDL_Rect){x + q * em(f), y + at->y - (i ? em(f) / 3 : 0), 3, at->height + (i ? em(f) / 3 : 0)},
                      colors->border);
        if (b->marker[0]) draw_marker(b, at, f, colors->faint, list, x, y);
        if (b->kind == MD_RULE) draw_rect(list, (SDL_Rect){x + at->x, y + at->y + at->height / 2, at->width, 1}, colors->border);
        if (b->kind == MD_CODE) draw_rect(list, (SDL_Rect){x + at->x, y + at->y, at->width, at->height}, colors->code);
        if (b->kind == MD_TABLE) draw_grid(l, b, at, colors, list, x, y);
        for (uint32_t c = 0; c < b->n_cells; c++)
            draw_cell(l, b->first_cell + c, f, colors, color, list, area, x, y, marks, n_marks, b->kind == MD_CODE);
    }
}

/* ---- what is where */

bool laid_at(const laid *l, fonts *f, int x, int y, uint32_t *cell, uint32_t *byte) {
    int nearest = -1;
    for (uint32_t i = 0; i < l->doc->n_cells; i++) {
        const laid_cell *c = &l->cells[i];
        int h = (int)c->layout.n_lines * c->layout.line_height, w = c->layout.width;
        int dy = y < c->y       ? c->y - y
                 : y > c->y + h ? y - c->y - h
                                : 0,
            dx = x < c->x       ? c->x - x
                 : x > c->x + w ? x - c->x - w
                                : 0;
        int away = dy * 1000 + (dx < 999 ? dx : 999);
        if (nearest >= 0 && away >= nearest) continue;
        nearest = away;
        *cell = i;
    }
    if (nearest < 0) return false;
    const laid_cell *c = &l->cells[*cell];
    int line = (y - c->y) / c->layout.line_height;
    if (y < c->y) line = 0;
    if (line >= (int)c->layout.n_lines) line = (int)c->layout.n_lines - 1;
    *byte = layout_byte_at(&c->layout, f, l->doc->text, (uint32_t)line, x - c->x);
    return true;
}

const layout_piece *laid_piece_at(const laid *l, int x, int y) {
    for (uint32_t i = 0; i < l->doc->n_cells; i++) {
        const layout *t = &l->cells[i].layout;
        int line = t->line_height ? (y - l->cells[i].y) / t->line_height : -1;
        if (y < l->cells[i].y || line >= (int)t->n_lines || line < 0) continue;
        for (uint32_t p = 0; p < t->lines[line].n_pieces; p++) {
            const layout_piece *piece = &t->pieces[t->lines[line].piece + p];
            int left = l->cells[i].x + piece->x;
            if (x >= left && x < left + piece->width) return piece;
        }
    }
    return NULL;
}
