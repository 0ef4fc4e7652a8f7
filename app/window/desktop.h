/* How the desktop wants things to look: dark or light, in high contrast. It is asked by the portal for settings on the person's
 * D-Bus, as in freedesktop.org's org.freedesktop.appearance. */
#ifndef WINDOW_DESKTOP_H
#define WINDOW_DESKTOP_H

#include <stdint.h>

typedef enum desktop_look {
    DESKTOP_NO_LOOK, ///< it has no wish, has not said it yet, or there is nobody to ask
    DESKTOP_LIGHT,
    DESKTOP_DARK,
    DESKTOP_CONTRAST,
} desktop_look;

typedef struct desktop desktop;

/// Begins to ask, and returns at once. Whenever the look has changed, the first time too, an SDL event of the type `changed` is
/// pushed. Returns NULL where there is nobody to ask. A thread of its own sleeps until the desktop says something.
desktop *desktop_start(uint32_t changed);
/// Takes NULL too.
void desktop_stop(desktop **d);
/// Of any thread; takes NULL too.
desktop_look desktop_now(const desktop *d);

#endif
