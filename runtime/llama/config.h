/* The dimensions of a LLaMA (arXiv:2302.13971), from the header of a file or from the table of shapes. */
#ifndef LLAMA_CONFIG_H
#define LLAMA_CONFIG_H

#include "gguf/gguf.h"

enum { LLAMA_MAX_LAYERS = 1024 };

typedef struct llama_config {
    uint32_t n_embd, n_layer, n_head, n_head_kv, head_dim, n_ff, n_vocab;
    uint32_t n_ctx_train;
    uint32_t n_rot; ///< leading dimensions of a head that rotate
    double rope_freq_base;
    double rope_freq_scale; ///< 1 / the factor of linear position scaling
    float norm_eps;
} llama_config;

/// Reads and checks the header of a file.
/// Errors: PUM_ERR_UNSUPPORTED (another architecture, experts, a scaling of positions that is not known), PUM_ERR_FORMAT.
pum_status llama_config_read(const gguf *file, llama_config *config, pum_error *err);

/// "260k" "15m" "135m" "360m" "1.1b" "3b" "7b" "13b". Errors: PUM_ERR_ARGUMENT, listing the names.
pum_status llama_config_shape(const char *shape, llama_config *config, pum_error *err);

#endif
