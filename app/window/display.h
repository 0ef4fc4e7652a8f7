/* How large the desktop wants things. */
#ifndef WINDOW_DISPLAY_H
#define WINDOW_DISPLAY_H

#include <SDL.h>

/// Beyond the pixels that a point has: X11 has no points, and its desktops write the dots per inch of letters into the resources
/// of the screen (Xft.dpi, of 96). 1 elsewhere, and where it is not told; from 0.5 to 4, and as it was when the window was made.
float display_scale(SDL_Window *window);

#endif
