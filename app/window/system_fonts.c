#include "system_fonts.h"

#include <fontconfig/fontconfig.h>
#include <stdio.h>

static bool match(FcPattern *pattern, system_font *font) {
    FcResult result;
    FcConfigSubstitute(NULL, pattern, FcMatchPattern);
    FcDefaultSubstitute(pattern);
    FcPattern *best = FcFontMatch(NULL, pattern, &result);
    FcChar8 *file = NULL;
    bool found = best && FcPatternGetString(best, FC_FILE, 0, &file) == FcResultMatch;
    if (found) {
        font->index = 0;
        FcPatternGetInteger(best, FC_INDEX, 0, &font->index);
        int n = snprintf(font->path, sizeof font->path, "%s", (char *)file);
        found = n > 0 && (size_t)n < sizeof font->path;
    }
    if (best) FcPatternDestroy(best);
    return found;
}

bool system_fonts_find(uint32_t code, system_font *font) {
    if (!FcInit()) return false;
    FcCharSet *set = FcCharSetCreate();
    FcPattern *pattern = FcPatternBuild(NULL, FC_FAMILY, FcTypeString, "sans-serif", FC_SCALABLE, FcTypeBool, FcTrue, NULL);
    bool found = false;
    if (set && pattern) {
        if (code) {
            FcCharSetAddChar(set, code);
            FcPatternAddCharSet(pattern, FC_CHARSET, set);
        }
        found = match(pattern, font);
    }
    if (pattern) FcPatternDestroy(pattern);
    if (set) FcCharSetDestroy(set);
    return found;
}
