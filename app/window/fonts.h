/* The system's fonts: faces for reading, bold, italic and of one width, and others for the characters that they lack (CJK,
 * symbols, emoji). */
#ifndef WINDOW_FONTS_H
#define WINDOW_FONTS_H

#include <SDL_ttf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fonts fonts;

/* A style: FONT_BOLD, FONT_ITALIC and FONT_MONO in any mixture, and one of the sizes. 0: text. */
enum {
    FONT_BOLD = 1,
    FONT_ITALIC = 2,
    FONT_MONO = 4,
    FONT_LARGE = 8, ///< headings of the third level and below
    FONT_LARGER = 16,
    FONT_LARGEST = 24,
    FONT_SIZES = 24,
    FONT_STYLES = 32
};

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

/* The same in a style. */
int fonts_styled_advance(fonts *f, int style, uint32_t code);
int fonts_styled_face(fonts *f, int style, uint32_t code);
int fonts_styled_line_height(const fonts *f, int style);
/// From the top of a line of the style to its base line.
int fonts_styled_base(const fonts *f, int style);
/// The face of emoji in colour for a character; -1 where the system has none.
int fonts_emoji_face(fonts *f, int style, uint32_t code);
/// What the pictures of a face are to be scaled with: below 1 for one that is bitmaps of one size.
float fonts_scale(const fonts *f, int face);
/// The width of a run of one face, shaped. text is ended by a zero byte; script is a four-letter name (ISO 15924).
int fonts_shaped_width(fonts *f, int face, const char *text, bool rtl, const char *script);
/// Makes a face shape what follows so.
void fonts_shape(fonts *f, int face, bool rtl, const char *script);

/// Where the line that begins at text ends, so that it is at most `width` wide: at a newline (which belongs to the line), after a
/// space, or between two characters of a script that is written without spaces; in a word only if it is wider than the line. At
/// least one character.
size_t fonts_break(fonts *f, const char *text, size_t n_bytes, int width);
/// Whether a script is written without spaces, so that a line may end before and after the character.
bool fonts_breaks_anywhere(uint32_t code);

#endif
