/* Android has no fontconfig. From API level 29 on its font matcher knows the file for a text; before, the names of the files in
 * /system/fonts have to be known. */
#include "system_fonts.h"

#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

/* The matcher's functions, as NDK documents them in android/font_matcher.h and android/font.h. */
typedef struct matcher matcher;
typedef struct font font;
static struct {
    bool looked, there;
    matcher *(*create)(void);
    void (*destroy)(matcher *);
    font *(*match)(const matcher *, const char *family, const uint16_t *text, uint32_t n_text, uint32_t *n_run);
    void (*close)(font *);
    const char *(*path)(const font *);
    size_t (*index)(const font *);
    void (*style)(matcher *, uint16_t weight, bool italic);
} android;

static bool look_for_matcher(void) {
    if (android.looked) return android.there;
    android.looked = true;
    void *library = dlopen("libandroid.so", RTLD_NOW);
    if (!library) return false;
    const struct {
        const char *name;
        void *slot;
    } functions[] = {
        {"AFontMatcher_create", &android.create},  {"AFontMatcher_destroy", &android.destroy},
        {"AFontMatcher_match", &android.match},    {"AFont_close", &android.close},
        {"AFont_getFontFilePath", &android.path},  {"AFont_getCollectionIndex", &android.index},
        {"AFontMatcher_setStyle", &android.style},
    };
    android.there = true;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        void *found = dlsym(library, functions[i].name);
        android.there = android.there && found;
        *(void **)functions[i].slot = found;
    }
    return android.there;
}

static bool ask_matcher(uint32_t code, int looks, system_font *found) {
    bool pair = code >= 0x10000;
    uint16_t text[2] = {pair ? (uint16_t)(0xD7C0 + (code >> 10)) : (uint16_t)code, (uint16_t)(0xDC00 | (code & 0x3FF))};
    matcher *m = android.create();
    uint32_t n_run;
    if (m) android.style(m, looks & SYSTEM_FONT_BOLD ? 700 : 400, looks & SYSTEM_FONT_ITALIC);
    font *f = m ? android.match(m, looks & SYSTEM_FONT_MONO ? "monospace" : "sans-serif", text, pair ? 2 : 1, &n_run) : NULL;
    bool fits = false;
    if (f) {
        int n = snprintf(found->path, sizeof found->path, "%s", android.path(f));
        found->index = (int)android.index(f);
        fits = n > 0 && (size_t)n < sizeof found->path;
        android.close(f);
    }
    if (m) android.destroy(m);
    return fits;
}

/* By ranges of Unicode, the first row that fits and is there; what has no row is in Roboto, or nowhere that is known. */
static const struct {
    uint32_t first, last;
    const char *file;
    int index;
} files[] = {
    {0x1100, 0x11FF, "NotoSansCJK-Regular.ttc", 1}, // Korean, which has a face of its own in the file
    {0x3130, 0x318F, "NotoSansCJK-Regular.ttc", 1},
    {0xAC00, 0xD7AF, "NotoSansCJK-Regular.ttc", 1},
    {0x2E80, 0x9FFF, "NotoSansCJK-Regular.ttc", 0},
    {0xF900, 0xFAFF, "NotoSansCJK-Regular.ttc", 0},
    {0xFF00, 0xFFEF, "NotoSansCJK-Regular.ttc", 0},
    {0x20000, 0x2FFFF, "NotoSansCJK-Regular.ttc", 0},
    {0x0590, 0x05FF, "NotoSansHebrew-Regular.ttf", 0},
    {0x0600, 0x06FF, "NotoNaskhArabic-Regular.ttf", 0},
    {0x0900, 0x097F, "NotoSansDevanagari-Regular.otf", 0},
    {0x0980, 0x09FF, "NotoSansBengali-Regular.otf", 0},
    {0x0E00, 0x0E7F, "NotoSansThai-Regular.ttf", 0},
    {0x1F000, 0x1FAFF, "NotoColorEmoji.ttf", 0},
    {0x2000, 0x2BFF, "NotoSansSymbols-Regular-Subsetted.ttf", 0},
    {0, 0x10FFFF, "Roboto-Regular.ttf", 0},
    {0, 0x10FFFF, "DroidSans.ttf", 0},
};

bool system_fonts_find(uint32_t code, int looks, system_font *found) {
    found->lacks = 0;
    if (look_for_matcher() && ask_matcher(code ? code : 'a', looks, found)) return true;
    found->lacks = looks & (SYSTEM_FONT_BOLD | SYSTEM_FONT_ITALIC); // the files below are regular ones
    if (looks & SYSTEM_FONT_MONO && code < 0x500) {
        snprintf(found->path, sizeof found->path, "/system/fonts/DroidSansMono.ttf");
        found->index = 0;
        if (access(found->path, R_OK) == 0) return true;
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (code < files[i].first || code > files[i].last) continue;
        snprintf(found->path, sizeof found->path, "/system/fonts/%s", files[i].file);
        found->index = files[i].index;
        if (access(found->path, R_OK) == 0) return true;
    }
    return false;
}
