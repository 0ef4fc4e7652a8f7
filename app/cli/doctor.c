/* pumice doctor: whether the kernels are right on this device, and which of them it uses. */
#include "commands.h"
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[] = {"none", "ok", "wrong", "unrepeatable", "failed", "crashed", "hung", "unsupported"};
static const char *const device_verdict_names[] = {"ok", "partly", "unusable"};

const char *doctor_verdict_name(pum_verdict verdict) { return verdict_names[verdict]; }
const char *doctor_device_verdict_name(pum_device_verdict verdict) { return device_verdict_names[verdict]; }

static bool on_progress(void *user, uint64_t done, uint64_t total) {
    bool *said = user;
    if (!*said) engine_notice("checking %llu kernels on this device", (unsigned long long)(total - done));
    *said = true;
    return !engine_interrupted();
}

json_t *doctor_variant_json(const pum_variant_report *v) {
    json_t *o = json_object();
    json_object_set_new(o, "op", json_text(v->op));
    json_object_set_new(o, "variant", json_text(v->variant));
    json_object_set_new(o, "tokens", json_text(v->tokens));
    json_object_set_new(o, "verdict", json_text(verdict_names[v->verdict]));
    bool tried = v->verdict != PUM_VERDICT_UNSUPPORTED && v->verdict != PUM_VERDICT_NONE;
    json_object_set_new(o, "max_error_ratio", tried ? json_number(v->max_error_ratio) : json_null());
    json_object_set_new(o, "time_us", v->time_us > 0 ? json_number(v->time_us) : json_null());
    json_object_set_new(o, "mean_kl", v->mean_kl > 0 ? json_number(v->mean_kl) : json_null());
    json_object_set_new(o, "chosen", json_boolean(v->chosen));
    json_object_set_new(o, "message", v->message[0] ? json_text(v->message) : json_null());
    json_object_set_new(o, "why", json_text(v->why));
    return o;
}

json_t *doctor_quirks_json(const pum_device_report *r) {
    json_t *quirks = json_array();
    for (int i = 0; i < r->n_quirks; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "what", json_text(r->quirks[i].what));
        json_object_set_new(o, "reason", json_text(r->quirks[i].reason));
        json_array_append_new(quirks, o);
    }
    return quirks;
}

static int print_json(const pum_device_info *d, const pum_device_report *r) {
    json_t *o = json_object(), *variants = json_array();
    json_object_set_new(o, "device", json_text(d->name));
    json_object_set_new(o, "driver", json_text(d->driver));
    json_object_set_new(o, "driver_version", json_text(d->driver_version));
    json_object_set_new(o, "version", json_text(pum_version()));
    json_object_set_new(o, "verdict", json_text(device_verdict_names[r->verdict]));
    json_object_set_new(o, "mean_kl", json_number(r->mean_kl));
    json_object_set_new(o, "mean_kl_limit", json_number(r->mean_kl_limit));
    json_object_set_new(o, "quirks", doctor_quirks_json(r));
    for (int i = 0; i < r->n_variants; i++) json_array_append_new(variants, doctor_variant_json(&r->variants[i]));
    json_object_set_new(o, "variants", variants);
    return json_print(o);
}

/* One of several devices that could not be looked at to its end: what is known of it, and why. */
static int print_failure(const char *which) {
    pum_device_info all[16], *d = NULL;
    int n = 0;
    bool by_index = which[strspn(which, "0123456789")] == 0;
    if (by_index && strlen(which) < 3 && pum_devices(all, 16, &n, NULL) == PUM_OK && atoi(which) < n && atoi(which) < 16)
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
    printf("%c %-20s %-5s %-26s %-12s", v->chosen ? '*' : ' ', v->op, v->tokens, v->variant, verdict_names[v->verdict]);
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
    printf("verdict: %s\n", device_verdict_names[r->verdict]);
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
    if (pum_device_open_with(&(pum_device_params){.devices = list}, &all, &err) != PUM_OK) {
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
