#include "system_fonts.h"

#include <fontconfig/fontconfig.h>
#include <stdio.h>

static int lacking(FcPattern *best, int looks) {
    int weight = FC_WEIGHT_BOLD, slant = FC_SLANT_ITALIC, lacks = 0;
    FcPatternGetInteger(best, FC_WEIGHT, 0, &weight);
    FcPatternGetInteger(best, FC_SLANT, 0, &slant);
    // What the configuration means to be made of the face, the face has not.
    FcBool embolden = FcFalse;
    FcMatrix *matrix = NULL;
    FcPatternGetBool(best, FC_EMBOLDEN, 0, &embolden);
    bool skewed = FcPatternGetMatrix(best, FC_MATRIX, 0, &matrix) == FcResultMatch && matrix->xy != 0;
    if ((looks & SYSTEM_FONT_BOLD) && (weight < FC_WEIGHT_DEMIBOLD || embolden)) lacks |= SYSTEM_FONT_BOLD;
    if ((looks & SYSTEM_FONT_ITALIC) && (slant == FC_SLANT_ROMAN || skewed)) lacks |= SYSTEM_FONT_ITALIC;
    return lacks;
}

static bool match(FcPattern *pattern, int looks, system_font *font) {
    FcResult result;
    FcConfigSubstitute(NULL, pattern, FcMatchPattern);
    FcDefaultSubstitute(pattern);
    FcPattern *best = FcFontMatch(NULL, pattern, &result);
    FcChar8 *file = NULL;
    bool found = best && FcPatternGetString(best, FC_FILE, 0, &file) == FcResultMatch;
    if (found) {
        font->index = 0;
        FcPatternGetInteger(best, FC_INDEX, 0, &font->index);
        font->lacks = lacking(best, looks);
        int n = snprintf(font->path, sizeof font->path, "%s", (char *)file);
        found = n > 0 && (size_t)n < sizeof font->path;
    }
    if (best) FcPatternDestroy(best);
    return found;
}

bool system_fonts_find(uint32_t code, int looks, system_font *font) {
    if (!FcInit()) return false;
    FcCharSet *set = FcCharSetCreate();
    const char *family = looks & SYSTEM_FONT_EMOJI ? "emoji" : looks & SYSTEM_FONT_MONO ? "monospace" : "sans-serif";
    FcPattern *pattern = FcPatternBuild(NULL, FC_FAMILY, FcTypeString, family, FC_SCALABLE, FcTypeBool, FcTrue, FC_WEIGHT,
                                        FcTypeInteger, looks & SYSTEM_FONT_BOLD ? FC_WEIGHT_BOLD : FC_WEIGHT_REGULAR, FC_SLANT,
                                        FcTypeInteger, looks & SYSTEM_FONT_ITALIC ? FC_SLANT_ITALIC : FC_SLANT_ROMAN, NULL);
    bool found = false;
    if (set && pattern) {
        if (code) {
            FcCharSetAddChar(set, code);
            FcPatternAddCharSet(pattern, FC_CHARSET, set);
        }
        found = match(pattern, looks, font);
    }
    if (pattern) FcPatternDestroy(pattern);
    if (set) FcCharSetDestroy(set);
    return found;
}
