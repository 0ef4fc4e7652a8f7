/* An answer that grows, sentence by sentence, as a voice should read it: without code blocks, thoughts and the marks of Markdown.
 */
#ifndef WINDOW_SENTENCES_H
#define WINDOW_SENTENCES_H

#include <stdbool.h>
#include <stddef.h>

/* How far the answer was read. All zero: its beginning. */
typedef struct sentences {
    size_t at;
    char fence; ///< ` or ~ in a code block; 0 outside
    size_t n_fence;
    bool thought;
} sentences;

/// The next sentence of the answer so far, text [n_bytes], which only grows; finished: it does not any more. To be freed with
/// free(). NULL where none has ended yet, or the heap is out. What is returned does not depend on the pieces in which the answer
/// came.
char *sentence_next(sentences *s, const char *text, size_t n_bytes, bool finished);

/// The language of a sentence by its letters: "ko", "ja", "zh" or "en".
const char *sentence_language(const char *sentence);

#endif
