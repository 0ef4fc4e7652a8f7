/* The kernels of one device: which row of shaders/variants.txt serves an op, and its pipeline, made at first use or ahead of it.
 */
#ifndef OPS_VARIANTS_H
#define OPS_VARIANTS_H

#include "ops/shader_table.h"
#include "vk/pipeline.h"

/// The pipelines of a device. Any thread.
typedef struct op_kernels op_kernels;

pum_status op_kernels_create(vk_device *device, op_kernels **kernels, pum_error *err);
void op_kernels_destroy(op_kernels **kernels);
/// Destroys the pipelines, and keeps what is known of the variants: before vk_device_reopen. Nobody may use one meanwhile.
void op_kernels_forget(op_kernels *kernels);
vk_device *op_kernels_device(const op_kernels *kernels);

/// A chosen variant with its pipeline for some specialization constants.
typedef struct op_kernel {
    const shader_variant *variant;
    vk_pipeline pipeline;
} op_kernel;

/// What the pipeline needs besides its words.
typedef struct op_kernel_params {
    uint32_t n_bindings, push_bytes;
    const uint32_t *constants; ///< [n_constants] of constant_id 0 …
    uint32_t n_constants;
    uint32_t require_subgroup_size; ///< 0: none
} op_kernel_params;

/// How many tokens an op works on, as far as that decides which variant is best.
typedef enum op_size { OP_ONE, OP_FEW, OP_MANY, OP_N_SIZES } op_size; ///< 1, up to 8, more

/// Whether a variant can do what its caller is about to ask of it.
typedef bool (*op_variant_can)(const shader_variant *variant, const void *user);

/// The best variant of an op: the fastest of those that were measured on this device for that size, else the first one of the
/// table. can: only those of which it says so; may be NULL. NULL if there is none that this device can run.
const shader_variant *op_variant_choose(op_kernels *kernels, const char *op, op_size size, op_variant_can can, const void *user);
/// Whether a variant is one of an op.
bool op_variant_serves(const shader_variant *variant, const char *op);

/// What is known of a variant on this device.
typedef struct op_variant_knowledge {
    bool left_out;              ///< never chosen
    double time_us[OP_N_SIZES]; ///< of work that is the same for all variants of an op; 0: not measured
} op_variant_knowledge;
/// From now on the choice goes by this. Any thread.
void op_variant_know(op_kernels *kernels, const shader_variant *variant, const op_variant_knowledge *knowledge);
/// Finds or makes the pipeline of a variant. Constant time after the first use. Errors: PUM_ERR_UNSUPPORTED, PUM_ERR_DEVICE.
pum_status op_kernel_get(op_kernels *kernels, const shader_variant *variant, const op_kernel_params *params,
                         const op_kernel **kernel, pum_error *err);
/// How many pipelines there are.
uint32_t op_kernels_count(op_kernels *kernels);

/// A table in which op_kernel_get makes nothing and gives no kernel: it notes what is asked for. The variants are those that `of`
/// chooses, which must outlive it. Ops record nothing into a frame of it, and need shapes only, no memory. One thread at a time.
pum_status op_kernels_rehearse(op_kernels *of, op_kernels **rehearsal, pum_error *err);
bool op_kernels_rehearsing(const op_kernels *kernels);
/// Makes what a rehearsal has noted on threads of its own, and takes the rehearsal over. Returns at once, but waits for an
/// earlier preparation. What fails is reported to the first one who needs it. Any thread.
void op_kernels_prepare(op_kernels *kernels, op_kernels **rehearsal);
/// Waits for the end of the preparation.
void op_kernels_prepared(op_kernels *kernels);
/// Sees a kernel that was asked for; what is not PUM_OK ends the visits.
typedef pum_status (*op_kernel_visit)(void *user, const shader_variant *variant, const op_kernel_params *params, pum_error *err);
/// Visits what a rehearsal has noted, in the order in which it was asked for. Errors: those of the visits.
pum_status op_kernels_noted(const op_kernels *rehearsal, op_kernel_visit visit, void *user, pum_error *err);
/// Compiles a kernel and drops it again. Any thread. Errors: PUM_ERR_MEMORY, PUM_ERR_ARGUMENT; PUM_ERR_DEVICE,
/// PUM_ERR_UNSUPPORTED: the driver does not take it, and why.
pum_status op_kernel_compile(vk_device *device, const shader_variant *variant, const op_kernel_params *params,
                             vk_pipeline_statistics *statistics, pum_error *err);

/// Whether a device can run a row with these words in its `needs` column. An unknown word is not met.
bool op_needs_met(const vk_caps *caps, const char *needs);
/// The first of these words that is not met, NULL: all are. wishes: whether those count. *meaning: what is missing, in words; may
/// be NULL.
const char *op_need_unmet(const vk_caps *caps, const char *needs, bool wishes, const char **meaning);
/// Whether it is among those that are chosen before anything was measured.
bool op_wishes_met(const vk_caps *caps, const char *needs);
/// For checking and measuring: only this variant serves an op (NULL: as it was).
void op_variant_force(op_kernels *kernels, const char *op, const char *variant);

#endif
