#include "sentences.h"

#include "markdown.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* What never ends is cut there, between words. */
enum { MOST_BYTES = 600 };

static const char OPEN[] = "<think>", CLOSE[] = "</think>";

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
static bool is_space(char c) { return is_blank(c) || c == '\n'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool begins(const char *text, size_t n, size_t at, const char *with) {
    size_t n_with = strlen(with);
    return n - at >= n_with && memcmp(text + at, with, n_with) == 0;
}

/* The length of whichever of these stands there; 0: none. */
static size_t one_of(const char *text, size_t n, size_t at, const char *const *all) {
    for (; *all; all++)
        if (begins(text, n, at, *all)) return strlen(*all);
    return 0;
}

/* ---- where a sentence ends */

static const char *const CJK_ENDS[] = {"。", "！", "？", "｡", "．", NULL};
static const char *const ENDS[] = {".", "!", "?", "…", NULL};
static const char *const CLOSERS[] = {"\"", "'", ")",  "]",  "*",  "_",  "~",  "`",  "”",
                                      "’",  "»", "」", "』", "）", "】", "〉", "》", NULL};

static size_t skip_all(const char *text, size_t n, size_t at, const char *const *all) {
    for (size_t step; at < n && (step = one_of(text, n, at, all)); at += step) {
    }
    return at;
}

/* Whether the point at `dot` belongs to its word. `next` begins the word after it. */
static bool abbreviates(const char *text, size_t begin, size_t dot, char next) {
    static const char *const always[] = {"Mr", "Mrs", "Ms", "Dr", "Prof", "St", "vs", "cf", "approx", "ca", NULL};
    static const char *const numbered[] = {"No", "Nr", "Fig", "Eq", "Vol", "pp", "p", "Ch", NULL};
    size_t word = dot;
    while (word > begin && (is_lower(text[word - 1]) || is_upper(text[word - 1]) || text[word - 1] == '.')) word--;
    size_t n = dot - word;
    if (n == 1 && is_upper(text[word]) && text[word] != 'I' && is_upper(next)) return true; // J. Smith
    bool letters = n > 1;                                                                   // U.S., p.m.
    for (size_t i = 1; i < n; i++) letters = letters && (text[word + i] == '.') == (i % 2 == 1);
    if (letters) return true;
    const char *const *list = is_digit(next) ? numbered : always;
    for (int k = 0; k < 2; k++, list = always)
        for (const char *const *w = list; *w; w++)
            if (strlen(*w) == n && memcmp(*w, text + word, n) == 0) return true;
    return false;
}

/* What a list's item, a heading or a quote begins with is no sentence. */
static size_t skip_marker(const char *text, size_t n, size_t at) {
    size_t digits = at;
    while (digits < n && is_digit(text[digits])) digits++;
    return digits > at && digits < n && (text[digits] == '.' || text[digits] == ')') ? digits + 1 : at;
}

typedef enum verdict { GOES_ON, ENDS_HERE, NOT_KNOWN } verdict;

/* After a sign that may end a sentence, and what closes with it: `at`. */
static verdict judge(const char *text, size_t n, size_t begin, size_t sign, size_t at, bool one_dot, bool finished) {
    if (at >= n) return finished ? ENDS_HERE : NOT_KNOWN;
    if (!is_space(text[at])) return GOES_ON; // 3.14, example.org
    size_t next = at;
    while (next < n && is_blank(text[next])) next++;
    if (next >= n) return finished ? ENDS_HERE : NOT_KNOWN;
    if (text[next] == '\n') return ENDS_HERE;
    if (is_lower(text[next]) || (one_dot && abbreviates(text, begin, sign, text[next]))) return GOES_ON;
    return ENDS_HERE;
}

/* A new line is a new sentence, unless it goes on in small letters. */
static verdict judge_line(const char *text, size_t n, size_t newline, bool finished) {
    if (newline + 1 >= n) return finished ? ENDS_HERE : NOT_KNOWN;
    return is_lower(text[newline + 1]) ? GOES_ON : ENDS_HERE;
}

static size_t cut(const char *text, size_t begin, size_t end) {
    size_t at = end;
    while (at > begin && !is_space(text[at])) at--;
    if (at > begin) return at;
    for (at = end; at > begin && ((unsigned char)text[at] & 0xC0) == 0x80;) at--;
    return at;
}

/* Where the sentence that begins at `begin` ends; 0: not yet. */
static size_t end_of(const char *text, size_t n, size_t begin, bool begins_line, bool finished) {
    bool code = false;
    for (size_t i = begins_line ? skip_marker(text, n, begin) : begin, step; i < n; i += step) {
        if (i - begin > MOST_BYTES) return cut(text, begin, i);
        step = 1;
        verdict so = GOES_ON;
        size_t after = i + 1;
        if (text[i] == '`') {
            code = !code;
        } else if (text[i] == '\n') {
            code = false;
            so = judge_line(text, n, i, finished);
        } else if (!code && one_of(text, n, i, CJK_ENDS)) {
            after = skip_all(text, n, skip_all(text, n, i, CJK_ENDS), CLOSERS);
            so = after >= n && !finished ? NOT_KNOWN : ENDS_HERE;
        } else if (!code && one_of(text, n, i, ENDS)) {
            size_t signs = skip_all(text, n, i, ENDS);
            after = skip_all(text, n, signs, CLOSERS);
            so = judge(text, n, begin, i, after, signs == i + 1 && text[i] == '.', finished);
            step = after - i;
        }
        if (so == NOT_KNOWN) return 0;
        if (so == ENDS_HERE) return after;
    }
    return finished ? n : 0;
}

/* ---- how it is read */

/* Without marks that are left where a sentence was cut out of them, the strokes of tables, and bytes that are no UTF-8. */
static bool put_spoken(md_out *out, const char *text, size_t n) {
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n_code = utf8proc_iterate((const utf8proc_uint8_t *)text + i, (utf8proc_ssize_t)(n - i), &code);
        if (n_code > 1) {
            ok = md_put(out, text + i, (size_t)n_code);
            i += (size_t)n_code - 1;
        }
        if (n_code != 1) continue;
        char c = text[i], last = out->n_bytes ? out->text[out->n_bytes - 1] : ' ';
        bool inside = i > 0 && i + 1 < n && !is_space(text[i - 1]) && !is_space(text[i + 1]);
        if (c == '`' || c == '*' || (c == '_' && !inside)) {
            if (c == '*' && inside && is_digit(text[i - 1])) ok = md_put(out, "*", 1); // 2*3
            continue;
        }
        if (c == '|' && out->n_bytes > 0 && last == ' ')
            out->text[out->n_bytes - 1] = ',';
        else if (c == '|')
            ok = out->n_bytes == 0 || last == ',' || md_put(out, ",", 1);
        else if (c <= ' ')
            ok = last == ' ' || md_put(out, " ", 1);
        else
            ok = md_put(out, &c, 1);
    }
    return ok;
}

static bool has_letter(const char *text) {
    for (const char *at = text; *at;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &code);
        if (n <= 0) return false;
        utf8proc_category_t category = utf8proc_category(code);
        if ((category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
            (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO))
            return true;
        at += n;
    }
    return false;
}

/* NULL where there is nothing to say. */
static char *spoken(const char *text, size_t n) {
    md_doc *doc = md_read(text, n);
    md_out out = {0};
    bool ok = doc;
    for (uint32_t c = 0; ok && c < doc->n_cells; c++) {
        if (out.n_bytes > 0) ok = md_put(&out, " ", 1);
        ok = ok && put_spoken(&out, doc->text + doc->cells[c].begin, doc->cells[c].end - doc->cells[c].begin);
    }
    md_free(&doc);
    while (out.n_bytes > 0 && (out.text[out.n_bytes - 1] == ' ' || out.text[out.n_bytes - 1] == ',')) out.text[--out.n_bytes] = 0;
    if (ok && out.text && has_letter(out.text)) return out.text;
    free(out.text);
    return NULL;
}

/* ---- the answer */

/* Past blanks and lines that say nothing; whether a line begins there. */
static bool skip_spaces(size_t *at, const char *text, size_t n) {
    while (*at < n && is_space(text[*at])) (*at)++;
    size_t line = *at;
    while (line > 0 && is_blank(text[line - 1])) line--;
    return line == 0 || text[line - 1] == '\n';
}

static size_t run_of(const char *text, size_t n, size_t at, char c) {
    size_t length = 0;
    while (at + length < n && text[at + length] == c) length++;
    return length;
}

/* Whether what stands at the very end may still become a fence or a thought. */
static bool may_become(const char *text, size_t n, size_t at) {
    size_t left = n - at;
    if (left < sizeof OPEN - 1 && memcmp(text + at, OPEN, left) == 0) return true;
    return (text[at] == '`' || text[at] == '~') && left < 3 && run_of(text, n, at, text[at]) == left;
}

/* Reads a line that is, ends or stands in a code block. Returns false where the line is not all there yet, or is none such. */
static bool code_line(sentences *s, const char *text, size_t n, bool finished) {
    const char *newline = memchr(text + s->at, '\n', n - s->at);
    size_t end = newline ? (size_t)(newline - text) : n, after = newline ? end + 1 : n;
    if (!newline && !finished) return false;
    char c = text[s->at];
    size_t n_run = run_of(text, end, s->at, c);
    if (s->fence) {
        size_t rest = s->at + n_run;
        while (rest < end && is_blank(text[rest])) rest++;
        if (c == s->fence && n_run >= s->n_fence && rest == end) s->fence = 0;
    } else {
        if (c == '`' && memchr(text + s->at + n_run, '`', end - s->at - n_run)) return false; // a piece of code in a sentence
        s->fence = c;
        s->n_fence = n_run;
    }
    s->at = after;
    return true;
}

/* Without the first bytes of a character whose others are not there yet. */
static size_t whole(const char *text, size_t n) {
    size_t back = 1;
    while (back < 4 && back < n && ((unsigned char)text[n - back] & 0xC0) == 0x80) back++;
    unsigned char lead = n > 0 ? (unsigned char)text[n - back] : 0;
    size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return n > 0 && length > back ? n - back : n;
}

char *sentence_next(sentences *s, const char *text, size_t n_bytes, bool finished) {
    size_t n = finished ? n_bytes : whole(text, n_bytes);
    for (;;) {
        bool begins_line = skip_spaces(&s->at, text, n);
        if (s->at >= n) return NULL;
        if (s->thought) {
            while (s->at < n && !begins(text, n, s->at, CLOSE)) {
                if (!finished && n - s->at < sizeof CLOSE - 1) return NULL;
                s->at++;
            }
            s->thought = false;
            s->at += s->at < n ? sizeof CLOSE - 1 : 0;
            continue;
        }
        bool is_fence = (text[s->at] == '`' || text[s->at] == '~') && run_of(text, n, s->at, text[s->at]) >= 3;
        if (begins_line && (s->fence || is_fence)) {
            if (code_line(s, text, n, finished)) continue;
            if (s->fence || !(finished || memchr(text + s->at, '\n', n - s->at))) return NULL;
        } else if (begins_line && begins(text, n, s->at, OPEN)) {
            s->thought = true;
            s->at += sizeof OPEN - 1;
            continue;
        } else if (begins_line && !finished && may_become(text, n, s->at)) {
            return NULL;
        }
        size_t end = end_of(text, n, s->at, begins_line, finished);
        if (!end) return NULL;
        char *sentence = spoken(text + s->at, end - s->at);
        s->at = end;
        if (sentence) return sentence;
    }
}

const char *sentence_language(const char *sentence) {
    size_t n_hangul = 0, n_kana = 0, n_han = 0, n_other = 0;
    for (const char *at = sentence; *at;) {
        utf8proc_int32_t c;
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &c);
        if (n <= 0) break;
        if ((c >= 0xAC00 && c <= 0xD7A3) || (c >= 0x1100 && c <= 0x11FF) || (c >= 0x3130 && c <= 0x318F))
            n_hangul++;
        else if ((c >= 0x3040 && c <= 0x30FF) || (c >= 0xFF66 && c <= 0xFF9F))
            n_kana++;
        else if ((c >= 0x3400 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) || c >= 0x20000)
            n_han++;
        else if (utf8proc_category(c) <= UTF8PROC_CATEGORY_LO && utf8proc_category(c) >= UTF8PROC_CATEGORY_LU)
            n_other++;
        at += n;
    }
    // A syllable or a sign is about three letters' worth, and one foreign name makes no foreign sentence.
    if (3 * n_hangul >= n_other && n_hangul > 0 && n_hangul >= n_kana) return "ko";
    if (n_kana > 0 && 3 * (n_kana + n_han) >= n_other) return "ja";
    return n_han > 0 && 3 * n_han >= n_other ? "zh" : "en";
}
