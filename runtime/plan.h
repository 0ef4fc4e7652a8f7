/* The memory plan: what a model and a session take on the devices, and where; made before anything is taken. */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

#include "device.h"
#include "llama/forward.h"

tensor_type plan_kv_type(pum_kv_type kv);

/// What a session is to be.
typedef struct plan_wish {
    int n_ctx;   ///< -1 and 0 as in pum_file_plan
    int n_chunk; ///< 0: the library's choice
    pum_kv_type kv;
} plan_wish;

/// Divides weights among devices and memories. device: not NULL. likely: the session that they should leave room for. Whether it
/// fits is in *fits.
/// Errors: PUM_ERR_ARGUMENT for more devices than layers.
pum_status plan_weights(pum_device *device, const llama_config *config, const llama_sizes *sizes, const plan_wish *likely,
                        llama_placement *placement, bool *fits, pum_error *err);
/// The sentence for weights that fit nowhere.
pum_status plan_refuse_weights(pum_device *device, const llama_config *config, const llama_sizes *sizes, pum_error *err);

/// A session beside weights that have been taken.
/// shape, place    for llama_context_create.
/// Errors: PUM_ERR_ARGUMENT for an n_ctx below -1 or over what the model was trained for. A plan that does not fit is none.
pum_status plan_session(pum_device *device, const llama_config *config, const llama_placement *weights, const plan_wish *wish,
                        llama_context_shape *shape, llama_context_place *place, pum_plan *plan, pum_error *err);
/// The sentence for a plan that does not fit.
pum_status plan_refuse(const pum_device *device, const pum_plan *plan, pum_error *err);

/// Both, of a model that was not loaded. device: may be NULL.
pum_status plan_model(pum_device *device, const llama_config *config, const llama_sizes *sizes, const plan_wish *wish,
                      pum_plan *plan, pum_error *err);
/// Bindings that every one of the devices can make; device may be NULL.
uint64_t plan_max_range(const pum_device *device);

#endif
