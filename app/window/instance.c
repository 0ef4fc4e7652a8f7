/* A lock says who is first: the kernel drops it however that process ends. A socket beside it takes the files of the others. Both
 * are in $XDG_RUNTIME_DIR, which is the person's alone. A message is an absolute path, or nothing, and a zero byte; the answer is
 * one byte. */
#include "instance.h"

#include "chat/paths.h"

#include <SDL.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MS = 2000, TRIES = 20 };

struct instance {
    struct sockaddr_un address;
    int lock, listener, stop[2];
    uint32_t raise;
    bool listens;
    pthread_t thread;
};

/* A window on another display is no help, so that each has a name of its own. */
static bool path_of(const char *ending, char *path, size_t n_bytes) {
    const char *folder = getenv("XDG_RUNTIME_DIR"), *display = getenv("WAYLAND_DISPLAY");
    if (!display || !*display) display = getenv("DISPLAY");
    if (!folder || folder[0] != '/' || !display) return false;
    int n = snprintf(path, n_bytes, "%s/pumice-chat-%s%s", folder, display, ending);
    if (n < 0 || (size_t)n >= n_bytes) return false;
    for (char *at = path + strlen(folder) + 1; *at; at++)
        if (*at == '/') *at = '_';
    return true;
}

static void set_timeout(int fd) {
    struct timeval limit = {.tv_sec = ANSWER_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* ---- the later one */

static bool absolute(const char *file, char *path, size_t n_bytes) {
    char folder[PATHS_MAX] = "";
    bool relative = file && file[0] != '/';
    if (relative && !getcwd(folder, sizeof folder)) return false;
    int n = snprintf(path, n_bytes, "%s%s%s", folder, relative ? "/" : "", file ? file : "");
    return n >= 0 && (size_t)n < n_bytes;
}

static bool hand_over(const struct sockaddr_un *address, const char *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) return false;
    set_timeout(fd);
    bool there = false;
    for (int i = 0; i < TRIES && !there; i++) { // it may have the lock, and not listen yet
        there = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0;
        if (!there) nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    }
    size_t n = strlen(path) + 1;
    char answer;
    bool taken = there && send(fd, path, n, MSG_NOSIGNAL) == (ssize_t)n && recv(fd, &answer, 1, 0) == 1;
    close(fd);
    return taken;
}

bool instance_claim(instance **first, const char *file) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[PATHS_MAX], lock_path[PATHS_MAX];
    *first = NULL;
    if (!path_of(".sock", address.sun_path, sizeof address.sun_path) || !path_of(".lock", lock_path, sizeof lock_path))
        return true;
    int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) return true;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(lock, F_SETLK, &whole) != 0) {
        bool held = errno == EACCES || errno == EAGAIN;
        close(lock);
        if (held && absolute(file, path, sizeof path) && hand_over(&address, path)) return false;
        if (held) fprintf(stderr, "pumice: the window that is open does not answer: opening another one\n");
        return true;
    }
    instance *self = calloc(1, sizeof *self);
    if (!self) {
        close(lock);
        return true;
    }
    *self = (instance){.address = address, .lock = lock, .listener = -1, .stop = {-1, -1}};
    *first = self;
    return true;
}

/* ---- the first one */

static void take(const instance *self, int fd) {
    char path[PATHS_MAX];
    size_t n = 0;
    set_timeout(fd);
    while (n < sizeof path && (n == 0 || path[n - 1] != 0)) {
        ssize_t got = recv(fd, path + n, sizeof path - n, 0);
        if (got <= 0) return;
        n += (size_t)got;
    }
    if (path[n - 1] != 0 || (path[0] && path[0] != '/')) return;
    if (path[0]) {
        SDL_Event drop = {.drop = {.type = SDL_DROPFILE, .file = SDL_strdup(path)}};
        if (!drop.drop.file || SDL_PushEvent(&drop) != 1) {
            SDL_free(drop.drop.file);
            return;
        }
    }
    SDL_PushEvent(&(SDL_Event){.type = self->raise});
    send(fd, "", 1, MSG_NOSIGNAL);
}

static void *listen_for_others(void *user) {
    const instance *self = user;
    struct pollfd waits[] = {{.fd = self->listener, .events = POLLIN}, {.fd = self->stop[0], .events = POLLIN}};
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) return NULL;
        if (waits[1].revents) return NULL;
        int fd = waits[0].revents ? accept(self->listener, NULL, NULL) : -1;
        if (fd < 0) continue;
        take(self, fd);
        close(fd);
    }
}

void instance_listen(instance *self, uint32_t raise) {
    if (!self) return;
    self->raise = raise;
    self->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    unlink(self->address.sun_path); // of one that was killed: the lock says that it is gone
    self->listens = self->listener >= 0 && fcntl(self->listener, F_SETFD, FD_CLOEXEC) == 0 &&
                    bind(self->listener, (const struct sockaddr *)&self->address, sizeof self->address) == 0 &&
                    listen(self->listener, 8) == 0 && pipe(self->stop) == 0 &&
                    pthread_create(&self->thread, NULL, listen_for_others, self) == 0;
}

void instance_release(instance **first) {
    instance *self = *first;
    if (!self) return;
    if (self->listens) {
        close(self->stop[1]); // wakes the thread
        self->stop[1] = -1;
        pthread_join(self->thread, NULL);
    }
    // The lock's file stays: removing it would let two others each lock one of their own.
    if (self->listener >= 0) unlink(self->address.sun_path);
    int fds[] = {self->listener, self->stop[0], self->stop[1], self->lock};
    for (int i = 0; i < 4; i++)
        if (fds[i] >= 0) close(fds[i]);
    free(self);
    *first = NULL;
}
