/* The options of all commands: one table, one parser. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "pumice.h"

enum { MAX_STOPS = 16, MAX_DEPTHS = 16 };

typedef struct options {
    const char *model, *device, *devices, *prompt, *prompt_file, *system, *file, *tokens_file, *out_file, *shape, *type, *path,
        *only_type, *report_file;
    const char *stops[MAX_STOPS];
    int n_stops;
    int n_ctx;    ///< -1: not given
    int n_tokens; ///< -1: not given
    pum_kv_type kv;
    int n_prompt, n_repeats, n_chunk;
    int depths[MAX_DEPTHS];
    int n_depths;
    pum_sampler_params sampling;
    bool seed_given;
    bool echo, chat, json, special, no_bos, host_only, no_tune, ops, full, compile;
    bool reported;       ///< the device that was looked at stands on standard output
    bool report_goes_on; ///< behind that of another device, in the same file
} options;

/// Which commands an option belongs to.
typedef enum command_set {
    FOR_RUN = 1,
    FOR_CHAT = 2,
    FOR_DEVICES = 4,
    FOR_INFO = 8,
    FOR_TOKENIZE = 16,
    FOR_DETOKENIZE = 32,
    FOR_LOGITS = 64,
    FOR_BENCH = 128,
    FOR_DOCTOR = 256,
} command_set;

/// Fills options from argv [argc] (without program and command). Returns false after a sentence on stderr: exit with 2.
bool options_parse(options *o, command_set command, int argc, char **argv);
/// Prints the options of a command.
void options_help(command_set command);

#endif
