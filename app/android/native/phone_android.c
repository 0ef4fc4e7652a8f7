/* What the window asks of Android, through PumiceActivity.java; see window/phone.h. */
#include "window/phone.h"

#include <SDL.h>
#include <dlfcn.h>
#include <jni.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORECAST_S = 10, PATH = 64 };

/* Folders of the program's own: no others can be written without asking. */
void phone_start(void) {
    const char *files = SDL_AndroidGetInternalStoragePath();
    if (!files) return;
    static const struct {
        const char *variable, *below;
    } folders[] = {{"XDG_DATA_HOME", ""}, {"XDG_CONFIG_HOME", ""}, {"XDG_CACHE_HOME", "/../cache"}, {"XDG_STATE_HOME", ""}};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[4096];
        int n = snprintf(path, sizeof path, "%s%s", files, folders[i].below);
        if (n > 0 && (size_t)n < sizeof path) setenv(folders[i].variable, path, 1);
    }
}

/* ---- calls into the activity: each by name, on whatever thread */

typedef struct call {
    JNIEnv *env;
    jobject activity;
    jmethodID method;
} call;

static bool begin_call(call *c, const char *name, const char *signature) {
    c->env = SDL_AndroidGetJNIEnv();
    c->activity = c->env ? SDL_AndroidGetActivity() : NULL;
    if (!c->activity) return false;
    jclass type = (*c->env)->GetObjectClass(c->env, c->activity);
    c->method = (*c->env)->GetMethodID(c->env, type, name, signature);
    (*c->env)->DeleteLocalRef(c->env, type);
    if (c->method) return true;
    (*c->env)->ExceptionClear(c->env);
    (*c->env)->DeleteLocalRef(c->env, c->activity);
    return false;
}

/* Returns whether the call ended without an exception. */
static bool end_call(call *c) {
    bool threw = (*c->env)->ExceptionCheck(c->env);
    if (threw) (*c->env)->ExceptionClear(c->env);
    (*c->env)->DeleteLocalRef(c->env, c->activity);
    return !threw;
}

static void call_void(const char *name) {
    call c;
    if (!begin_call(&c, name, "()V")) return;
    (*c.env)->CallVoidMethod(c.env, c.activity, c.method);
    end_call(&c);
}

static int call_int(const char *name) {
    call c;
    if (!begin_call(&c, name, "()I")) return -1;
    jint result = (*c.env)->CallIntMethod(c.env, c.activity, c.method);
    return end_call(&c) ? (int)result : -1;
}

/* ---- files: the library reads a descriptor under this name */

static void path_of(int descriptor, char *path) { snprintf(path, PATH, "/proc/self/fd/%d", descriptor); }

bool phone_has_picker(void) { return true; }
void phone_pick_file(void) { call_void("pickFile"); }

const char *phone_last_file(void) {
    static char path[PATH];
    int descriptor = call_int("lastFile");
    if (descriptor < 0) return NULL;
    path_of(descriptor, path);
    return path;
}

// Java looks it up by its name.
JNIEXPORT void JNICALL Java_pumice_chat_PumiceActivity_nativePicked(JNIEnv *env, jclass type, jint descriptor);
JNIEXPORT void JNICALL Java_pumice_chat_PumiceActivity_nativePicked(JNIEnv *env, jclass type, jint descriptor) {
    (void)env;
    (void)type;
    char path[PATH];
    path_of(descriptor, path);
    SDL_Event drop = {.drop = {.type = SDL_DROPFILE, .file = SDL_strdup(path)}};
    if (drop.drop.file && SDL_PushEvent(&drop) != 1) SDL_free(drop.drop.file);
}

/* ---- heat: since API level 30 there is a manager, since 31 it tells the headroom (NDK's android/thermal.h) */

typedef struct AThermalManager AThermalManager;
static float (*get_headroom)(AThermalManager *, int forecast_s);
static AThermalManager *thermal;

static void look_for_thermal(void) {
    void *library = dlopen("libandroid.so", RTLD_NOW);
    if (!library) return;
    AThermalManager *(*acquire)(void);
    *(void **)&acquire = dlsym(library, "AThermal_acquireManager");
    *(void **)&get_headroom = dlsym(library, "AThermal_getThermalHeadroom");
    if (acquire && get_headroom) thermal = acquire();
}

float phone_heat(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look_for_thermal);
    return thermal ? get_headroom(thermal, FORECAST_S) : NAN;
}

/* ---- checks, in a process of their own */

static int start_check(void *user) {
    (void)user;
    return call_int("startCheck");
}

static void stop_check(void *user) {
    (void)user;
    call_void("stopCheck");
}

const pum_check_service *phone_check_service(void) {
    static const pum_check_service service = {.start = start_check, .stop = stop_check};
    return &service;
}
