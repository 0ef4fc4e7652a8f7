#include "base/file_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A descriptor of this process is not opened again by name: that may be forbidden where reading it is not. */
static int open_file(const char *path) {
    unsigned n;
    int end = 0;
    if (sscanf(path, "/proc/self/fd/%9u%n", &n, &end) == 1 && path[end] == 0) return fcntl((int)n, F_DUPFD_CLOEXEC, 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

pum_status file_source_open(const char *path, file_source *source, pum_error *err) {
    *source = (file_source){.path = path};
    int fd = open_file(path);
    if (fd < 0) return pum_fail(err, PUM_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    struct stat st;
    pum_status status = PUM_OK;
    if (fstat(fd, &st) != 0)
        status = pum_fail(err, PUM_ERR_IO, "%s: cannot be examined: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        status = pum_fail(err, PUM_ERR_IO, "%s: expected a regular file, got a %s", path,
                          S_ISDIR(st.st_mode) ? "folder" : "special file");
    else if (st.st_size == 0)
        status = pum_fail(err, PUM_ERR_IO, "%s: the file is empty; download or copy it again", path);
    if (status != PUM_OK) {
        close(fd);
        return status;
    }
    source->handle = fd;
    source->n_bytes = (uint64_t)st.st_size;
    return PUM_OK;
}

pum_status file_source_read(const file_source *source, uint64_t offset, void *bytes, uint64_t n_bytes, uint64_t *n_read,
                            pum_error *err) {
    enum { AT_ONCE = 1 << 30 }; // no system reads more
    ssize_t n = 1;
    for (*n_read = 0; *n_read < n_bytes && n > 0;) {
        uint64_t left = n_bytes - *n_read;
        do
            n = pread((int)source->handle, (uint8_t *)bytes + *n_read, left < AT_ONCE ? (size_t)left : AT_ONCE,
                      (off_t)(offset + *n_read));
        while (n < 0 && errno == EINTR);
        if (n > 0) *n_read += (uint64_t)n;
    }
    if (n >= 0) return PUM_OK;
    return pum_fail(err, PUM_ERR_IO, "%s: cannot be read at offset %" PRIu64 ": %s", source->path, offset + *n_read,
                    strerror(errno));
}

void file_source_will_need(const file_source *source, uint64_t offset, uint64_t n_bytes) {
    if (offset >= source->n_bytes) return;
    uint64_t left = source->n_bytes - offset;
    if (n_bytes > left) n_bytes = left;
#ifdef POSIX_FADV_WILLNEED // macOS has no such call
    posix_fadvise((int)source->handle, (off_t)offset, (off_t)n_bytes, POSIX_FADV_WILLNEED);
#endif
}

void file_source_close(file_source *source) {
    if (source->n_bytes) close((int)source->handle);
    *source = (file_source){0};
}
