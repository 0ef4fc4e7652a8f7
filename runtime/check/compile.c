#include "check/compile.h"

#include "llama/prepare.h"
#include "ops/layout.h"

#include <stdio.h>
#include <string.h>

/* Models whose kernels differ: narrow and wide, and the dimensions of heads that there are. */
static const struct model {
    const char *shape;
    uint32_t head_dim; ///< 0: the shape's own
} models[] = {{"15m", 0}, {"135m", 0}, {"3b", 0}, {"3b", 80}, {"3b", 96}, {"13b", 0}};

static pum_status rehearse_models(op_kernels *rehearsal, uint64_t types, pum_error *err) {
    pum_status status = PUM_OK;
    for (size_t i = 0; i < sizeof models / sizeof *models && status == PUM_OK; i++) {
        llama_config config;
        status = llama_config_shape(models[i].shape, &config, err);
        if (models[i].head_dim) config.head_dim = config.n_rot = models[i].head_dim;
        for (uint32_t type = 0; type <= TENSOR_BF16 && status == PUM_OK; type++)
            if (types >> type & 1 && op_layout_supports(type)) status = llama_rehearse_shape(rehearsal, &config, type, err);
    }
    return status;
}

/* Forces the round-th runnable row of an op, the last one where there are fewer. Returns whether there are so many. */
static bool force_row(op_kernels *kernels, const char *op, uint32_t round) {
    const vk_caps *caps = &op_kernels_device(kernels)->caps;
    const char *variant = NULL;
    uint32_t n = 0;
    for (size_t i = 0; i < n_shader_variants && n <= round; i++) {
        if (!op_variant_serves(&shader_variants[i], op) || !op_needs_met(caps, shader_variants[i].needs)) continue;
        variant = shader_variants[i].name;
        n++;
    }
    op_variant_force(kernels, op, variant);
    return n > round;
}

static bool force_round(op_kernels *kernels, uint32_t round) {
    bool any = false;
    for (size_t i = 0; i < n_shader_variants; i++)
        for (const char *at = shader_variants[i].op, *end; *at; at = *end ? end + 1 : end) {
            char op[48];
            end = at + strcspn(at, ",");
            snprintf(op, sizeof op, "%.*s", (int)(end - at), at);
            any |= force_row(kernels, op, round);
        }
    return any;
}

typedef struct visitor {
    const check_runner *runner;
    check_compiled_visit visit;
    void *user;
    uint32_t n_done, n_chosen;
} visitor;

static pum_status on_kernel(void *user, const shader_variant *variant, const op_kernel_params *params, pum_error *err) {
    visitor *v = user;
    check_compilation made;
    bool chosen = v->n_done++ < v->n_chosen;
    pum_status status = v->runner->compile(v->runner->user, variant, params, &made, err);
    if (status == PUM_OK) v->visit(v->user, &(check_compiled){variant, params, &made, chosen});
    return status;
}

pum_status check_compile(vk_device *device, const check_runner *runner, uint64_t types, check_compiled_visit visit, void *user,
                         pum_error *err) {
    op_kernels *kernels, *rehearsal = NULL;
    visitor v = {.runner = runner, .visit = visit, .user = user};
    pum_status status = op_kernels_create(device, &kernels, err);
    if (status == PUM_OK) status = op_kernels_rehearse(kernels, &rehearsal, err);
    // First what would be used; then each variant in its turn, of all ops at once.
    if (status == PUM_OK) status = rehearse_models(rehearsal, types, err);
    if (status == PUM_OK) v.n_chosen = op_kernels_count(rehearsal);
    for (uint32_t round = 0; status == PUM_OK && force_round(kernels, round); round++)
        status = rehearse_models(rehearsal, types, err);
    if (status == PUM_OK) status = op_kernels_noted(rehearsal, on_kernel, &v, err);
    op_kernels_destroy(&rehearsal);
    op_kernels_destroy(&kernels);
    return status;
}
