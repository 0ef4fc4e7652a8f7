/* Which font files the system has for a character. */
#ifndef WINDOW_SYSTEM_FONTS_H
#define WINDOW_SYSTEM_FONTS_H

#include <stdbool.h>
#include <stdint.h>

enum { SYSTEM_FONTS_PATH = 1024 };

/* What a face is wanted for. */
enum { SYSTEM_FONT_BOLD = 1, SYSTEM_FONT_ITALIC = 2, SYSTEM_FONT_MONO = 4, SYSTEM_FONT_EMOJI = 8 };

typedef struct system_font {
    char path[SYSTEM_FONTS_PATH];
    int index; ///< of the face in the file
    int lacks; ///< SYSTEM_FONT_BOLD, SYSTEM_FONT_ITALIC: what was wanted and has to be made of it
} system_font;

/// The system's sans-serif font that is best for a character. code: 0 for text in general; looks: SYSTEM_FONT_…. Returns whether
/// there is one; it may lack the character all the same. Of one thread alone.
bool system_fonts_find(uint32_t code, int looks, system_font *font);

#endif
