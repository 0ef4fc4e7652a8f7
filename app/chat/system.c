#include "chat/system.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <unistd.h>

extern char **environ;

const char system_end_keys[] = "Ctrl-D";

void system_begin(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN);
}

FILE *system_open(const char *path, const char *mode) { return fopen(path, mode); }

bool system_is_terminal(FILE *stream) { return isatty(fileno(stream)); }

long system_read_line(char **line, size_t *capacity) { return getline(line, capacity, stdin); }

void system_name(char *text) {
    struct utsname s = {0};
    uname(&s);
    snprintf(text, SYSTEM_NAME_BYTES, "%s %s %s", s.sysname, s.release, s.machine);
}

char **system_variables(void) { return environ; }

void system_serve(void) {
    signal(SIGINT, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
}

static void (*interrupt_fn)(void);

static void on_interrupt(int signal_number) {
    (void)signal_number;
    interrupt_fn();
}

void system_catch_interrupt(void (*fn)(void)) {
    interrupt_fn = fn;
    struct sigaction action = {.sa_handler = on_interrupt}; // no SA_RESTART: a read from the terminal ends too
    sigaction(SIGINT, &action, NULL);
}
