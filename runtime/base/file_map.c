#define _DEFAULT_SOURCE // madvise
#include "base/file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A descriptor of this process is not opened again by name: that may be forbidden where reading it is not. */
static int open_file(const char *path) {
    unsigned n;
    int end = 0;
    if (sscanf(path, "/proc/self/fd/%9u%n", &n, &end) == 1 && path[end] == 0) return fcntl((int)n, F_DUPFD_CLOEXEC, 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

pum_status file_map_open(const char *path, file_map *map, pum_error *err) {
    *map = (file_map){0};
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
    else if ((uintmax_t)st.st_size > SIZE_MAX / 2)
        status = pum_fail(err, PUM_ERR_IO, "%s: %ju bytes do not fit this machine's address space", path, (uintmax_t)st.st_size);
    if (status == PUM_OK) {
        void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED)
            status = pum_fail(err, PUM_ERR_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        else
            *map = (file_map){.bytes = p, .n_bytes = (uint64_t)st.st_size};
    }
    close(fd);
    return status;
}

static void advise(const file_map *map, uint64_t offset, uint64_t n_bytes, int advice) {
    if (offset >= map->n_bytes) return;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t first = offset / page * page;
    uint64_t end = n_bytes > map->n_bytes - offset ? map->n_bytes : offset + n_bytes;
    madvise((void *)(uintptr_t)(map->bytes + first), (size_t)(end - first), advice);
}

void file_map_will_need(const file_map *map, uint64_t offset, uint64_t n_bytes) { advise(map, offset, n_bytes, MADV_WILLNEED); }
void file_map_done_with(const file_map *map, uint64_t offset, uint64_t n_bytes) { advise(map, offset, n_bytes, MADV_DONTNEED); }

void file_map_close(file_map *map) {
    if (map->bytes) munmap((void *)(uintptr_t)map->bytes, (size_t)map->n_bytes);
    *map = (file_map){0};
}
