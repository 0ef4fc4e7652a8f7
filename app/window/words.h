/* What the window says, in the languages that it speaks: words.def has a row for each sentence. */
#ifndef WINDOW_WORDS_H
#define WINDOW_WORDS_H

#include <stddef.h>
#include <stdint.h>

typedef enum word {
#define WORD(id, english, korean) W_##id,
#include "words.def"
#undef WORD
    N_WORDS
} word;

typedef enum window_language { LANGUAGE_SYSTEM, LANGUAGE_ENGLISH, LANGUAGE_KOREAN } window_language;

/// The language from now on; LANGUAGE_SYSTEM: the first of the system's that the window speaks, else English. The window's
/// thread.
void words_use(window_language l);
/// Which one that has become.
window_language words_language(void);
/// A sentence; static storage.
const char *say(word w);
/// A sentence with {1}, {2} and {3} replaced, cut where the room ends, between two characters; returns `text`. NULL is "".
const char *say_with(char *text, size_t n_bytes, word w, const char *one, const char *two, const char *three);
/// A size in MB or GB; returns `text`.
const char *say_size(char text[static 32], uint64_t n_bytes);

#endif
