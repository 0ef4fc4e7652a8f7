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

#if defined(SDL_VIDEO_DRIVER_X11)

/* X11's codes of the keys that the window acts on: those of the evdev rules, which every X server of today has. */
static const struct {
    unsigned x;
    SDL_Scancode scancode;
} keys[] = {
    {9, SDL_SCANCODE_ESCAPE},   {22, SDL_SCANCODE_BACKSPACE}, {23, SDL_SCANCODE_TAB},     {36, SDL_SCANCODE_RETURN},
    {65, SDL_SCANCODE_SPACE},   {67, SDL_SCANCODE_F1},        {68, SDL_SCANCODE_F2},      {69, SDL_SCANCODE_F3},
    {72, SDL_SCANCODE_F6},      {104, SDL_SCANCODE_KP_ENTER}, {110, SDL_SCANCODE_HOME},   {111, SDL_SCANCODE_UP},
    {112, SDL_SCANCODE_PAGEUP}, {113, SDL_SCANCODE_LEFT},     {114, SDL_SCANCODE_RIGHT},  {115, SDL_SCANCODE_END},
    {116, SDL_SCANCODE_DOWN},   {117, SDL_SCANCODE_PAGEDOWN}, {119, SDL_SCANCODE_DELETE},
};

/* Those that are text without Ctrl: neighbours on the keyboard, by the names that SDL has for their places. */
static const struct {
    unsigned x; ///< of the first
    const char *names;
} rows[] = {{10, "1234567890-="}, {24, "QWERTYUIOP"}, {38, "ASDFGHJKL"}, {52, "ZXCVBNM,"}};

static SDL_Scancode find_key(unsigned x, bool control) {
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].x == x) return keys[i].scancode;
    for (size_t i = 0; control && i < sizeof rows / sizeof *rows; i++)
        if (x >= rows[i].x && x - rows[i].x < strlen(rows[i].names))
            return SDL_GetScancodeFromName((const char[]){rows[i].names[x - rows[i].x], 0});
    return SDL_SCANCODE_UNKNOWN;
}

static const struct {
    unsigned mask; ///< of X11's state
    SDL_Keymod left, right;
} modifiers[] = {{ShiftMask, KMOD_LSHIFT, KMOD_RSHIFT}, {ControlMask, KMOD_LCTRL, KMOD_RCTRL}, {Mod1Mask, KMOD_LALT, KMOD_NONE}};

/* Of the two keys of a modifier X11 tells only that one is held. */
static SDL_Keymod with_state(SDL_Keymod mods, unsigned state) {
    for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++) {
        SDL_Keymod both = modifiers[i].left | modifiers[i].right;
        if (!(state & modifiers[i].mask))
            mods &= ~both;
        else if (!(mods & both))
            mods |= modifiers[i].left;
    }
    return mods;
}

static const XKeyEvent *key_of(const SDL_SysWMmsg *msg) {
    if (!msg || msg->subsystem != SDL_SYSWM_X11) return NULL;
    const XEvent *event = &msg->msg.x11.event;
    return event->type == KeyPress || event->type == KeyRelease ? &event->xkey : NULL;
}

/* SDL is about to ask the input method about a key, with the modifiers that it believes to be held. Those whose own press was
 * lost are not among them, and Ctrl+C would be a letter. Only here is it early enough: where the window was busy, several keys
 * are asked about before the first of them is handled. */
static int correct_mods(void *user, SDL_Event *event) {
    (void)user;
    const XKeyEvent *key = event->type == SDL_SYSWMEVENT ? key_of(event->syswm.msg) : NULL;
    if (key) SDL_SetModState(with_state(SDL_GetModState(), key->state));
    return 1;
}

void forwarded_keys_start(void) {
    SDL_EventState(SDL_SYSWMEVENT, SDL_ENABLE);
    SDL_AddEventWatch(correct_mods, NULL);
}

/* The other half: a modifier that is let go and lost would stay held until the next key. */
static void see_modifier(const XKeyEvent *key) {
    bool control = key->keycode == 37 || key->keycode == 105, shift = key->keycode == 50 || key->keycode == 62;
    SDL_Keymod bit = control ? KMOD_LCTRL : shift ? KMOD_LSHIFT : KMOD_NONE, mods = SDL_GetModState();
    SDL_SetModState(key->type == KeyPress ? mods | bit : mods & ~bit);
}

static void see_press(const XKeyEvent *key, bool composing) {
    uint16_t mod = with_state(KMOD_NONE, key->state);
    SDL_Scancode scancode = find_key(key->keycode, mod & KMOD_CTRL);
    // With a modifier, Space is the input method's own: it changes the language.
    if (scancode == SDL_SCANCODE_UNKNOWN || (scancode == SDL_SCANCODE_SPACE && mod) || n_waiting == MAX_WAITING) return;
    waiting[n_waiting++] = (press){scancode, mod, composing, false};
}

static void see_raw(const SDL_SysWMmsg *msg, bool composing) {
    const XKeyEvent *key = key_of(msg);
    if (!key) return;
    see_modifier(key);
    if (key->type == KeyPress) see_press(key, composing);
}

#else
void forwarded_keys_start(void) {}

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
    if (p->mod & (KMOD_CTRL | KMOD_ALT)) return false;
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
