/* What the session sees of a loaded model. */
#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "plan.h"

struct pum_model {
    pum_device *device;
    llama_config config;
    llama_placement placement; ///< of the weights
    pum_file *file;            ///< that the weights come from; NULL: they are random
    tensor_type type;          ///< of those, and their seed
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

#endif
