#include "graphemes.h"

#include <stdint.h>
#include <utf8proc.h>

/* How far back the rules look for a place that is a border whatever came before: between two ASCII characters. In a text that has
 * none, which is no Latin text at all, counting begins in the middle, and may be off by one character there. */
enum { LOOK_BACK = 4096 };

/* What is no UTF-8 is one byte long. */
static size_t code_at(const char *text, size_t n_bytes, size_t at, utf8proc_int32_t *code) {
    size_t left = n_bytes - at < 4 ? n_bytes - at : 4;
    utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)left, code);
    if (n > 0) return (size_t)n;
    *code = 0xFFFD;
    return 1;
}

static bool is_inside(unsigned char byte) { return (byte & 0xC0) == 0x80; }

/* A place at or before `at` where a character begins. */
static size_t safe_start(const char *text, size_t at) {
    size_t least = at > LOOK_BACK ? at - LOOK_BACK : 0, start = at;
    while (start > least) {
        unsigned char before = (unsigned char)text[start - 1], after = (unsigned char)text[start];
        if (start < at && before < 0x80 && after < 0x80 && !(before == '\r' && after == '\n')) return start;
        start--;
    }
    for (size_t i = 0; i < 3 && start > 0 && start < at && is_inside((unsigned char)text[start]); i++) start++;
    return start;
}

/* Walks from a safe start: `before` becomes the last border below `at`, the result is the first one above. */
static size_t borders(const char *text, size_t n_bytes, size_t at, size_t *before) {
    size_t begin = at < n_bytes ? safe_start(text, at) : at > 0 ? safe_start(text, at - 1) : 0;
    *before = begin;
    while (begin < n_bytes) {
        utf8proc_int32_t code, next, state = 0;
        size_t end = begin + code_at(text, n_bytes, begin, &code);
        while (end < n_bytes) {
            size_t n = code_at(text, n_bytes, end, &next);
            if (utf8proc_grapheme_break_stateful(code, next, &state)) break;
            code = next;
            end += n;
        }
        if (begin < at) *before = begin;
        if (end > at) return end;
        begin = end;
    }
    return n_bytes;
}

size_t grapheme_after(const char *text, size_t n_bytes, size_t at) {
    size_t before;
    return at < n_bytes ? borders(text, n_bytes, at, &before) : n_bytes;
}

size_t grapheme_before(const char *text, size_t n_bytes, size_t at) {
    size_t before;
    borders(text, n_bytes, at < n_bytes ? at : n_bytes, &before);
    return before;
}

size_t grapheme_floor(const char *text, size_t n_bytes, size_t at) {
    if (at == 0 || at >= n_bytes) return at < n_bytes ? at : n_bytes;
    size_t before = grapheme_before(text, n_bytes, at);
    return grapheme_after(text, n_bytes, before) > at ? before : at;
}

/* ---- words */

typedef enum kind { SPACE, LETTER, SIGN, HAN, HIRAGANA, KATAKANA } kind;

static kind kind_of_code(utf8proc_int32_t c) {
    if (c >= 0x3040 && c <= 0x309F) return HIRAGANA;
    if ((c >= 0x30A0 && c <= 0x30FF && c != 0x30FB) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0xFF66 && c <= 0xFF9F))
        return KATAKANA;
    if ((c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x3FFFF) || c == 0x3005) return HAN;
    if (c == '\'' || c == 0x2019) return LETTER; // as in don't
    switch (utf8proc_category(c)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_CC:
        return SPACE;
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
    case UTF8PROC_CATEGORY_PC:
        return LETTER;
    default:
        return SIGN;
    }
}

static kind kind_at(const char *text, size_t n_bytes, size_t at) {
    utf8proc_int32_t code;
    code_at(text, n_bytes, at, &code);
    return kind_of_code(code);
}

size_t word_after(const char *text, size_t n_bytes, size_t at) {
    while (at < n_bytes && kind_at(text, n_bytes, at) == SPACE) at = grapheme_after(text, n_bytes, at);
    if (at >= n_bytes) return n_bytes;
    kind word = kind_at(text, n_bytes, at);
    while (at < n_bytes && kind_at(text, n_bytes, at) == word) at = grapheme_after(text, n_bytes, at);
    return at;
}

size_t word_before(const char *text, size_t n_bytes, size_t at) {
    size_t before = grapheme_before(text, n_bytes, at);
    while (before < at && kind_at(text, n_bytes, before) == SPACE) {
        at = before;
        before = grapheme_before(text, n_bytes, at);
    }
    if (before >= at) return at;
    kind word = kind_at(text, n_bytes, before);
    while (before < at && kind_at(text, n_bytes, before) == word) {
        at = before;
        before = grapheme_before(text, n_bytes, at);
    }
    return at;
}
