#include "chat/small_files.h"

#include "chat/fail.h"
#include "chat/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_SET_ASIDE = 100 };

static pum_status fail_io(const char *doing, const char *path, pum_error *err) {
    return fail_with(err, PUM_ERR_IO, "%s could not be %s: %s; look at its permissions and at the disk", path, doing,
                     strerror(errno));
}

/* ---- reading */

static pum_status read_all(int fd, const char *path, char **bytes, size_t *n_bytes, pum_error *err) {
    struct stat s;
    if (fstat(fd, &s) != 0) return fail_io("read", path, err);
    if (!S_ISREG(s.st_mode)) return fail_with(err, PUM_ERR_FORMAT, "%s: expected a file, got something else", path);
    if (s.st_size > SMALL_FILE_MAX_BYTES)
        return fail_with(err, PUM_ERR_FORMAT, "%s: expected at most %d bytes, got %lld", path, SMALL_FILE_MAX_BYTES,
                         (long long)s.st_size);
    size_t size = (size_t)s.st_size, done = 0;
    char *all = malloc(size + 1);
    if (!all) return fail_memory(err);
    while (done < size) {
        ssize_t n = read(fd, all + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            free(all);
            return fail_io("read", path, err);
        }
        if (n == 0) break;
        done += (size_t)n;
    }
    all[done] = 0;
    *bytes = all;
    *n_bytes = done;
    return PUM_OK;
}

pum_status small_file_read(const char *path, char **bytes, size_t *n_bytes, pum_error *err) {
    *bytes = NULL;
    *n_bytes = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe of that name must not hold us up
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? PUM_OK : fail_io("read", path, err);
    pum_status status = read_all(fd, path, bytes, n_bytes, err);
    close(fd);
    return status;
}

/* ---- writing */

/* The folder of a path; its length without the last slash. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

bool small_file_make_folder_of(const char *path) {
    char folder[PATHS_MAX];
    size_t n = folder_length(path);
    if (n == 0) return true;
    if (n >= sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(folder, path, n);
    folder[n] = 0;
    if (mkdir(folder, 0700) == 0 || errno == EEXIST) return true;
    return errno == ENOENT && small_file_make_folder_of(folder) && (mkdir(folder, 0700) == 0 || errno == EEXIST);
}

/* Some file systems cannot; the name is there all the same. */
void small_file_sync_folder_of(const char *path) {
    char folder[PATHS_MAX];
    size_t n = folder_length(path);
    snprintf(folder, sizeof folder, "%.*s", n ? (int)n : 1, n ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

static bool write_all(int fd, const char *bytes, size_t n_bytes) {
    while (n_bytes) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

pum_status small_file_write(const char *path, const char *bytes, size_t n_bytes, pum_error *err) {
    char beside[PATHS_MAX];
    int n = snprintf(beside, sizeof beside, "%s.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof beside) return fail_with(err, PUM_ERR_ARGUMENT, "the path is too long: %.60s…", path);
    if (!small_file_make_folder_of(path)) return fail_io("written", path, err);
    int fd = mkstemp(beside); // for this user alone
    if (fd < 0) return fail_io("written", path, err);
    bool whole = write_all(fd, bytes, n_bytes) && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && whole) {
        whole = false;
        why = errno;
    }
    if (whole && rename(beside, path) == 0) {
        small_file_sync_folder_of(path);
        return PUM_OK;
    }
    if (whole) why = errno;
    unlink(beside);
    errno = why;
    return fail_io("written", path, err);
}

int small_file_open_locked(const char *path, int flags) {
    for (;;) {
        int fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (fd < 0) return -1;
        while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
            if (errno == EINTR) continue;
            int why = errno;
            close(fd);
            errno = why;
            return -1;
        }
        // Whoever held it may have removed it between the two: then this is a file without a name.
        struct stat ours, named;
        if (fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev && ours.st_ino == named.st_ino)
            return fd;
        close(fd);
    }
}

pum_status small_file_set_aside(const char *path, char *name, size_t name_bytes, pum_error *err) {
    for (int i = 1; i <= MOST_SET_ASIDE; i++) {
        int n = i == 1 ? snprintf(name, name_bytes, "%s.damaged", path) : snprintf(name, name_bytes, "%s.damaged-%d", path, i);
        if (n < 0 || (size_t)n >= name_bytes) return fail_with(err, PUM_ERR_ARGUMENT, "the path is too long: %.60s…", path);
        struct stat s;
        if (lstat(name, &s) == 0) continue;
        if (rename(path, name) != 0) return fail_io("set aside", path, err);
        small_file_sync_folder_of(path);
        return PUM_OK;
    }
    return fail_with(err, PUM_ERR_IO, "%s is damaged, and there are %d damaged ones beside it already: look through them", path,
                     MOST_SET_ASIDE);
}
