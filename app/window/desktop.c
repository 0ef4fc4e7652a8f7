#include "desktop.h"

#include <SDL.h>
#include <dbus/dbus.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORTAL "org.freedesktop.portal.Desktop"
#define PORTAL_PATH "/org/freedesktop/portal/desktop"
#define SETTINGS "org.freedesktop.portal.Settings"
#define APPEARANCE "org.freedesktop.appearance"

static const char SIGNALS[] =
    "type='signal',interface='" SETTINGS "',member='SettingChanged',path='" PORTAL_PATH "',arg0='" APPEARANCE "'";

struct desktop {
    DBusConnection *bus; // of the thread, and of who stops it when the thread has ended
    int socket;          // the bus's, once more: closed under it, all waiting ends
    pthread_t thread;
    uint32_t changed;
    uint32_t scheme, contrast; // of the thread
    atomic_int look;
};

/* ---- what the portal says */

/* The values are packed in variants, once by ReadOne and the signal, twice by Read. */
static bool value_of(DBusMessageIter *at, uint32_t *value) {
    DBusMessageIter inner = *at;
    while (dbus_message_iter_get_arg_type(&inner) == DBUS_TYPE_VARIANT) {
        DBusMessageIter outer = inner;
        dbus_message_iter_recurse(&outer, &inner);
    }
    if (dbus_message_iter_get_arg_type(&inner) != DBUS_TYPE_UINT32) return false;
    dbus_uint32_t number;
    dbus_message_iter_get_basic(&inner, &number);
    *value = number;
    return true;
}

static bool ask(desktop *d, const char *method, const char *key, uint32_t *value) {
    const char *name_space = APPEARANCE;
    DBusMessage *question = dbus_message_new_method_call(PORTAL, PORTAL_PATH, SETTINGS, method), *answer = NULL;
    if (question && dbus_message_append_args(question, DBUS_TYPE_STRING, &name_space, DBUS_TYPE_STRING, &key, DBUS_TYPE_INVALID))
        answer = dbus_connection_send_with_reply_and_block(d->bus, question, DBUS_TIMEOUT_USE_DEFAULT, NULL);
    if (question) dbus_message_unref(question);
    DBusMessageIter at;
    bool ok = answer && dbus_message_iter_init(answer, &at) && value_of(&at, value);
    if (answer) dbus_message_unref(answer);
    return ok;
}

/* Read is the older one, that all portals have. */
static void read_setting(desktop *d, const char *key, uint32_t *value) {
    if (!ask(d, "Read", key, value)) ask(d, "ReadOne", key, value);
}

static void settle(desktop *d) {
    int look = d->contrast == 1 ? DESKTOP_CONTRAST
               : d->scheme == 1 ? DESKTOP_DARK
               : d->scheme == 2 ? DESKTOP_LIGHT
                                : DESKTOP_NO_LOOK;
    if (atomic_exchange(&d->look, look) != look) SDL_PushEvent(&(SDL_Event){.type = d->changed});
}

static DBusHandlerResult on_message(DBusConnection *bus, DBusMessage *message, void *user) {
    (void)bus;
    desktop *d = user;
    const char *words[2];
    DBusMessageIter at;
    if (!dbus_message_is_signal(message, SETTINGS, "SettingChanged") || !dbus_message_iter_init(message, &at))
        return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    for (int i = 0; i < 2; i++) {
        if (dbus_message_iter_get_arg_type(&at) != DBUS_TYPE_STRING) return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
        dbus_message_iter_get_basic(&at, &words[i]);
        dbus_message_iter_next(&at);
    }
    if (strcmp(words[0], APPEARANCE) != 0) return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    if (strcmp(words[1], "color-scheme") == 0) value_of(&at, &d->scheme);
    if (strcmp(words[1], "contrast") == 0) value_of(&at, &d->contrast);
    settle(d);
    return DBUS_HANDLER_RESULT_HANDLED;
}

static void *watch(void *user) {
    desktop *d = user;
    if (!dbus_bus_register(d->bus, NULL)) return NULL;
    dbus_connection_set_exit_on_disconnect(d->bus, false);
    if (!dbus_connection_add_filter(d->bus, on_message, d, NULL)) return NULL;
    dbus_bus_add_match(d->bus, SIGNALS, NULL); // before the questions, so that no change falls between
    read_setting(d, "color-scheme", &d->scheme);
    read_setting(d, "contrast", &d->contrast);
    settle(d);
    while (dbus_connection_read_write_dispatch(d->bus, -1)) {
    }
    return NULL;
}

/* ---- the bus */

/* libdbus by itself would start a bus where there is none. */
static char *find_address(void) {
    const char *named = getenv("DBUS_SESSION_BUS_ADDRESS"), *folder = getenv("XDG_RUNTIME_DIR");
    if (named && *named) return strncmp(named, "autolaunch:", 11) == 0 ? NULL : strdup(named);
    char path[4096];
    struct stat about;
    int n = folder && folder[0] == '/' ? snprintf(path, sizeof path, "%s/bus", folder) : -1;
    if (n < 0 || (size_t)n >= sizeof path || stat(path, &about) != 0 || !S_ISSOCK(about.st_mode)) return NULL;
    char *escaped = dbus_address_escape_value(path), *address = escaped ? malloc(strlen(escaped) + sizeof "unix:path=") : NULL;
    if (address) sprintf(address, "unix:path=%s", escaped);
    dbus_free(escaped);
    return address;
}

static void close_bus(desktop *d) {
    if (d->socket >= 0) close(d->socket);
    dbus_connection_close(d->bus);
    dbus_connection_unref(d->bus);
    free(d);
}

desktop *desktop_start(uint32_t changed) {
    char *address = find_address();
    desktop *d = address && dbus_threads_init_default() ? calloc(1, sizeof *d) : NULL;
    if (d && !(d->bus = dbus_connection_open_private(address, NULL))) {
        free(d);
        d = NULL;
    }
    free(address);
    if (!d) return NULL;
    d->changed = changed;
    int fd;
    d->socket = dbus_connection_get_unix_fd(d->bus, &fd) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (d->socket >= 0 && pthread_create(&d->thread, NULL, watch, d) == 0) return d;
    close_bus(d);
    return NULL;
}

void desktop_stop(desktop **d) {
    if (!*d) return;
    shutdown((*d)->socket, SHUT_RDWR);
    pthread_join((*d)->thread, NULL);
    close_bus(*d);
    *d = NULL;
}

desktop_look desktop_now(const desktop *d) { return d ? (desktop_look)atomic_load(&d->look) : DESKTOP_NO_LOOK; }
