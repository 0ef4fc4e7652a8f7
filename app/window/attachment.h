/* Texts that go with a message: what was pasted and is large, and text files that were dropped. In the message, which is all that
 * the model sees and the store keeps, they stand before the person's words, each in a fenced block of Markdown:
 *
 *     ```attachment notes.txt
 *     the file's text
 *     ```
 *
 *     and what the person wrote
 *
 * A fence is one backtick longer than the longest run of them in the text, and at least three. The same message as a draft keeps
 * attachments too. */
#ifndef WINDOW_ATTACHMENT_H
#define WINDOW_ATTACHMENT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct attachment {
    char *name; ///< one line of UTF-8 without backticks
    char *text; ///< UTF-8 without zero bytes, lines ended by \n
    size_t n_bytes, n_characters, n_words;
} attachment;

/// Of one thread. All zero: none.
typedef struct attachments {
    attachment *list; ///< [n]
    size_t n;
} attachments;

enum {
    ATTACHMENT_PASTE_CHARACTERS = 4000,     ///< what is longer is better an attachment
    ATTACHMENT_MAX_BYTES = 8 * 1024 * 1024, ///< of a file
    ATTACHMENT_WHY_BYTES = 512,
};

/// Whether a pasted text is large enough to be one.
bool attachment_is_large(const char *text);
/// Adds a pasted text, named "pasted text 1" and so on. Returns false when the heap is out: nothing is changed.
bool attachments_paste(attachments *a, const char *text);
/// Adds what a file holds: UTF-8, UTF-16 with a byte-order mark, or Latin-1 (as Windows has it). Returns false where it is none
/// of these, is too large or cannot be read; why [ATTACHMENT_WHY_BYTES] is a sentence for the person then.
bool attachments_file(attachments *a, const char *path, char *why);
/// The same of bytes [n_bytes] that were read from anywhere; name: the file's, without its folder.
bool attachments_bytes(attachments *a, const char *name, const void *bytes, size_t n_bytes, char *why);
void attachments_remove(attachments *a, size_t i);
void attachments_clear(attachments *a);

/// The message of attachments and words (may be ""); to be freed with free(). NULL when the heap is out.
char *attachments_message(const attachments *a, const char *words);
/// Reads a message back into `a`, which is cleared first. Returns the words, a part of message. What attachments_message would
/// not give back byte by byte is not taken for attachments, but is words; so is all of it when the heap is out.
const char *attachments_read(attachments *a, const char *message);

/// Whether a dropped file is a model, by its name's ending or its first bytes, and not a text.
bool attachment_is_model(const char *path);

#endif
