#include "display.h"

#include <SDL_syswm.h>
#include <stdlib.h>

enum { STANDARD_DPI = 96 };

#ifdef SDL_VIDEO_DRIVER_X11
/* SDL has loaded the library itself, and with it this is the one that is there. */
static float dots_per_inch(SDL_Window *window) {
    SDL_SysWMinfo info;
    SDL_VERSION(&info.version);
    if (!SDL_GetWindowWMInfo(window, &info) || info.subsystem != SDL_SYSWM_X11) return 0;
    void *library = SDL_LoadObject("libX11.so.6");
    if (!library) return 0;
    char *(*get_default)(Display *, const char *, const char *);
    *(void **)&get_default = SDL_LoadFunction(library, "XGetDefault");
    const char *text = get_default ? get_default(info.info.x11.display, "Xft", "dpi") : NULL;
    float dpi = text ? strtof(text, NULL) : 0;
    SDL_UnloadObject(library);
    return dpi;
}
#else
static float dots_per_inch(SDL_Window *window) {
    (void)window;
    return 0;
}
#endif

float display_scale(SDL_Window *window) {
    float scale = dots_per_inch(window) / STANDARD_DPI;
    if (!(scale > 0)) return 1;
    return scale < 0.5f ? 0.5f : scale > 4 ? 4 : scale;
}
