#include "ops/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The words of the `needs` column. */
static bool is_cpu(const vk_caps *c) { return c->type == PUM_DEVICE_CPU; }
static bool has_eight_lanes(const vk_caps *c) { return c->subgroup_size >= 8 && !c->subgroups_untrue; }
static bool has_just_eight_lanes(const vk_caps *c) { return c->subgroup_size == 8 && !c->subgroups_untrue; }
static bool has_addresses(const vk_caps *c) { return c->buffer_address && c->int64; }
/* Loaded as they are, and chosen among in registers. */
static bool loads_halves(const vk_caps *c) { return c->storage16 && c->int16; }
static bool loads_bytes(const vk_caps *c) { return c->storage8 && c->int8; }
/* No feature tells: measuring does. llvmpipe learned it (2025) shortly before it got cooperative matrices. */
static bool loads_scalars(const vk_caps *c) { return is_cpu(c) && c->coopmat; }
static bool has_subgroup_arithmetic(const vk_caps *c) { return c->subgroup_arithmetic; }
static bool has_subgroup_ballot(const vk_caps *c) { return c->subgroup_ballot; }
static bool has_subgroup_shuffle(const vk_caps *c) { return c->subgroup_shuffle; }

/* With subgroups of a size that the device promises: the kernel lays them over its tile. */
static bool has_coopmat(const vk_caps *c) {
    return c->coopmat && c->coopmat_f16.m && c->fp16 && c->memory_model && c->subgroup_size >= c->subgroup_min &&
           c->subgroup_size <= c->subgroup_max && c->subgroup_size <= 128;
}

/* The same promise, unless the matrices are those of the workgroup, which are laid out by the driver alone; and room for a tile.
 */
static bool has_wide_coopmat(const vk_caps *c) { return c->coopmat2_f16.invocations > 0; }
static bool has_coopmat2(const vk_caps *c) {
    bool sized = has_wide_coopmat(c) || (c->subgroup_size >= c->subgroup_min && c->subgroup_size <= c->subgroup_max);
    return c->coopmat2_f16.m && c->fp16 && c->memory_model && sized && c->subgroup_size <= 128 &&
           c->coopmat2_f16.shared_bytes >= 16384 && c->coopmat2_f16.invocations <= c->max_invocations;
}
static bool has_vulkan_1_3(const vk_caps *c) { return c->vulkan_1_3; }

static bool has_int_dot(const vk_caps *c) { return c->int_dot; }
static bool has_fast_dot(const vk_caps *c) { return c->int8_dot; }

static bool is_gpu(const vk_caps *c) { return !is_cpu(c); }

static const struct need {
    const char *word;
    bool (*met)(const vk_caps *caps);
    bool wish;           ///< without it the row can run, but only a measurement chooses it
    const char *meaning; ///< what is missing where it is not met
} needs_table[] = {
    // No shared memory in the hot loop, lanes are vector lanes.
    {"cpu", is_cpu, .meaning = "a driver that runs on the CPU"},
    {"gpu", is_gpu, .wish = true, .meaning = "a GPU: a CPU driver only emulates it"},
    // Forms that live on unrolled code in wide registers; SwiftShader has 4 lanes and does not unroll.
    {"lanes8", has_eight_lanes, .meaning = "subgroups of 8 or more"},
    {"just_lanes8", has_just_eight_lanes, .meaning = "subgroups of 8"},
    {"addresses", has_addresses, .meaning = "buffer device addresses, and 64-bit integers to reckon with them"},
    {"storage16", loads_halves, .meaning = "integers of 16 bits, in storage buffers too"},
    {"storage8", loads_bytes, .meaning = "integers of 8 bits, in storage buffers too"},
    {"scalar_loads", loads_scalars, .wish = true,
     .meaning = "what is the same for all lanes loaded once, without a loop over the lanes"},
    {"cheap_scalar_loads", loads_scalars,
     .meaning = "what is the same for all lanes loaded once; other drivers compile this form for a minute"},
    {"coopmat", has_coopmat, .meaning = "cooperative matrices of float16 added in float32, and subgroups of a promised size"},
    {"coopmat2", has_coopmat2,
     .meaning = "VK_NV_cooperative_matrix2: matrices of flexible sizes, with functions of each element"},
    // Of subgroups alone nothing is known to be gained by coopmat2.
    {"wide_coopmat", has_wide_coopmat, .wish = true, .meaning = "cooperative matrices of the whole workgroup"},
    // The compiler makes no older SPIR-V of the kernel.
    {"vulkan1.3", has_vulkan_1_3, .meaning = "Vulkan 1.3"},
    {"int_dot", has_int_dot, .meaning = "products of four bytes at a time"},
    {"fast_dot", has_fast_dot, .wish = true, .meaning = "products of four bytes at a time that are not emulated"},
    {"subgroup_arithmetic", has_subgroup_arithmetic, .meaning = "sums over a subgroup"},
    {"subgroup_ballot", has_subgroup_ballot, .meaning = "ballots of a subgroup"},
    {"subgroup_shuffle", has_subgroup_shuffle, .meaning = "shuffles in a subgroup"},
};

static const struct need *find_need(const char *word, size_t n) {
    for (size_t i = 0; i < sizeof needs_table / sizeof *needs_table; i++)
        if (strlen(needs_table[i].word) == n && memcmp(needs_table[i].word, word, n) == 0) return &needs_table[i];
    return NULL;
}

const char *op_need_unmet(const vk_caps *caps, const char *needs, bool wishes, const char **meaning) {
    if (strcmp(needs, "-") == 0) return NULL;
    for (const char *word = needs;; word++) {
        size_t n = strcspn(word, ",");
        const struct need *need = find_need(word, n);
        if (!need || (!(need->wish && !wishes) && !need->met(caps))) {
            if (meaning) *meaning = need ? need->meaning : "something that this build does not know";
            return need ? need->word : word;
        }
        word += n;
        if (!*word) return NULL;
    }
}

static bool words_met(const vk_caps *caps, const char *needs, bool wishes) { return !op_need_unmet(caps, needs, wishes, NULL); }

bool op_needs_met(const vk_caps *caps, const char *needs) { return words_met(caps, needs, false); }
bool op_wishes_met(const vk_caps *caps, const char *needs) { return words_met(caps, needs, true); }

/* Whether a list of words with commas between has this one. */
static bool lists(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *at = words;; at++) {
        size_t n = strcspn(at, ",");
        if (n == length && memcmp(at, word, n) == 0) return true;
        at += n;
        if (!*at) return false;
    }
}

bool op_variant_serves(const shader_variant *variant, const char *op) { return lists(variant->op, op); }

static forced_variant *find_forced(op_kernels *k, const char *op) {
    for (forced_variant *f = k->forced; f; f = f->next)
        if (strcmp(f->op, op) == 0) return f;
    return NULL;
}

/* A later row has to be faster by this factor: what is within it is noise, and the table's order stays. */
static const double FASTER = 0.95;

/* Whether a row is better than the best one before it. */
static bool is_better(double time_us, double best_us) { return time_us > 0 && (best_us <= 0 || time_us < FASTER * best_us); }

/* only: the name of the one that is forced, or NULL. */
static const shader_variant *choose(const op_kernels *kernels, const char *op, op_size size, op_variant_can can, const void *user,
                                    const char *only) {
    const shader_variant *best = NULL;
    double best_us = 0;
    for (size_t i = 0; i < n_shader_variants; i++) {
        const shader_variant *v = &shader_variants[i];
        const op_variant_knowledge *known = &kernels->known[i];
        double time_us = known->time_us[size];
        if (!lists(v->op, op) || (only ? strcmp(v->name, only) != 0 : known->left_out)) continue;
        if (!words_met(&kernels->device->caps, v->needs, !only && time_us <= 0) || (can && !can(v, user))) continue;
        if (best && !is_better(time_us, best_us)) continue;
        best = v;
        best_us = time_us;
    }
    return best;
}

const shader_variant *op_variant_choose(op_kernels *kernels, const char *op, op_size size, op_variant_can can, const void *user) {
    bool rehearsing = kernels->rehearsal_of;
    if (rehearsing) kernels = kernels->rehearsal_of;
    pthread_mutex_lock(&kernels->lock);
    const forced_variant *forced = find_forced(kernels, op);
    const char *only = forced && forced->variant[0] ? forced->variant : NULL;
    const shader_variant *best = choose(kernels, op, size, can, user, only);
    // Who rehearses goes through models of many shapes, of which the forced one may not be able to do all.
    if (!best && only && rehearsing) best = choose(kernels, op, size, can, user, NULL);
    pthread_mutex_unlock(&kernels->lock);
    return best;
}

void op_variant_know(op_kernels *kernels, const shader_variant *variant, const op_variant_knowledge *knowledge) {
    pthread_mutex_lock(&kernels->lock);
    kernels->known[variant - shader_variants] = *knowledge;
    pthread_mutex_unlock(&kernels->lock);
}

void op_variant_force(op_kernels *kernels, const char *op, const char *variant) {
    pthread_mutex_lock(&kernels->lock);
    forced_variant *f = find_forced(kernels, op);
    if (!f && variant && (f = calloc(1, sizeof *f))) {
        snprintf(f->op, sizeof f->op, "%s", op);
        f->next = kernels->forced;
        kernels->forced = f;
    }
    if (f) snprintf(f->variant, sizeof f->variant, "%s", variant ? variant : "");
    pthread_mutex_unlock(&kernels->lock);
}
