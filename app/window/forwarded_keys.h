/* Keys that the input method gave back and SDL lost.
 *
 * Some input methods (ibus-hangul by default) take every key and send those that they do not want back as a "forward key event",
 * which SDL 2 ignores: Enter, Space, the arrows and F1 would do nothing while Hangul is on, and a Ctrl that is lost makes Ctrl+N
 * a letter. On X11 each key can be seen before the input method; one that brought neither a key event nor text is such a key. */
#ifndef WINDOW_FORWARDED_KEYS_H
#define WINDOW_FORWARDED_KEYS_H

#include <SDL.h>
#include <stdbool.h>

/// Asks SDL for the raw presses; elsewhere than on X11 nothing comes of it.
void forwarded_keys_start(void);
/// Looks at every event. composing: whether the input method has unfinished text now.
void forwarded_keys_see(const SDL_Event *event, bool composing);
/// When all waiting events were handled: the next lost key, as an SDL_KEYDOWN or the SDL_TEXTINPUT of a space. False when there
/// is none.
bool forwarded_keys_next(SDL_Event *event, bool composing);

#endif
