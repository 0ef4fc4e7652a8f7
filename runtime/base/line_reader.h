/* Lines of text out of bytes that come in pieces. */
#ifndef BASE_LINE_READER_H
#define BASE_LINE_READER_H

#include <stddef.h>

enum { LINE_READER_BYTES = 2048 };

/// What has come and was not handed out yet. All 0 in the beginning. One thread at a time.
typedef struct line_reader {
    size_t n_used, n_taken; ///< of text: filled, and handed out
    char text[LINE_READER_BYTES];
} line_reader;

/// The next line that is there in full, without its newline, or NULL. One that is longer than LINE_READER_BYTES - 1 is cut there,
/// and its rest is another line. Good until the next call.
const char *line_reader_take(line_reader *r);

/// Where the next bytes are to be put, behind a line_reader_take that gave NULL: n_bytes of room, at least one.
char *line_reader_room(line_reader *r, size_t *n_bytes);
/// So many have been put there.
void line_reader_add(line_reader *r, size_t n_bytes);

#endif
