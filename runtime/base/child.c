/* On systems that have posix_spawn. The program's input and output are one socket: writing to one that is gone is an error there,
 * where a pipe would send a signal that could end the process we are a guest of. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // dladdr
#endif
#include "base/child.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MSG_NOSIGNAL // there SO_NOSIGPIPE does it
#define MSG_NOSIGNAL 0
#endif

extern char **environ;

struct child {
    pid_t pid; ///< 0: others have started it
    void (*end)(void *user);
    void *end_user;
    int socket;
    line_reader lines;
};

/* ---- finding */

/* From the folder of the library, or of a program that holds the library's code: where it is installed, and in a build folder. */
static const char *const folders[] = {PUMICE_LIBEXEC_FROM_LIB, "../libexec/pumice"};

bool child_find(const char *name, char *path) {
    Dl_info info;
    char own[CHILD_PATH_BYTES];
    if (!dladdr((const void *)folders, &info) || !info.dli_fname) return false;
    char *file = realpath(info.dli_fname, NULL); // of a link the place that it leads to
    char *slash = file ? strrchr(file, '/') : NULL;
    size_t n = slash ? (size_t)(slash - file) : sizeof own;
    if (n < sizeof own) {
        memcpy(own, file, n);
        own[n] = 0;
    }
    free(file);
    if (n >= sizeof own) return false;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int length = snprintf(path, CHILD_PATH_BYTES, "%s/%s/%s", own, folders[i], name);
        if (length > 0 && length < CHILD_PATH_BYTES && access(path, X_OK) == 0) return true;
    }
    return false;
}

/* ---- starting */

/* Out of the way of the standard ones, which this process may have closed, and not for programs that others start. */
static int keep_private(int fd) {
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    int failure = errno;
    close(fd);
    errno = failure;
    return moved;
}

/* [0] ours, [1] the program's. Returns false with errno. */
static bool make_sockets(int ends[2]) {
#ifdef SOCK_CLOEXEC
    int type = SOCK_STREAM | SOCK_CLOEXEC;
#else
    int type = SOCK_STREAM;
#endif
    if (socketpair(AF_UNIX, type, 0, ends) != 0) return false;
    ends[0] = keep_private(ends[0]);
    ends[1] = keep_private(ends[1]);
#ifdef SO_NOSIGPIPE
    int on = 1;
    setsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    if (ends[0] >= 0 && ends[1] >= 0) return true;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0) close(ends[i]);
    return false;
}

/* Returns an error number, or 0. */
static int spawn(const char *path, int socket, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    char *const arguments[] = {(char *)(uintptr_t)path, NULL};
    int failure = posix_spawn_file_actions_init(&actions);
    if (failure) return failure;
    if ((failure = posix_spawnattr_init(&attributes))) {
        posix_spawn_file_actions_destroy(&actions);
        return failure;
    }
    // Signals as a program expects them, whatever our host does with its own.
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGCHLD);
    failure = posix_spawnattr_setsigmask(&attributes, &none);
    if (!failure) failure = posix_spawnattr_setsigdefault(&attributes, &usual);
    if (!failure) failure = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!failure) failure = posix_spawn_file_actions_adddup2(&actions, socket, 0);
    if (!failure) failure = posix_spawn_file_actions_adddup2(&actions, socket, 1);
    if (!failure && fcntl(2, F_GETFD) < 0) failure = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (!failure) failure = posix_spawn(pid, path, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

pum_status child_start(const char *path, child **started, pum_error *err) {
    child *c = *started = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "another program", sizeof *c);
    int ends[2];
    if (!make_sockets(ends)) {
        int failure = errno;
        free(c);
        *started = NULL;
        return pum_fail(err, PUM_ERR_IO, "%s: no socket to speak with it: %s", path, strerror(failure));
    }
    int failure = spawn(path, ends[1], &c->pid);
    close(ends[1]);
    c->socket = ends[0];
    if (!failure) return PUM_OK;
    close(c->socket);
    free(c);
    *started = NULL;
    return pum_fail(err, PUM_ERR_IO, "%s: it cannot be started: %s", path, strerror(failure));
}

pum_status child_adopt(int socket, void (*end)(void *user), void *user, child **adopted, pum_error *err) {
    child *c = *adopted = calloc(1, sizeof *c);
    if (!c) return pum_fail_memory(err, "another process", sizeof *c);
    c->socket = socket;
    c->end = end;
    c->end_user = user;
    return PUM_OK;
}

/* ---- speaking */

/* One that hangs does not read, and may be waiting for us to: neither is waited for without an end. */
enum { SEND_MS = 10000 };

static bool send_all(int socket, const char *bytes, size_t n) {
    while (n > 0) {
        ssize_t sent = send(socket, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd wait = {.fd = socket, .events = POLLOUT};
            if (poll(&wait, 1, SEND_MS) == 0) return false;
            continue;
        }
        if (sent <= 0) return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

bool child_send(child *c, const char *line) { return send_all(c->socket, line, strlen(line)) && send_all(c->socket, "\n", 1); }

child_event child_read(child *c, int most_ms, const char **line) {
    for (;;) {
        if ((*line = line_reader_take(&c->lines))) return CHILD_LINE;
        struct pollfd wait = {.fd = c->socket, .events = POLLIN};
        int ready = poll(&wait, 1, most_ms);
        if (ready < 0 && errno == EINTR) return CHILD_SILENT; // whoever interrupts wants to be heard
        if (ready == 0) return CHILD_SILENT;
        size_t n_bytes;
        char *room = line_reader_room(&c->lines, &n_bytes);
        ssize_t got = recv(c->socket, room, n_bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return CHILD_GONE;
        line_reader_add(&c->lines, (size_t)got);
    }
}

double child_cpu_s(const child *c) {
#if defined _POSIX_CPUTIME && _POSIX_CPUTIME >= 0
    clockid_t clock;
    struct timespec t;
    if (c->pid != 0 && clock_getcpuclockid(c->pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
        return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#endif
    (void)c;
    return -1;
}

/* ---- ending */

enum { STEP_MS = 5, LAST_WAIT_MS = 2000 };

/* Whether it has ended. Another part of the process may have taken its status away. */
static bool wait_for(pid_t pid, int most_ms, int *status) {
    for (int waited = 0;; waited += STEP_MS) {
        pid_t ended = waitpid(pid, status, WNOHANG);
        if (ended == pid) return true;
        if (ended < 0 && errno != EINTR) {
            *status = 0;
            return true;
        }
        if (waited >= most_ms) return false;
        nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000}, NULL);
    }
}

static const char *signal_name(int number) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},   {SIGFPE, "SIGFPE"},  {SIGABRT, "SIGABRT"},
                 {SIGKILL, "SIGKILL"}, {SIGTRAP, "SIGTRAP"}, {SIGTERM, "SIGTERM"}, {SIGXCPU, "SIGXCPU"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].number == number) return names[i].name;
    return NULL;
}

void child_end(child **ended, int patience_ms, char *how, size_t n_bytes) {
    child *c = *ended;
    if (!c) return;
    int status = 0;
    bool gone = c->pid == 0 || wait_for(c->pid, patience_ms, &status);
    if (!gone) {
        kill(c->pid, SIGKILL);
        gone = wait_for(c->pid, LAST_WAIT_MS, &status);
    }
    if (c->end) c->end(c->end_user);
    const char *name = gone && WIFSIGNALED(status) ? signal_name(WTERMSIG(status)) : NULL;
    if (how && !gone)
        snprintf(how, n_bytes, "it cannot be ended");
    else if (how && WIFSIGNALED(status))
        snprintf(how, n_bytes, "signal %d%s%s", WTERMSIG(status), name ? ", " : "", name ? name : "");
    else if (how)
        snprintf(how, n_bytes, "exit status %d", WEXITSTATUS(status));
    close(c->socket);
    free(c);
    *ended = NULL;
}

/* ---- the side of the program */

static void *wait_for_the_end(void *user) {
    struct pollfd gone = {.fd = (int)(intptr_t)user, .events = 0};
    while (poll(&gone, 1, -1) <= 0) continue;
    _exit(1);
    return NULL;
}

bool child_go_along(int in) {
    pthread_t thread;
    return pthread_create(&thread, NULL, wait_for_the_end, (void *)(intptr_t)in) == 0;
}

bool child_answer(int out, const char *bytes, size_t n_bytes) {
    while (n_bytes > 0) {
        ssize_t written = write(out, bytes, n_bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        bytes += written;
        n_bytes -= (size_t)written;
    }
    return true;
}
