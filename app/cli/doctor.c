/* pumice doctor: whether the kernels are right on this device, and which of them it uses. */
#include "doctor.h"

#include "chat/devices.h"
#include "commands.h"
#include "verdicts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool on_progress(void *user, uint64_t done, uint64_t total) {
    bool *said = user;
    if (!*said) engine_notice("checking %llu kernels on this device", (unsigned long long)(total - done));
    *said = true;
    return !engine_interrupted();
}

static int print_json(const pum_device_info *d, const pum_device_report *r) {
    json_t *o = json_object(), *variants = json_array();
    json_object_set_new(o, "device", json_text(d->name));
    json_object_set_new(o, "driver", json_text(d->driver));
    json_object_set_new(o, "driver_version", json_text(d->driver_version));
    json_object_set_new(o, "version", json_text(pum_version()));
    json_object_set_new(o, "verdict", json_text(device_verdict_name(r->verdict)));
    json_object_set_new(o, "mean_kl", json_number(r->mean_kl));
    json_object_set_new(o, "mean_kl_limit", json_number(r->mean_kl_limit));
    json_object_set_new(o, "quirks", quirks_json(r));
    for (int i = 0; i < r->n_variants; i++) json_array_append_new(variants, variant_json(&r->variants[i]));
    json_object_set_new(o, "variants", variants);
    return json_print(o);
}

/* One of several devices that could not be looked at to its end: what is known of it, and why. */
static int print_failure(const char *which) {
    pum_device_info all[16], *d = NULL;
    int n = 0;
    bool by_index = which[strspn(which, "0123456789")] == 0;
    if (by_index && strlen(which) < 3 && devices_list(all, 16, &n, NULL) == PUM_OK && atoi(which) < n && atoi(which) < 16)
        d = &all[atoi(which)];
    json_t *o = json_object();
    json_object_set_new(o, "device", json_text(d ? d->name : which));
    json_object_set_new(o, "driver", json_text(d ? d->driver : NULL));
    json_object_set_new(o, "driver_version", json_text(d ? d->driver_version : NULL));
    json_object_set_new(o, "version", json_text(pum_version()));
    json_object_set_new(o, "verdict", json_null());
    json_object_set_new(o, "mean_kl", json_null());
    json_object_set_new(o, "quirks", json_array());
    json_object_set_new(o, "variants", json_array());
    json_object_set_new(o, "error", json_text(engine_last_error()));
    return json_print(o);
}

static void print_variant(const pum_variant_report *v) {
    char time[24] = "";
    if (v->time_us > 0) snprintf(time, sizeof time, "%.0f", v->time_us);
    printf("%c %-20s %-5s %-26s %-12s", v->chosen ? '*' : ' ', v->op, v->tokens, v->variant, verdict_name(v->verdict));
    if (v->verdict != PUM_VERDICT_UNSUPPORTED) printf(" %8.3f %10s", v->max_error_ratio, time);
    if (v->mean_kl > 0) printf("  KL %.1e", v->mean_kl);
    printf("%s%s\n", v->message[0] ? "  " : "", v->message);
}

static int print_text(const pum_device_info *d, const pum_device_report *r) {
    printf("%s, %s %s\npumice %s\n\n", d->name, d->driver, d->driver_version, pum_version());
    printf("  %-20s %-5s %-26s %-12s %8s %10s\n", "op", "tokens", "variant (*: chosen)", "verdict", "error", "time, us");
    for (int i = 0; i < r->n_variants; i++) print_variant(&r->variants[i]);
    printf("\nerror: the largest one, as a part of what roundings explain\n");
    if (isfinite(r->mean_kl))
        printf("mean KL of a tiny model to the float64 reference: %.2g, at most %.2g allowed\n", r->mean_kl, r->mean_kl_limit);
    printf("verdict: %s\n", device_verdict_name(r->verdict));
    return fflush(stdout) == 0 ? 0 : 1;
}

static int complain(const pum_device_info *d, const pum_device_report *r) {
    if (r->unserved[0])
        fprintf(
            stderr,
            "pumice: error: %s: none of the kernels for %s is right on this device; update its driver, or choose another with "
            "--device\n",
            d->name, r->unserved);
    else
        fprintf(stderr,
                "pumice: error: %s: a tiny model gives other probabilities than the reference (mean KL %.2g, at most %.2g is "
                "allowed); update the driver, or choose another device with --device\n",
                d->name, r->mean_kl, r->mean_kl_limit);
    return 1;
}

/* Each device of the list by itself, as if it had been asked for alone; with --json an array of their reports. One that fails
 * does not keep the next from its turn. */
static int doctor_each(options *o) {
    const char *list = o->devices;
    int status = 0;
    pum_device *all;
    pum_error err;
    // What is wrong with the list is said before anything is checked.
    if (devices_open(&(pum_device_params){.devices = list}, &all, &err) != PUM_OK) {
        engine_error(&err);
        return 1;
    }
    pum_device_destroy(&all);
    o->devices = NULL;
    if (o->json) printf("[");
    for (const char *at = list; at && !engine_interrupted(); at = *at ? at + 1 : NULL) {
        char which[256];
        snprintf(which, sizeof which, "%.*s", (int)strcspn(at, ","), at);
        if (at != list && o->json) printf(",");
        o->device = which;
        o->reported = false;
        if (command_doctor(o) != 0) status = 1;
        if (!o->reported && o->json) print_failure(which);
        if (!o->reported && o->report_file) doctor_report_failure(o, which);
        at += strcspn(at, ",");
    }
    if (o->json) printf("]\n");
    return status;
}

int command_doctor(options *o) {
    if (o->devices) return doctor_each(o);
    engine e = {0};
    pum_error err;
    pum_device_report *report = NULL;
    bool said = false;
    pum_device_check_params params = {.type = o->only_type, .full = o->full, .progress = on_progress, .user = &said};
    if (!engine_open_device(&e, o)) return 1;
    int status = 1;
    if (o->compile) {
        status = doctor_compile(&e, o);
        engine_close(&e);
        return status;
    }
    engine_catch_interrupt(NULL);
    if (pum_device_check(e.device, &params, &report, &err) != PUM_OK) {
        engine_error(&err);
    } else {
        pum_device_info info;
        pum_device_get_info(e.device, &info);
        status = o->json ? print_json(&info, report) : print_text(&info, report);
        o->reported = true;
        if (o->report_file && !doctor_write_report(&e, o, &info, report)) status = 1;
        if (report->verdict == PUM_DEVICE_UNUSABLE) status = complain(&info, report);
    }
    pum_device_report_destroy(&report);
    engine_close(&e);
    return status;
}
