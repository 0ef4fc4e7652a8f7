/* The state of one timeline, as the files of llama/ share it. */
#ifndef LLAMA_CONTEXT_H
#define LLAMA_CONTEXT_H

#include "llama/forward.h"

struct llama_context {
    op_kernels *kernels;
    const llama_weights *weights;
    uint32_t n_ctx, n_chunk;
    op_memory *memory;
    op_frame *frame;
    op_kv *kv; ///< [n_layer]
    op_rope rope;
    op_rows x;       ///< [n_chunk, n_embd] the residual stream
    op_rows n;       ///< [n_chunk, n_embd] normalised
    op_rows qkv;     ///< [n_chunk, (n_head + 2 * n_head_kv) * head_dim] queries, keys, values
    op_rows a;       ///< [n_chunk, n_head * head_dim] attention's answer
    op_rows h, h2;   ///< [n_chunk, n_ff]
    op_rows partial; ///< partial results of attention
    op_rows logits;  ///< [min(n_chunk, LOGIT_ROWS), n_vocab]
    op_rows n_past;  ///< uint32 [1], where the pass stands
    op_host tokens;  ///< n_past, then int32 [n_chunk] from TOKENS on
    op_host answer;  ///< float32 of the shape of logits
    arena arena;
    op_frame_counts counts;
    op_recording *step; ///< the pass of one token, recorded
    uint32_t step_most; ///< n_past for which it is laid out; 0: there is none
    op_frame_counts step_counts;
    bool measured_step; ///< a token went through unrecorded: the frame knows what it costs and cuts a recording accordingly
};

/// Records the pass over n_tokens ids at tokens, up to x: the residual stream after the last layer.
void llama_record_layers(llama_context *context, vk_span tokens, uint32_t n_tokens, op_position position);
/// logits = Woutput · rmsnorm(x), for some rows of x.
void llama_record_output(llama_context *context, uint32_t first_row, uint32_t n_rows);
/// For how deep a context a step at n_past is laid out: often enough the same that a recording serves many steps.
uint32_t llama_step_most(const llama_context *context, uint32_t n_past);

#endif
