#include "llama/config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_WIDTH = 1 << 20, MAX_VOCAB = 1 << 24, MAX_HEADS = 4096, MAX_HEAD_DIM = 256 };
static const double LEAST_SCALING = 1e-6;

static pum_status check_heads(const char *path, const llama_config *c, pum_error *err) {
    if (c->n_head_kv == 0 || c->n_head % c->n_head_kv != 0)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: expected head_count to be a multiple of head_count_kv, got %u and %u", path,
                        c->n_head, c->n_head_kv);
    if (c->head_dim % 8 != 0 || c->head_dim > MAX_HEAD_DIM)
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: expected heads of a multiple of 8 up to %d dimensions, got %u", path,
                        MAX_HEAD_DIM, c->head_dim);
    if (c->n_rot == 0 || c->n_rot % 2 != 0 || c->n_rot > c->head_dim)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: expected an even llama.rope.dimension_count from 2 to the head's %u, got %u",
                        path, c->head_dim, c->n_rot);
    return PUM_OK;
}

static pum_status read_rope(const gguf *file, llama_config *c, pum_error *err) {
    const char *path = gguf_path(file);
    double base = 10000, factor = 1;
    gguf_string type = {"none", 4};
    pum_status status;
    if ((status = gguf_get_float(file, "llama.rope.freq_base", &base, err)) != PUM_OK ||
        (status = gguf_get_float(file, "llama.rope.scale_linear", &factor, err)) != PUM_OK ||
        (status = gguf_get_string(file, "llama.rope.scaling.type", &type, err)) != PUM_OK)
        return status;
    bool linear = type.n_bytes == 6 && memcmp(type.bytes, "linear", 6) == 0;
    bool none = type.n_bytes == 4 && memcmp(type.bytes, "none", 4) == 0;
    if (!linear && !none)
        return pum_fail(
            err, PUM_ERR_UNSUPPORTED,
            "%s: llama.rope.scaling.type: expected \"none\" or \"linear\", got \"%.*s\"; use a file without that extension of "
            "the context",
            path, (int)(type.n_bytes < 32 ? type.n_bytes : 32), type.bytes);
    if (linear && (status = gguf_get_float(file, "llama.rope.scaling.factor", &factor, err)) != PUM_OK) return status;
    // Beyond this no angle of a position would be a number any more.
    if (base < 1 || factor < LEAST_SCALING || factor > 1 / LEAST_SCALING)
        return pum_fail(err, PUM_ERR_FORMAT,
                        "%s: expected llama.rope.freq_base >= 1 and a scaling factor from %g to %g, got %g and %g", path,
                        LEAST_SCALING, 1 / LEAST_SCALING, base, factor);
    c->rope_freq_base = base;
    c->rope_freq_scale = 1 / factor;
    return PUM_OK;
}

/* One integer of the header: where it goes, its bounds, and whether a file must say it. */
typedef struct int_key {
    const char *name;
    int64_t max;
    uint32_t *value;
    bool required;
} int_key;

static pum_status read_ints(const gguf *file, const int_key *keys, size_t n_keys, pum_error *err) {
    for (size_t i = 0; i < n_keys; i++) {
        if (keys[i].required && !gguf_find_key(file, keys[i].name))
            return pum_fail(err, PUM_ERR_FORMAT, "%s: expected the key %s, got a file without it; convert the model again",
                            gguf_path(file), keys[i].name);
        int64_t value = *keys[i].value;
        pum_status status = gguf_get_int(file, keys[i].name, keys[i].required ? 1 : 0, keys[i].max, &value, err);
        if (status != PUM_OK) return status;
        *keys[i].value = (uint32_t)value;
    }
    return PUM_OK;
}

static pum_status check_architecture(const gguf *file, pum_error *err) {
    gguf_string architecture = {"", 0};
    pum_status status = gguf_get_string(file, "general.architecture", &architecture, err);
    if (status != PUM_OK) return status;
    if (architecture.n_bytes != 5 || memcmp(architecture.bytes, "llama", 5) != 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "%s: general.architecture: expected \"llama\", got \"%.*s\"; choose a LLaMA-family model",
                        gguf_path(file), (int)(architecture.n_bytes < 64 ? architecture.n_bytes : 64), architecture.bytes);
    return PUM_OK;
}

pum_status llama_config_read(const gguf *file, llama_config *config, pum_error *err) {
    const char *path = gguf_path(file);
    pum_status status = check_architecture(file, err);
    if (status != PUM_OK) return status;

    llama_config c = {.norm_eps = 1e-5f};
    uint32_t n_experts = 0, value_length = 0;
    const int_key keys[] = {
        {"llama.embedding_length", MAX_WIDTH, &c.n_embd, true},     {"llama.block_count", LLAMA_MAX_LAYERS, &c.n_layer, true},
        {"llama.attention.head_count", MAX_HEADS, &c.n_head, true}, {"llama.feed_forward_length", MAX_WIDTH, &c.n_ff, true},
        {"llama.context_length", INT32_MAX, &c.n_ctx_train, true},
    };
    if ((status = read_ints(file, keys, sizeof keys / sizeof *keys, err)) != PUM_OK) return status;
    c.n_head_kv = c.n_head;
    c.head_dim = c.n_embd / c.n_head;
    const int_key head_keys[] = {
        {"llama.attention.head_count_kv", MAX_HEADS, &c.n_head_kv, false},
        {"llama.attention.key_length", MAX_WIDTH, &c.head_dim, false},
        {"llama.expert_count", INT32_MAX, &n_experts, false},
    };
    if ((status = read_ints(file, head_keys, sizeof head_keys / sizeof *head_keys, err)) != PUM_OK) return status;
    c.n_rot = value_length = c.head_dim;
    const int_key rest_keys[] = {
        {"llama.attention.value_length", MAX_WIDTH, &value_length, false},
        {"llama.rope.dimension_count", MAX_WIDTH, &c.n_rot, false},
    };
    if ((status = read_ints(file, rest_keys, sizeof rest_keys / sizeof *rest_keys, err)) != PUM_OK) return status;
    if (n_experts > 0)
        return pum_fail(err, PUM_ERR_UNSUPPORTED,
                        "%s: expected a dense model, got a mixture of %u experts; choose a model without experts", path,
                        n_experts);
    if (value_length != c.head_dim)
        return pum_fail(err, PUM_ERR_UNSUPPORTED, "%s: expected keys and values of one length, got %u and %u", path, c.head_dim,
                        value_length);
    if ((status = check_heads(path, &c, err)) != PUM_OK) return status;

    double eps = c.norm_eps;
    if ((status = gguf_get_float(file, "llama.attention.layer_norm_rms_epsilon", &eps, err)) != PUM_OK) return status;
    if (eps < 0 || eps > 1)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: llama.attention.layer_norm_rms_epsilon: expected 0 to 1, got %g", path, eps);
    c.norm_eps = (float)eps;
    if ((status = read_rope(file, &c, err)) != PUM_OK) return status;

    // The size of the vocabulary is that of the embedding: files differ in what they say beside it.
    const gguf_tensor *embd = gguf_find_tensor(file, "token_embd.weight");
    if (!embd)
        return pum_fail(err, PUM_ERR_FORMAT,
                        "%s: expected a tensor token_embd.weight, got a file without it (a vocabulary alone cannot be run)",
                        path);
    if (embd->n_dims != 2 || embd->dims[1] == 0 || embd->dims[1] > MAX_VOCAB)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: token_embd.weight: expected [%u, 1 to %d], got [%" PRIu64 ", %" PRIu64 "]",
                        path, c.n_embd, MAX_VOCAB, embd->dims[0], embd->dims[1]);
    c.n_vocab = (uint32_t)embd->dims[1];
    *config = c;
    return PUM_OK;
}

pum_status llama_config_shape(const char *shape, llama_config *config, pum_error *err) {
    static const struct {
        const char *name;
        uint32_t n_embd, n_layer, n_head, n_head_kv, n_ff, n_vocab;
    } shapes[] = {
        {"260k", 64, 5, 8, 4, 172, 512},        {"15m", 288, 6, 6, 6, 768, 32000},       {"135m", 576, 30, 9, 3, 1536, 49152},
        {"360m", 960, 32, 15, 5, 2560, 49152},  {"1.1b", 2048, 22, 32, 4, 5632, 32000},  {"3b", 3072, 28, 24, 8, 8192, 128256},
        {"7b", 4096, 32, 32, 32, 11008, 32000}, {"13b", 5120, 40, 40, 40, 13824, 32000},
    };
    char names[128] = "";
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shape, shapes[i].name) == 0) {
            uint32_t head_dim = shapes[i].n_embd / shapes[i].n_head;
            *config = (llama_config){
                .n_embd = shapes[i].n_embd,
                .n_layer = shapes[i].n_layer,
                .n_head = shapes[i].n_head,
                .n_head_kv = shapes[i].n_head_kv,
                .head_dim = head_dim,
                .n_ff = shapes[i].n_ff,
                .n_vocab = shapes[i].n_vocab,
                .n_ctx_train = 65536,
                .n_rot = head_dim,
                .rope_freq_base = 10000,
                .rope_freq_scale = 1,
                .norm_eps = 1e-5f,
            };
            return PUM_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", shapes[i].name);
    }
    return pum_fail(err, PUM_ERR_ARGUMENT, "shape: expected one of %s, got \"%s\"", names, shape);
}
