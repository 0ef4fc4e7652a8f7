/* The system's fonts: one face for reading, and others for the characters that it lacks (CJK, symbols). */
#ifndef WINDOW_FONTS_H
#define WINDOW_FONTS_H

#include <SDL_ttf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fonts fonts;

/// Opens the system's sans-serif. pixels: height of an em. Returns NULL where there is no font at all.
fonts *fonts_open(float pixels);
void fonts_close(fonts **f);
/// Changes the size; everything measured before is void.
void fonts_resize(fonts *f, float pixels);

/// Reads a character; what is no UTF-8 is one byte long and U+FFFD. Returns its length, at least 1 (n_bytes >= 1).
size_t fonts_next(const char *text, size_t n_bytes, uint32_t *code);
/// The width of a character in pixels.
int fonts_advance(fonts *f, uint32_t code);
int fonts_width(fonts *f, const char *text, size_t n_bytes);
int fonts_line_height(const fonts *f);
/// The face that has a character; an index for fonts_face.
int fonts_face_of(fonts *f, uint32_t code);
TTF_Font *fonts_face(fonts *f, int face);

/// Where the line that begins at text ends, so that it is at most `width` wide: at a newline (which belongs to the line), after a
/// space, or between two characters of a script that is written without spaces; in a word only if it is wider than the line. At
/// least one character.
size_t fonts_break(fonts *f, const char *text, size_t n_bytes, int width);

#endif
