/* The state of one timeline, as the files of llama/ share it: a context for each stage of the model. A pass runs stage after
 * stage; where it goes from one device to the next, the residual stream crosses by the host. */
#ifndef LLAMA_CONTEXT_H
#define LLAMA_CONTEXT_H

#include "llama/forward.h"
#include "ops/sample.h"

enum { LLAMA_RING = 64 };

/* A run of steps that live on the device; see decode.h. Submissions hold several steps where those are short. */
typedef struct llama_decode_run {
    op_recording *step;
    uint32_t most; ///< n_past for which it is laid out; 0: there is none
    pum_sampler_params params;
    op_frame_counts counts;
    uint32_t n_past, n_steps;               ///< where the run begins; how many steps it may have
    uint32_t n_submitted, n_done, n_read;   ///< steps
    uint32_t in_flight[OP_RECORDING_AHEAD]; ///< steps of each submission that is under way, the oldest first
    int n_in_flight;
    uint64_t step_ns;   ///< time of a step, as it seems; 0: not known yet
    uint64_t waited_ns; ///< when the last submission was done
} llama_decode_run;

struct llama_context {
    op_kernels *kernels;
    const llama_weights *weights;
    uint32_t first_layer, n_layer; ///< of the stage
    llama_context *next;           ///< the stage behind it, or NULL
    uint32_t n_ctx, n_chunk;
    op_memory *memory;
    op_frame *frame;
    op_kv *kv; ///< [n_layer], of the stage
    op_rope rope;
    op_rows x;                 ///< [n_chunk, n_embd] the residual stream
    op_rows n;                 ///< [n_chunk, n_embd] normalised
    op_rows qkv;               ///< [n_chunk, (n_head + 2 * n_head_kv) * head_dim] queries, keys, values
    op_rows a;                 ///< [n_chunk, n_head * head_dim] attention's answer
    op_rows h, h2;             ///< [n_chunk, n_ff]
    op_rows partial;           ///< partial results of attention
    op_rows logits;            ///< [min(n_chunk, LOGIT_ROWS), n_vocab]
    op_rows state;             ///< struct step_state: where the pass stands, and a run of steps
    op_rows candidates;        ///< of sampling
    op_host pass;              ///< struct step_state, then the tokens of a pass, int32 [n_chunk]
    op_host ring;              ///< uint32 [LLAMA_RING] tokens chosen on the device
    op_host answer;            ///< float32 of the shape of logits
    op_host arriving, leaving; ///< x of a pass, from the stage before and for the one behind; not at the ends
    arena arena;
    op_frame_counts counts;
    op_recording *step; ///< the pass of one token, recorded
    uint32_t step_most; ///< n_past for which it is laid out; 0: there is none
    op_frame_counts step_counts;
    bool measured_step; ///< a token went through unrecorded: the frame knows what it costs and cuts a recording accordingly
    llama_decode_run run;
};

/// Where the pass stands, as rope and attention read it.
vk_span llama_n_past_span(const llama_context *context);
/// Gives the activations of a context their shapes, and no memory, from its weights' config and n_chunk.
void llama_context_shapes(llama_context *context);
static inline bool llama_is_first(const llama_context *context) { return context->first_layer == 0; }
/// Records the stage's part of the pass over n_tokens ids at tokens, up to x: the residual stream after its last layer.
void llama_record_layers(llama_context *context, vk_span tokens, uint32_t n_tokens, op_position position);
/// logits = Woutput · rmsnorm(x), for some rows of x.
void llama_record_output(llama_context *context, uint32_t first_row, uint32_t n_rows);
/// For how deep a context a step at n_past is laid out: often enough the same that a recording serves many steps.
uint32_t llama_step_most(const llama_context *context, uint32_t n_past);

#endif
