/* LaTeX told in Unicode: legible, not typeset. */
#ifndef WINDOW_LATEX_H
#define WINDOW_LATEX_H

#include "md_out.h"

/// Copies Markdown to *out; what stands in $…$, $$…$$, \(…\) and \[…\] (not in code) is told in Unicode, escaped so that Markdown
/// leaves it alone. Returns false when the heap is out.
bool latex_tell(md_out *out, const char *source, size_t n_bytes);

#endif
