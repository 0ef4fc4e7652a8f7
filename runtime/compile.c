/* pum_device_compile: what `pumice doctor --compile` shows. */
#include "check/compile.h"
#include "device.h"
#include "gguf/types.h"
#include "ops/layout.h"

#include <stdio.h>

/* Long enough for an emulated machine: here somebody asked to know. */
enum { COMPILER_S = 300 };

typedef struct reporter {
    pum_kernel_report_fn report;
    void *user;
} reporter;

static void report_kernel(void *user, const check_compiled *k) {
    const vk_pipeline_statistics *s = &k->made->statistics;
    reporter *r = user;
    pum_kernel_report row = {
        .op = k->variant->op,
        .variant = k->variant->name,
        .subgroup_size = k->params->require_subgroup_size,
        .chosen = k->chosen,
        .compiled = k->made->compiled,
        .registers = s->registers,
        .spills = s->spills,
        .scratch_bytes = s->scratch_bytes,
        .shared_bytes = s->shared_bytes,
        .occupancy = s->occupancy,
        .instructions = s->instructions,
        .code_bytes = s->code_bytes,
    };
    size_t n = 0;
    for (uint32_t i = 0; i < k->params->n_constants && n < sizeof row.constants; i++)
        n += (size_t)snprintf(row.constants + n, sizeof row.constants - n, "%s%u", i ? "," : "", k->params->constants[i]);
    snprintf(row.message, sizeof row.message, "%s", k->made->message);
    r->report(r->user, &row);
}

pum_status pum_device_compile(pum_device *device, const char *type, pum_kernel_report_fn report, void *user, pum_error *err) {
    const tensor_type_info *info = type ? tensor_type_by_name(type) : NULL;
    if (type && (!info || !op_layout_supports(info->type)))
        return pum_fail(err, PUM_ERR_ARGUMENT, "type: expected a tensor type that the device can use, such as Q4_0, got \"%s\"",
                        type);
    uint64_t types = info ? (uint64_t)1 << info->type : UINT64_MAX;
    pum_status status = device_enter(device, err);
    if (status != PUM_OK) return status;
    device_checks checks;
    status = device_checks_begin(device, COMPILER_S, &checks, err);
    if (status == PUM_OK)
        status = check_compile(device->vk, &checks.runner, types, report_kernel, &(reporter){report, user}, err);
    device_checks_end(&checks);
    device_leave(device, status);
    return status;
}
