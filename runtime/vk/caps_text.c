/* The capabilities of a device as text. */
#include "vk/caps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TEXT_BYTES = 4096 };

char *vk_caps_text(const vk_caps *c) {
    static const char *const types[] = {"other", "integrated", "discrete", "virtual", "cpu"};
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"max_storage_range", c->max_storage_range}, {"max_allocation_bytes", c->max_allocation_bytes},
        {"storage_align", c->storage_align},         {"max_shared_bytes", c->max_shared_bytes},
        {"max_invocations", c->max_invocations},     {"max_push_bytes", c->max_push_bytes},
        {"max_groups_x", c->max_groups[0]},          {"max_groups_y", c->max_groups[1]},
        {"max_groups_z", c->max_groups[2]},          {"subgroup_size", c->subgroup_size},
        {"subgroup_min", c->subgroup_min},           {"subgroup_max", c->subgroup_max},
    };
    const struct {
        const char *name;
        bool value;
    } flags[] = {
        {"subgroup_arithmetic", c->subgroup_arithmetic},
        {"subgroup_ballot", c->subgroup_ballot},
        {"subgroup_shuffle", c->subgroup_shuffle},
        {"subgroup_clustered", c->subgroup_clustered},
        {"fp16", c->fp16},
        {"int8", c->int8},
        {"int16", c->int16},
        {"int64", c->int64},
        {"storage16", c->storage16},
        {"storage8", c->storage8},
        {"int_dot", c->int_dot},
        {"int8_dot", c->int8_dot},
        {"buffer_address", c->buffer_address},
        {"coopmat", c->coopmat},
        {"memory_model", c->memory_model},
        {"memory_budget", c->memory_budget},
        {"host_visible", c->host_visible},
        {"pipeline_statistics", c->pipeline_statistics},
    };
    char *text = malloc(TEXT_BYTES);
    if (!text) return NULL;
    size_t n = (size_t)snprintf(text, TEXT_BYTES, "type: %s\nids: %04x:%04x\nuuid: ", types[c->type], c->vendor_id, c->device_id);
    for (size_t i = 0; i < sizeof c->uuid; i++) n += (size_t)snprintf(text + n, TEXT_BYTES - n, "%02x", c->uuid[i]);
    n += (size_t)snprintf(text + n, TEXT_BYTES - n, "\napi_version: %u.%u.%u\n", VK_API_VERSION_MAJOR(c->api_version),
                          VK_API_VERSION_MINOR(c->api_version), VK_API_VERSION_PATCH(c->api_version));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        n += (size_t)snprintf(text + n, TEXT_BYTES - n, "%s: %" PRIu64 "\n", numbers[i].name, numbers[i].value);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        n += (size_t)snprintf(text + n, TEXT_BYTES - n, "%s: %s\n", flags[i].name, flags[i].value ? "yes" : "no");
    snprintf(text + n, TEXT_BYTES - n, "coopmat_f16: %ux%ux%u\ntimestamp_ns: %g\n", c->coopmat_f16.m, c->coopmat_f16.n,
             c->coopmat_f16.k, (double)c->timestamp_ns);
    return text;
}
