/* One section of a message in one width: its blocks, and where their texts stand. */
#ifndef WINDOW_LAID_H
#define WINDOW_LAID_H

#include "draw.h"
#include "layout.h"
#include "theme.h"

typedef struct laid_cell {
    layout layout;
    int32_t x, y; ///< of the text, pixels from the section's left top
} laid_cell;

typedef struct laid_block {
    int32_t x, y, width, height; ///< with its ground
    int32_t *columns;            ///< of a table: where each begins, and where the last one ends
} laid_block;

typedef struct laid {
    md_doc *doc;
    laid_cell *cells;   ///< [doc->n_cells]
    laid_block *blocks; ///< [doc->n_blocks]
    int height;
} laid;

/* What a section needs to know of its neighbours. */
typedef struct laid_params {
    int width;
    bool code, joins; ///< a piece of a program; one that goes on from the section before
    bool ends;        ///< and does not go on after it
} laid_params;

/// Takes the document over, also where it fails: NULL when the heap is out.
laid *laid_build(fonts *f, md_doc *doc, const laid_params *p);
void laid_free(laid **l);

/* Marks behind a text, from a cell's byte to another. */
typedef struct laid_mark {
    uint32_t first_cell, begin, last_cell, end;
    SDL_Color color;
} laid_mark;

/// Draws what is seen in the area, the section's left top at x, y. marks: behind the text, [n_marks].
void laid_draw(const laid *l, fonts *f, const theme *colors, SDL_Color ink, draw_list *list, SDL_Rect area, int x, int y,
               const laid_mark *marks, size_t n_marks);
/// The cell that is nearest to a place in the section, and the byte in it. Returns false where there is no text at all.
bool laid_at(const laid *l, fonts *f, int x, int y, uint32_t *cell, uint32_t *byte);
/// The piece that covers a place in the section, or NULL.
const layout_piece *laid_piece_at(const laid *l, int x, int y);
/// The height of the head of a piece of code, with its language and the button.
int laid_code_head(const fonts *f);

#endif
