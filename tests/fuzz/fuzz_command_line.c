/* What people and scripts give to `pumice`: any arguments for any command, and any text as token ids. What is taken is within the
 * bounds of the table of options. An input: one byte for the command, the arguments, a line each, and behind a separator ids. */
#include "cli/ids.h"
#include "cli/options.h"
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEPARATOR = 0x1E, N_COMMANDS = 9, MAX_ARGUMENTS = 24 };

static bool within(double value, double min, double max) { return value >= min && value <= max; }

static void check_options(const options *o) {
    const pum_sampler_params *p = &o->sampling;
    must(o->n_ctx >= -1 && o->n_tokens >= -1 && o->n_tokens != 0 && o->n_prompt >= 0 && o->n_chunk >= 0, "a length below zero");
    must(o->n_repeats >= 1 && o->n_repeats <= 1000, "repeats outside their bounds");
    must(o->n_stops >= 0 && o->n_stops <= MAX_STOPS && o->n_depths >= 1 && o->n_depths <= MAX_DEPTHS, "lists over their length");
    for (int i = 0; i < o->n_stops; i++) must(o->stops[i] != NULL, "a stop string that is none");
    for (int i = 0; i < o->n_depths; i++) must(o->depths[i] >= 0, "a depth below zero");
    must(within((double)p->temp, 0, 100) && within((double)p->top_p, 0, 1) && within((double)p->min_p, 0, 1) && p->top_k >= 0 &&
             within((double)p->repeat_penalty, (double)0.01f, 100) && within((double)p->presence_penalty, -100, 100) &&
             within((double)p->frequency_penalty, -100, 100) && p->penalty_last_n >= -1,
         "sampling outside its bounds");
    pum_sampler *sampler;
    must(pum_sampler_create(p, &sampler, NULL) == PUM_OK, "sampling that is taken here and refused there");
    pum_sampler_destroy(&sampler);
}

static void check_arguments(fuzz_input *in, command_set command) {
    char *text = fuzz_text(in, SEPARATOR, NULL), *arguments[MAX_ARGUMENTS];
    int n = 0;
    for (char *line = text; *line && n < MAX_ARGUMENTS;) {
        char *end = line + strcspn(line, "\n");
        arguments[n++] = line;
        if (!*end) break;
        *end = 0;
        line = end + 1;
    }
    options o;
    if (options_parse(&o, command, n, arguments)) check_options(&o);
    free(text);
}

static void check_ids(fuzz_input *in) {
    size_t n_bytes, n = 0;
    int32_t *ids = NULL;
    char *text = fuzz_text(in, SEPARATOR, &n_bytes);
    if (ids_parse(text, n_bytes, &ids, &n)) {
        must(n <= n_bytes, "more ids than bytes");
        for (size_t i = 0; i < n; i++) must(ids[i] >= 0, "an id below zero");
        must(memchr(text, 0, n_bytes) == NULL, "ids behind a zero are lost");
        free(ids);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *nowhere;
    if (!nowhere) must((nowhere = fopen("/dev/null", "w")) != NULL, "no /dev/null");
    FILE *before = stderr;
    stderr = nowhere; // every refusal is a sentence
    fuzz_input in = {data, size};
    command_set command = (command_set)(1u << fuzz_byte(&in) % N_COMMANDS);
    check_arguments(&in, command);
    check_ids(&in);
    stderr = before;
    return 0;
}
