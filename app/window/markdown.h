/* Markdown turned into blocks of text with runs of one look. Pure: knows no fonts, no window. */
#ifndef WINDOW_MARKDOWN_H
#define WINDOW_MARKDOWN_H

#include "md_out.h"

#include <stdint.h>

typedef enum md_kind { MD_PARAGRAPH, MD_HEADING, MD_CODE, MD_TABLE, MD_RULE } md_kind;

/* What a run of text is. */
enum { RUN_BOLD = 1, RUN_ITALIC = 2, RUN_CODE = 4, RUN_STRIKE = 8, RUN_LINK = 16 };

/* What a word of a program is (see highlight.h). */
typedef enum md_word { WORD_PLAIN, WORD_KEYWORD, WORD_STRING, WORD_COMMENT, WORD_NUMBER } md_word;

typedef struct md_run {
    uint32_t begin, end; ///< bytes of the text
    uint8_t marks;       ///< RUN_…
    uint8_t word;        ///< md_word
    uint16_t link;       ///< one more than the index of its address; 0: none
} md_run;

/// A piece of a block that is laid out for itself: the whole block, or a field of a table.
typedef struct md_cell {
    uint32_t begin, end; ///< bytes of the text
    uint16_t row, column;
    char align; ///< 'l', 'c' or 'r'
} md_cell;

typedef struct md_block {
    md_kind kind;
    uint8_t level;   ///< of a heading, 1 to 6
    uint8_t quotes;  ///< how many quotes it stands in
    uint8_t indent;  ///< how many lists it stands in
    char marker[12]; ///< of a list's item, before its first block; else empty
    char language[24];
    uint32_t first_cell, n_cells; ///< a rule has none
    uint16_t n_columns;
} md_block;

typedef struct md_doc {
    char *text; ///< what is shown, all cells one after another, each ended by a zero byte
    uint32_t n_bytes;
    md_block *blocks;
    uint32_t n_blocks;
    md_cell *cells;
    uint32_t n_cells;
    md_run *runs; ///< in order, covering every cell
    uint32_t n_runs;
    char **links;
    uint32_t n_links;
} md_doc;

/// Reads a piece of Markdown (UTF-8; any bytes will do). Raw HTML is text; LaTeX is told in Unicode. Returns NULL when the heap
/// is out.
md_doc *md_read(const char *source, size_t n_bytes);
/// The text as it is, as one block.
md_doc *md_plain(const char *text, size_t n_bytes);
/// A piece of a program.
md_doc *md_code(const char *text, size_t n_bytes, const char *language);
void md_free(md_doc **doc);

/// Appends a part of a cell, as text or as Markdown that says the same. Returns false when the heap is out.
bool md_put_cell(md_out *out, const md_doc *doc, uint32_t cell, uint32_t begin, uint32_t end, bool markdown);

#endif
