/* What each operating system does its own way for a program: its arguments, its terminal, Ctrl-C, files named in UTF-8. */
#ifndef CHAT_SYSTEM_H
#define CHAT_SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/// To be called first in main. Arguments are UTF-8 from here on and live as long as the program; the standard streams carry bytes
/// as they are, and a terminal shows them as UTF-8; a closed pipe is an error of the write. What is
/// written for a terminal may wait for its fflush.
void system_begin(int *argc, char ***argv);

/// fopen of a path in UTF-8. mode: with a b, or lines get other ends on some systems.
FILE *system_open(const char *path, const char *mode);

/// Whether a person looks at, or types into, a standard stream.
bool system_is_terminal(FILE *stream);

/// Reads a line of standard input, with its newline and a zero behind, as getline does. line, capacity: NULL and 0 at first; to
/// be freed with free(). Returns its length in bytes, UTF-8 where a person types; -1 at the end, at Ctrl-C, or without memory.
long system_read_line(char **line, size_t *capacity);

/// Name, version and machine: "Linux 6.1.0 x86_64". text [SYSTEM_NAME_BYTES].
enum { SYSTEM_NAME_BYTES = 256 };
void system_name(char *text);

/// The environment: NAME=VALUE, with NULL behind.
char **system_variables(void);

/// From here on Ctrl-C calls fn, where it would else end the program, and ends a system_read_line. fn may run at any moment and
/// on any thread: atomic stores only.
void system_catch_interrupt(void (*fn)(void));

/// For a program that another one has started: leaves what is typed in the terminal to that one, and asks nobody about a crash.
void system_serve(void);

/// The keys that end standard input in a terminal.
extern const char system_end_keys[];

#endif
