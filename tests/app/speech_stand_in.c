/* Stands for libspeechd: each call is a line in the file $SPEECH_LOG. $SPEECH_FAILS: "open", that many of the first calls to say
 * as a server that has died (with SIGPIPE), or "hang". */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *spd_open2(const char *client, const char *connection, const char *user, int mode, const void *address, int autospawn,
                char **error);
void spd_close(void *connection);
int spd_say(void *connection, int priority, const char *text);
int spd_cancel(void *connection);
int spd_set_language(void *connection, const char *language);

static int n_said;

static void note(const char *what, const char *text) {
    const char *path = getenv("SPEECH_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;
    if (!log) return;
    fprintf(log, "%s%s\n", what, text);
    fclose(log);
}

static int fails(const char *how) {
    const char *wanted = getenv("SPEECH_FAILS");
    return wanted && strcmp(wanted, how) == 0;
}

__attribute__((visibility("default"))) void *spd_open2(const char *client, const char *connection, const char *user, int mode,
                                                       const void *address, int autospawn, char **error) {
    (void)connection, (void)user, (void)address;
    note("open ", client);
    if (!fails("open")) return mode == 0 && autospawn ? &n_said : NULL;
    *error = strdup("the server is away");
    return NULL;
}

__attribute__((visibility("default"))) void spd_close(void *connection) {
    note("close", connection == &n_said ? "" : " of another");
}

__attribute__((visibility("default"))) int spd_say(void *connection, int priority, const char *text) {
    (void)connection;
    while (fails("hang")) sleep(1);
    const char *wanted = getenv("SPEECH_FAILS");
    if (wanted && n_said++ < atoi(wanted)) {
        raise(SIGPIPE);
        return -1;
    }
    note(priority == 3 ? "say " : "say with another priority ", text);
    return 1;
}

__attribute__((visibility("default"))) int spd_cancel(void *connection) {
    (void)connection;
    note("cancel", "");
    return 0;
}

__attribute__((visibility("default"))) int spd_set_language(void *connection, const char *language) {
    (void)connection;
    note("language ", language);
    return 0;
}
