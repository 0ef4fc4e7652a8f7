#include "forwarded_keys.h"

#include <SDL_syswm.h>
#include <string.h>

enum { MAX_WAITING = 16 };

typedef struct press {
    SDL_Scancode scancode;
    uint16_t mod;
    bool composing; ///< when it was pressed
    bool text_came; ///< since then
} press;

static press waiting[MAX_WAITING];
static int n_waiting;

void forwarded_keys_start(void) { SDL_EventState(SDL_SYSWMEVENT, SDL_ENABLE); }

#if defined(SDL_VIDEO_DRIVER_X11)

/* X11's codes of the keys that a window without text would act on: those of the evdev rules, which every X server of today has.
 */
static const struct {
    unsigned x;
    SDL_Scancode scancode;
} codes[] = {
    {9, SDL_SCANCODE_ESCAPE},     {22, SDL_SCANCODE_BACKSPACE}, {36, SDL_SCANCODE_RETURN}, {65, SDL_SCANCODE_SPACE},
    {104, SDL_SCANCODE_KP_ENTER}, {110, SDL_SCANCODE_HOME},     {111, SDL_SCANCODE_UP},    {112, SDL_SCANCODE_PAGEUP},
    {113, SDL_SCANCODE_LEFT},     {114, SDL_SCANCODE_RIGHT},    {115, SDL_SCANCODE_END},   {116, SDL_SCANCODE_DOWN},
    {117, SDL_SCANCODE_PAGEDOWN}, {119, SDL_SCANCODE_DELETE},   {20, SDL_SCANCODE_MINUS},  {21, SDL_SCANCODE_EQUALS},
    {24, SDL_SCANCODE_Q},         {38, SDL_SCANCODE_A},         {53, SDL_SCANCODE_X},      {54, SDL_SCANCODE_C},
    {55, SDL_SCANCODE_V},         {57, SDL_SCANCODE_N},
};

/* A modifier that is lost would make Ctrl+C a letter for the input method. */
static void see_modifier(const XKeyEvent *key) {
    bool control = key->keycode == 37 || key->keycode == 105, shift = key->keycode == 50 || key->keycode == 62;
    SDL_Keymod bit = control ? KMOD_LCTRL : shift ? KMOD_LSHIFT : KMOD_NONE, mods = SDL_GetModState();
    SDL_SetModState(key->type == KeyPress ? mods | bit : mods & ~bit);
}

static void see_press(const XKeyEvent *key, bool composing) {
    uint16_t mod = (uint16_t)((key->state & ShiftMask ? KMOD_SHIFT : 0) | (key->state & ControlMask ? KMOD_CTRL : 0));
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        bool letter = codes[i].scancode < SDL_SCANCODE_RETURN || codes[i].x == 20 || codes[i].x == 21;
        if (codes[i].x != key->keycode || (letter && !(mod & KMOD_CTRL)) || n_waiting == MAX_WAITING) continue;
        waiting[n_waiting++] = (press){codes[i].scancode, mod, composing, false};
    }
}

static void see_raw(const SDL_SysWMmsg *msg, bool composing) {
    if (!msg || msg->subsystem != SDL_SYSWM_X11) return;
    const XEvent *event = &msg->msg.x11.event;
    if (event->type == KeyPress || event->type == KeyRelease) see_modifier(&event->xkey);
    if (event->type == KeyPress) see_press(&event->xkey, composing);
}

#else
static void see_raw(const SDL_SysWMmsg *msg, bool composing) {
    (void)msg;
    (void)composing;
}
#endif

static void forget(int i) { memmove(&waiting[i], &waiting[i + 1], (size_t)(--n_waiting - i) * sizeof *waiting); }

void forwarded_keys_see(const SDL_Event *event, bool composing) {
    switch (event->type) {
    case SDL_SYSWMEVENT:
        see_raw(event->syswm.msg, composing);
        break;
    case SDL_KEYDOWN: // it was not lost
        for (int i = 0; i < n_waiting; i++)
            if (waiting[i].scancode == event->key.keysym.scancode) {
                forget(i);
                break;
            }
        break;
    case SDL_TEXTINPUT:
        for (int i = 0; i < n_waiting; i++) waiting[i].text_came = true;
        break;
    default:
        break;
    }
}

/* Whether the input method did something with the key itself. */
static bool was_used(const press *p) {
    if (!p->composing) return p->text_came;
    bool edits = p->scancode == SDL_SCANCODE_BACKSPACE || p->scancode == SDL_SCANCODE_ESCAPE;
    return edits || p->scancode == SDL_SCANCODE_RETURN || p->scancode == SDL_SCANCODE_KP_ENTER;
}

bool forwarded_keys_next(SDL_Event *event, bool composing) {
    if (composing) { // it goes on composing: the keys were for it
        n_waiting = 0;
        return false;
    }
    while (n_waiting) {
        press p = waiting[0];
        forget(0);
        if (was_used(&p)) continue;
        *event = (SDL_Event){0};
        if (p.scancode == SDL_SCANCODE_SPACE) {
            event->type = SDL_TEXTINPUT;
            event->text.text[0] = ' ';
        } else {
            event->type = SDL_KEYDOWN;
            event->key.timestamp = SDL_GetTicks();
            event->key.state = SDL_PRESSED;
            event->key.keysym = (SDL_Keysym){.scancode = p.scancode, .sym = SDL_GetKeyFromScancode(p.scancode), .mod = p.mod};
        }
        return true;
    }
    return false;
}
