#ifndef REFERENCE_FORWARD_H
#define REFERENCE_FORWARD_H
#include "llama/config.h"

/// The weights of a LLaMA as floats, [rows, columns] each.
typedef struct reference_layer {
    float *attn_norm, *attn_q, *attn_k, *attn_v, *attn_output, *ffn_norm, *ffn_gate, *ffn_up, *ffn_down;
} reference_layer;
typedef struct reference_model {
    llama_config config;
    float *token_embd, *output_norm, *output;
    reference_layer *layers; ///< [n_layer]
} reference_model;

/// The forward pass (arXiv:2302.13971) in double, nothing rounded. logits [n_tokens, n_vocab]. false: no memory.
bool reference_forward(const reference_model *m, const int32_t *tokens, size_t n_tokens, double *logits);

#endif
