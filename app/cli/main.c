/* pumice: the command-line program. */
#include "commands.h"

#include "chat/system.h"

#include <stdio.h>
#include <string.h>

static const struct command {
    const char *name, *summary;
    command_set set;
    int (*run)(options *o);
} commands[] = {
    {"run", "continue a text, or answer one question with --chat", FOR_RUN, command_run},
    {"chat", "talk with a model", FOR_CHAT, command_chat},
    {"devices", "list the Vulkan devices, and which one is used", FOR_DEVICES, command_devices},
    {"info", "show what a model file holds, and the memory it needs: info FILE", FOR_INFO, command_info},
    {"tokenize", "turn standard input into token ids", FOR_TOKENIZE, command_tokenize},
    {"detokenize", "turn token ids on standard input into text", FOR_DETOKENIZE, command_detokenize},
    {"logits", "write the logits after each token to a file", FOR_LOGITS, command_logits},
    {"doctor", "check the kernels on this device, and show which are used", FOR_DOCTOR, command_doctor},
    {"bench", "measure prefill and decode", FOR_BENCH, command_bench},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_commands(FILE *to) {
    fputs("usage: pumice COMMAND [OPTION …]\n\n", to);
    for (int i = 0; i < N_COMMANDS; i++) fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\n`pumice COMMAND --help` lists its options; `pumice --version`.\n", to);
}

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user;
    if (level >= PUM_LOG_WARNING) engine_notice("%s", message);
}

int main(int argc, char **argv) {
    system_begin(&argc, &argv);
    pum_set_log(on_log, NULL);
    if (argc < 2) {
        print_commands(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("pumice %s\n", pum_version());
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_commands(stdout);
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        for (int k = 2; k < argc; k++)
            if (strcmp(argv[k], "--help") == 0) {
                printf("pumice %s: %s\n\n", commands[i].name, commands[i].summary);
                options_help(commands[i].set);
                return 0;
            }
        options o;
        return options_parse(&o, commands[i].set, argc - 2, argv + 2) ? commands[i].run(&o) : 2;
    }
    fprintf(stderr, "pumice: error: expected a command, got \"%s\"; see pumice --help\n", argv[1]);
    return 2;
}
