/* The kernels of one device: which row of shaders/variants.txt serves an op, and its pipeline, made at first use. */
#ifndef OPS_VARIANTS_H
#define OPS_VARIANTS_H

#include "ops/shader_table.h"
#include "vk/pipeline.h"

/// The pipelines of a device. Any thread.
typedef struct op_kernels op_kernels;

pum_status op_kernels_create(vk_device *device, op_kernels **kernels, pum_error *err);
void op_kernels_destroy(op_kernels **kernels);
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

/// The chosen variant of an op; NULL if there is none that this device can run.
const shader_variant *op_variant_choose(op_kernels *kernels, const char *op);
/// The next best of the same op, for what that variant cannot do; NULL at the end.
const shader_variant *op_variant_after(op_kernels *kernels, const shader_variant *variant);
/// Finds or makes the pipeline of a variant. Constant time after the first use. Errors: PUM_ERR_UNSUPPORTED, PUM_ERR_DEVICE.
pum_status op_kernel_get(op_kernels *kernels, const shader_variant *variant, const op_kernel_params *params,
                         const op_kernel **kernel, pum_error *err);
/// Whether a device can run a row with these words in its `needs` column. An unknown word is not met.
bool op_needs_met(const vk_caps *caps, const char *needs);
/// For tests: only this variant serves its op (NULL: the table's order again).
void op_variant_force(op_kernels *kernels, const char *op, const char *variant);

#endif
