/* Characters as people see them: extended grapheme clusters of Unicode (UAX #29), such as a syllable written in jamo, a letter
 * with its accents, a family of emoji or a flag. And words, as the keys that go by words see them. */
#ifndef WINDOW_GRAPHEMES_H
#define WINDOW_GRAPHEMES_H

#include <stdbool.h>
#include <stddef.h>

/* Places are byte offsets into text [n_bytes], which may be any bytes: what is no UTF-8 is a character a byte. None depends on
 * more than a few thousand bytes around it, however long the text is. */

/// The end of the character that begins at `at`, or that `at` is in; n_bytes at the end.
size_t grapheme_after(const char *text, size_t n_bytes, size_t at);
/// The beginning of the character before `at`, or of the one that `at` is in; 0 at the beginning.
size_t grapheme_before(const char *text, size_t n_bytes, size_t at);
/// `at`, or the beginning of the character that it is in.
size_t grapheme_floor(const char *text, size_t n_bytes, size_t at);

/// The end of the word after `at`: spaces, and then letters, signs, or letters of one script where words have no spaces (han,
/// hiragana, katakana).
size_t word_after(const char *text, size_t n_bytes, size_t at);
/// The beginning of the word before `at`.
size_t word_before(const char *text, size_t n_bytes, size_t at);

#endif
