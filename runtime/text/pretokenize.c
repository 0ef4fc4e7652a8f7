#include "text/pretokenize.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <string.h>

enum { MAX_NAMES = 8, MAX_RULES = 4 };

/* Each rule cuts the parts that the one before left: what it matches, and what lies between, are parts of their own. */
static const char GPT2[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
static const char LLAMA3[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
static const char QWEN2[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
                            "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
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
    {.names = {"llama-bpe", "llama3", "llama-v3", "dbrx", "smaug-bpe"}, .rules = {LLAMA3}, .ignore_merges = true},
    {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell"}, .rules = {ONE_DIGIT, GPT2}},
    {.names = {"qwen2", "deepseek-r1-qwen", "megrez"}, .rules = {QWEN2}},
    {.names = {"default"}, .rules = {DEFAULT_PUNCTUATION, GPT2, DIGITS, THREE_DIGITS}},
    {.names = {"none"}, .rules = {NULL}},
};
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;

static pum_status compile(pretokenizer *row, pum_error *err) {
    for (int i = 0; i < MAX_RULES && row->rules[i] && !row->compiled[i]; i++) {
        int error;
        PCRE2_SIZE at;
        row->compiled[i] = pcre2_compile((PCRE2_SPTR)row->rules[i], PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &at, NULL);
        if (!row->compiled[i])
            return pum_fail(err, PUM_ERR_UNSUPPORTED,
                            "the pre-tokenizer %s cannot be compiled (PCRE2 error %d at %zu); PCRE2 10.34 or later with "
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
    pcre2_match_data *match[MAX_RULES]; ///< one per rule: an inner rule must not disturb an outer one
    void (*piece)(void *user, const char *bytes, size_t n_bytes);
    void *user;
} splitting;

static void split_part(const splitting *s, int rule, const char *text, size_t n_bytes) {
    if (n_bytes == 0) return;
    if (rule == MAX_RULES || !s->row->rules[rule]) {
        s->piece(s->user, text, n_bytes);
        return;
    }
    for (size_t at = 0; at < n_bytes;) {
        int found = pcre2_match(s->row->compiled[rule], (PCRE2_SPTR)text, n_bytes, at, 0, s->match[rule], NULL);
        const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(s->match[rule]);
        // No match, or one that PCRE2 gave up on: the rest is one part, and nothing is lost.
        size_t begin = found > 0 && bounds[1] > bounds[0] ? bounds[0] : n_bytes;
        size_t end = begin < n_bytes ? bounds[1] : n_bytes;
        split_part(s, rule + 1, text + at, begin - at);
        split_part(s, rule + 1, text + begin, end - begin);
        at = end;
    }
}

pum_status pretokenizer_split(const pretokenizer *row, const char *text, size_t n_bytes,
                              void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err) {
    splitting s = {.row = row, .piece = piece, .user = user};
    bool ready = true;
    for (int i = 0; i < MAX_RULES; i++) ready = (s.match[i] = pcre2_match_data_create(1, NULL)) && ready;
    if (ready) split_part(&s, 0, text, n_bytes);
    for (int i = 0; i < MAX_RULES; i++) pcre2_match_data_free(s.match[i]);
    return ready ? PUM_OK : pum_fail_memory(err, "splitting text", 64);
}

pum_status pretokenize(const char *pre, const char *text, size_t n_bytes,
                       void (*piece)(void *user, const char *bytes, size_t n_bytes), void *user, pum_error *err) {
    const pretokenizer *row;
    pum_status status = pretokenizer_find(pre, &row, err);
    return status == PUM_OK ? pretokenizer_split(row, text, n_bytes, piece, user, err) : status;
}
