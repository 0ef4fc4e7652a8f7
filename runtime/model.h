/* What the session sees of a loaded model. */
#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "device.h"
#include "llama/forward.h"

struct pum_model {
    pum_device *device;
    llama_config config;
    pum_file *file;   ///< that the weights come from; NULL: they are random
    tensor_type type; ///< of those, and their seed
    uint64_t seed;
    pum_model_info info;
    arena strings; ///< of info
    double load_ms;
    check_needs needs; ///< which kernels it uses
    uint64_t weights_bytes, weights_bytes_per_token, host_bytes;
    pthread_mutex_t lock;   ///< of what follows, while it is loaded again
    llama_weights *weights; ///< NULL when the device was lost, until a session needs them
    device_part part;
};

/// Loads the weights again if they went with a lost device. The device must have been entered. abort: as for op_frame_begin.
/// Any thread.
pum_status model_need_weights(const pum_model *model, atomic_bool *abort, pum_error *err);

tensor_type model_kv_type(pum_kv_type kv);

/// Turns a wish for a context length into one: -1 and 0 as in pum_file_plan. free_bytes: device memory for KV cache and scratch.
/// Errors: PUM_ERR_ARGUMENT below -1 or over what the model was trained for.
pum_status model_choose_n_ctx(const vk_caps *caps, const llama_config *config, tensor_type kv_type, int wish, uint64_t free_bytes,
                              uint32_t *n_ctx, pum_error *err);

/// The sentence for a plan that does not fit.
pum_status model_refuse_plan(const pum_plan *plan, const char *device, pum_error *err);

#endif
