/* Lines of a text in one width: mixed looks, faces and directions, each line in pieces that are drawn as they are. */
#ifndef WINDOW_LAYOUT_H
#define WINDOW_LAYOUT_H

#include "fonts.h"
#include "markdown.h"

typedef struct layout_piece {
    uint32_t begin, end; ///< bytes of the text; without the newline
    int32_t x, width;    ///< pixels from the left edge
    int16_t face;
    uint8_t style, marks, word; ///< as fonts.h, and of the run
    uint8_t rtl;
    uint16_t link;
    uint16_t script; ///< an index for layout_script
} layout_piece;

typedef struct layout_line {
    uint32_t begin, end;      ///< bytes of the text, its newline too
    uint32_t piece, n_pieces; ///< in logical order
    int32_t width;
} layout_line;

typedef struct layout {
    layout_line *lines;
    uint32_t n_lines;
    layout_piece *pieces;
    uint32_t n_pieces;
    int line_height, base, width; ///< the widest line's
} layout;

/// The style of a run inside a text whose own style is given.
int layout_style(int style, const md_run *run);
/// Lays out [begin, end) of a document's text; align: 'l', 'c' or 'r' (of a text from right to left the other way round). Every
/// byte is in exactly one line. Returns false when the heap is out; free in any case.
bool layout_build(layout *l, fonts *f, const md_doc *doc, uint32_t begin, uint32_t end, int style, int width, char align);
void layout_free(layout *l);
const char *layout_script(uint16_t script);

/// The line that a byte stands in.
uint32_t layout_line_of(const layout *l, uint32_t byte);
/// Where a byte stands in its line.
int layout_x(const layout *l, fonts *f, const char *text, uint32_t line, uint32_t byte);
/// The byte of a line that is nearest to x.
uint32_t layout_byte_at(const layout *l, fonts *f, const char *text, uint32_t line, int x);

#endif
