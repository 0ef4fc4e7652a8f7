/* The commands of the program. Each returns an exit status: 0, 1 (failed, and said why). */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "engine.h"

int command_run(options *o);
int command_chat(options *o);
int command_devices(options *o);
int command_info(options *o);
int command_tokenize(options *o);
int command_detokenize(options *o);
int command_logits(options *o);
int command_bench(options *o);
int command_doctor(options *o);

#endif
