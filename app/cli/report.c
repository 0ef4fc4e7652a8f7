/* pumice doctor --report FILE: all that a report of a bug needs to say about a device, and nothing about the person. */
#include "doctor.h"
#include "verdicts.h"

#include "chat/devices.h"
#include "chat/system.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the loader and its layers, and of drivers. */
static const char *const prefixes[] = {"VK_",         "MESA_", "LP_",      "GALLIUM_", "RADV_", "ACO_",          "ANV_",
                                       "INTEL_DEBUG", "NVK_",  "NOUVEAU_", "TU_",      "FD_",   "IR3_",          "PAN_",
                                       "ASAHI_",      "AGX_",  "V3D_",     "AMD_",     "DRI_",  "DISABLE_LAYER", "ENABLE_VK",
                                       "DISABLE_VK",  "__NV_", "__VK_",    "MVK_",     "LIBGL_"};

static bool is_of_interest(const char *variable) {
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0) return true;
    return false;
}

static size_t length_of_private(const char *at) {
    static const char *const names[] = {"HOME", "USER", "LOGNAME", "USERPROFILE", "USERNAME"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        size_t n = value ? strlen(value) : 0;
        if (n > 1 && strncmp(at, value, n) == 0) return n;
    }
    static const char *const folders[] = {"/home/", "/Users/", "/run/user/", "/media/", "\\Users\\"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        if (strncmp(at, folders[i], strlen(folders[i])) == 0)
            return strlen(folders[i]) + strcspn(at + strlen(folders[i]), "/\\:;, ");
    return 0;
}

/* With ~ in the place of what names the person. */
static void put_text(FILE *f, const char *text) {
    for (const char *at = text; *at;) {
        size_t n = length_of_private(at);
        if (n)
            fputc('~', f);
        else
            fputc(*at, f);
        at += n ? n : 1;
    }
}

static void put_variant(FILE *f, const pum_variant_report *v) {
    fprintf(f, "%c %-22s %-5s %-30s %-12s error %.3g, %.0f us, KL %.2g; ", v->chosen ? '*' : ' ', v->op, v->tokens, v->variant,
            verdict_name(v->verdict), v->max_error_ratio, v->time_us, v->mean_kl);
    put_text(f, v->why);
    fputc('\n', f);
}

static void put_environment(FILE *f) {
    int n = 0;
    fputs("\n## Environment\n", f);
    for (char **variable = system_variables(); *variable; variable++) {
        if (!is_of_interest(*variable)) continue;
        put_text(f, *variable);
        fputc('\n', f);
        n++;
    }
    if (n == 0) fputs("no variable that drivers or the loader look at\n", f);
}

static void put_devices(FILE *f) {
    pum_device_info all[16];
    int n = 0;
    fputs("\n## Devices of this machine\n", f);
    if (devices_list(all, 16, &n, NULL) != PUM_OK) return;
    for (int i = 0; i < n && i < 16; i++)
        fprintf(f, "%d: %s, %s %s%s\n", i, all[i].name, all[i].driver, all[i].driver_version, all[i].used ? ", the default" : "");
    if (!pum_drivers_left_out()) return;
    fputs("Left out:\n", f);
    put_text(f, pum_drivers_left_out());
}

static void put_all(FILE *f, const engine *e, const pum_device_info *d, const pum_device_report *r, bool full) {
    char system[SYSTEM_NAME_BYTES];
    system_name(system);
    fprintf(f, "# Pumice device report\npumice: %s\nsystem: %s\ndevice: %s\nvendor: %s\ndriver: %s %s\nchecks: %s\n",
            pum_version(), system, d->name, d->vendor, d->driver, d->driver_version,
            full ? "every shape 50 times" : "some shapes 3 times");
    fprintf(f, "verdict: %s%s%s\nmean_kl: %.3g, at most %.3g allowed\nmemory_bytes: %llu\navailable_bytes: %llu\n",
            device_verdict_name(r->verdict), r->unserved[0] ? ", no right kernel for " : "", r->unserved, r->mean_kl,
            r->mean_kl_limit, (unsigned long long)d->memory_bytes, (unsigned long long)d->available_bytes);
    char *caps = pum_device_caps_text(e->device);
    fprintf(f, "\n## Capabilities\n%s", caps ? caps : "");
    pum_free(caps);
    for (int i = 0; i < r->n_quirks; i++) fprintf(f, "quirk: %s, because %s\n", r->quirks[i].what, r->quirks[i].reason);
    put_devices(f);
    put_environment(f);
    fputs("\n## Kernels (*: chosen)\n", f);
    for (int i = 0; i < r->n_variants; i++) put_variant(f, &r->variants[i]);
}

/* Ends what was written, with a sentence where it could not be. */
static bool close_report(FILE *f, options *o) {
    bool ok = f != NULL;
    if (f) {
        ok = !ferror(f);
        ok = fclose(f) == 0 && ok;
    }
    if (!ok) fprintf(stderr, "pumice: error: %s: the report cannot be written: %s\n", o->report_file, strerror(errno));
    o->report_goes_on = o->report_goes_on || ok;
    return ok;
}

static FILE *open_report(const options *o) { return system_open(o->report_file, o->report_goes_on ? "ab" : "wb"); }

bool doctor_write_report(const engine *e, options *o, const pum_device_info *info, const pum_device_report *report) {
    FILE *f = open_report(o);
    if (f) put_all(f, e, info, report, o->full);
    if (!close_report(f, o)) return false;
    engine_notice("%s: a report that can be attached to a bug; it names neither you nor your files", o->report_file);
    return true;
}

void doctor_report_failure(options *o, const char *which) {
    FILE *f = open_report(o);
    if (f) {
        fprintf(f, "# Pumice device report\npumice: %s\ndevice: %s\nchecks: not to their end: ", pum_version(), which);
        put_text(f, engine_last_error());
        fputc('\n', f);
        put_devices(f);
        put_environment(f);
    }
    close_report(f, o);
}
