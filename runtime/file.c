/* pum_file: a GGUF file and what its header says; needs no device. The tokenizer and the chat format come from here. */
#include "file.h"

#include "base/arena.h"
#include "base/utf8.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pum_file {
    atomic_int n_owners;
    gguf *gguf;
    arena arena;
    pum_model_info info;
    bool has_template;
    chat_format format;
    const char *bos, *eos; ///< their text, for templates that write them
};

const gguf *file_gguf(const pum_file *file) { return file->gguf; }

/* ---- opening: the header's keys into pum_model_info. What cannot be meant is left out here, and refused where it is needed. */

static const char *string_of(pum_file *f, const char *key) {
    gguf_string s = {0};
    if (gguf_get_string(f->gguf, key, &s, NULL) != PUM_OK || !s.bytes) return NULL;
    char *text = arena_copy(&f->arena, s.bytes, (size_t)s.n_bytes);
    if (text) utf8_make_clean(text); // people will see it
    return text;
}

static int int_of(const pum_file *f, const char *architecture, const char *key, int otherwise) {
    char name[160];
    snprintf(name, sizeof name, "%s.%s", architecture, key);
    int64_t value = otherwise;
    return gguf_get_int(f->gguf, name, 0, INT32_MAX, &value, NULL) == PUM_OK ? (int)value : otherwise;
}

static uint64_t count_params(const gguf *g) {
    uint64_t n = 0;
    for (int i = 0; i < gguf_n_tensors(g); i++) {
        const gguf_tensor *t = gguf_tensor_at(g, i);
        n += t->dims[0] * t->dims[1] * t->dims[2] * t->dims[3];
    }
    return n;
}

static const char *token_text(pum_file *f, const char *id_key) {
    int64_t id = -1;
    const gguf_key *tokens = gguf_find_key(f->gguf, "tokenizer.ggml.tokens");
    if (gguf_get_int(f->gguf, id_key, 0, INT32_MAX, &id, NULL) != PUM_OK || id < 0) return "";
    if (!tokens || tokens->type != GGUF_ARRAY || tokens->item_type != GGUF_STRING || (uint64_t)id >= tokens->n_items) return "";
    const uint8_t *cursor = tokens->value;
    gguf_string s = {0};
    for (int64_t i = 0; i <= id; i++) s = gguf_next_string(f->gguf, &cursor);
    const char *text = arena_copy(&f->arena, s.bytes, (size_t)s.n_bytes);
    return text ? text : "";
}

static void read_info(pum_file *f) {
    pum_model_info *i = &f->info;
    const char *a = i->architecture = string_of(f, "general.architecture");
    i->name = string_of(f, "general.name");
    i->n_params = count_params(f->gguf);
    i->file_bytes = gguf_file_bytes(f->gguf);
    if (!a) a = "";
    i->n_layer = int_of(f, a, "block_count", 0);
    i->n_embd = int_of(f, a, "embedding_length", 0);
    i->n_head = int_of(f, a, "attention.head_count", 0);
    i->n_head_kv = int_of(f, a, "attention.head_count_kv", i->n_head);
    i->head_dim = int_of(f, a, "attention.key_length", i->n_head ? i->n_embd / i->n_head : 0);
    i->n_ff = int_of(f, a, "feed_forward_length", 0);
    i->n_ctx_train = int_of(f, a, "context_length", 0);
    const gguf_key *tokens = gguf_find_key(f->gguf, "tokenizer.ggml.tokens");
    const gguf_tensor *embd = gguf_find_tensor(f->gguf, "token_embd.weight");
    uint64_t n_vocab = embd ? embd->dims[1] : tokens && tokens->type == GGUF_ARRAY ? tokens->n_items : 0;
    i->n_vocab = n_vocab <= INT32_MAX ? (int)n_vocab : 0;

    const char *model = string_of(f, "tokenizer.ggml.model"), *pre = string_of(f, "tokenizer.ggml.pre");
    if (model && pre) {
        size_t n = strlen(model) + strlen(pre) + 4;
        char *both = arena_alloc(&f->arena, n, 1);
        if (both) snprintf(both, n, "%s (%s)", model, pre);
        model = both;
    }
    i->tokenizer = model;
}

static void read_template(pum_file *f) {
    gguf_string text = {0};
    if (gguf_get_string(f->gguf, "tokenizer.chat_template", &text, NULL) != PUM_OK || !text.bytes) return;
    f->has_template = true;
    f->format = chat_template_detect(text.bytes, (size_t)text.n_bytes);
    f->info.chat_template = chat_template_name(f->format.row);
    f->bos = token_text(f, "tokenizer.ggml.bos_token_id");
    f->eos = token_text(f, "tokenizer.ggml.eos_token_id");
}

pum_status pum_file_open(const char *path, pum_file **file, pum_error *err) {
    *file = NULL;
    pum_file *f = calloc(1, sizeof *f);
    if (!f) return pum_fail_memory(err, path, sizeof *f);
    pum_status status = gguf_open(path, &f->gguf, err);
    if (status != PUM_OK) {
        free(f);
        return status;
    }
    atomic_init(&f->n_owners, 1);
    read_info(f);
    read_template(f);
    *file = f;
    return PUM_OK;
}

void pum_file_destroy(pum_file **file) {
    if (!file || !*file) return;
    pum_file *f = *file;
    *file = NULL;
    if (atomic_fetch_sub(&f->n_owners, 1) > 1) return;
    gguf_close(&f->gguf);
    arena_free(&f->arena);
    free(f);
}

pum_file *file_share(const pum_file *file) {
    pum_file *f = (pum_file *)(uintptr_t)file; // what its readers see does not change
    atomic_fetch_add(&f->n_owners, 1);
    return f;
}

/* ---- looking */

void pum_file_get_info(const pum_file *file, pum_model_info *info) { *info = file->info; }

int pum_file_n_tensors(const pum_file *file) { return gguf_n_tensors(file->gguf); }

void pum_file_get_tensor(const pum_file *file, int index, pum_tensor_info *info) {
    const gguf_tensor *t = gguf_tensor_at(file->gguf, index);
    *info = (pum_tensor_info){.name = t->name, .type = t->type->name, .n_dims = t->n_dims, .n_bytes = t->n_bytes};
    memcpy(info->dims, t->dims, sizeof info->dims);
}

int pum_file_n_keys(const pum_file *file) { return gguf_n_keys(file->gguf); }

const char *pum_file_key(const pum_file *file, int index) { return gguf_key_at(file->gguf, index)->name; }

int pum_file_value(const pum_file *file, int index, char *text, size_t text_bytes) {
    return gguf_value_text(file->gguf, gguf_key_at(file->gguf, index), text, text_bytes);
}

/* ---- the tokenizer's parameters */

typedef struct vocab_arrays {
    text_span *tokens, *merges;
    float *scores;
    int32_t *kinds;
} vocab_arrays;

static pum_status read_strings(const gguf *g, const gguf_key *key, text_span **spans, pum_error *err) {
    if (key->type != GGUF_ARRAY || key->item_type != GGUF_STRING)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected an array of strings", gguf_path(g), key->name);
    text_span *s = *spans = calloc(key->n_items ? key->n_items : 1, sizeof *s);
    if (!s) return pum_fail_memory(err, key->name, key->n_items * sizeof *s);
    const uint8_t *cursor = key->value;
    for (uint64_t i = 0; i < key->n_items; i++) {
        gguf_string item = gguf_next_string(g, &cursor);
        s[i] = (text_span){item.bytes, item.n_bytes};
    }
    return PUM_OK;
}

/* An optional array of one number per token. */
static pum_status check_numbers(const gguf *g, const char *name, uint64_t n_vocab, const gguf_key **key, pum_error *err) {
    *key = gguf_find_key(g, name);
    if (!*key) return PUM_OK;
    bool numbers = (*key)->type == GGUF_ARRAY && (*key)->item_type != GGUF_STRING && (*key)->item_type != GGUF_ARRAY;
    if (!numbers || (*key)->n_items != n_vocab)
        return pum_fail(err, PUM_ERR_FORMAT,
                        "%s: %s: expected an array of %" PRIu64 " numbers, one per token, got %" PRIu64 " items", gguf_path(g),
                        name, n_vocab, (*key)->n_items);
    return PUM_OK;
}

static pum_status read_arrays(const gguf *g, tokenizer_params *p, vocab_arrays *arrays, pum_error *err) {
    const gguf_key *tokens = gguf_find_key(g, "tokenizer.ggml.tokens"), *merges = gguf_find_key(g, "tokenizer.ggml.merges");
    if (!tokens || tokens->n_items == 0 || tokens->n_items > INT32_MAX)
        return pum_fail(err, PUM_ERR_FORMAT, "%s: tokenizer.ggml.tokens: expected the vocabulary, got %s", gguf_path(g),
                        tokens ? "an array that is empty or too long" : "a file without one");
    const gguf_key *scores, *kinds;
    pum_status status = read_strings(g, tokens, &arrays->tokens, err);
    if (status == PUM_OK && merges) status = read_strings(g, merges, &arrays->merges, err);
    if (status == PUM_OK) status = check_numbers(g, "tokenizer.ggml.scores", tokens->n_items, &scores, err);
    if (status == PUM_OK) status = check_numbers(g, "tokenizer.ggml.token_type", tokens->n_items, &kinds, err);
    if (status != PUM_OK) return status;
    if ((scores && !(arrays->scores = calloc(tokens->n_items, sizeof *arrays->scores))) ||
        (kinds && !(arrays->kinds = calloc(tokens->n_items, sizeof *arrays->kinds))))
        return pum_fail_memory(err, "the vocabulary", tokens->n_items * sizeof *arrays->scores);
    for (uint64_t i = 0; scores && i < tokens->n_items; i++) arrays->scores[i] = (float)gguf_number_at(scores, i);
    for (uint64_t i = 0; kinds && i < tokens->n_items; i++) arrays->kinds[i] = (int32_t)gguf_int_at(kinds, i);
    p->n_vocab = (uint32_t)tokens->n_items;
    p->tokens = arrays->tokens;
    p->scores = arrays->scores;
    p->kinds = arrays->kinds;
    p->merges = arrays->merges;
    p->n_merges = merges ? merges->n_items : 0;
    return PUM_OK;
}

static pum_status read_token_id(const gguf *g, const char *key, uint32_t n_vocab, int32_t *id, pum_error *err) {
    int64_t value = -1;
    // 4294967295 is how some converters write "none".
    pum_status status = gguf_get_int(g, key, -1, UINT32_MAX, &value, err);
    if (status == PUM_OK && value != -1 && value != UINT32_MAX && value >= n_vocab)
        status =
            pum_fail(err, PUM_ERR_FORMAT, "%s: %s: expected an id below %u, got %" PRId64, gguf_path(g), key, n_vocab, value);
    *id = value == UINT32_MAX ? -1 : (int32_t)value;
    return status;
}

static pum_status read_rules(const gguf *g, tokenizer_params *p, pum_error *err) {
    bool sentencepiece = strcmp(p->model, "llama") == 0;
    bool llama3 =
        p->pre && (strcmp(p->pre, "llama-bpe") == 0 || strcmp(p->pre, "llama3") == 0 || strcmp(p->pre, "llama-v3") == 0);
    p->add_bos = sentencepiece || llama3;
    p->add_space_prefix = sentencepiece;
    pum_status status;
    if ((status = read_token_id(g, "tokenizer.ggml.bos_token_id", p->n_vocab, &p->bos, err)) != PUM_OK ||
        (status = read_token_id(g, "tokenizer.ggml.eos_token_id", p->n_vocab, &p->eos, err)) != PUM_OK ||
        (status = read_token_id(g, "tokenizer.ggml.unknown_token_id", p->n_vocab, &p->unk, err)) != PUM_OK ||
        (status = read_token_id(g, "tokenizer.ggml.eot_token_id", p->n_vocab, &p->eot, err)) != PUM_OK ||
        (status = gguf_get_bool(g, "tokenizer.ggml.add_bos_token", &p->add_bos, err)) != PUM_OK ||
        (status = gguf_get_bool(g, "tokenizer.ggml.add_eos_token", &p->add_eos, err)) != PUM_OK ||
        (status = gguf_get_bool(g, "tokenizer.ggml.add_space_prefix", &p->add_space_prefix, err)) != PUM_OK)
        return status;
    return PUM_OK;
}

pum_status pum_file_tokenizer(const pum_file *file, pum_tokenizer **tokenizer, pum_error *err) {
    *tokenizer = NULL;
    const gguf *g = file->gguf;
    gguf_string model = {0}, pre = {0};
    char model_text[64] = "", pre_text[64] = "";
    tokenizer_params p = {.model = model_text};
    vocab_arrays arrays = {0};
    pum_status status;
    if ((status = gguf_get_string(g, "tokenizer.ggml.model", &model, err)) != PUM_OK ||
        (status = gguf_get_string(g, "tokenizer.ggml.pre", &pre, err)) != PUM_OK)
        return status;
    if (!model.bytes)
        return pum_fail(err, PUM_ERR_FORMAT,
                        "%s: expected the key tokenizer.ggml.model, got a file without a tokenizer; convert the model again",
                        gguf_path(g));
    snprintf(model_text, sizeof model_text, "%.*s", (int)(model.n_bytes < 63 ? model.n_bytes : 63), model.bytes);
    if (pre.bytes) {
        snprintf(pre_text, sizeof pre_text, "%.*s", (int)(pre.n_bytes < 63 ? pre.n_bytes : 63), pre.bytes);
        p.pre = pre_text;
    }
    status = read_arrays(g, &p, &arrays, err);
    if (status == PUM_OK) status = read_rules(g, &p, err);
    if (status == PUM_OK) status = tokenizer_create(&p, tokenizer, err);
    free(arrays.tokens);
    free(arrays.merges);
    free(arrays.scores);
    free(arrays.kinds);
    return status == PUM_OK ? status : pum_fail_in(err, status, "%s", gguf_path(g));
}

/* ---- chat */

static pum_status render(const pum_file *file, const pum_chat_message *messages, size_t n_messages, bool generate,
                         chat_pieces *out, pum_error *err) {
    const char *path = gguf_path(file->gguf);
    if (!file->has_template)
        return pum_fail(
            err, PUM_ERR_UNSUPPORTED,
            "%s: expected a chat template, got a file without one (a base model); continue plain text with `pumice run`", path);
    if (!file->format.row)
        return pum_fail(
            err, PUM_ERR_UNSUPPORTED,
            "%s: the chat template is not one that Pumice knows; continue plain text with `pumice run`, writing the template's "
            "markers yourself, or choose another file",
            path);
    return chat_template_render(&file->format, messages, n_messages, generate, file->bos, file->eos, out, err);
}

pum_status pum_chat_text(const pum_file *file, const pum_chat_message *messages, size_t n_messages, bool generate, char **text,
                         pum_error *err) {
    *text = NULL;
    chat_pieces pieces = {0};
    pum_status status = render(file, messages, n_messages, generate, &pieces, err);
    if (status != PUM_OK) return status;
    size_t n = 0;
    for (size_t i = 0; i < pieces.n_pieces; i++) n += pieces.pieces[i].n_bytes;
    char *all = malloc(n + 1), *at = all;
    if (all) {
        for (size_t i = 0; i < pieces.n_pieces; at += pieces.pieces[i++].n_bytes)
            memcpy(at, pieces.pieces[i].bytes, pieces.pieces[i].n_bytes);
        *at = 0;
        *text = all;
    } else {
        status = pum_fail_memory(err, "the conversation's text", n + 1);
    }
    pum_free(pieces.pieces);
    return status;
}

pum_status pum_chat_tokens(const pum_file *file, const pum_tokenizer *tokenizer, const pum_chat_message *messages,
                           size_t n_messages, bool generate, int32_t **tokens, size_t *n_tokens, pum_error *err) {
    *tokens = NULL;
    *n_tokens = 0;
    chat_pieces pieces = {0};
    pum_status status = render(file, messages, n_messages, generate, &pieces, err);
    if (status != PUM_OK) return status;
    // A template that writes BOS itself must not get a second one.
    const text_piece *first = pieces.pieces;
    size_t n_bos = strlen(file->bos);
    bool writes_bos = pieces.n_pieces > 0 && n_bos > 0 && first->special && first->n_bytes >= n_bos &&
                      memcmp(first->bytes, file->bos, n_bos) == 0;
    status = tokenizer_encode_pieces(tokenizer, pieces.pieces, pieces.n_pieces, !writes_bos, tokens, n_tokens, err);
    pum_free(pieces.pieces);
    return status;
}
