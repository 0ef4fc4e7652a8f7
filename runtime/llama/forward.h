/* The forward pass of a LLaMA (arXiv:2302.13971) over one timeline. */
#ifndef LLAMA_FORWARD_H
#define LLAMA_FORWARD_H

#include "llama/weights.h"

/// The device state of one timeline: KV cache, activations, rope table, on each stage of the model. The weights must outlive it.
/// One thread at a time.
typedef struct llama_context llama_context;

/// What of a context is the caller's choice.
typedef struct llama_context_shape {
    uint32_t n_ctx;
    uint32_t n_chunk;    ///< the most tokens of one llama_forward
    tensor_type kv_type; ///< as op_kv's
} llama_context_shape;

/// Device memory of a context.
typedef struct llama_context_plan {
    uint64_t kv_bytes, scratch_bytes;
} llama_context_plan;

/// Device memory as llama_plan_context says. place: NULL, all in the devices' own. Errors also PUM_ERR_UNSUPPORTED.
pum_status llama_context_create(const llama_weights *weights, llama_context_shape shape, const llama_context_place *place,
                                llama_context **context, pum_error *err);
void llama_context_destroy(llama_context **context);
/// What a stage of so many layers takes; the head's part is the last one's, and what crosses from one to the next counts for
/// both.
llama_context_plan llama_plan_context(const vk_caps *caps, const llama_config *config, llama_context_shape shape,
                                      const llama_stage_place *stage);
/// The longest context that the device can have: one binding covers a head's K, and the table of angles.
uint32_t llama_most_ctx(const vk_caps *caps, const llama_config *config, tensor_type kv_type);
/// Layers that have their weights or their K and V in the host's memory now.
uint32_t llama_layers_in_host(const llama_context *context);
/// The chunk that is used when none is asked for.
uint32_t llama_default_chunk(uint32_t n_ctx);

/// Runs tokens [n_tokens], 1 to n_chunk, at positions n_past …; K and V before n_past are those of earlier calls.
/// logits   [n_vocab] of the last token, or NULL.
/// abort    see op_frame_begin.
/// A failure leaves K and V before n_past as they were. Errors: PUM_ERR_ABORTED, PUM_ERR_DEVICE, PUM_ERR_DEVICE_LOST, ….
pum_status llama_forward(llama_context *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, float *logits,
                         atomic_bool *abort, pum_error *err);
/// The same pass with its logits left on the device and each dispatch timed alone. What it leaves in the cache is what
/// llama_forward leaves.
pum_status llama_measure(llama_context *context, const int32_t *tokens, uint32_t n_tokens, uint32_t n_past, op_times *times,
                         atomic_bool *abort, pum_error *err);
/// The logits [n_rows, n_vocab] of tokens first_row … of the last llama_forward.
pum_status llama_logits(llama_context *context, uint32_t first_row, uint32_t n_rows, float *logits, atomic_bool *abort,
                        pum_error *err);

/// Dispatches and barriers of the last llama_forward, on all devices.
op_frame_counts llama_counts(const llama_context *context);

#endif
