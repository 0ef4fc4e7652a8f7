#include "check/tiny.h"

#include "base/arena.h"
#include "check/reference/forward.h"
#include "gguf/random_blocks.h"
#include "llama/forward.h"
#include "llama/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whole blocks of every type in each row. */
static const llama_config config = {
    .n_embd = 256,
    .n_layer = 2,
    .n_head = 4,
    .n_head_kv = 2,
    .head_dim = 64,
    .n_ff = 512,
    .n_vocab = 384,
    .n_ctx_train = 64,
    .n_rot = 64,
    .rope_freq_base = 10000,
    .rope_freq_scale = 1,
    .norm_eps = 1e-5f,
};
/* Random weights leave logits nearly even: those of both sides are multiplied by what gives the reference's this standard
 * deviation, about that of a real model. */
static const double LOGITS_SIGMA = 4;
enum { SEED = 20260623, MANY = 17, FEW = 5, SINGLE = 4, N_TOKENS = MANY + FEW + SINGLE };

/* The place in the reference for a tensor of a name. */
static float **place_of(reference_model *m, const char *name) {
    unsigned il = 0;
    if (strcmp(name, "token_embd.weight") == 0) return &m->token_embd;
    if (strcmp(name, "output_norm.weight") == 0) return &m->output_norm;
    if (strcmp(name, "output.weight") == 0) return &m->output;
    const char *part = strchr(name + 4, '.');
    il = (unsigned)strtoul(name + 4, NULL, 10);
    reference_layer *l = &m->layers[il];
    const struct {
        const char *part;
        float **place;
    } places[] = {
        {".attn_norm.weight", &l->attn_norm}, {".attn_q.weight", &l->attn_q},           {".attn_k.weight", &l->attn_k},
        {".attn_v.weight", &l->attn_v},       {".attn_output.weight", &l->attn_output}, {".ffn_norm.weight", &l->ffn_norm},
        {".ffn_gate.weight", &l->ffn_gate},   {".ffn_up.weight", &l->ffn_up},           {".ffn_down.weight", &l->ffn_down},
    };
    for (size_t i = 0; part && i < sizeof places / sizeof *places; i++)
        if (strcmp(places[i].part, part) == 0) return places[i].place;
    return NULL;
}

/* The numbers that llama_weights_random makes, as floats. */
static pum_status make_reference(tensor_type type, arena *a, reference_model *m, pum_error *err) {
    uint64_t random = SEED;
    m->config = config;
    m->layers = arena_alloc(a, config.n_layer, sizeof *m->layers);
    if (!m->layers) return pum_fail_memory(err, "a tiny model", config.n_layer * sizeof *m->layers);
    for (uint32_t i = 0; i < llama_n_slots(&config); i++) {
        llama_tensor_slot slot = llama_slot(&config, NULL, i);
        size_t n = (size_t)slot.n_rows * slot.n_cols;
        const tensor_type_info *info = gguf_type_for_rows(tensor_type_find(type), slot.n_cols);
        float *values = arena_alloc(a, n, sizeof *values), **place = place_of(m, slot.name);
        uint8_t *blocks = malloc(n / info->block_values * info->block_bytes);
        if (!values || !blocks || !place) {
            free(blocks);
            return pum_fail_memory(err, "a tiny model", n * sizeof *values);
        }
        for (size_t k = 0; k < n && slot.is_vector; k++) values[k] = 1;
        if (!slot.is_vector) {
            gguf_random_blocks(info, gguf_random_sigma(slot.n_cols), &random, blocks, n / info->block_values);
            info->expand(blocks, n / info->block_values, values);
        }
        free(blocks);
        *place = values;
    }
    return PUM_OK;
}

static pum_status run_device(op_kernels *kernels, tensor_type type, const int32_t *tokens, float *logits, pum_error *err) {
    static const uint32_t chunks[] = {MANY, FEW};
    const llama_context_shape shape = {config.n_ctx_train, MANY, TENSOR_F16};
    llama_weights *weights = NULL;
    llama_context *context = NULL;
    pum_status status = llama_weights_random(&kernels, NULL, &config, type, SEED, &(llama_load_params){0}, &weights, err);
    if (status == PUM_OK) status = llama_context_create(weights, shape, NULL, &context, err);
    uint32_t n_past = 0;
    for (int i = 0; i < 2 && status == PUM_OK; n_past += chunks[i++]) {
        status = llama_forward(context, tokens + n_past, chunks[i], n_past, NULL, NULL, err);
        if (status == PUM_OK) status = llama_logits(context, 0, chunks[i], logits + (size_t)n_past * config.n_vocab, NULL, err);
    }
    for (; n_past < N_TOKENS && status == PUM_OK; n_past++)
        status = llama_forward(context, tokens + n_past, 1, n_past, logits + (size_t)n_past * config.n_vocab, NULL, err);
    llama_context_destroy(&context);
    if (weights) llama_weights_destroy(&weights);
    return status;
}

static double sigma_of(const double *x, size_t n) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
    }
    return sqrt(squares / (double)n - sum / (double)n * (sum / (double)n));
}

/* log of the sum of exp(x). */
static double log_total(const double *x, size_t n) {
    double highest = -INFINITY, total = 0;
    for (size_t i = 0; i < n; i++) highest = fmax(highest, x[i]);
    for (size_t i = 0; i < n; i++) total += exp(x[i] - highest);
    return highest + log(total);
}

/* Of softmax(p) and softmax(q), both [n]. */
static double divergence(const double *p, const double *q, size_t n) {
    double total_p = log_total(p, n), total_q = log_total(q, n), kl = 0;
    for (size_t i = 0; i < n; i++) kl += exp(p[i] - total_p) * (p[i] - total_p - (q[i] - total_q));
    return kl;
}

/* Of the logits of all tokens. */
static double mean_divergence(double *reference, const float *logits, double *got) {
    size_t n = (size_t)N_TOKENS * config.n_vocab;
    double scale = LOGITS_SIGMA / sigma_of(reference, n), sum = 0;
    for (size_t i = 0; i < n; i++) {
        reference[i] *= scale;
        got[i] = scale * (double)logits[i];
    }
    for (size_t t = 0; t < N_TOKENS; t++)
        sum += divergence(reference + t * config.n_vocab, got + t * config.n_vocab, config.n_vocab);
    return sum < INFINITY ? sum / N_TOKENS : INFINITY; // NaN is none
}

pum_status check_tiny_kl(op_kernels *kernels, tensor_type type, double *mean_kl, pum_error *err) {
    arena a = {0};
    reference_model m = {0};
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) tokens[i] = (i * 131 + 7) % (int)config.n_vocab;
    size_t n = (size_t)N_TOKENS * config.n_vocab;
    double *reference = arena_alloc(&a, n, sizeof *reference), *got = arena_alloc(&a, n, sizeof *got);
    float *logits = arena_alloc(&a, n, sizeof *logits);
    pum_status status = reference && got && logits ? PUM_OK : pum_fail_memory(err, "a tiny model", n * 20);
    if (status == PUM_OK) status = make_reference(type, &a, &m, err);
    if (status == PUM_OK && !reference_forward(&m, tokens, N_TOKENS, reference))
        status = pum_fail_memory(err, "a tiny model", n * sizeof *reference);
    if (status == PUM_OK) status = run_device(kernels, type, tokens, logits, err);
    *mean_kl = status == PUM_OK ? mean_divergence(reference, logits, got) : NAN;
    arena_free(&a);
    return status;
}
