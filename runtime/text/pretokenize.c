#include "text/pretokenize.h"

#include "base/utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <string.h>

enum { MAX_NAMES = 8, MAX_RULES = 4 };

/* Unicode's white space. PCRE2's \s counts U+180E too, which these vocabularies were not trained with. */
#define WHITE "\\t-\\r \\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define SPACES "[" WHITE "]+(?![^" WHITE "])|[" WHITE "]+"

/* Each rule cuts the parts that the one before left: what it matches, and what lies between, are parts of their own. */
static const char GPT2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" WHITE "\\p{L}\\p{N}]+|" SPACES;
#define LLAMA3_LIKE(digits)                                                                                                      \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^" WHITE "\\p{L}\\p{N}]+[\\r\\n]*|"                \
    "[" WHITE "]*[\\r\\n]+|" SPACES
static const char LLAMA3[] = LLAMA3_LIKE("\\p{N}{1,3}");
static const char QWEN2[] = LLAMA3_LIKE("\\p{N}");
static const char ONE_DIGIT[] = "\\p{N}";
static const char DEFAULT_PUNCTUATION[] = "[\\p{P}\\$\\+<=>\\^~\\|]+";
static const char DIGITS[] = "\\p{N}+";
static const char THREE_DIGITS[] = "[0-9][0-9][0-9]";

struct pretokenizer {
    const char *names[MAX_NAMES];
    const char *rules[MAX_RULES];
    bool ignore_merges;
    pcre2_code *compiled[MAX_RULES];
};

static pretokenizer table[] = {
    {.names = {"gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jina-es", "jina-de"}, .rules = {GPT2}},
    {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "pixtral"}, .rules = {LLAMA3}, .ignore_merges = true},
    {.names = {"dbrx", "smaug-bpe"}, .rules = {LLAMA3}},
    {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell"}, .rules = {ONE_DIGIT, GPT2}},
    {.names = {"qwen2", "stablelm2", "deepseek-r1-qwen", "megrez"}, .rules = {QWEN2}},
    {.names = {"default"}, .rules = {DEFAULT_PUNCTUATION, GPT2, DIGITS, THREE_DIGITS}},
    {.names = {"none"}, .rules = {NULL}}, // for vocabularies whose merges cross words: the whole text is one part
};
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static pum_status compile(pretokenizer *row, pum_error *err) {
    for (int i = 0; i < MAX_RULES && row->rules[i] && !row->compiled[i]; i++) {
        int error;
        PCRE2_SIZE at;
        row->compiled[i] =
            pcre2_compile((PCRE2_SPTR)row->rules[i], PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &error, &at, NULL);
        if (!row->compiled[i])
            return pum_fail(err, PUM_ERR_UNSUPPORTED,
                            "the pre-tokenizer %s cannot be compiled (PCRE2 error %d at %zu); PCRE2 10.30 or later with "
                            "Unicode is needed",
                            row->names[0], error, (size_t)at);
        pcre2_jit_compile(row->compiled[i], PCRE2_JIT_COMPLETE); // without it matching is slower, not different
    }
    return PUM_OK;
}

pum_status pretokenizer_find(const char *pre, const pretokenizer **row, pum_error *err) {
    *row = NULL;
    if (!pre) pre = "gpt-2";
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (int n = 0; n < MAX_NAMES && table[i].names[n]; n++)
            if (strcmp(table[i].names[n], pre) == 0) {
                pthread_mutex_lock(&table_lock);
                pum_status status = compile(&table[i], err);
                pthread_mutex_unlock(&table_lock);
                if (status == PUM_OK) *row = &table[i];
                return status;
            }
    return pum_fail(err, PUM_ERR_UNSUPPORTED,
                    "the pre-tokenizer \"%.40s\" is not known to this version (known: gpt-2, llama-bpe, smollm, qwen2, default); "
                    "update Pumice or choose another model",
                    pre);
}

bool pretokenizer_ignores_merges(const pretokenizer *row) { return row->ignore_merges; }

/* What a split is doing: the rules still to come for a part. */
typedef struct splitting {
    const pretokenizer *row;
    pcre2_match_context *limits;
    pcre2_match_data *match[MAX_RULES]; ///< one per rule: an inner rule must not disturb an outer one
    void (*piece)(void *user, const char *bytes, size_t n_bytes);
    void *user;
} splitting;

/* Finds the next match of a rule from `at` on. False: none, or PCRE2 gave up; the rest is one part then, and nothing is lost. */
static bool next_match(const splitting *s, int rule, const char *text, size_t n_bytes, size_t at, size_t *begin, size_t *end) {
    const pcre2_code *code = s->row->compiled[rule];
    pcre2_match_data *match = s->match[rule];
    int found = pcre2_match(code, (PCRE2_SPTR)text, n_bytes, at, PCRE2_NO_UTF_CHECK, match, s->limits);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH) // compiled code has a small stack; the interpreter uses the heap
        found = pcre2_match(code, (PCRE2_SPTR)text, n_bytes, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match, s->limits);
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(match);
    *begin = bounds[0];
    *end = bounds[1];
    return found > 0 && *end > *begin;
}

static void split_part(const splitting *s, int rule, const char *text, size_t n_bytes) {
    if (n_bytes == 0) return;
    if (rule == MAX_RULES || !s->row->rules[rule]) {
        s->piece(s->user, text, n_bytes);
        return;
    }
    for (size_t at = 0; at < n_bytes;) {
        size_t begin, end;
        if (!next_match(s, rule, text, n_bytes, at, &begin, &end)) begin = end = n_bytes;
        split_part(s, rule + 1, text + at, begin - at);
        split_part(s, rule + 1, text + begin, end - begin);
        at = end;
    }
}

/* The length of the correct (or the broken) UTF-8 that text begins with. */
static size_t run_of(const char *text, size_t n_bytes, bool broken) {
    uint32_t code;
    size_t at = 0;
    while (at < n_bytes) {
        int n = (uint8_t)text[at] < 0x80 ? 1 : utf8_decode(text + at, n_bytes - at, &code);
        if ((n <= 0) != broken) break;
        at += n > 0 ? (size_t)n : 1;
    }
    return at;
}

/* PCRE2 is told not to check the text, which it would do to the end at every match: it is checked once, here. */
static void split_text(const splitting *s, const char *text, size_t n_bytes) {
    for (size_t at = 0; at < n_bytes;) {
        size_t n = run_of(text + at, n_bytes - at, false);
        split_part(s, 0, text + at, n);
        at += n;
        n = run_of(text + at, n_bytes - at, true);
        if (n > 0) s->piece(s->user, text + at, n);
        at += n;
    }
}

pum_status pretokenizer_split(const pretokenizer *row, const char *text, size_t n_bytes,
                              void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err) {
    splitting s = {.row = row, .limits = pcre2_match_context_create(NULL), .piece = piece, .user = user};
    bool ready = s.limits;
    for (int i = 0; i < MAX_RULES && row->rules[i]; i++) ready = (s.match[i] = pcre2_match_data_create(1, NULL)) && ready;
    if (ready) {
        // The rules are ours: each looks at a character a few times at most, however long the text is.
        pcre2_set_match_limit(s.limits, UINT32_MAX);
        split_text(&s, text, n_bytes);
    }
    for (int i = 0; i < MAX_RULES; i++) pcre2_match_data_free(s.match[i]);
    pcre2_match_context_free(s.limits);
    return ready ? PUM_OK : pum_fail_memory(err, "splitting text", sizeof s);
}

pum_status pretokenize(const char *pre, const char *text, size_t n_bytes,
                       void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err) {
    const pretokenizer *row;
    pum_status status = pretokenizer_find(pre, &row, err);
    return status == PUM_OK ? pretokenizer_split(row, text, n_bytes, piece, user, err) : status;
}
