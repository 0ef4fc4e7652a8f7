#include "highlight.h"

#include <stdlib.h>
#include <string.h>

typedef struct language {
    const char *names;    ///< each between spaces
    const char *keywords; ///< each between spaces
    const char *line;     ///< begins a comment to the end of the line
    const char *line2;    ///< another one
    const char *open, *close;
    const char *quotes;
    bool any_case;
} language;

#define C_WORDS                                                                                                                  \
    " auto break case char const continue default do double else enum extern float for goto if inline int long register return " \
    "short signed sizeof static struct switch typedef union unsigned void volatile while bool true false NULL size_t "

static const language languages[] = {
    {" c h glsl ",
     C_WORDS "restrict uint8_t int8_t uint16_t int16_t uint32_t int32_t uint64_t int64_t uniform buffer layout vec4 ", "//", "#",
     "/*", "*/", "\"'", false},
    {" cpp c++ cc hpp cxx ",
     C_WORDS "class namespace template typename public private protected virtual override new delete this try catch throw using "
             "constexpr nullptr operator friend auto noexcept co_await std ",
     "//", "#", "/*", "*/", "\"'", false},
    {" python py ",
     " and as assert async await break class continue def del elif else except False finally for from global if import in is "
     "lambda None "
     "nonlocal not or pass raise return True try while with yield match case self ",
     "#", NULL, "\"\"\"", "\"\"\"", "\"'", false},
    {" javascript js jsx typescript ts tsx ",
     " async await break case catch class const continue debugger default delete do else export extends false finally for from "
     "function "
     "if import in instanceof let new null of return static super switch this throw true try typeof undefined var void while "
     "with yield "
     "interface type enum implements readonly public private protected declare namespace as any string number boolean ",
     "//", NULL, "/*", "*/", "\"'`", false},
    {" rust rs ",
     " as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub "
     "ref return "
     "self Self static struct super trait true type unsafe use where while i32 u32 i64 u64 u8 usize f32 f64 bool str String "
     "Option "
     "Result Some None Ok Err Vec ",
     "//", NULL, "/*", "*/", "\"", false},
    {" go golang ",
     " break case chan const continue default defer else fallthrough for func go goto if import interface map package range "
     "return select "
     "struct switch type var nil true false string int int64 error bool byte rune float64 make len append ",
     "//", NULL, "/*", "*/", "\"'`", false},
    {" java kotlin kt csharp cs swift ",
     " abstract assert boolean break byte case catch char class const continue default do double else enum extends final finally "
     "float for "
     "if implements import instanceof int interface long new null package private protected public return short static super "
     "switch "
     "synchronized this throw throws try void volatile while true false var val fun String let func guard using namespace ",
     "//", NULL, "/*", "*/", "\"'", false},
    {" sh bash shell zsh console ",
     " if then else elif fi for while until do done case esac in function return local export set unset echo cd exit source read "
     "shift "
     "trap test eval exec ",
     "#", NULL, NULL, NULL, "\"'", false},
    {" json jsonc ", " true false null ", NULL, NULL, NULL, NULL, "\"", false},
    {" html xml svg ",
     " html head body div span p a img ul ol li table tr td th script style link meta title h1 h2 h3 form input button class id "
     "href src ",
     NULL, NULL, "<!--", "-->", "\"'", false},
    {" css scss ",
     " color background margin padding border display position width height font flex grid important media import absolute "
     "relative none "
     "block inline auto solid ",
     NULL, NULL, "/*", "*/", "\"'", false},
    {" sql sqlite postgresql mysql ",
     " select from where insert into values update set delete create table index view drop alter add primary key foreign "
     "references not "
     "null and or in is like between join left right inner outer on group by order having limit offset union all distinct as "
     "case when "
     "then else end begin commit rollback integer text real blob varchar int default unique exists with ",
     "--", NULL, "/*", "*/", "'\"", true},
    {" yaml yml toml ini cmake makefile make dockerfile ", " true false null yes no on off ", "#", NULL, NULL, NULL, "\"'",
     false},
};

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}
static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

/* Whether a word is in a list " one two three ". */
static bool listed(const char *list, const char *word, size_t n, bool any_case) {
    char wanted[24];
    if (n + 3 > sizeof wanted) return false;
    wanted[0] = ' ';
    for (size_t i = 0; i < n; i++) wanted[1 + i] = any_case ? lower(word[i]) : word[i];
    wanted[n + 1] = ' ';
    wanted[n + 2] = 0;
    return strstr(list, wanted) != NULL;
}

static bool begins(const char *at, const char *end, const char *with) {
    size_t n = with ? strlen(with) : 0;
    return n && (size_t)(end - at) >= n && memcmp(at, with, n) == 0;
}

static const char *find(const char *at, const char *end, const char *what) {
    for (; at < end; at++)
        if (begins(at, end, what)) return at + strlen(what);
    return end;
}

static const char *line_end(const char *at, const char *end) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    return newline ? newline : end;
}

static const char *string_end(const char *at, const char *end) {
    char quote = *at++;
    for (; at < end; at++) {
        if (*at == '\\' && at + 1 < end)
            at++;
        else if (*at == quote)
            return at + 1;
        else if (*at == '\n' && quote != '`')
            return at;
    }
    return end;
}

/* Where the word that begins here ends, and what it is. */
static const char *next_word(const language *l, const char *at, const char *end, md_word *word) {
    *word = WORD_COMMENT;
    if (begins(at, end, l->open)) return find(at + strlen(l->open), end, l->close);
    if (begins(at, end, l->line)) return line_end(at, end);
    *word = WORD_KEYWORD; // the preprocessor's
    if (begins(at, end, l->line2)) {
        const char *stop = at + 1;
        while (stop < end && is_word(*stop)) stop++;
        return stop;
    }
    *word = WORD_STRING;
    if (strchr(l->quotes, *at)) return string_end(at, end);
    const char *stop = at;
    while (stop < end && is_word(*stop)) stop++;
    if (stop == at) {
        *word = WORD_PLAIN;
        return at + 1;
    }
    bool digit = *at >= '0' && *at <= '9';
    if (digit && stop < end && *stop == '.')
        for (stop++; stop < end && is_word(*stop);) stop++;
    *word = digit ? WORD_NUMBER : listed(l->keywords, at, (size_t)(stop - at), l->any_case) ? WORD_KEYWORD : WORD_PLAIN;
    return stop;
}

static bool add_run(md_doc *doc, uint32_t *capacity, uint32_t begin, uint32_t end, md_word word) {
    md_run *last = doc->n_runs ? &doc->runs[doc->n_runs - 1] : NULL;
    if (last && last->end == begin && last->word == word && last->marks == RUN_CODE) {
        last->end = end;
        return true;
    }
    if (doc->n_runs == *capacity) {
        uint32_t wanted = 1;
        while (wanted <= doc->n_runs) wanted *= 2; // as the reader of Markdown keeps its arrays
        md_run *runs = realloc(doc->runs, wanted * sizeof *runs);
        if (!runs) return false;
        doc->runs = runs;
        *capacity = wanted;
    }
    doc->runs[doc->n_runs++] = (md_run){begin, end, RUN_CODE, (uint8_t)word, 0};
    return true;
}

bool highlight(md_doc *doc, const char *text, uint32_t begin, uint32_t end, const char *language_name) {
    if (begin == end) return true;
    const language *l = NULL;
    for (size_t i = 0; i < sizeof languages / sizeof *languages && !l; i++)
        if (*language_name && listed(languages[i].names, language_name, strlen(language_name), true)) l = &languages[i];
    while (doc->n_runs && doc->runs[doc->n_runs - 1].begin >= begin) doc->n_runs--;
    uint32_t capacity = doc->n_runs;
    for (uint32_t at = begin; at < end;) {
        md_word word = WORD_PLAIN;
        uint32_t stop = l ? (uint32_t)(next_word(l, text + at, text + end, &word) - text) : end;
        if (!add_run(doc, &capacity, at, stop, word)) return false;
        at = stop;
    }
    return true;
}
