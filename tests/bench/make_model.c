/* Writes a GGUF model with seeded random weights: for speed and for agreement between programs, not for text.
 *     make_model SHAPE TYPE FILE [SEED]      SHAPE: as of `pumice bench --shape`; TYPE: of all matrices, as of `--type`
 * Matrices as long as each other share one supply of random rows and begin at different ones, so that a model larger than the
 * memory can be written. The vocabulary is made up. */
#include "gguf/random_blocks.h"
#include "gguf/write.h"
#include "llama/config.h"
#include "llama/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_LENGTHS = 3, SPARE_ROWS = 61 }; ///< rows are n_embd, n_head * head_dim or n_ff long

/* Random rows of one length. */
typedef struct rows {
    const tensor_type_info *type;
    uint8_t *blocks;
    uint64_t row_bytes;
    uint32_t n_cols, n_rows; ///< the most that any matrix has; SPARE_ROWS more are there
} rows;

typedef struct maker {
    llama_config config;
    gguf_writer *writer;
    rows lengths[N_LENGTHS];
    int n_lengths;
    float *ones;
} maker;

static rows *rows_of(maker *m, uint32_t n_cols) {
    for (int i = 0; i < m->n_lengths; i++)
        if (m->lengths[i].n_cols == n_cols) return &m->lengths[i];
    rows *r = &m->lengths[m->n_lengths++];
    r->n_cols = n_cols;
    return r;
}

static pum_status make_rows(maker *m, const tensor_type_info *type, uint64_t seed, pum_error *err) {
    for (uint32_t i = 0; i < llama_n_slots(&m->config); i++) {
        llama_tensor_slot slot = llama_slot(&m->config, NULL, i);
        if (slot.is_vector) continue;
        rows *r = rows_of(m, slot.n_cols);
        if (slot.n_rows > r->n_rows) r->n_rows = slot.n_rows;
    }
    for (rows *r = m->lengths; r < m->lengths + m->n_lengths; r++) {
        r->type = gguf_type_for_rows(type, r->n_cols);
        uint64_t blocks_per_row = r->n_cols / r->type->block_values, n_rows = (uint64_t)r->n_rows + SPARE_ROWS;
        r->row_bytes = blocks_per_row * r->type->block_bytes;
        r->blocks = malloc(n_rows * r->row_bytes);
        if (!r->blocks) return pum_fail_memory(err, "random rows", n_rows * r->row_bytes);
        gguf_random_blocks(r->type, gguf_random_sigma(r->n_cols), &seed, r->blocks, n_rows * blocks_per_row);
    }
    m->ones = malloc(m->config.n_embd * sizeof *m->ones);
    if (!m->ones) return pum_fail_memory(err, "the norms", m->config.n_embd * sizeof *m->ones);
    for (uint32_t i = 0; i < m->config.n_embd; i++) m->ones[i] = 1;
    return PUM_OK;
}

static void add_keys(maker *m, const char *name) {
    const llama_config *c = &m->config;
    const struct {
        const char *key;
        uint32_t value;
    } numbers[] = {
        {"llama.context_length", c->n_ctx_train},    {"llama.embedding_length", c->n_embd},
        {"llama.block_count", c->n_layer},           {"llama.feed_forward_length", c->n_ff},
        {"llama.attention.head_count", c->n_head},   {"llama.attention.head_count_kv", c->n_head_kv},
        {"llama.attention.key_length", c->head_dim}, {"llama.attention.value_length", c->head_dim},
        {"llama.rope.dimension_count", c->n_rot},    {"llama.vocab_size", c->n_vocab},
    };
    gguf_writer_add_string(m->writer, "general.architecture", "llama");
    gguf_writer_add_string(m->writer, "general.name", name);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        gguf_writer_add_u32(m->writer, numbers[i].key, numbers[i].value);
    gguf_writer_add_f32(m->writer, "llama.attention.layer_norm_rms_epsilon", c->norm_eps);
    gguf_writer_add_f32(m->writer, "llama.rope.freq_base", (float)c->rope_freq_base);
}

/* As SentencePiece has it: <unk>, <s>, </s>, the 256 bytes, then words. */
static pum_status add_vocabulary(maker *m, pum_error *err) {
    enum { UNKNOWN, BEGIN, END, FIRST_BYTE, FIRST_WORD = FIRST_BYTE + 256, TEXT_BYTES = 16 };
    enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_BYTE = 6 };
    uint32_t n = m->config.n_vocab;
    gguf_string *tokens = calloc(n, sizeof *tokens);
    char(*texts)[TEXT_BYTES] = calloc(n, sizeof *texts);
    float *scores = calloc(n, sizeof *scores);
    int32_t *types = calloc(n, sizeof *types);
    bool ok = tokens && texts && scores && types;
    for (uint32_t i = 0; i < n && ok; i++) {
        if (i < FIRST_BYTE)
            strcpy(texts[i], i == UNKNOWN ? "<unk>" : i == BEGIN ? "<s>" : "</s>");
        else if (i < FIRST_WORD)
            snprintf(texts[i], TEXT_BYTES, "<0x%02X>", (unsigned)(i - FIRST_BYTE));
        else
            snprintf(texts[i], TEXT_BYTES, "\xE2\x96\x81w%u", (unsigned)(i - FIRST_WORD));
        tokens[i] = (gguf_string){texts[i], strlen(texts[i])};
        scores[i] = -(float)i;
        types[i] = i == UNKNOWN ? TYPE_UNKNOWN : i < FIRST_BYTE ? TYPE_CONTROL : i < FIRST_WORD ? TYPE_BYTE : TYPE_NORMAL;
    }
    if (ok) {
        gguf_writer_add_string(m->writer, "tokenizer.ggml.model", "llama");
        gguf_writer_add_strings(m->writer, "tokenizer.ggml.tokens", tokens, n);
        gguf_writer_add_floats(m->writer, "tokenizer.ggml.scores", scores, n);
        gguf_writer_add_ints(m->writer, "tokenizer.ggml.token_type", types, n);
        gguf_writer_add_u32(m->writer, "tokenizer.ggml.bos_token_id", BEGIN);
        gguf_writer_add_u32(m->writer, "tokenizer.ggml.eos_token_id", END);
        gguf_writer_add_u32(m->writer, "tokenizer.ggml.unknown_token_id", UNKNOWN);
    }
    free(tokens);
    free(texts);
    free(scores);
    free(types);
    return ok ? PUM_OK : pum_fail_memory(err, "the vocabulary", n * (sizeof *tokens + sizeof *texts));
}

static void add_tensors(maker *m) {
    for (uint32_t i = 0; i < llama_n_slots(&m->config); i++) {
        llama_tensor_slot slot = llama_slot(&m->config, NULL, i);
        uint64_t dims[] = {slot.n_cols, slot.n_rows};
        if (slot.is_vector) {
            gguf_writer_add_tensor(m->writer, slot.name, TENSOR_F32, 1, dims, m->ones);
            continue;
        }
        const rows *r = rows_of(m, slot.n_cols);
        uint32_t first = (r->n_rows - slot.n_rows + SPARE_ROWS) - i * 7 % SPARE_ROWS;
        gguf_writer_add_tensor(m->writer, slot.name, r->type->type, 2, dims, r->blocks + first * r->row_bytes);
    }
}

static pum_status make(maker *m, const char *shape, const char *type_name, const char *path, uint64_t seed, pum_error *err) {
    const tensor_type_info *type = tensor_type_by_name(type_name);
    if (!type || !type->expand)
        return pum_fail(err, PUM_ERR_ARGUMENT, "expected a tensor type that Pumice reads, such as Q4_0 or Q4_K, got \"%s\"",
                        type_name);
    char name[64];
    snprintf(name, sizeof name, "random %s %s", shape, type->name);
    pum_status status = llama_config_shape(shape, &m->config, err);
    if (status == PUM_OK) status = make_rows(m, type, seed, err);
    if (status != PUM_OK) return status;
    m->writer = gguf_writer_create();
    add_keys(m, name);
    status = add_vocabulary(m, err);
    add_tensors(m);
    return status == PUM_OK ? gguf_writer_save(m->writer, path, err) : status;
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "make_model: error: expected SHAPE TYPE FILE [SEED], got %d arguments\n", argc - 1);
        return 2;
    }
    static maker m;
    pum_error err;
    pum_status status = make(&m, argv[1], argv[2], argv[3], argc > 4 ? strtoull(argv[4], NULL, 10) : 1, &err);
    if (status != PUM_OK) fprintf(stderr, "make_model: error: %s\n", err.message);
    for (int i = 0; i < m.n_lengths; i++) free(m.lengths[i].blocks);
    gguf_writer_destroy(&m.writer);
    free(m.ones);
    return status == PUM_OK ? 0 : 1;
}
