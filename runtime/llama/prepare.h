/* Making the kernels of a model ahead of their use. */
#ifndef LLAMA_PREPARE_H
#define LLAMA_PREPARE_H

#include "llama/weights.h"

/// Begins to make, on other threads, the kernels that passes of some tokens, of one and of many will need. The tensors must have
/// their place, their numbers need not be there. What cannot be made is reported to the first pass that needs it.
void llama_prepare(const llama_weights *weights);
/// Rehearses passes of few and of many tokens, at the beginning and at the end of a context, of a model that is not there.
/// type: of its matrices. Errors: PUM_ERR_MEMORY, PUM_ERR_UNSUPPORTED.
pum_status llama_rehearse_shape(op_kernels *rehearsal, const llama_config *config, tensor_type type, pum_error *err);

#endif
