#include "options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { TEXT, INTEGER, REAL, FLAG, SEED, STOP, DEPTHS, KV } kind;

typedef struct row {
    const char *name;
    kind kind;
    size_t offset;
    command_set commands;
    double min, max;
    const char *argument, *help;
} row;

#define AT(field) offsetof(options, field)
#define SAMPLING (FOR_RUN | FOR_CHAT)
#define MODELS (FOR_RUN | FOR_CHAT | FOR_TOKENIZE | FOR_DETOKENIZE | FOR_LOGITS | FOR_BENCH)

static const row rows[] = {
    {"-m", TEXT, AT(model), MODELS, 0, 0, "FILE", "the model; default: the default model"},
    {"--device", TEXT, AT(device), FOR_RUN | FOR_CHAT | FOR_INFO | FOR_LOGITS | FOR_BENCH | FOR_DOCTOR, 0, 0, "N|NAME",
     "by index or part of the name; default: the fastest that is not a CPU driver"},
    {"--devices", TEXT, AT(devices), FOR_RUN | FOR_CHAT | FOR_DEVICES | FOR_INFO | FOR_LOGITS | FOR_BENCH | FOR_DOCTOR, 0, 0,
     "LIST", "several, as 0,1: the model's layers are divided among them"},
    {"--ctx", INTEGER, AT(n_ctx), FOR_RUN | FOR_CHAT | FOR_INFO | FOR_LOGITS, 0, INT32_MAX, "N",
     "context length; default: min(the model's, 4096); 0: as much as fits"},
    {"--kv", KV, 0, FOR_RUN | FOR_CHAT | FOR_INFO | FOR_LOGITS | FOR_BENCH, 0, 0, "f16|q8_0",
     "how keys and values are kept; q8_0: half the memory, a little less accurate; default f16"},
    {"-n", INTEGER, AT(n_tokens), FOR_RUN | FOR_CHAT | FOR_BENCH, 1, INT32_MAX, "N",
     "tokens to make; default: until a stop token or a full context (bench: 128)"},
    {"-p", TEXT, AT(prompt), FOR_RUN, 0, 0, "TEXT", "the prompt; default: from -f or standard input"},
    {"-f", TEXT, AT(prompt_file), FOR_RUN, 0, 0, "FILE", "a file with the prompt"},
    {"--echo", FLAG, AT(echo), FOR_RUN, 0, 0, NULL, "print the prompt too"},
    {"--chat", FLAG, AT(chat), FOR_RUN, 0, 0, NULL, "the prompt is one user turn in the file's chat template"},
    {"--system", TEXT, AT(system), FOR_RUN | FOR_CHAT, 0, 0, "TEXT",
     "the system turn; default: what the template itself puts there"},
    {"--temp", REAL, AT(sampling.temp), SAMPLING, 0, 100, "T", "temperature, 0: greedy; default 0.8"},
    {"--top-k", INTEGER, AT(sampling.top_k), SAMPLING, 0, INT32_MAX, "K", "only the best K tokens, 0: off; default 40"},
    {"--top-p", REAL, AT(sampling.top_p), SAMPLING, 0, 1, "P", "only the best tokens that make up P, 1: off; default 0.95"},
    {"--min-p", REAL, AT(sampling.min_p), SAMPLING, 0, 1, "P",
     "only tokens at least P as likely as the best, 0: off; default 0.05"},
    {"--repeat-penalty", REAL, AT(sampling.repeat_penalty), SAMPLING, 0.01, 100, "X",
     "divides what was there already, 1: off; default 1.0"},
    {"--presence-penalty", REAL, AT(sampling.presence_penalty), SAMPLING, -100, 100, "X", "default 0"},
    {"--frequency-penalty", REAL, AT(sampling.frequency_penalty), SAMPLING, -100, 100, "X", "default 0"},
    {"--penalty-last-n", INTEGER, AT(sampling.penalty_last_n), SAMPLING, -1, INT32_MAX, "N",
     "tokens the penalties look at, -1: all; default 64"},
    {"--seed", SEED, 0, SAMPLING, 0, 0, "N", "default: random, and said"},
    {"--stop", STOP, 0, SAMPLING, 0, 0, "TEXT", "end here, and do not print it; may be repeated"},
    {"--tokens", TEXT, AT(tokens_file), FOR_LOGITS, 0, 0, "FILE", "ids separated by white space"},
    {"-o", TEXT, AT(out_file), FOR_LOGITS, 0, 0, "FILE", "where the logits go: float32 [n_tokens][n_vocab]"},
    {"--chunk", INTEGER, AT(n_chunk), FOR_LOGITS, 1, INT32_MAX, "N", "tokens of one prefill chunk"},
    {"--no-bos", FLAG, AT(no_bos), FOR_TOKENIZE, 0, 0, NULL, "no BOS, whatever the file says"},
    {"--special", FLAG, AT(special), FOR_TOKENIZE | FOR_DETOKENIZE, 0, 0, NULL, "text of special tokens stands for them"},
    {"-p", INTEGER, AT(n_prompt), FOR_BENCH, 0, INT32_MAX, "N", "prompt tokens; default 512"},
    {"-d", DEPTHS, 0, FOR_BENCH, 0, 0, "N,N,…", "tokens in the context before; default 0"},
    {"-r", INTEGER, AT(n_repeats), FOR_BENCH, 1, 1000, "N", "repeats; default 5"},
    {"--shape", TEXT, AT(shape), FOR_BENCH, 0, 0, "S", "random weights: 260k 15m 135m 360m 1.1b 3b 7b 13b"},
    {"--type", TEXT, AT(type), FOR_BENCH, 0, 0, "T", "tensor type of random weights; default Q4_0"},
    {"--type", TEXT, AT(only_type), FOR_DOCTOR, 0, 0, "T", "only the kernels for weights of a tensor type; default: all"},
    {"--path", TEXT, AT(path), FOR_BENCH, 0, 0, "gpu|host", "where tokens are chosen; default gpu, host on a CPU driver"},
    {"--host-only", FLAG, AT(host_only), FOR_BENCH, 0, 0, NULL,
     "for devices that accept work and do nothing: no peaks, no results"},
    {"--ops", FLAG, AT(ops), FOR_BENCH, 0, 0, NULL, "how long each op takes, and how near that is to the device's peaks"},
    {"--no-tune", FLAG, AT(no_tune), FOR_RUN | FOR_CHAT | FOR_LOGITS | FOR_BENCH, 0, 0, NULL,
     "do not time kernels at a device's first use, nor go by such times"},
    {"--full", FLAG, AT(full), FOR_DOCTOR, 0, 0, NULL, "run everything 50 times"},
    {"--compile", FLAG, AT(compile), FOR_DOCTOR, 0, 0, NULL,
     "compile every kernel, run none, and say what the driver made of it"},
    {"--report", TEXT, AT(report_file), FOR_DOCTOR, 0, 0, "FILE",
     "write all of it to a file that can be attached to a bug; it names no person and no private path"},
    {"--json", FLAG, AT(json), FOR_DEVICES | FOR_INFO | FOR_BENCH | FOR_DOCTOR, 0, 0, NULL, "print JSON"},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static bool complain(const char *option, const char *expected, const char *got) {
    fprintf(stderr, "pumice: error: %s: expected %s, got %s; see --help\n", option, expected, got ? got : "nothing");
    return false;
}

static bool parse_real(const row *r, const char *text, double *value) {
    char *end, expected[80];
    errno = 0;
    *value = strtod(text, &end);
    if (end != text && *end == 0 && errno == 0 && isfinite(*value) && *value >= r->min && *value <= r->max) return true;
    snprintf(expected, sizeof expected, "a number from %g to %g", r->min, r->max);
    return complain(r->name, expected, text);
}

static bool parse_integer(const row *r, const char *text, long long *value) {
    char *end, expected[80];
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (end != text && *end == 0 && errno == 0 && (double)*value >= r->min && (double)*value <= r->max) return true;
    snprintf(expected, sizeof expected, "a whole number from %.0f to %.0f", r->min, r->max);
    return complain(r->name, expected, text);
}

static bool parse_depths(options *o, const row *r, const char *text) {
    o->n_depths = 0;
    for (const char *at = text;; at++) {
        char *end;
        long value = strtol(at, &end, 10);
        if (end == at || value < 0 || value > INT32_MAX || (*end && *end != ',') || o->n_depths == MAX_DEPTHS)
            return complain(r->name, "up to 16 whole numbers with commas between", text);
        o->depths[o->n_depths++] = (int)value;
        if (!*end) return true;
        at = end;
    }
}

static bool set(options *o, const row *r, const char *text) {
    void *at = (char *)o + r->offset;
    double real;
    long long integer;
    char *end;
    switch (r->kind) {
    case TEXT:
        *(const char **)at = text;
        return true;
    case FLAG:
        *(bool *)at = true;
        return true;
    case REAL:
        if (!parse_real(r, text, &real)) return false;
        *(float *)at = (float)real;
        return true;
    case INTEGER:
        if (!parse_integer(r, text, &integer)) return false;
        *(int *)at = (int)integer;
        return true;
    case SEED:
        errno = 0;
        o->sampling.seed = strtoull(text, &end, 10);
        if (end == text || *end || errno || *text == '-') return complain(r->name, "a whole number from 0 on", text);
        o->seed_given = true;
        return true;
    case STOP:
        if (o->n_stops == MAX_STOPS) return complain(r->name, "at most 16 of them", "more");
        o->stops[o->n_stops++] = text;
        return true;
    case DEPTHS:
        return parse_depths(o, r, text);
    case KV:
        if (strcmp(text, "f16") != 0 && strcmp(text, "q8_0") != 0) return complain(r->name, "f16 or q8_0", text);
        o->kv = strcmp(text, "q8_0") == 0 ? PUM_KV_Q8_0 : PUM_KV_F16;
        return true;
    }
    return false;
}

static const row *find(command_set command, const char *name) {
    for (int i = 0; i < N_ROWS; i++)
        if ((rows[i].commands & command) && strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

bool options_parse(options *o, command_set command, int argc, char **argv) {
    *o = (options){.n_ctx = -1, .n_tokens = -1, .n_prompt = 512, .n_repeats = 5, .n_depths = 1, .type = "Q4_0"};
    o->sampling = pum_sampler_defaults();
    for (int i = 0; i < argc; i++) {
        const row *r = find(command, argv[i]);
        if (!r && argv[i][0] != '-' && command == FOR_INFO && !o->file) {
            o->file = argv[i];
            continue;
        }
        if (!r) return complain(argv[i], "an option of this command", "one that it does not have");
        if (r->kind != FLAG && i + 1 == argc) return complain(r->name, r->argument, NULL);
        if (!set(o, r, r->kind == FLAG ? NULL : argv[++i])) return false;
    }
    return true;
}

void options_help(command_set command) {
    for (int i = 0; i < N_ROWS; i++) {
        if (!(rows[i].commands & command)) continue;
        char left[48];
        snprintf(left, sizeof left, "%s %s", rows[i].name, rows[i].argument ? rows[i].argument : "");
        printf("  %-24s %s\n", left, rows[i].help);
    }
}
