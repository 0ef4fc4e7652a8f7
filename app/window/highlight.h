/* Which words of a program are keywords, strings, comments and numbers: one small lexer, and a table of languages. */
#ifndef WINDOW_HIGHLIGHT_H
#define WINDOW_HIGHLIGHT_H

#include "markdown.h"

/// Cuts the document's last run, [begin, end) of the text, into runs of words. What is no known language stays as it is. Returns
/// false when the heap is out.
bool highlight(md_doc *doc, const char *text, uint32_t begin, uint32_t end, const char *language);

#endif
