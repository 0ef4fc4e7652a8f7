#include "fonts.h"

#include "system_fonts.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FACES = 64, GLYPH_SLOTS = 1 << 14 };

typedef struct glyph {
    uint32_t code; ///< and above it the style, plus one; 0: empty
    int16_t face, advance;
} glyph;

typedef struct open_font {
    char *path;
    int index, lacks, wanted, size; ///< of the file; what is made of it; what it was opened for; which of the sizes
    TTF_Font *font;
    float scale; ///< see fonts_scale
    bool rtl;
    char script[5]; ///< as last told to SDL_ttf
} open_font;

struct fonts {
    float pixels;
    int n_faces;
    open_font faces[MAX_FACES];
    int first[FONT_STYLES];    ///< one more than the face that a style is written with; 0: not yet asked for
    int emoji[FONT_STYLES];    ///< the same; -1: there is none
    glyph glyphs[GLYPH_SLOTS]; ///< a cache: one slot for each hash
};

static float pixels_of(const fonts *f, int style) {
    static const float sizes[] = {1, 1.1f, 1.25f, 1.5f};
    return f->pixels * sizes[style / FONT_LARGE];
}

/* Faces of bitmaps have a size of their own. */
static void measure_face(const fonts *f, open_font *of) {
    float wanted = pixels_of(f, of->size), height = (float)TTF_FontHeight(of->font);
    of->scale = height > 2 * wanted ? 1.2f * wanted / height : 1;
}

/* Opens the system's best font for a character, unless it is open already. Returns its face, or -1. */
static int open_face(fonts *f, int looks, int size, uint32_t code) {
    system_font found;
    if (!system_fonts_find(code, looks, &found)) return -1;
    for (int i = 0; i < f->n_faces; i++) {
        const open_font *there = &f->faces[i];
        if (strcmp(there->path, found.path) == 0 && there->index == found.index && there->size == size &&
            there->lacks == found.lacks)
            return i;
    }
    TTF_Font *font = f->n_faces < MAX_FACES ? TTF_OpenFontIndex(found.path, (int)(pixels_of(f, size) + 0.5f), found.index) : NULL;
    char *path = font ? strdup(found.path) : NULL;
    if (!path) {
        if (font) TTF_CloseFont(font);
        return -1;
    }
    // Advances are added up for wrapping and for the caret: kerning would make them wrong.
    TTF_SetFontKerning(font, 0);
    open_font *added = &f->faces[f->n_faces];
    *added = (open_font){.path = path, .index = found.index, .lacks = found.lacks, .wanted = looks, .size = size, .font = font};
    measure_face(f, added);
    if (added->scale == 1)
        TTF_SetFontStyle(font, (found.lacks & SYSTEM_FONT_BOLD ? TTF_STYLE_BOLD : 0) |
                                   (found.lacks & SYSTEM_FONT_ITALIC ? TTF_STYLE_ITALIC : 0));
    return f->n_faces++;
}

fonts *fonts_open(float pixels) {
    fonts *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->pixels = pixels;
    if (open_face(f, 0, 0, 0) < 0) fonts_close(&f);
    return f;
}

void fonts_close(fonts **fonts_in) {
    fonts *f = *fonts_in;
    if (!f) return;
    for (int i = 0; i < f->n_faces; i++) {
        TTF_CloseFont(f->faces[i].font);
        free(f->faces[i].path);
    }
    free(f);
    *fonts_in = NULL;
}

void fonts_resize(fonts *f, float pixels) {
    f->pixels = pixels;
    for (int i = 0; i < f->n_faces; i++) {
        TTF_SetFontSize(f->faces[i].font, (int)(pixels_of(f, f->faces[i].size) + 0.5f));
        measure_face(f, &f->faces[i]);
    }
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

/* The face for text in a style. */
static int first_face(fonts *f, int style) {
    if (!f->first[style]) {
        int face = open_face(f, style & ~FONT_SIZES, style & FONT_SIZES, 0); // the bits of looks are the system's own
        f->first[style] = 1 + (face > 0 ? face : 0);
    }
    return f->first[style] - 1;
}

/* Looks for a font of the system that has the character: among those that were opened for the style first. */
static int find_face(fonts *f, int style, uint32_t code) {
    int size = style & FONT_SIZES, looks = style & ~FONT_SIZES, first = first_face(f, style);
    if (TTF_GlyphIsProvided32(f->faces[first].font, code)) return first;
    for (int i = 0; i < f->n_faces; i++)
        if (f->faces[i].wanted == looks && f->faces[i].size == size && TTF_GlyphIsProvided32(f->faces[i].font, code)) return i;
    int other = open_face(f, looks, size, code);
    return other >= 0 && TTF_GlyphIsProvided32(f->faces[other].font, code) ? other : first;
}

static const glyph *find_glyph(fonts *f, int style, uint32_t code) {
    uint32_t key = (code | (uint32_t)style << 24) + 1;
    glyph *g = &f->glyphs[(key * 2654435761u) >> 18];
    if (g->code == key) return g;
    int advance = 0, face = find_face(f, style, code);
    if (TTF_GlyphMetrics32(f->faces[face].font, code, NULL, NULL, NULL, NULL, &advance) != 0) advance = 0;
    *g = (glyph){key, (int16_t)face, (int16_t)((float)advance * f->faces[face].scale + 0.5f)};
    return g;
}

int fonts_styled_advance(fonts *f, int style, uint32_t code) {
    if (code == '\n' || code == '\r') return 0;
    if (code == '\t') return 4 * find_glyph(f, style, ' ')->advance;
    return find_glyph(f, style, code)->advance;
}

int fonts_styled_face(fonts *f, int style, uint32_t code) { return find_glyph(f, style, code)->face; }
int fonts_styled_line_height(const fonts *f, int style) { return (int)(pixels_of(f, style) * 1.5f); }
int fonts_styled_base(const fonts *f, int style) { return fonts_styled_line_height(f, style) * 3 / 4; }
int fonts_advance(fonts *f, uint32_t code) { return fonts_styled_advance(f, 0, code); }
int fonts_face_of(fonts *f, uint32_t code) { return fonts_styled_face(f, 0, code); }
TTF_Font *fonts_face(fonts *f, int face) { return f->faces[face].font; }
float fonts_scale(const fonts *f, int face) { return f->faces[face].scale; }

int fonts_emoji_face(fonts *f, int style, uint32_t code) {
    int size = style & FONT_SIZES;
    if (!f->emoji[size]) {
        int face = open_face(f, SYSTEM_FONT_EMOJI, size, 0x1F600);
        f->emoji[size] = face >= 0 && TTF_GlyphIsProvided32(f->faces[face].font, 0x1F600) ? 1 + face : -1;
    }
    int face = f->emoji[size] - 1;
    return face >= 0 && TTF_GlyphIsProvided32(f->faces[face].font, code) ? face : -1;
}

void fonts_shape(fonts *f, int face_index, bool rtl, const char *script) {
    open_font *of = &f->faces[face_index];
    if (of->rtl == rtl && strcmp(of->script, script) == 0) return;
    of->rtl = rtl;
    memcpy(of->script, script, sizeof of->script);
    // Without HarfBuzz both fail, and the text is drawn as it stands.
    TTF_SetFontDirection(of->font, rtl ? TTF_DIRECTION_RTL : TTF_DIRECTION_LTR);
    TTF_SetFontScriptName(of->font, script);
}

int fonts_shaped_width(fonts *f, int face, const char *text, bool rtl, const char *script) {
    int width = 0;
    fonts_shape(f, face, rtl, script);
    if (TTF_SizeUTF8(f->faces[face].font, text, &width, NULL) != 0) return 0;
    return (int)((float)width * f->faces[face].scale + 0.5f);
}

int fonts_width(fonts *f, const char *text, size_t n_bytes) {
    int width = 0;
    uint32_t code;
    for (size_t at = 0; at < n_bytes;) {
        at += fonts_next(text + at, n_bytes - at, &code);
        width += fonts_advance(f, code);
    }
    return width;
}

int fonts_line_height(const fonts *f) { return fonts_styled_line_height(f, 0); }

/* Scripts that may be broken between any two characters. (Korean is written with spaces, and is broken at them.) */
bool fonts_breaks_anywhere(uint32_t code) {
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
        if (fonts_breaks_anywhere(code) && at > 0) last_chance = at;
        used += fonts_advance(f, code);
        if (used > width && code != ' ' && at > 0) return last_chance ? last_chance : at;
        at += n;
        if (code == ' ' || fonts_breaks_anywhere(code)) last_chance = at;
    }
    return at;
}
