#include "ops/variants.h"

#include <stdlib.h>
#include <string.h>

/* The words of the `needs` column. */
static bool is_cpu(const vk_caps *c) { return c->type == PUM_DEVICE_CPU; }
static bool has_eight_lanes(const vk_caps *c) { return c->subgroup_size >= 8; }
static bool has_just_eight_lanes(const vk_caps *c) { return c->subgroup_size == 8; }
static bool has_addresses(const vk_caps *c) { return c->buffer_address && c->int64; }
/* No feature tells. llvmpipe learned it (2025) shortly before it got cooperative matrices. */
static bool loads_scalars(const vk_caps *c) { return is_cpu(c) && c->coopmat; }
static bool has_subgroup_arithmetic(const vk_caps *c) { return c->subgroup_arithmetic; }
static bool has_subgroup_ballot(const vk_caps *c) { return c->subgroup_ballot; }
static bool has_subgroup_shuffle(const vk_caps *c) { return c->subgroup_shuffle; }

/* With subgroups of a size that the device promises: the kernel lays them over its tile. */
static bool has_coopmat(const vk_caps *c) {
    return c->coopmat && c->coopmat_f16.m && c->fp16 && c->memory_model && c->subgroup_size >= c->subgroup_min &&
           c->subgroup_size <= c->subgroup_max && c->subgroup_size <= 128;
}

static bool is_gpu(const vk_caps *c) { return !is_cpu(c); }

static const struct need {
    const char *word;
    bool (*met)(const vk_caps *caps);
    bool wish; ///< without it the row can run, but it is not what the table's order chooses
} needs_table[] = {
    {"cpu", is_cpu},               // a driver that runs on the CPU: no shared memory in the hot loop, lanes are vector lanes
    {"gpu", is_gpu, .wish = true}, // what a CPU driver only emulates
    {"lanes8",
     has_eight_lanes}, // forms that live on unrolled code in wide registers; SwiftShader has 4 lanes and does not unroll
    {"just_lanes8", has_just_eight_lanes},
    {"addresses", has_addresses},    // buffer device addresses, and 64-bit integers to reckon with them
    {"scalar_loads", loads_scalars}, // what is the same for all lanes is loaded once, without a loop over the lanes
    {"coopmat", has_coopmat},        // cooperative matrices of float16 added in float32
    {"subgroup_arithmetic", has_subgroup_arithmetic},
    {"subgroup_ballot", has_subgroup_ballot},
    {"subgroup_shuffle", has_subgroup_shuffle},
};

static bool word_met(const vk_caps *caps, const char *word, size_t n, bool wishes) {
    for (size_t i = 0; i < sizeof needs_table / sizeof *needs_table; i++) {
        const struct need *need = &needs_table[i];
        if (strlen(need->word) == n && memcmp(need->word, word, n) == 0) return (need->wish && !wishes) || need->met(caps);
    }
    return false;
}

/* wishes: whether they count. */
static bool words_met(const vk_caps *caps, const char *needs, bool wishes) {
    if (strcmp(needs, "-") == 0) return true;
    for (const char *word = needs;; word++) {
        size_t n = strcspn(word, ",");
        if (!word_met(caps, word, n, wishes)) return false;
        word += n;
        if (!*word) return true;
    }
}

bool op_needs_met(const vk_caps *caps, const char *needs) { return words_met(caps, needs, false); }

/* A pipeline that was made, under its variant and constants. */
typedef struct made_kernel {
    struct made_kernel *next;
    uint32_t require_subgroup_size, n_constants;
    uint32_t constants[VK_MAX_CONSTANTS];
    op_kernel kernel;
} made_kernel;

typedef struct forced_variant {
    struct forced_variant *next;
    const char *op, *variant; ///< rows of the table hold the strings
} forced_variant;

struct op_kernels {
    vk_device *device;
    pthread_mutex_t lock; ///< of what follows
    made_kernel **made;   ///< [n_shader_variants] lists
    forced_variant *forced;
};

pum_status op_kernels_create(vk_device *device, op_kernels **kernels, pum_error *err) {
    *kernels = NULL;
    op_kernels *k = calloc(1, sizeof *k);
    made_kernel **made = calloc(n_shader_variants + 1, sizeof *made);
    if (!k || !made) {
        free(k);
        free(made);
        return pum_fail_memory(err, "the table of kernels", sizeof *k + n_shader_variants * sizeof *made);
    }
    k->device = device;
    k->made = made;
    pthread_mutex_init(&k->lock, NULL);
    *kernels = k;
    return PUM_OK;
}

void op_kernels_destroy(op_kernels **kernels) {
    op_kernels *k = *kernels;
    if (!k) return;
    for (size_t i = 0; i < n_shader_variants; i++)
        for (made_kernel *m = k->made[i], *next; m; m = next) {
            next = m->next;
            vk_pipeline_destroy(k->device, &m->kernel.pipeline);
            free(m);
        }
    for (forced_variant *f = k->forced, *next; f; f = next) {
        next = f->next;
        free(f);
    }
    pthread_mutex_destroy(&k->lock);
    free(k->made);
    free(k);
    *kernels = NULL;
}

vk_device *op_kernels_device(const op_kernels *kernels) { return kernels->device; }

static forced_variant *find_forced(op_kernels *k, const char *op) {
    for (forced_variant *f = k->forced; f; f = f->next)
        if (strcmp(f->op, op) == 0) return f;
    return NULL;
}

/* The first row from `from` on that may serve the op. */
static const shader_variant *choose_from(op_kernels *kernels, const char *op, size_t from) {
    pthread_mutex_lock(&kernels->lock);
    const forced_variant *forced = find_forced(kernels, op);
    const char *only = forced ? forced->variant : NULL;
    pthread_mutex_unlock(&kernels->lock);
    for (size_t i = from; i < n_shader_variants; i++) {
        const shader_variant *v = &shader_variants[i];
        if (strcmp(v->op, op) != 0 || (only && strcmp(v->name, only) != 0)) continue;
        if (words_met(&kernels->device->caps, v->needs, !only)) return v;
    }
    return NULL;
}

const shader_variant *op_variant_choose(op_kernels *kernels, const char *op) { return choose_from(kernels, op, 0); }

const shader_variant *op_variant_after(op_kernels *kernels, const shader_variant *variant) {
    return choose_from(kernels, variant->op, (size_t)(variant - shader_variants) + 1);
}

void op_variant_force(op_kernels *kernels, const char *op, const char *variant) {
    pthread_mutex_lock(&kernels->lock);
    forced_variant *f = find_forced(kernels, op);
    if (!f && variant && (f = calloc(1, sizeof *f))) {
        f->op = op;
        f->next = kernels->forced;
        kernels->forced = f;
    }
    if (f) f->variant = variant;
    pthread_mutex_unlock(&kernels->lock);
}

static bool same_params(const made_kernel *m, const op_kernel_params *p) {
    return m->require_subgroup_size == p->require_subgroup_size && m->n_constants == p->n_constants &&
           memcmp(m->constants, p->constants ? p->constants : m->constants, p->n_constants * sizeof *m->constants) == 0;
}

static pum_status make_kernel(op_kernels *kernels, const shader_variant *variant, const op_kernel_params *params,
                              made_kernel **made, pum_error *err) {
    if (params->n_constants > VK_MAX_CONSTANTS)
        return pum_fail(err, PUM_ERR_ARGUMENT, "kernel %s: at most %d constants, got %u", variant->name, VK_MAX_CONSTANTS,
                        params->n_constants);
    made_kernel *m = calloc(1, sizeof *m);
    if (!m) return pum_fail_memory(err, variant->name, sizeof *m);
    m->require_subgroup_size = params->require_subgroup_size;
    m->n_constants = params->n_constants;
    if (params->n_constants) memcpy(m->constants, params->constants, params->n_constants * sizeof *m->constants);
    m->kernel.variant = variant;
    vk_pipeline_params p = {
        .name = variant->name,
        .words = variant->words,
        .n_words = *variant->n_words,
        .n_bindings = params->n_bindings,
        .push_bytes = params->push_bytes,
        .constants = params->constants,
        .n_constants = params->n_constants,
        .require_subgroup_size = params->require_subgroup_size,
        .require_full_subgroups = params->require_subgroup_size != 0,
    };
    pum_status status = vk_pipeline_create(kernels->device, &p, &m->kernel.pipeline, err);
    if (status != PUM_OK) {
        free(m);
        return status;
    }
    *made = m;
    return PUM_OK;
}

pum_status op_kernel_get(op_kernels *kernels, const shader_variant *variant, const op_kernel_params *params,
                         const op_kernel **kernel, pum_error *err) {
    *kernel = NULL;
    if (!variant) return pum_fail(err, PUM_ERR_UNSUPPORTED, "no kernel of this build runs on %s", kernels->device->caps.name);
    size_t row = (size_t)(variant - shader_variants);
    pum_status status = PUM_OK;
    pthread_mutex_lock(&kernels->lock);
    made_kernel *m = kernels->made[row];
    while (m && !same_params(m, params)) m = m->next;
    if (!m) {
        status = make_kernel(kernels, variant, params, &m, err);
        if (status == PUM_OK) {
            m->next = kernels->made[row];
            kernels->made[row] = m;
        }
    }
    pthread_mutex_unlock(&kernels->lock);
    if (status == PUM_OK) *kernel = &m->kernel;
    return status;
}
