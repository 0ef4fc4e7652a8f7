#include "fonts.h"

#include "system_fonts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FACES = 12, GLYPH_SLOTS = 1 << 14 };

typedef struct glyph {
    uint32_t code; ///< plus one; 0: empty
    int16_t face, advance;
} glyph;

struct fonts {
    float pixels;
    int n_faces;
    char *paths[MAX_FACES];
    int indices[MAX_FACES];
    TTF_Font *faces[MAX_FACES];
    glyph glyphs[GLYPH_SLOTS]; ///< a cache: one slot for each hash
};

/* Opens the system's best font for a character, unless it is open already. Returns its face, or -1. */
static int open_face(fonts *f, uint32_t code) {
    system_font found;
    if (!system_fonts_find(code, &found)) return -1;
    for (int i = 0; i < f->n_faces; i++)
        if (strcmp(f->paths[i], found.path) == 0 && f->indices[i] == found.index) return i;
    TTF_Font *font = f->n_faces < MAX_FACES ? TTF_OpenFontIndex(found.path, (int)f->pixels, found.index) : NULL;
    if (!font) return -1;
    // Advances are added up for wrapping and for the caret: kerning would make them wrong.
    TTF_SetFontKerning(font, 0);
    int face = f->n_faces++;
    f->faces[face] = font;
    f->indices[face] = found.index;
    f->paths[face] = strdup(found.path);
    return face;
}

fonts *fonts_open(float pixels) {
    fonts *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->pixels = pixels;
    if (open_face(f, 0) < 0) fonts_close(&f);
    return f;
}

void fonts_close(fonts **fonts_in) {
    fonts *f = *fonts_in;
    if (!f) return;
    for (int i = 0; i < f->n_faces; i++) {
        TTF_CloseFont(f->faces[i]);
        free(f->paths[i]);
    }
    free(f);
    *fonts_in = NULL;
}

void fonts_resize(fonts *f, float pixels) {
    f->pixels = pixels;
    for (int i = 0; i < f->n_faces; i++) TTF_SetFontSize(f->faces[i], (int)pixels);
    memset(f->glyphs, 0, sizeof f->glyphs);
}

size_t fonts_next(const char *text, size_t n_bytes, uint32_t *code) {
    const uint8_t *b = (const uint8_t *)text;
    size_t n = b[0] < 0x80 ? 1 : b[0] >= 0xF0 ? 4 : b[0] >= 0xE0 ? 3 : b[0] >= 0xC2 ? 2 : 0;
    *code = n == 1 ? b[0] : n ? b[0] & (0x7Fu >> n) : 0;
    for (size_t i = 1; i < n; i++) {
        if (i >= n_bytes || (b[i] & 0xC0) != 0x80) n = 0;
        if (n) *code = *code << 6 | (b[i] & 0x3F);
    }
    if (n) return n;
    *code = 0xFFFD;
    return 1;
}

/* Looks for a font of the system that has the character. */
static int find_face(fonts *f, uint32_t code) {
    for (int i = 0; i < f->n_faces; i++)
        if (TTF_GlyphIsProvided32(f->faces[i], code)) return i;
    int face = open_face(f, code);
    return face >= 0 && TTF_GlyphIsProvided32(f->faces[face], code) ? face : 0;
}

static const glyph *find_glyph(fonts *f, uint32_t code) {
    glyph *g = &f->glyphs[(code * 2654435761u) >> 18];
    if (g->code == code + 1) return g;
    int advance = 0, face = find_face(f, code);
    if (TTF_GlyphMetrics32(f->faces[face], code, NULL, NULL, NULL, NULL, &advance) != 0) advance = 0;
    *g = (glyph){code + 1, (int16_t)face, (int16_t)advance};
    return g;
}

int fonts_advance(fonts *f, uint32_t code) {
    if (code == '\n' || code == '\r') return 0;
    if (code == '\t') return 4 * find_glyph(f, ' ')->advance;
    return find_glyph(f, code)->advance;
}

int fonts_face_of(fonts *f, uint32_t code) { return find_glyph(f, code)->face; }
TTF_Font *fonts_face(fonts *f, int face) { return f->faces[face]; }

int fonts_width(fonts *f, const char *text, size_t n_bytes) {
    int width = 0;
    uint32_t code;
    for (size_t at = 0; at < n_bytes;) {
        at += fonts_next(text + at, n_bytes - at, &code);
        width += fonts_advance(f, code);
    }
    return width;
}

int fonts_line_height(const fonts *f) { return (int)(f->pixels * 1.5f); }

/* Scripts that may be broken between any two characters. (Korean is written with spaces, and is broken at them.) */
static bool breaks_anywhere(uint32_t code) {
    return (code >= 0x2E80 && code < 0xAC00) || (code >= 0xF900 && code < 0xFB00) || (code >= 0xFF00 && code < 0xFFF0) ||
           (code >= 0x20000 && code < 0x30000);
}

size_t fonts_break(fonts *f, const char *text, size_t n_bytes, int width) {
    size_t at = 0, last_chance = 0;
    int used = 0;
    while (at < n_bytes) {
        uint32_t code;
        size_t n = fonts_next(text + at, n_bytes - at, &code);
        if (code == '\n') return at + n;
        if (breaks_anywhere(code) && at > 0) last_chance = at;
        used += fonts_advance(f, code);
        if (used > width && code != ' ' && at > 0) return last_chance ? last_chance : at;
        at += n;
        if (code == ' ' || breaks_anywhere(code)) last_chance = at;
    }
    return at;
}
