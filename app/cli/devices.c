/* pumice devices. */
#include "chat/devices.h"
#include "commands.h"
#include "json.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEVICES = 64 };

static const char *type_name(pum_device_type type) {
    static const char *const names[] = {"other", "integrated", "discrete", "virtual", "cpu"};
    return names[type];
}

static json_t *to_json(const pum_device_info *d) {
    char version[32], uuid[33];
    snprintf(version, sizeof version, "%u.%u.%u", d->api_version >> 22 & 127, d->api_version >> 12 & 1023, d->api_version & 4095);
    for (int i = 0; i < 16; i++) snprintf(uuid + 2 * i, 3, "%02x", d->uuid[i]);
    json_t *o = json_object();
    json_object_set_new(o, "index", json_integer(d->index));
    json_object_set_new(o, "name", json_text(d->name));
    json_object_set_new(o, "vendor", json_text(d->vendor));
    json_object_set_new(o, "type", json_text(type_name(d->type)));
    json_object_set_new(o, "driver", json_text(d->driver));
    json_object_set_new(o, "driver_version", json_text(d->driver_version));
    json_object_set_new(o, "api_version", json_text(version));
    json_object_set_new(o, "uuid", json_text(uuid));
    json_object_set_new(o, "memory_bytes", json_integer((json_int_t)d->memory_bytes));
    json_object_set_new(o, "available_bytes", json_integer((json_int_t)d->available_bytes));
    json_object_set_new(o, "used", json_boolean(d->used));
    json_object_set_new(o, "reason", json_text(d->reason));
    json_object_set_new(o, "subgroup_size", json_integer(d->subgroup_size));
    json_object_set_new(o, "fp16", json_boolean(d->fp16));
    json_object_set_new(o, "int8_dot", json_boolean(d->int8_dot));
    json_object_set_new(o, "coopmat", json_boolean(d->coopmat));
    return o;
}

/* With --devices those are the ones that are used. */
static bool mark_used(const options *o, pum_device_info *devices, int n) {
    pum_device *opened = NULL;
    pum_error err;
    if (!o->devices) return true;
    if (devices_open(&(pum_device_params){.devices = o->devices}, &opened, &err) != PUM_OK) return engine_error(&err);
    for (int i = 0; i < n; i++) {
        bool was = devices[i].used;
        devices[i].used = false;
        if (was) snprintf(devices[i].reason, sizeof devices[i].reason, "others are named by --devices");
    }
    for (int i = 0; i < pum_device_n_parts(opened); i++) {
        pum_device_info info;
        pum_device_get_info(pum_device_part(opened, i), &info);
        if (info.index >= n) continue;
        devices[info.index].used = true;
        snprintf(devices[info.index].reason, sizeof devices[info.index].reason, "named by --devices, as number %d of %d", i + 1,
                 pum_device_n_parts(opened));
    }
    pum_device_destroy(&opened);
    return true;
}

/* What is not even loaded. */
static void print_left_out(void) {
    for (const char *at = pum_drivers_left_out(); at && *at;) {
        int what = (int)strcspn(at, "\t"), line = (int)strcspn(at, "\n");
        printf("     %.*s\n     left out: %.*s\n", what, at, line - what - 1, at + what + 1);
        at += line + (at[line] == '\n');
    }
}

int command_devices(options *o) {
    static pum_device_info devices[MAX_DEVICES];
    int n;
    pum_error err;
    if (devices_list(devices, MAX_DEVICES, &n, &err) != PUM_OK) {
        engine_error(&err);
        return 1;
    }
    if (n > MAX_DEVICES) n = MAX_DEVICES;
    if (!mark_used(o, devices, n)) return 1;
    if (o->json) {
        json_t *all = json_array();
        for (int i = 0; i < n; i++) json_array_append_new(all, to_json(&devices[i]));
        return json_print(all);
    }
    if (n == 0)
        engine_notice("no Vulkan device; install your GPU's Vulkan driver, or a CPU driver (Debian: mesa-vulkan-drivers)");
    for (int i = 0; i < n; i++) {
        const pum_device_info *d = &devices[i];
        printf("%c %d  %s\n     %s, %s %s, Vulkan %u.%u, %.1f GB (%.1f GB free)\n     %s: %s\n", d->used ? '*' : ' ', d->index,
               d->name, type_name(d->type), d->driver, d->driver_version, d->api_version >> 22 & 127, d->api_version >> 12 & 1023,
               (double)d->memory_bytes / 1e9, (double)d->available_bytes / 1e9, d->used ? "used" : "not used", d->reason);
    }
    print_left_out();
    return fflush(stdout) == 0 ? 0 : 1;
}
