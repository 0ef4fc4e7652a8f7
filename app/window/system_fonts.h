/* Which font files the system has for a character. */
#ifndef WINDOW_SYSTEM_FONTS_H
#define WINDOW_SYSTEM_FONTS_H

#include <stdbool.h>
#include <stdint.h>

enum { SYSTEM_FONTS_PATH = 1024 };

typedef struct system_font {
    char path[SYSTEM_FONTS_PATH];
    int index; ///< of the face in the file
} system_font;

/// The system's sans-serif font that is best for a character. code: 0 for text in general. Returns whether there is one; it may
/// lack the character all the same. Of one thread alone.
bool system_fonts_find(uint32_t code, system_font *font);

#endif
