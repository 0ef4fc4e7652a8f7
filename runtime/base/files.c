#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *files_open(const char *path, const char *mode) { return fopen(path, mode); }

FILE *files_create_beside(const char *path, char *name) {
    static atomic_uint n_made;
    int fd = -1;
    do {
        // A process that is no more may have left one.
        int n = snprintf(name, FILES_MAX_PATH, "%s.%ld-%u.part", path, (long)getpid(), atomic_fetch_add(&n_made, 1));
        if (n < 0 || n >= FILES_MAX_PATH) {
            errno = ENAMETOOLONG;
            return NULL;
        }
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "wb");
    if (fd >= 0 && !file) close(fd);
    return file;
}

bool files_flush(FILE *file) { return fflush(file) == 0 && fsync(fileno(file)) == 0; }
bool files_replace(const char *from, const char *to) { return rename(from, to) == 0; }
void files_remove(const char *path) { unlink(path); }

bool files_make_folder_of(const char *path) {
    char folder[FILES_MAX_PATH];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) return false;
        *slash = '/';
    }
    return true;
}
