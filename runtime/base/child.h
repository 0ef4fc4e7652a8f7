/* A helper program of ours that runs beside this process and is spoken with in lines of text. All that a system does in its own
 * way about programs stands behind this header. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/error.h"
#include "base/line_reader.h"

/// A running program. One thread at a time.
typedef struct child child;

enum { CHILD_LINE_BYTES = LINE_READER_BYTES, CHILD_PATH_BYTES = 4096 };

/// Finds a program that was installed with this library, or built with it: libexec/pumice/NAME, seen from the file that this code
/// was loaded from; under Windows NAME.exe beside it. path [CHILD_PATH_BYTES]. Returns whether it is there and can be run.
bool child_find(const char *name, char *path);

/// Starts a program without arguments and without a shell. What it reads from its standard input is what child_send sends, what
/// it writes to its standard output is what child_read reads; it shares the environment and the standard error of this process,
/// and nothing else that is open. Errors: PUM_ERR_MEMORY; PUM_ERR_IO: it cannot be started, and why.
pum_status child_start(const char *path, child **started, pum_error *err);

/// Speaks with a process that others have started, over a socket that is the child's from now on. end: ends that process whatever
/// it is doing, and is called by child_end. PUM_ERR_UNSUPPORTED under Windows.
pum_status child_adopt(int socket, void (*end)(void *user), void *user, child **adopted, pum_error *err);

/// Sends a line, without its newline. Returns false where the program does not read any more.
bool child_send(child *c, const char *line);

typedef enum child_event {
    CHILD_LINE,
    CHILD_SILENT, ///< nothing came in that time
    CHILD_GONE,   ///< it has ended, or closed its output
} child_event;
/// Waits so long for a line. *line: without its newline, at most CHILD_LINE_BYTES - 1 of it; good until the next call.
child_event child_read(child *c, int most_ms, const char **line);

/// The processor time that the program has used so far, of all its threads, in seconds; negative where the system does not tell.
double child_cpu_s(const child *c);

/// Ends the program, unless it ends by itself within patience_ms, and waits for it. how [n_bytes]: how it ended, in words
/// ("signal 11, SIGSEGV", "exit status 1", "exception C0000005, access violation"); may be NULL. A program that the system cannot
/// end is left behind.
void child_end(child **ended, int patience_ms, char *how, size_t n_bytes);

/* The side of the program that was started. */

/// From now on this process ends at once, whatever it is doing, when the other side of `in` goes away. Returns whether it will.
bool child_go_along(int in);
/// Writes all of it. Returns false where nobody reads any more.
bool child_answer(int out, const char *bytes, size_t n_bytes);

#endif
