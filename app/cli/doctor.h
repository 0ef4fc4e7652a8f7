/* The parts of `pumice doctor`. */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include "engine.h"

/// What `doctor --compile` does with an open device. Returns an exit status.
int doctor_compile(engine *e, options *o);
/// Writes the file of `doctor --report`. Returns false after a sentence on stderr.
bool doctor_write_report(const engine *e, options *o, const pum_device_info *info, const pum_device_report *report);
/// The same file of a device that could not be checked to the end, with the last error.
void doctor_report_failure(options *o, const char *which);

#endif
