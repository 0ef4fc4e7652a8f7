/* Stands for the desktop's portal on the session's bus, for what it says about looks.
 *   portal_stand_in [-1] KEY VALUE …
 * answers Read (with -1 only ReadOne, as a portal may that has dropped the old one) for these keys of org.freedesktop.appearance,
 * prints "ready", and for each line "KEY VALUE" of its input changes a setting and says so. A line "nonsense" makes it send
 * signals that are not what they should be. It ends with its input. */
#include <dbus/dbus.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SETTINGS "org.freedesktop.portal.Settings"
#define PATH "/org/freedesktop/portal/desktop"

typedef struct setting {
    char key[32];
    uint32_t value;
} setting;

static DBusConnection *bus;
static setting settings[8];
static int n_settings;
static bool only_read_one;

static uint32_t *find(const char *key) {
    for (int i = 0; i < n_settings; i++)
        if (strcmp(settings[i].key, key) == 0) return &settings[i].value;
    return NULL;
}

static void set(const char *key, uint32_t value) {
    uint32_t *there = find(key);
    if (!there && n_settings < 8) {
        snprintf(settings[n_settings].key, sizeof settings[0].key, "%s", key);
        there = &settings[n_settings++].value;
    }
    if (there) *there = value;
}

static void append_variant(DBusMessageIter *to, uint32_t value, bool twice) {
    DBusMessageIter outer, inner;
    dbus_message_iter_open_container(to, DBUS_TYPE_VARIANT, twice ? "v" : "u", &outer);
    if (twice) dbus_message_iter_open_container(&outer, DBUS_TYPE_VARIANT, "u", &inner);
    dbus_message_iter_append_basic(twice ? &inner : &outer, DBUS_TYPE_UINT32, &value);
    if (twice) dbus_message_iter_close_container(&outer, &inner);
    dbus_message_iter_close_container(to, &outer);
}

static DBusHandlerResult on_message(DBusConnection *connection, DBusMessage *message, void *user) {
    (void)user;
    bool read = !only_read_one && dbus_message_is_method_call(message, SETTINGS, "Read");
    if (!read && !dbus_message_is_method_call(message, SETTINGS, "ReadOne")) return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
    const char *space, *key;
    uint32_t *value = NULL;
    if (dbus_message_get_args(message, NULL, DBUS_TYPE_STRING, &space, DBUS_TYPE_STRING, &key, DBUS_TYPE_INVALID) &&
        strcmp(space, "org.freedesktop.appearance") == 0)
        value = find(key);
    DBusMessage *answer = value ? dbus_message_new_method_return(message)
                                : dbus_message_new_error(message, "org.freedesktop.portal.Error.NotFound", "no such setting");
    DBusMessageIter at;
    dbus_message_iter_init_append(answer, &at);
    if (value) append_variant(&at, *value, read);
    dbus_connection_send(connection, answer, NULL);
    dbus_message_unref(answer);
    return DBUS_HANDLER_RESULT_HANDLED;
}

static void say(const char *space, const char *key, uint32_t value, int n_words) {
    DBusMessage *signal = dbus_message_new_signal(PATH, SETTINGS, "SettingChanged");
    DBusMessageIter at;
    dbus_message_iter_init_append(signal, &at);
    if (n_words > 0) dbus_message_iter_append_basic(&at, DBUS_TYPE_STRING, &space);
    if (n_words > 1) dbus_message_iter_append_basic(&at, DBUS_TYPE_STRING, &key);
    if (n_words > 2) append_variant(&at, value, false);
    dbus_connection_send(bus, signal, NULL);
    dbus_connection_flush(bus);
    dbus_message_unref(signal);
}

static void obey(const char *line) {
    char key[32];
    unsigned value;
    if (strncmp(line, "nonsense", 8) == 0) {
        for (int n = 0; n < 3; n++) say("org.freedesktop.appearance", "color-scheme", 1, n);
        say("org.gnome.desktop.interface", "color-scheme", 1, 3);
        say("org.freedesktop.appearance", "accent-color", 1, 3);
    } else if (sscanf(line, "%31s %u", key, &value) == 2) {
        set(key, value);
        say("org.freedesktop.appearance", key, value, 3);
    }
}

int main(int argc, char **argv) {
    int first = argc > 1 && strcmp(argv[1], "-1") == 0 ? 2 : 1;
    only_read_one = first == 2;
    for (int i = first; i + 1 < argc; i += 2) set(argv[i], (uint32_t)atoi(argv[i + 1]));
    bus = dbus_bus_get(DBUS_BUS_SESSION, NULL);
    if (!bus || !dbus_connection_add_filter(bus, on_message, NULL, NULL) ||
        dbus_bus_request_name(bus, "org.freedesktop.portal.Desktop", 0, NULL) != DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER)
        return 1;
    puts("ready");
    fflush(stdout);
    struct pollfd input = {.fd = 0, .events = POLLIN};
    char line[128];
    setvbuf(stdin, NULL, _IONBF, 0); // so that poll tells of every line
    while (dbus_connection_read_write_dispatch(bus, 20)) {
        if (poll(&input, 1, 0) <= 0) continue;
        if (!fgets(line, sizeof line, stdin)) break;
        obey(line);
    }
    return 0;
}
