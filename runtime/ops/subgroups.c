#include "ops/subgroups.h"

#include "base/log.h"
#include "vk/commands.h"

#include <string.h>

enum { N_INVOCATIONS = 128 };

bool op_subgroups_are(const op_subgroup_place *seen, uint32_t n_invocations, uint32_t size) {
    bool taken[N_INVOCATIONS] = {false};
    if (size == 0 || n_invocations > N_INVOCATIONS || n_invocations % size != 0) return false;
    for (uint32_t i = 0; i < n_invocations; i++) {
        const op_subgroup_place *s = &seen[i];
        if (s->size != size || s->n_subgroups != n_invocations / size || s->place >= size || s->subgroup >= s->n_subgroups)
            return false;
        uint32_t at = s->subgroup * size + s->place;
        if (taken[at]) return false;
        taken[at] = true;
    }
    return true;
}

/* With the promises that kernels ask for. */
static pum_status make_pipeline(vk_device *device, const shader_variant *v, vk_pipeline *pipeline, pum_error *err) {
    const vk_caps *c = &device->caps;
    uint32_t constants[] = {N_INVOCATIONS};
    bool promised = c->subgroup_size >= c->subgroup_min && c->subgroup_size <= c->subgroup_max;
    vk_pipeline_params p = {
        .name = v->name,
        .words = v->words,
        .n_words = *v->n_words,
        .n_bindings = 1,
        .constants = constants,
        .n_constants = 1,
        .require_subgroup_size = promised ? c->subgroup_size : 0,
        .require_full_subgroups = promised,
    };
    return vk_pipeline_create(device, &p, pipeline, err);
}

static pum_status look(vk_device *device, const shader_variant *variant, op_subgroup_place *seen, pum_error *err) {
    vk_commands *commands = NULL;
    vk_buffer buffer = {0};
    vk_pipeline pipeline = {0};
    uint64_t n_bytes = N_INVOCATIONS * sizeof *seen;
    pum_status status = make_pipeline(device, variant, &pipeline, err);
    if (status == PUM_OK) status = vk_buffer_create(device, n_bytes, VK_USE_READBACK, "subgroups", &buffer, err);
    if (status == PUM_OK) status = vk_commands_create(device, &commands, err);
    if (status == PUM_OK) status = vk_commands_begin(commands, err);
    if (status == PUM_OK) {
        memset(buffer.mapped, 0xff, n_bytes);
        vk_commands_dispatch(commands, &pipeline, &(vk_span){&buffer, 0, n_bytes}, NULL, 1, 1, 1);
        status = vk_commands_submit(commands, err);
    }
    if (status == PUM_OK) status = vk_commands_wait(commands, NULL, err);
    if (status == PUM_OK) memcpy(seen, buffer.mapped, n_bytes);
    vk_commands_destroy(&commands);
    vk_buffer_destroy(device, &buffer);
    vk_pipeline_destroy(device, &pipeline);
    return status;
}

void op_subgroups_verify(vk_device *device, const shader_variant *variant) {
    vk_caps *c = &device->caps;
    if (c->subgroups_verified || device->unchecked) return;
    c->subgroups_verified = true;
    op_subgroup_place seen[N_INVOCATIONS];
    pum_error error;
    if (!variant || look(device, variant, seen, &error) != PUM_OK) {
        base_log(PUM_LOG_DEBUG, "%s: nobody could look whether its subgroups are what it says: %s", c->name,
                 variant ? error.message : "the kernel is not in this build");
        return;
    }
    if (op_subgroups_are(seen, N_INVOCATIONS, c->subgroup_size)) return;
    base_log(
        PUM_LOG_WARNING,
        "%s says that its subgroups hold %u invocations and runs others (%u of %u for %d invocations): kernels that count on "
        "them are not used; update its driver",
        c->name, c->subgroup_size, seen[0].n_subgroups, seen[0].size, N_INVOCATIONS);
    c->subgroups_untrue = true;
    c->subgroup_min = c->subgroup_max = 0;
    c->subgroup_arithmetic = c->subgroup_ballot = c->subgroup_shuffle = c->subgroup_clustered = false;
}
