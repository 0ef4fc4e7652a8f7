/* Streaming the tensors of a file to their places on the device. */
#ifndef LLAMA_LOAD_H
#define LLAMA_LOAD_H

#include "llama/weights.h"

/// Rows of so many bytes that are repacked and sent at once, a multiple of OP_LAYOUT_ROWS: large enough to stream, small enough
/// that threads share the work evenly.
uint32_t llama_rows_at_once(uint64_t row_bytes);

/// Sends every tensor of the table, all of which have their place, on several threads; op_memory_sent tells when they are there.
/// Progress is reported from the calling thread. Errors as llama_weights_load.
pum_status llama_load_tensors(llama_weights *weights, const gguf *file, const llama_load_params *params, pum_error *err);

#endif
