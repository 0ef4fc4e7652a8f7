/* The library is asked for by name while running, so that nothing needs it: libspeechd's interface has been the same since 2008.
 * It waits for its server with each call, and has a thread of its own for that. SDL's threads do not hear SIGPIPE, with which a
 * server that died would end the program. */
#include "speak.h"

#include "sentences.h"
#include "words.h"

#include <SDL.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPD_MODE_SINGLE = 0, SPD_TEXT = 3, STOP_MS = 1000 };

typedef struct library {
    void *object;
    void *(*open)(const char *client, const char *connection, const char *user, int mode, const void *address, int autospawn,
                  char **error);
    void (*close)(void *connection);
    int (*say)(void *connection, int priority, const char *text);
    int (*cancel)(void *connection);
    int (*set_language)(void *connection, const char *language);
} library;

typedef struct waiting {
    struct waiting *next;
    char *text;
} waiting;

struct speak {
    library lib;
    void *connection; // of the thread
    const char *language;
    uint32_t problem;

    SDL_mutex *lock; // for what follows
    SDL_cond *news;
    SDL_Thread *thread;
    waiting *first, **last;
    bool hush, quit, ended;
    bool deaf; ///< nobody hears: not before the next answer is it tried again
    bool told; ///< and the person knows
    word why;
    char detail[256]; ///< from the library
    bool tells;       ///< these

    sentences read; // of the window's thread
    bool hushed;
};

static void tell(speak *s, word why, const char *detail) {
    SDL_LockMutex(s->lock);
    bool known = s->told;
    s->told = true;
    if (!known) {
        s->tells = true;
        s->why = why;
        SDL_strlcpy(s->detail, detail ? detail : "", sizeof s->detail);
    }
    SDL_UnlockMutex(s->lock);
    if (!known) SDL_PushEvent(&(SDL_Event){.type = s->problem});
}

/* ---- the thread's */

static bool load(library *lib) {
    lib->object = SDL_LoadObject("libspeechd.so.2");
    if (!lib->object) return false;
    // ISO C knows no way from an object's address to a function's; POSIX does.
    *(void **)&lib->open = SDL_LoadFunction(lib->object, "spd_open2");
    *(void **)&lib->close = SDL_LoadFunction(lib->object, "spd_close");
    *(void **)&lib->say = SDL_LoadFunction(lib->object, "spd_say");
    *(void **)&lib->cancel = SDL_LoadFunction(lib->object, "spd_cancel");
    *(void **)&lib->set_language = SDL_LoadFunction(lib->object, "spd_set_language");
    if (lib->open && lib->close && lib->say && lib->cancel && lib->set_language) return true;
    lib->open = NULL;
    return false;
}

static void hang_up(speak *s) {
    if (s->connection) s->lib.close(s->connection);
    s->connection = NULL;
    s->language = NULL;
}

static bool call(speak *s) {
    char *error = NULL;
    if (!s->lib.open) return false;
    if (!s->connection) s->connection = s->lib.open("pumice", "answers", NULL, SPD_MODE_SINGLE, NULL, 1, &error);
    if (!s->connection) tell(s, W_SPEECH_SILENT, error);
    free(error);
    return s->connection;
}

static bool say_once(speak *s, const char *text) {
    const char *language = sentence_language(text);
    if (s->language != language && s->lib.set_language(s->connection, language) == 0) s->language = language;
    return s->lib.say(s->connection, SPD_TEXT, text) != -1;
}

/* A server that has gone since the last sentence is called once more. */
static bool say_aloud(speak *s, const char *text) {
    for (int i = 0; i < 2; i++) {
        if (!call(s)) return false;
        if (say_once(s, text)) return true;
        hang_up(s);
    }
    tell(s, W_SPEECH_SILENT, NULL);
    return false;
}

static void free_waiting(waiting *w) {
    for (waiting *next; w; w = next) {
        next = w->next;
        free(w->text);
        free(w);
    }
}

static waiting *take_all(speak *s) {
    waiting *all = s->first;
    s->first = NULL;
    s->last = &s->first;
    return all;
}

static void serve(speak *s) {
    SDL_LockMutex(s->lock);
    while (!s->quit) {
        if (!s->first && !s->hush) {
            SDL_CondWait(s->news, s->lock);
            continue;
        }
        bool hush = s->hush;
        waiting *one = hush ? NULL : s->first;
        s->hush = false;
        if (one && !(s->first = one->next)) s->last = &s->first;
        SDL_UnlockMutex(s->lock);
        if (hush && s->connection && s->lib.cancel(s->connection) == -1) hang_up(s);
        bool ok = !one || say_aloud(s, one->text);
        if (one) one->next = NULL;
        free_waiting(one);
        SDL_LockMutex(s->lock);
        s->deaf = !ok;
        s->told = s->told && !(ok && one);
        if (!ok) free_waiting(take_all(s));
    }
    SDL_UnlockMutex(s->lock);
}

static int run(void *user) {
    speak *s = user;
    if (!load(&s->lib))
        tell(s, W_SPEECH_ABSENT, NULL);
    else
        call(s); // now, so that the person knows at once
    serve(s);
    if (s->connection) s->lib.cancel(s->connection);
    hang_up(s);
    SDL_LockMutex(s->lock);
    s->ended = true;
    SDL_CondSignal(s->news);
    SDL_UnlockMutex(s->lock);
    return 0;
}

/* ---- the window's */

static void destroy(speak *s) {
    free_waiting(s->first);
    if (s->lib.object) SDL_UnloadObject(s->lib.object);
    if (s->news) SDL_DestroyCond(s->news);
    if (s->lock) SDL_DestroyMutex(s->lock);
    free(s);
}

speak *speak_start(uint32_t problem) {
    speak *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->problem = problem;
    s->last = &s->first;
    s->lock = SDL_CreateMutex();
    s->news = SDL_CreateCond();
    s->thread = s->lock && s->news ? SDL_CreateThread(run, "speech", s) : NULL;
    if (s->thread) return s;
    destroy(s);
    return NULL;
}

bool speak_problem(speak *s, char *why) {
    if (!s) return false;
    SDL_LockMutex(s->lock);
    bool tells = s->tells;
    s->tells = false;
    if (tells) say_with(why, SPEAK_WHY_BYTES, s->why, s->detail[0] ? ": " : "", s->detail, NULL);
    SDL_UnlockMutex(s->lock);
    return tells;
}

void speak_begin(speak *s, const char *answer) {
    if (!s) return;
    speak_hush(s); // the one before
    SDL_LockMutex(s->lock);
    s->deaf = false;
    SDL_UnlockMutex(s->lock);
    s->hushed = false;
    s->read = (sentences){0};
    size_t n = strlen(answer);
    char *said;
    while ((said = sentence_next(&s->read, answer, n, false))) free(said);
    if (s->read.at < n && !s->read.fence && !s->read.thought) s->read.at = n; // in the middle of a sentence
}

void speak_follow(speak *s, const char *answer, bool finished) {
    if (!s || s->hushed) return;
    char *text;
    size_t n = strlen(answer);
    while ((text = sentence_next(&s->read, answer, n, finished))) {
        waiting *one = malloc(sizeof *one);
        if (!one) {
            free(text);
            return;
        }
        *one = (waiting){.text = text};
        SDL_LockMutex(s->lock);
        bool deaf = s->deaf;
        if (!deaf) {
            *s->last = one;
            s->last = &one->next;
            SDL_CondSignal(s->news);
        }
        SDL_UnlockMutex(s->lock);
        if (deaf) free_waiting(one);
    }
}

void speak_hush(speak *s) {
    if (!s) return;
    s->hushed = true;
    SDL_LockMutex(s->lock);
    free_waiting(take_all(s));
    s->hush = true;
    SDL_CondSignal(s->news);
    SDL_UnlockMutex(s->lock);
}

/* A server that hangs does not keep the window: then the thread is left behind with what it needs. */
void speak_stop(speak **speaking) {
    speak *s = *speaking;
    *speaking = NULL;
    if (!s) return;
    SDL_LockMutex(s->lock);
    s->quit = true;
    SDL_CondSignal(s->news);
    uint64_t until = SDL_GetTicks64() + STOP_MS;
    for (uint64_t now; !s->ended && (now = SDL_GetTicks64()) < until;)
        SDL_CondWaitTimeout(s->news, s->lock, (uint32_t)(until - now));
    bool ended = s->ended;
    SDL_UnlockMutex(s->lock);
    if (!ended) {
        SDL_DetachThread(s->thread);
        return;
    }
    SDL_WaitThread(s->thread, NULL);
    destroy(s);
}
