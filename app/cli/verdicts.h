/* How what is known of a device's kernels is written, wherever `pumice doctor` writes it. */
#ifndef CLI_VERDICTS_H
#define CLI_VERDICTS_H

#include "json.h"

const char *verdict_name(pum_verdict verdict);
const char *device_verdict_name(pum_device_verdict verdict);
/// A new object of the keys of `doctor --json`, and an array of them.
json_t *variant_json(const pum_variant_report *variant);
json_t *quirks_json(const pum_device_report *report);

#endif
