/* The weights of a LLaMA on a device, from a file or from seeded random numbers. */
#ifndef LLAMA_WEIGHTS_H
#define LLAMA_WEIGHTS_H

#include "llama/config.h"
#include "ops/buffers.h"

typedef struct llama_layer {
    op_tensor attn_norm;        ///< [1, n_embd]
    op_stack attn_qkv;          ///< q [n_head * head_dim, n_embd], k and v [n_head_kv * head_dim, n_embd]
    op_tensor attn_output;      ///< [n_embd, n_head * head_dim]
    op_tensor ffn_norm;         ///< [1, n_embd]
    op_tensor ffn_gate, ffn_up; ///< [n_ff, n_embd]
    op_tensor ffn_down;         ///< [n_embd, n_ff]
} llama_layer;

/// Immutable once loaded; any number of threads may read it.
typedef struct llama_weights {
    llama_config config;
    op_tensor token_embd;     ///< [n_vocab, n_embd]
    op_tensor output_norm;    ///< [1, n_embd]
    op_tensor output;         ///< [n_vocab, n_embd]; the embedding itself where the file has no other
    bool tied;                ///< whether it is
    llama_layer *layers;      ///< [n_layer]
    double *rope_frequencies; ///< [n_rot / 2] radians per position
    op_memory *memory;
    arena arena;
    uint64_t device_bytes; ///< what they take there
    uint64_t host_bytes;   ///< the most that loading held in host memory: heap and staging
} llama_weights;

typedef struct llama_load_params {
    pum_progress_fn progress; ///< bytes of the file; may be NULL
    void *progress_user;
} llama_load_params;

/// Loads the weights of a file whose tensors are checked against config.
/// Errors: PUM_ERR_FORMAT (missing tensor, wrong shape), PUM_ERR_UNSUPPORTED (type, a tensor that no LLaMA has),
/// PUM_ERR_DEVICE_MEMORY, PUM_ERR_ABORTED.
pum_status llama_weights_load(op_kernels *kernels, const gguf *file, const llama_config *config, const llama_load_params *params,
                              llama_weights **weights, pum_error *err);
/// Seeded random weights of one type for the matrices, with separate output; normally distributed enough that nothing overflows.
pum_status llama_weights_random(op_kernels *kernels, const llama_config *config, tensor_type type, uint64_t seed,
                                const llama_load_params *params, llama_weights **weights, pum_error *err);
void llama_weights_destroy(llama_weights **weights);

/// Bytes that the weights of a file take on a device whose bindings cover max_range. Errors as llama_weights_load.
pum_status llama_weights_plan(const gguf *file, const llama_config *config, uint64_t max_range, uint64_t *n_bytes,
                              pum_error *err);
/// Bytes of weights that one decoded token reads, and operations (2 per weight) that it takes.
uint64_t llama_weights_bytes_per_token(const llama_weights *weights);
double llama_weights_flop_per_token(const llama_config *config);

#endif
