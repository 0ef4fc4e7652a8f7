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
/// What `doctor --compile` does with an open device.
int doctor_compile(engine *e, options *o);
const char *doctor_verdict_name(pum_verdict verdict);
const char *doctor_device_verdict_name(pum_device_verdict verdict);
/// Writes the file of `doctor --report`. Returns false after a sentence on stderr.
bool doctor_write_report(const engine *e, options *o, const pum_device_info *info, const pum_device_report *report);
/// The same file of a device that could not be checked to the end, with the last error.
void doctor_report_failure(options *o, const char *which);

#endif
