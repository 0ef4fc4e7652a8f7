/* pumice-chat: the window. It sleeps until something happens, and draws a frame only when there is something new to see. */
#include "desktop.h"
#include "display.h"
#include "forwarded_keys.h"
#include "instance.h"
#include "phone.h"
#include "speak.h"
#include "ui.h"
#include "words.h"

#include "chat/crash_mark.h"
#include "chat/devices.h"
#include "chat/models.h"
#include "pumice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct window {
    SDL_Window *sdl;
    SDL_Renderer *sdl_renderer;
    renderer *renderer;
    fonts *fonts;
    worker *worker;
    draw_list list;
    ui ui;
    desktop *desktop;
    int look;    ///< that the command line has chosen; -1: it is the settings'
    float scale; ///< of the command line
    speak *speak;
    bool speaks;    ///< the command line says so
    bool answering; ///< something is being spoken of, the message
    store_id answer;
    uint32_t wake, raise, look_changed, speech_problem;
    float desktop_scale, dpi_scale, drawn_scale;
} window;

enum { UNSET = -2 }; ///< the command line says nothing: the settings do

typedef struct arguments {
    const char *model, *device, *devices, *file;
    int n_ctx, kv, look;
    float scale;
    bool speak;
} arguments;

static const char HELP[] =
    "usage: pumice-chat [OPTION …] [FILE]\n\n"
    "  -m FILE                  the model; default: the one used last, else the default model\n"
    "  --device N|NAME          by index or part of the name; default: the fastest that is not a CPU driver\n"
    "  --devices LIST           several, as 0,1: the model's layers are divided among them\n"
    "  --ctx N                  context length; default: min(the model's, 4096); 0: as much as fits\n"
    "  --kv f16|q8_0            how keys and values are kept; q8_0: half the memory, a little less accurate; default f16\n"
    "  --theme auto|light|dark|contrast  the colours; auto: as the desktop wants them, else light; default auto\n"
    "  --scale X                size of everything, 0.5 to 5; default 1\n"
    "  --speak                  read answers aloud, by speech-dispatcher\n"
    "  --version                print the version\n"
    "  --help                   print this\n"
    "\nFILE is a model, a chat that was exported (.json, .md), or a text for the next question. A second start hands it to the\n"
    "window that is open, and raises it.\n";

static bool fail(const char *what, const char *why) {
    fprintf(stderr, "pumice: error: %s: %s\n", what, why);
    return false;
}

static bool parse_look(const char *value, int *look) {
    static const char *const names[] = {"auto", "light", "dark", "contrast"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) != 0) continue;
        *look = i;
        return true;
    }
    return false;
}

/* Returns an exit status to end with, or -1 to go on. */
static int parse(arguments *a, int argc, char **argv) {
    *a = (arguments){.n_ctx = UNSET, .kv = UNSET, .look = UNSET, .scale = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(HELP, stdout);
            return 0;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("pumice %s\n", pum_version());
            return 0;
        }
        if (strcmp(argv[i], "--speak") == 0) {
            a->speak = true;
            continue;
        }
        bool bare = argv[i][0] != '-'; // every option that is left takes a value
        const char *option = bare ? "FILE" : argv[i], *value = bare ? argv[i] : i + 1 < argc ? argv[++i] : NULL;
        char *end = NULL;
        bool good = value;
        if (bare) {
            good = !a->file;
            a->file = value;
        } else if (value && strcmp(option, "-m") == 0) {
            good = !a->model;
            a->model = value;
        } else if (value && strcmp(option, "--device") == 0) {
            a->device = value;
        } else if (value && strcmp(option, "--devices") == 0) {
            a->devices = value;
        } else if (value && strcmp(option, "--ctx") == 0) {
            long n = strtol(value, &end, 10);
            good = end != value && *end == 0 && n >= 0 && n <= INT32_MAX;
            a->n_ctx = (int)n;
        } else if (value && strcmp(option, "--kv") == 0) {
            good = strcmp(value, "f16") == 0 || strcmp(value, "q8_0") == 0;
            a->kv = value[0] == 'q' ? PUM_KV_Q8_0 : PUM_KV_F16;
        } else if (value && strcmp(option, "--theme") == 0) {
            good = parse_look(value, &a->look);
        } else if (value && strcmp(option, "--scale") == 0) {
            a->scale = strtof(value, &end);
            good = end != value && *end == 0 && a->scale >= 0.5f && a->scale <= 5;
        } else {
            good = false;
        }
        if (!good) {
            fprintf(stderr, "pumice: error: %s%s%s: not understood; see pumice-chat --help\n", option, value ? " " : "",
                    value ? value : "");
            return 2;
        }
    }
    return -1;
}

/* Pixels of the output for one of the window's points, times what the desktop, the command line and the person ask for. */
static void measure(window *w) {
    int width, height, points;
    SDL_GetRendererOutputSize(w->sdl_renderer, &width, &height);
    SDL_GetWindowSize(w->sdl, &points, NULL);
    w->ui.width = width;
    w->ui.height = height;
    w->dpi_scale = points > 0 ? (float)width / (float)points : 1;
    ui_set_scale(&w->ui, w->scale * w->desktop_scale * w->dpi_scale * (float)w->ui.settings.font_scale);
}

static const theme *colors(const window *w) {
    // The settings have the same order, with the desktop's wish in the place of none.
    int look = w->look != UNSET ? w->look : (int)w->ui.settings.theme;
    switch (look != DESKTOP_NO_LOOK ? (desktop_look)look : desktop_now(w->desktop)) {
    case DESKTOP_DARK:
        return &theme_dark;
    case DESKTOP_CONTRAST:
        return &theme_contrast;
    case DESKTOP_LIGHT:
    case DESKTOP_NO_LOOK:
        break;
    }
    return &theme_light;
}

/* Asked for by the command line or by the settings. */
static void obey_speech(window *w) {
    bool wanted = w->speaks || w->ui.settings.speak;
    if (wanted && !w->speak) w->speak = speak_start(w->speech_problem);
    if (wanted) return;
    speak_stop(&w->speak);
    w->answering = false;
}

/* What is chosen in the window holds instead of what the command line said. */
static void obey_settings(window *w, const settings *before) {
    if (w->ui.settings.theme != before->theme) w->look = UNSET;
    if (w->ui.settings.speak != before->speak) w->speaks = false;
    obey_speech(w);
    w->ui.colors = colors(w);
    words_use((window_language)w->ui.settings.language);
    measure(w);
}

/* The model to begin with; NULL: the default one. One that is not there any more is said. */
static const char *first_model(const arguments *a, const settings *s, bool *gone) {
    const char *path = a->model ? a->model : phone_last_file();
    if (path || !s->model[0]) return path;
    FILE *f = fopen(s->model, "rb");
    *gone = !f;
    if (!f) return NULL;
    fclose(f);
    return s->model;
}

static bool open_window(window *w, const arguments *a, const settings *kept, bool safe) {
    SDL_SetHint(SDL_HINT_IME_SHOW_UI, "1");
    SDL_SetHint(SDL_HINT_TOUCH_MOUSE_EVENTS, "0"); // a finger scrolls, which a mouse does not
    SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
    if (SDL_Init(SDL_INIT_VIDEO) != 0)
        return fail("the window cannot be opened; on a machine without a display use `pumice chat`", SDL_GetError());
    if (TTF_Init() != 0) return fail("fonts cannot be drawn", TTF_GetError());
    w->wake = SDL_RegisterEvents(1);
    w->raise = SDL_RegisterEvents(1);
    w->look_changed = SDL_RegisterEvents(1);
    w->look = a->look;
    w->scale = a->scale;
    w->ui.settings = *kept;
    words_use((window_language)kept->language);
    w->desktop = desktop_start(w->look_changed);
    w->speech_problem = SDL_RegisterEvents(1);
    w->speaks = a->speak;
    obey_speech(w);
    w->sdl = SDL_CreateWindow("Pumice", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED, 900, 700,
                              SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
    if (!w->sdl) return fail("the window cannot be opened", SDL_GetError());
    w->desktop_scale = display_scale(w->sdl);
    if (w->desktop_scale > 1) SDL_SetWindowSize(w->sdl, (int)(900 * w->desktop_scale), (int)(700 * w->desktop_scale));
    SDL_SetWindowMinimumSize(w->sdl, 320, 280);
    w->sdl_renderer = SDL_CreateRenderer(w->sdl, -1, 0);
    if (!w->sdl_renderer) w->sdl_renderer = SDL_CreateRenderer(w->sdl, -1, SDL_RENDERER_SOFTWARE);
    if (!w->sdl_renderer) return fail("the window cannot be drawn", SDL_GetError());
    w->renderer = renderer_create(w->sdl_renderer);
    w->fonts = fonts_open(16);
    if (!w->fonts)
        return fail("no font was found",
                    "install one, such as fonts-dejavu-core (and fonts-noto-cjk for Chinese, Japanese and Korean)");
    devices_use_check_service(phone_check_service());
    const worker_setup setup = {.device = safe                      ? "cpu"
                                          : a->device || a->devices ? a->device
                                          : kept->device[0]         ? kept->device
                                                                    : NULL,
                                .devices = safe ? NULL : a->devices,
                                .n_ctx = a->n_ctx != UNSET ? a->n_ctx : kept->n_ctx,
                                .kv = a->kv != UNSET ? (pum_kv_type)a->kv : kept->kv};
    w->worker = worker_start(w->wake, &setup);
    if (!w->renderer || !w->worker || !ui_init(&w->ui, w->worker, w->fonts, colors(w), kept))
        return fail("the window", "memory ran out");
    measure(w);
    return true;
}

static void close_window(window *w) {
    if (w->sdl) SDL_HideWindow(w->sdl); // at once, whatever the engine still has to finish
    desktop_stop(&w->desktop);
    speak_stop(&w->speak);
    worker_stop(&w->worker);
    ui_free(&w->ui);
    draw_free(&w->list);
    renderer_destroy(&w->renderer);
    fonts_close(&w->fonts);
    if (w->sdl_renderer) SDL_DestroyRenderer(w->sdl_renderer);
    if (w->sdl) SDL_DestroyWindow(w->sdl);
    if (TTF_WasInit()) TTF_Quit();
    SDL_Quit();
}

static void draw(window *w) {
    if (w->drawn_scale != w->ui.scale) renderer_forget(w->renderer);
    w->drawn_scale = w->ui.scale;
    ui_frame(&w->ui, &w->list);
    renderer_draw(w->renderer, w->fonts, &w->list);
    SDL_RenderPresent(w->sdl_renderer);
    // The input method puts its candidates beside the caret; its rectangle is in points.
    SDL_Rect caret = w->ui.caret;
    SDL_Rect points = {(int)((float)caret.x / w->dpi_scale), (int)((float)caret.y / w->dpi_scale), 2,
                       (int)((float)caret.h / w->dpi_scale)};
    SDL_SetTextInputRect(&points);
}

/* What has happened to the answer is spoken. A problem waits for its end: a notice would stand in the middle of it. Returns
 * whether there is something new to see. */
static bool speak_along(window *w, const SDL_Event *event) {
    const chats *c = &w->ui.chats;
    const store_message *last = c->n > 0 ? &c->branch[c->n - 1] : NULL;
    char why[SPEAK_WHY_BYTES];
    if (!w->speak) return false;
    if (event->type == SDL_KEYDOWN && event->key.keysym.sym == SDLK_ESCAPE) speak_hush(w->speak);
    if (last && c->streaming) {
        if (!w->answering || last->id != w->answer) speak_begin(w->speak, last->text);
        w->answering = true;
        w->answer = last->id;
        speak_follow(w->speak, last->text, false);
        return false;
    }
    if (w->answering) {
        w->answering = false;
        if (last && last->id == w->answer && last->state == STORE_FINISHED)
            speak_follow(w->speak, last->text, true);
        else
            speak_hush(w->speak);
    }
    if (!speak_problem(w->speak, why)) return false;
    ui_say(&w->ui, why);
    return true;
}

static bool handle(window *w, SDL_Event *event) {
    if (event->type == w->raise) {
        SDL_RestoreWindow(w->sdl);
        SDL_RaiseWindow(w->sdl);
        return true;
    }
    if (event->type == w->look_changed) {
        w->ui.colors = colors(w);
        return true;
    }
    if (event->type == SDL_MOUSEMOTION) { // points to pixels
        event->motion.x = (int)((float)event->motion.x * w->dpi_scale);
        event->motion.y = (int)((float)event->motion.y * w->dpi_scale);
    }
    if (event->type == SDL_MOUSEBUTTONDOWN || event->type == SDL_MOUSEBUTTONUP) {
        event->button.x = (int)((float)event->button.x * w->dpi_scale);
        event->button.y = (int)((float)event->button.y * w->dpi_scale);
    }
    if (event->type == SDL_MOUSEWHEEL) {
        event->wheel.mouseX = (int)((float)event->wheel.mouseX * w->dpi_scale);
        event->wheel.mouseY = (int)((float)event->wheel.mouseY * w->dpi_scale);
    }
    forwarded_keys_see(event, w->ui.composing);
    settings before = w->ui.settings;
    bool changed = ui_event(&w->ui, event, w->wake);
    changed = speak_along(w, event) || changed;
    if (w->ui.settings_changed) obey_settings(w, &before);
    w->ui.settings_changed = false;
    if (event->type == SDL_WINDOWEVENT) measure(w);
    if (event->type == SDL_RENDER_TARGETS_RESET || event->type == SDL_RENDER_DEVICE_RESET) renderer_forget(w->renderer);
    return changed;
}

/* In the background a phone's device is others'. This comes on the thread that the system chooses, before the window's is made to
 * wait. */
static int on_life(void *user, SDL_Event *event) {
    window *w = user;
    if (event->type == SDL_APP_WILLENTERBACKGROUND) worker_hold(w->worker, true);
    if (event->type == SDL_APP_DIDENTERFOREGROUND) worker_hold(w->worker, false);
    return 1;
}

/* Events that wait are all taken before a frame is drawn: at most about 60 frames a second for what the person does, and 30,
 * which are enough to read along, for what only streams. */
static void live(window *w) {
    enum { FRAME_MS = 16, STREAM_MS = 33 };
    if (!SDL_HasScreenKeyboardSupport()) SDL_StartTextInput(); // else when the composer is tapped
    forwarded_keys_start();
    draw(w);
    while (!w->ui.quit) {
        SDL_Event event;
        if (!SDL_WaitEventTimeout(&event, ui_wait_ms(&w->ui))) {
            if (ui_tick(&w->ui)) draw(w);
            continue;
        }
        uint64_t begin = SDL_GetTicks64();
        bool streams = event.type == w->wake, changed = handle(w, &event);
        while (!w->ui.quit && SDL_PollEvent(&event)) {
            streams = streams && event.type == w->wake;
            changed = handle(w, &event) || changed;
        }
        while (!w->ui.quit && forwarded_keys_next(&event, w->ui.composing))
            changed = ui_event(&w->ui, &event, w->wake) || changed;
        if (!changed || w->ui.quit) continue;
        draw(w);
        uint64_t took = SDL_GetTicks64() - begin;
        if (took < FRAME_MS) SDL_Delay((uint32_t)(FRAME_MS - took));
        // What the person does ends the rest of the wait.
        while (streams && SDL_GetTicks64() - begin < STREAM_MS && !SDL_HasEvents(SDL_FIRSTEVENT, SDL_USEREVENT - 1)) {
            SDL_Delay(4);
            SDL_PumpEvents();
        }
    }
}

/* The device stays out of use, at the next start too, until the person chooses it again. */
static void say_safe(window *w, const char *device) {
    char text[1024];
    pum_error ignored;
    say_with(text, sizeof text, W_SAFE_MODE, device[0] ? device : say(W_SOME_DEVICE), NULL, NULL);
    fprintf(stderr, "pumice: %s\n", text);
    ui_say(&w->ui, text);
    snprintf(w->ui.settings.device, sizeof w->ui.settings.device, "cpu");
    settings_save(&w->ui.settings, &ignored);
}

static bool is_missing(const char *path) {
    FILE *f = fopen(path, "rb");
    if (f) fclose(f);
    return !f;
}

/* As if it had been dropped on the window. */
static void drop(const char *path) {
    SDL_Event event = {.drop = {.type = SDL_DROPFILE, .file = SDL_strdup(path)}};
    if (event.drop.file && SDL_PushEvent(&event) < 0) SDL_free(event.drop.file);
}

int main(int argc, char **argv) {
    arguments a;
    phone_start();
    int status = parse(&a, argc, argv);
    if (status >= 0) return status;
    static instance *first;
    if (!instance_claim(&first, a.file ? a.file : a.model)) return 0;
    if (a.file && !a.model && (attachment_is_model(a.file) || is_missing(a.file))) {
        a.model = a.file;
        a.file = NULL;
    }
    static window w;
    static settings kept;
    pum_error err;
    char default_model[PATHS_MAX];
    static char notice[SETTINGS_NOTICE_BYTES], device[CRASH_MARK_DEVICE_BYTES], crashed[1024];
    settings_load(&kept, notice);
    // A driver that took the last start with it does not get this one: whoever names a device wants that one all the same.
    bool safe = crash_mark_take(device) && !a.device && !a.devices, gone = false;
    bool ok = open_window(&w, &a, &kept, safe);
    if (ok) {
        const char *model = first_model(&a, &kept, &gone);
        w.ui.offers_files = phone_has_picker();
        if (notice[0]) ui_say(&w.ui, notice);
        if (gone) ui_say(&w.ui, say_with(crashed, sizeof crashed, W_MODEL_GONE, kept.model, NULL, NULL));
        if (safe) say_safe(&w, device);
        bool any = model || models_find(NULL, default_model, &err) == PUM_OK;
        if (any)
            ui_load(&w.ui, model);
        else if (!w.ui.offers_files)
            ui_offer_models(&w.ui);
        else
            ui_say(&w.ui, say(W_CHOOSE_MODEL));
        if (a.file) drop(a.file);
        SDL_AddEventWatch(on_life, &w);
        instance_listen(first, w.raise);
        live(&w);
        SDL_DelEventWatch(on_life, &w);
    }
    instance_release(&first); // first of all: who starts now gets a window
    close_window(&w);
    return ok ? 0 : 1;
}
