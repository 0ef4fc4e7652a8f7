/* Decoding that lives on the device: a recorded step reads the last token and its position from memory, chooses the next token
 * and leaves it there, so that several steps are under way before the host has read the first. */
#ifndef LLAMA_DECODE_H
#define LLAMA_DECODE_H

#include "llama/forward.h"
#include "ops/sample.h"

/// Begins a run of steps. start is checked: op_sample_supported, n_past < n_end <= n_ctx.
pum_status llama_decode_begin(llama_context *context, const op_step_start *start, pum_error *err);
/// Gives what the next step chose, once for each step. Steps that follow are submitted ahead as long as n_end is not reached.
/// After one that stopped no other may be asked for. abort: as for op_frame_begin.
/// Errors: those of op_frame_end; PUM_ERR_DEVICE if a step left nothing.
pum_status llama_decode_next(llama_context *context, atomic_bool *abort, op_step_record *record, pum_error *err);
/// Waits for the steps that are under way. K and V behind the steps that were read may be anything afterwards.
pum_status llama_decode_end(llama_context *context, pum_error *err);

#endif
