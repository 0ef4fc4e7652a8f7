/* Seeds for fuzz_model: headers of small models that load, one for each kind of tokenizer and chat template, and one for each
 * type of weights. */
#include "fuzz/seed_file.h"
#include "gguf/write.h"
#include "llama/config.h"
#include "llama/tensors.h"
#include "unit/small_vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char CHATML[] =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
static const char LLAMA2[] = "{% if messages[0]['role'] == 'system' %}{% set system_message = '<<SYS>>' %}{% endif %}[INST] "
                             "{{ eos_token }} [/INST]";

static void add_vocab(gguf_writer *w, const small_vocab *v) {
    const tokenizer_params *p = &v->params;
    gguf_string tokens[SMALL_MAX_TOKENS], merges[SMALL_MAX_TOKENS];
    for (uint32_t i = 0; i < p->n_vocab; i++) tokens[i] = (gguf_string){p->tokens[i].bytes, p->tokens[i].n_bytes};
    for (uint64_t i = 0; i < p->n_merges; i++) merges[i] = (gguf_string){p->merges[i].bytes, p->merges[i].n_bytes};
    gguf_writer_add_string(w, "tokenizer.ggml.model", p->model);
    if (p->pre) gguf_writer_add_string(w, "tokenizer.ggml.pre", p->pre);
    gguf_writer_add_strings(w, "tokenizer.ggml.tokens", tokens, p->n_vocab);
    gguf_writer_add_floats(w, "tokenizer.ggml.scores", p->scores, p->n_vocab);
    gguf_writer_add_ints(w, "tokenizer.ggml.token_type", p->kinds, p->n_vocab);
    if (p->n_merges) gguf_writer_add_strings(w, "tokenizer.ggml.merges", merges, p->n_merges);
    if (p->bos >= 0) gguf_writer_add_u32(w, "tokenizer.ggml.bos_token_id", (uint32_t)p->bos);
    if (p->eos >= 0) gguf_writer_add_u32(w, "tokenizer.ggml.eos_token_id", (uint32_t)p->eos);
    gguf_writer_add_bool(w, "tokenizer.ggml.add_bos_token", p->add_bos);
}

static void add_config(gguf_writer *w, const llama_config *c) {
    gguf_writer_add_string(w, "general.architecture", "llama");
    gguf_writer_add_string(w, "general.name", "a small model");
    gguf_writer_add_u32(w, "llama.embedding_length", c->n_embd);
    gguf_writer_add_u32(w, "llama.block_count", c->n_layer);
    gguf_writer_add_u32(w, "llama.attention.head_count", c->n_head);
    gguf_writer_add_u32(w, "llama.attention.head_count_kv", c->n_head_kv);
    gguf_writer_add_u32(w, "llama.feed_forward_length", c->n_ff);
    gguf_writer_add_u32(w, "llama.context_length", 128);
    gguf_writer_add_u32(w, "llama.rope.dimension_count", c->n_rot);
    gguf_writer_add_f32(w, "llama.rope.freq_base", 10000);
    gguf_writer_add_f32(w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
}

static void add_tensors(gguf_writer *w, const llama_config *c, const tensor_type_info *type, bool tied, const uint8_t *data) {
    for (uint32_t i = 0; i < llama_n_slots(c) - tied; i++) {
        llama_tensor_slot slot = llama_slot(c, NULL, i);
        const uint64_t dims[] = {slot.n_cols, slot.n_rows};
        gguf_writer_add_tensor(w, slot.name, slot.is_vector ? TENSOR_F32 : type->type, slot.is_vector ? 1 : 2, dims, data);
    }
    if (!tied) gguf_writer_add_tensor(w, "rope_freqs.weight", TENSOR_F32, 1, (const uint64_t[]){c->n_rot / 2}, data);
}

/* The header alone: fuzz_model puts the data behind it. */
static void seed(const char *folder, tensor_type number, bool sentencepiece, bool tied, const char *template) {
    static small_vocab v;
    static uint8_t data[1 << 20];
    (sentencepiece ? small_spm : small_bpe)(&v);
    const tensor_type_info *type = tensor_type_find(number);
    uint32_t width = type->block_values > 32 ? type->block_values : 32;
    llama_config c = {.n_embd = width,
                      .n_layer = 1,
                      .n_head = width / 16,
                      .n_head_kv = width / 32,
                      .head_dim = 16,
                      .n_ff = width,
                      .n_vocab = width > 32 ? 33 : v.params.n_vocab,
                      .n_rot = 16};
    gguf_writer *w = gguf_writer_create();
    add_config(w, &c);
    add_vocab(w, &v);
    gguf_writer_add_string(w, "tokenizer.chat_template", template);
    add_tensors(w, &c, type, tied, data);
    uint8_t *bytes;
    size_t n_bytes, n_data = 0;
    pum_error err;
    gguf *file = NULL;
    if (gguf_writer_bytes(w, &bytes, &n_bytes, &err) != PUM_OK ||
        gguf_open_memory(type->name, bytes, n_bytes, &file, &err) != PUM_OK) {
        fprintf(stderr, "%s: expected a seed that can be read: %s\n", type->name, err.message);
        exit(1);
    }
    for (int i = 0; i < gguf_n_tensors(file); i++) {
        size_t behind = n_bytes - gguf_tensor_at(file, i)->offset;
        if (behind > n_data) n_data = behind;
    }
    char name[64];
    snprintf(name, sizeof name, "%s-%s", type->name, sentencepiece ? "spm" : "bpe");
    seed_file(folder, name, bytes, n_bytes - n_data);
    gguf_close(&file);
    gguf_writer_destroy(&w);
    free(bytes);
}

int main(int argc, char **argv) {
    static const tensor_type types[] = {TENSOR_F32, TENSOR_F16, TENSOR_Q4_0, TENSOR_Q4_1, TENSOR_Q8_0, TENSOR_Q4_K, TENSOR_Q6_K};
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) seed(argv[1], types[i], i % 2, i % 3 == 0, i % 2 ? LLAMA2 : CHATML);
    return 0;
}
