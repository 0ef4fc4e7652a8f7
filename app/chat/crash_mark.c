#include "chat/crash_mark.h"

#include "chat/fail.h"
#include "chat/paths.h"
#include "chat/small_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Who set the mark holds a lock on its file for as long as it lives, whatever ends it. So a mark without a lock is that of a
 * crash; numbers of processes, which the system gives out again, tell nothing. */
struct crash_mark {
    int fd;
    char path[PATHS_MAX];
};

static bool path_of(char *path) { return paths_of(PATH_STATE, "device-in-use", path, PATHS_MAX); }

bool crash_mark_take(char *device) {
    char path[PATHS_MAX];
    *device = 0;
    if (!path_of(path)) return false;
    int fd = small_file_open_locked(path, 0);
    if (fd < 0) return false;
    ssize_t n = pread(fd, device, CRASH_MARK_DEVICE_BYTES - 1, 0);
    device[n > 0 ? n : 0] = 0;
    unlink(path);
    close(fd);
    return true;
}

static pum_status fail_mark(const char *path, pum_error *err) {
    return fail_with(err, PUM_ERR_IO, "%s could not be written: %s; should the driver crash, the next start will not know it",
                     path, strerror(errno));
}

static crash_mark *new_mark(pum_error *err) {
    crash_mark *m = malloc(sizeof *m);
    if (!m) {
        fail_memory(err);
        return NULL;
    }
    if (!path_of(m->path)) {
        fail_with(err, PUM_ERR_IO, "no folder for the mark of a crash: set HOME or XDG_STATE_HOME");
        free(m);
        return NULL;
    }
    return m;
}

/* One write, so that nobody finds half a name. */
static bool write_name(int fd, const char *device) {
    size_t n = strnlen(device, CRASH_MARK_DEVICE_BYTES - 1);
    return pwrite(fd, device, n, 0) == (ssize_t)n && ftruncate(fd, (off_t)n) == 0 && fsync(fd) == 0;
}

pum_status crash_mark_set(crash_mark **mark, const char *device, pum_error *err) {
    if (*mark) return write_name((*mark)->fd, device) ? PUM_OK : fail_mark((*mark)->path, err);
    crash_mark *m = new_mark(err);
    if (!m) return err ? err->status : PUM_ERR_IO;
    small_file_make_folder_of(m->path);
    m->fd = small_file_open_locked(m->path, O_CREAT);
    if (m->fd < 0) {
        pum_status status = errno == EWOULDBLOCK ? PUM_OK : fail_mark(m->path, err);
        free(m);
        return status;
    }
    *mark = m;
    if (!write_name(m->fd, device)) {
        pum_status status = fail_mark(m->path, err);
        crash_mark_clear(mark);
        return status;
    }
    small_file_sync_folder_of(m->path); // a driver that takes the machine with it must not take the mark
    return PUM_OK;
}

void crash_mark_clear(crash_mark **mark) {
    if (!mark || !*mark) return;
    unlink((*mark)->path);
    close((*mark)->fd);
    free(*mark);
    *mark = NULL;
}
