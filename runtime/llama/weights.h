/* The weights of a LLaMA on a device, from a file or from seeded random numbers. */
#ifndef LLAMA_WEIGHTS_H
#define LLAMA_WEIGHTS_H

#include "llama/placement.h"
#include "ops/buffers.h"

typedef struct llama_layer {
    op_tensor attn_norm;        ///< [1, n_embd]
    op_stack attn_qkv;          ///< q [n_head * head_dim, n_embd], k and v [n_head_kv * head_dim, n_embd]
    op_tensor attn_output;      ///< [n_embd, n_head * head_dim]
    op_tensor ffn_norm;         ///< [1, n_embd]
    op_tensor ffn_gate, ffn_up; ///< [n_ff, n_embd]
    op_tensor ffn_down;         ///< [n_embd, n_ff]
} llama_layer;

/// A device with a run of the model's layers. A pass goes from one to the next.
typedef struct llama_stage {
    op_kernels *kernels;
    llama_stage_place place;
    op_memory *memory; ///< of its weights
} llama_stage;

/// Immutable once loaded; any number of threads may read it.
typedef struct llama_weights {
    llama_config config;
    uint32_t n_stages;
    llama_stage stages[LLAMA_MAX_STAGES];
    op_tensor token_embd;     ///< [n_vocab, n_embd], on the first stage
    op_tensor output_norm;    ///< [1, n_embd], on the last stage, as the output
    op_tensor output;         ///< [n_vocab, n_embd]; where the file has none the embedding itself, or on another device a copy
    bool tied;                ///< whether it is the embedding itself
    llama_layer *layers;      ///< [n_layer]
    double *rope_frequencies; ///< [n_rot / 2] radians per position
    arena arena;
    uint64_t device_bytes; ///< what they take, all stages
    uint64_t host_bytes;   ///< the most that loading held in host memory: heap and staging
} llama_weights;

typedef struct llama_load_params {
    pum_progress_fn progress; ///< bytes of the file; may be NULL
    void *progress_user;
} llama_load_params;

/// Loads the weights of a file whose tensors are checked against config.
/// kernels  [placement->n_stages], of the device of each stage.
/// placement   NULL: one stage, all of it in its device's own memory.
/// Errors: PUM_ERR_FORMAT (missing tensor, wrong shape), PUM_ERR_UNSUPPORTED (type, a tensor that no LLaMA has),
/// PUM_ERR_DEVICE_MEMORY, PUM_ERR_ABORTED.
pum_status llama_weights_load(op_kernels *const *kernels, const llama_placement *placement, const gguf *file,
                              const llama_config *config, const llama_load_params *params, llama_weights **weights,
                              pum_error *err);
/// Seeded random weights of one type for the matrices, with separate output; normally distributed enough that nothing overflows.
pum_status llama_weights_random(op_kernels *const *kernels, const llama_placement *placement, const llama_config *config,
                                tensor_type type, uint64_t seed, const llama_load_params *params, llama_weights **weights,
                                pum_error *err);
void llama_weights_destroy(llama_weights **weights);

/// What the weights of a file take on a device whose bindings cover max_range. Errors as llama_weights_load.
pum_status llama_weights_sizes(const gguf *file, const llama_config *config, uint64_t max_range, llama_sizes *sizes,
                               pum_error *err);
/// The same of llama_weights_random.
llama_sizes llama_random_sizes(const llama_config *config, tensor_type type, uint64_t max_range);
/// The sum of them on one device.
uint64_t llama_sizes_total(const llama_config *config, const llama_sizes *sizes);
/// Whether weights of a layer are in the host's memory, by plan or because the device gave none.
bool llama_layer_in_host(const llama_weights *weights, uint32_t layer);
/// Bytes of weights that one decoded token reads, and operations (2 per weight) that it takes.
uint64_t llama_weights_bytes_per_token(const llama_weights *weights);
double llama_weights_flop_per_token(const llama_config *config);

#endif
