/* pumice doctor --compile: what the driver's compiler makes of the kernels. */
#include "doctor.h"
#include "verdicts.h"

#include <inttypes.h>
#include <stdio.h>

typedef struct compile_run {
    bool json, stopped;
    json_t *variants;
    int n_kernels, n_failed, n_spilling;
} compile_run;

static bool is_spilling(const pum_kernel_report *k) { return k->spills > 0 || k->scratch_bytes > 0; }
static json_t *known(int64_t value) { return value < 0 ? json_null() : json_integer(value); }

static void add_json(json_t *variants, const pum_kernel_report *k) {
    json_t *o = json_object();
    json_object_set_new(o, "op", json_text(k->op));
    json_object_set_new(o, "variant", json_text(k->variant));
    json_object_set_new(o, "verdict", json_text(k->compiled ? "ok" : "failed"));
    json_object_set_new(o, "max_error_ratio", json_null()); // nothing was run
    json_object_set_new(o, "time_us", json_null());
    json_object_set_new(o, "chosen", json_boolean(k->chosen));
    json_object_set_new(o, "constants", json_text(k->constants));
    json_object_set_new(o, "subgroup_size", json_known(k->subgroup_size));
    json_object_set_new(o, "registers", known(k->registers));
    json_object_set_new(o, "spills", known(k->spills));
    json_object_set_new(o, "scratch_bytes", known(k->scratch_bytes));
    json_object_set_new(o, "shared_bytes", known(k->shared_bytes));
    json_object_set_new(o, "occupancy", known(k->occupancy));
    json_object_set_new(o, "instructions", known(k->instructions));
    json_object_set_new(o, "code_bytes", known(k->code_bytes));
    json_object_set_new(o, "message", k->message[0] ? json_text(k->message) : json_null());
    json_array_append_new(variants, o);
}

static void print_number(int64_t n) {
    if (n < 0)
        printf(" %8s", "-");
    else
        printf(" %8" PRId64, n);
}

static void print_kernel(const pum_kernel_report *k) {
    printf("%c %-28s", k->chosen ? '*' : ' ', k->variant);
    const int64_t numbers[] = {k->registers, k->spills,     k->scratch_bytes, k->shared_bytes,
                               k->occupancy, k->code_bytes, k->instructions,  k->subgroup_size ? (int64_t)k->subgroup_size : -1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) print_number(numbers[i]);
    printf("  %s%s%s\n", k->constants, k->message[0] ? "  " : "", k->message);
}

static void on_kernel(void *user, const pum_kernel_report *k) {
    compile_run *run = user;
    run->n_kernels++;
    run->n_failed += !k->compiled;
    run->n_spilling += is_spilling(k);
    if (run->json)
        add_json(run->variants, k);
    else
        print_kernel(k);
    if (is_spilling(k))
        engine_notice("%s (%s) spills: %" PRId64 " registers, %" PRId64 " bytes%s", k->variant, k->constants, k->spills,
                      k->scratch_bytes, k->chosen ? "; it is used" : "");
}

/* Which kernel serves each op, and why the others do not: also those that this device cannot run. */
static void add_choices(json_t *o, pum_device *device) {
    pum_device_report *report;
    json_t *choices = json_array(), *quirks = NULL;
    if (pum_device_choices(device, &report, NULL) == PUM_OK) {
        for (int i = 0; i < report->n_variants; i++) json_array_append_new(choices, variant_json(&report->variants[i]));
        quirks = quirks_json(report);
        pum_device_report_destroy(&report);
    }
    json_object_set_new(o, "choices", choices);
    json_object_set_new(o, "quirks", quirks ? quirks : json_array());
}

static int print_json(pum_device *device, const pum_device_info *d, compile_run *run) {
    json_t *o = json_object();
    json_object_set_new(o, "device", json_text(d->name));
    json_object_set_new(o, "driver", json_text(d->driver));
    json_object_set_new(o, "driver_version", json_text(d->driver_version));
    json_object_set_new(o, "version", json_text(pum_version()));
    json_object_set_new(o, "verdict", json_text(run->n_failed ? "partly" : "ok"));
    json_object_set_new(o, "mean_kl", json_null());
    json_object_set_new(o, "variants", run->variants);
    add_choices(o, device);
    return json_print(o);
}

int doctor_compile(engine *e, options *o) {
    pum_error err;
    pum_device_info info;
    compile_run run = {.json = o->json, .variants = json_array()};
    pum_device_get_info(e->device, &info);
    engine_notice("compiling every kernel that this device can run; none is run");
    if (!o->json)
        printf("%s, %s %s\npumice %s\n\n  %-28s %8s %8s %8s %8s %8s %8s %8s %8s  constants\n", info.name, info.driver,
               info.driver_version, pum_version(), "variant (*: chosen)", "register", "spills", "scratch", "shared", "occupied",
               "bytes", "instr.", "subgroup");
    if (pum_device_compile(e->device, o->only_type, on_kernel, &run, &err) != PUM_OK) {
        json_decref(run.variants);
        engine_error(&err);
        return 1;
    }
    if (o->json)
        o->reported = print_json(e->device, &info, &run) == 0;
    else
        printf("\n%d kernels, %d spill, %d did not compile\n", run.n_kernels, run.n_spilling, run.n_failed);
    if (run.n_failed)
        fprintf(stderr, "pumice: error: %d of %d kernels did not compile on %s\n", run.n_failed, run.n_kernels, info.name);
    return run.n_failed || fflush(stdout) != 0 ? 1 : 0;
}
