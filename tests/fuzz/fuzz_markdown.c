/* Any bytes as a message: sections cover it in order and are the same in two pieces as in one; each is read into cells that are
 * covered by their runs. */
#include "fuzz/fuzz.h"
#include "markdown.h"
#include "sections.h"

#include <stdlib.h>
#include <string.h>

static void keep(section *s) { (void)s; }

static void check_doc(md_doc *doc) {
    must(doc != NULL, "not read");
    for (uint32_t c = 0; c < doc->n_cells; c++) {
        const md_cell *cell = &doc->cells[c];
        must(cell->begin <= cell->end && cell->end < doc->n_bytes && doc->text[cell->end] == 0, "a cell that does not end");
        must(!memchr(doc->text + cell->begin, 0, cell->end - cell->begin), "a zero byte in a cell");
        must(c == 0 || doc->cells[c - 1].end < cell->begin, "cells out of order");
    }
    uint32_t cell = 0;
    for (uint32_t r = 0; r < doc->n_runs; r++) {
        while (cell < doc->n_cells && doc->cells[cell].end < doc->runs[r].end) cell++;
        must(cell < doc->n_cells && doc->runs[r].begin >= doc->cells[cell].begin && doc->runs[r].begin < doc->runs[r].end,
             "a run outside");
        must(doc->runs[r].link <= doc->n_links, "a link that is not there");
    }
    uint32_t n = 0;
    for (uint32_t b = 0; b < doc->n_blocks; b++) {
        must(doc->blocks[b].first_cell == n, "blocks that leave cells out");
        n += doc->blocks[b].n_cells;
    }
    must(n == doc->n_cells, "cells of no block");
    md_out out = {0};
    for (uint32_t c = 0; c < doc->n_cells; c++) {
        must(md_put_cell(&out, doc, c, doc->cells[c].begin, doc->cells[c].end, true), "not copied");
        must(md_put_cell(&out, doc, c, doc->cells[c].begin, doc->cells[c].end, false), "not copied as text");
    }
    free(out.text);
    md_free(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t n = size - 1, cut = data[0] * n / 256;
    char *text = malloc(n);
    if (!text) return 0;
    memcpy(text, data + 1, n);
    sections whole = {0}, pieces = {0};
    must(sections_read(&whole, text, n, keep), "sections not read");
    must(sections_read(&pieces, text, cut, keep) && sections_read(&pieces, text, n, keep), "pieces not read");
    must(whole.n == pieces.n, "other sections in pieces");
    for (uint32_t i = 0; i < whole.n; i++) {
        const section *s = &whole.all[i], *p = &pieces.all[i];
        must(s->begin == p->begin && s->end == p->end && s->kind == p->kind && s->joins == p->joins, "another section in pieces");
        must(s->begin <= s->end && s->end <= n && (i == 0 || whole.all[i - 1].end <= s->begin), "sections out of order");
        must(s->kind != SECTION_CODE || s->language + s->n_language <= n, "a language outside");
        check_doc(md_read(text + s->begin, s->end - s->begin));
    }
    char language[16] = {0};
    for (size_t i = 0; i < sizeof language - 1 && i < n; i++) language[i] = text[i];
    check_doc(md_code(text, n, language));
    check_doc(md_code(text, n, "python"));
    check_doc(md_plain(text, n));
    free(whole.all);
    free(pieces.all);
    free(text);
    return 0;
}
