#include "attachment.h"

#include "decode_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char INFO[] = "attachment ", PASTED[] = "pasted text ";

static bool is_inside(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }
static bool is_space(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

bool attachment_is_large(const char *text) {
    size_t n = 0;
    for (; *text && n <= ATTACHMENT_PASTE_CHARACTERS; text++) n += !is_inside(*text);
    return n > ATTACHMENT_PASTE_CHARACTERS;
}

/* ---- the list */

static void free_one(attachment *one) {
    free(one->name);
    free(one->text);
}

void attachments_remove(attachments *a, size_t i) {
    if (i >= a->n) return;
    free_one(&a->list[i]);
    memmove(a->list + i, a->list + i + 1, (--a->n - i) * sizeof *a->list);
}

void attachments_clear(attachments *a) {
    for (size_t i = 0; i < a->n; i++) free_one(&a->list[i]);
    free(a->list);
    *a = (attachments){0};
}

/* Takes both, whatever becomes of them. */
static bool add(attachments *a, char *name, char *text) {
    attachment one = {.name = name, .text = text};
    attachment *grown = name && text ? realloc(a->list, (a->n + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free_one(&one);
        return false;
    }
    bool in_word = false;
    for (const char *at = text; *at; at++) {
        one.n_bytes++;
        one.n_characters += !is_inside(*at);
        one.n_words += !is_space(*at) && !in_word;
        in_word = !is_space(*at);
    }
    a->list = grown;
    a->list[a->n++] = one;
    return true;
}

/* What stands on one line after a fence: control characters and backticks are replaced, spaces around it go. */
static char *clean_name(const char *name) {
    char *clean = decode_string(name);
    if (!clean) return NULL;
    size_t begin = 0, end = strlen(clean);
    for (size_t i = 0; i < end; i++) {
        unsigned char c = (unsigned char)clean[i], next = (unsigned char)clean[i + 1];
        if (c < ' ' || c == 0x7F) clean[i] = ' ';
        if (c == 0xC2 && next >= 0x80 && next < 0xA0) clean[i] = clean[i + 1] = ' '; // U+0080 to U+009F
        if (clean[i] == '`') clean[i] = '\'';
    }
    while (begin < end && clean[begin] == ' ') begin++;
    while (end > begin && clean[end - 1] == ' ') end--;
    clean[end] = 0;
    memmove(clean, clean + begin, end - begin + 1);
    if (clean[0]) return clean;
    free(clean);
    return strdup("file");
}

bool attachments_paste(attachments *a, const char *text) {
    int number = 1;
    for (size_t i = 0; i < a->n; i++) { // one above the highest, so that none is ever another's
        int taken = strncmp(a->list[i].name, PASTED, sizeof PASTED - 1) == 0 ? atoi(a->list[i].name + sizeof PASTED - 1) : 0;
        if (taken >= number && taken < 1000000) number = taken + 1;
    }
    char name[64];
    snprintf(name, sizeof name, "%s%d", PASTED, number);
    return add(a, strdup(name), decode_string(text));
}

/* ---- files */

bool attachment_is_model(const char *path) {
    const char *ending = strrchr(path, '.');
    if (ending && (strcmp(ending, ".gguf") == 0 || strcmp(ending, ".GGUF") == 0)) return true;
    char first[4];
    FILE *file = fopen(path, "rb");
    bool is_model = file && fread(first, 1, sizeof first, file) == sizeof first && memcmp(first, "GGUF", 4) == 0;
    if (file) fclose(file);
    return is_model;
}

/* Shortens a text to n bytes or a few less, behind a whole character. */
static void cut(char *text, size_t n) {
    if (strlen(text) <= n) return;
    while (n > 0 && is_inside(text[n])) n--;
    text[n] = 0;
}

static bool refuse(char *why, const char *name, const char *sentence) {
    char *clean = clean_name(name);
    if (clean) cut(clean, 255);
    snprintf(why, ATTACHMENT_WHY_BYTES, "%s: %.200s", clean ? clean : "the file", sentence);
    free(clean);
    return false;
}

bool attachments_bytes(attachments *a, const char *name, const void *bytes, size_t n_bytes, char *why) {
    char *clean = clean_name(name), *text = NULL;
    decoded read = n_bytes <= ATTACHMENT_MAX_BYTES && clean ? decode_text(bytes, n_bytes, &text) : DECODED_MEMORY;
    const char *sentence = NULL;
    if (n_bytes > ATTACHMENT_MAX_BYTES)
        sentence = "expected a text of at most 8 MiB, got more: attach a part of it";
    else if (read == DECODED_BINARY)
        sentence = "expected a text, got a binary file: save it as plain text, and attach that";
    else if (read == DECODED_FOREIGN)
        sentence = "expected UTF-8, UTF-16 or Latin-1, got another encoding: save it as UTF-8";
    else if (read == DECODED && !text[0])
        sentence = "expected a text, got an empty file";
    if (sentence) {
        free(clean);
        free(text);
        return refuse(why, name, sentence);
    }
    return add(a, clean, text) || refuse(why, name, "memory ran out: close other programs and try again");
}

/* A pipe or a device would keep the window waiting. */
static bool open_regular(const char *path, const char *name, FILE **file, size_t *n_bytes, char *why) {
    struct stat about;
    char sentence[256];
    *file = NULL;
    if (stat(path, &about) != 0 || (S_ISREG(about.st_mode) && !(*file = fopen(path, "rb")))) {
        snprintf(sentence, sizeof sentence, "it cannot be read: %s", strerror(errno));
        return refuse(why, name, sentence);
    }
    if (!*file) return refuse(why, name, "expected a file, got something else: attach the files in a folder one by one");
    if (about.st_size <= ATTACHMENT_MAX_BYTES) {
        *n_bytes = (size_t)about.st_size;
        return true;
    }
    fclose(*file);
    snprintf(sentence, sizeof sentence, "expected a text of at most 8 MiB, got %.1f MiB: attach a part of it",
             (double)about.st_size / (1 << 20));
    return refuse(why, name, sentence);
}

bool attachments_file(attachments *a, const char *path, char *why) {
    const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
    FILE *file;
    size_t n_bytes;
    if (!open_regular(path, name, &file, &n_bytes, why)) return false;
    char *bytes = malloc(n_bytes + 1);
    size_t n = bytes ? fread(bytes, 1, n_bytes, file) : 0; // what a program that writes it adds meanwhile is left
    bool ok = bytes && !ferror(file);
    fclose(file);
    if (ok)
        ok = attachments_bytes(a, name, bytes, n, why);
    else
        refuse(why, name,
               bytes ? "it cannot be read: the disk has an error" : "memory ran out: close other programs and try again");
    free(bytes);
    return ok;
}

/* ---- messages */

static size_t fence_length(const char *text) {
    size_t longest = 2, run = 0;
    for (; *text; text++) {
        run = *text == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest + 1;
}

static char *put(char *to, const char *text, size_t n) {
    memcpy(to, text, n);
    return to + n;
}

char *attachments_message(const attachments *a, const char *words) {
    size_t n = strlen(words) + 1;
    for (size_t i = 0; i < a->n; i++)
        n += 2 * fence_length(a->list[i].text) + sizeof INFO + strlen(a->list[i].name) + a->list[i].n_bytes + 4;
    char *message = malloc(n), *at = message;
    if (!message) return NULL;
    for (size_t i = 0; i < a->n; i++) {
        const attachment *one = &a->list[i];
        size_t n_fence = fence_length(one->text);
        if (i > 0) at = put(at, "\n", 1);
        memset(at, '`', n_fence);
        at = put(at + n_fence, INFO, sizeof INFO - 1);
        at = put(at, one->name, strlen(one->name));
        at = put(at, "\n", 1);
        at = put(at, one->text, one->n_bytes);
        at = put(at, "\n", 1);
        memset(at, '`', n_fence);
        at = put(at + n_fence, "\n", 1);
    }
    if (a->n > 0 && words[0]) at = put(at, "\n", 1);
    at = put(at, words, strlen(words));
    *at = 0;
    return message;
}

static char *copy(const char *text, size_t n) {
    char *copied = malloc(n + 1);
    if (!copied) return NULL;
    memcpy(copied, text, n);
    copied[n] = 0;
    return copied;
}

/* One block. Returns what follows it, or NULL where there is none as attachments_message writes it. */
static const char *read_block(attachments *a, const char *at) {
    size_t n_fence = strspn(at, "`");
    const char *name = at + n_fence + sizeof INFO - 1;
    if (n_fence < 3 || strncmp(at + n_fence, INFO, sizeof INFO - 1) != 0) return NULL;
    const char *name_end = strchr(name, '\n'), *text = name_end ? name_end + 1 : NULL, *end = text;
    while (end) { // the first line that is a fence of that length, and nothing else
        end = strchr(end, '\n');
        if (end && strspn(end + 1, "`") == n_fence && end[1 + n_fence] == '\n') break;
        if (end) end++;
    }
    if (!end || name_end == name) return NULL;
    char *read_name = copy(name, (size_t)(name_end - name)), *clean = read_name ? clean_name(read_name) : NULL;
    char *read_text = copy(text, (size_t)(end - text));
    bool same = clean && read_text && strcmp(clean, read_name) == 0 && fence_length(read_text) == n_fence;
    free(clean);
    if (!same) {
        free(read_name);
        free(read_text);
        return NULL;
    }
    return add(a, read_name, read_text) ? end + 1 + n_fence + 1 : NULL;
}

const char *attachments_read(attachments *a, const char *message) {
    attachments_clear(a);
    const char *words = message;
    for (const char *at = message; (at = read_block(a, at));) {
        words = at;
        if (*at != '\n') break;
        words = ++at;
    }
    // The end after a block, or an empty line and something after it.
    if (a->n == 0 || (words[0] ? words[-1] == '\n' && words[-2] == '\n' : words[-2] == '`')) return words;
    attachments_clear(a);
    return message;
}
