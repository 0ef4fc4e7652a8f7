/* A whole model file from the name of it to weights in their places: opened, described, its tokenizer and chat template used, its
 * memory planned, its tensors repacked into memory that a device would read. An input is the header of a file, behind which data
 * goes on for as long as a small model needs; so what changes is what decides. */
#include "file.h"
#include "fuzz/fake_device.h"
#include "fuzz/fuzz.h"
#include "llama/load.h"
#include "llama/tensors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DATA_BYTES = 384 << 10, MOST_WEIGHTS = 8 << 20 };

static void check_text(const char *text, const char *what) {
    if (text) must_be_clean(text, what);
}

static void check_info(const pum_file *file) {
    pum_model_info info;
    pum_file_get_info(file, &info);
    check_text(info.architecture, "an architecture with bytes that no terminal should see");
    check_text(info.name, "a name with bytes that no terminal should see");
    check_text(info.tokenizer, "a tokenizer's name with bytes that no terminal should see");
    check_text(info.chat_template, "a template's name with bytes that no terminal should see");
    must(info.n_layer >= 0 && info.n_embd >= 0 && info.n_head >= 0 && info.n_head_kv >= 0 && info.head_dim >= 0 &&
             info.n_ff >= 0 && info.n_vocab >= 0 && info.n_ctx_train >= 0,
         "a dimension below zero");
    char text[200];
    for (int i = 0; i < pum_file_n_keys(file); i++) {
        must(pum_file_value(file, i, text, sizeof text) >= 0, "a value without a length");
        check_text(pum_file_key(file, i), "the name of a key");
    }
    for (int i = 0; i < pum_file_n_tensors(file); i++) {
        pum_tensor_info t;
        pum_file_get_tensor(file, i, &t);
        check_text(t.name, "the name of a tensor");
    }
}

/* ---- text */

static void check_tokens(const pum_tokenizer *t, const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) must(ids[i] >= 0 && ids[i] < pum_tokenizer_n_vocab(t), "an id outside the vocabulary");
}

static void check_chat(const pum_file *file, const pum_tokenizer *t) {
    static const pum_chat_message messages[] = {
        {"system", "Be brief."}, {"user", " Hello <|im_end|>\n</s> "}, {"assistant", "Hi"}, {"user", "x"}};
    for (size_t first = 0; first < 2; first++) {
        pum_error err = {0};
        int32_t *ids;
        size_t n;
        pum_status status = pum_chat_tokens(file, t, messages + first, 4 - first, true, &ids, &n, &err);
        if (status == PUM_OK)
            check_tokens(t, ids, n);
        else
            must_be_error(status, &err);
        pum_free(ids);
        char *text;
        must(pum_chat_text(file, messages + first, 4 - first, true, &text, &err) == status || status == PUM_OK,
             "text of a chat that has no tokens");
        pum_free(text);
    }
}

static void check_text_of(const pum_file *file) {
    static const char TEXT[] = "Once upon a time, 123  caf\xC3\xA9 <s> \xED\x95\x9C\x80 the end.\n";
    pum_tokenizer *t;
    pum_error err = {0};
    pum_status status = pum_file_tokenizer(file, &t, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return;
    }
    for (int flags = 0; flags < 4; flags++) {
        int32_t *ids;
        size_t n, n_back;
        char *back;
        must(pum_tokenizer_encode(t, TEXT, sizeof TEXT - 1, flags, &ids, &n, &err) == PUM_OK, "encoding failed");
        check_tokens(t, ids, n);
        must(pum_tokenizer_decode(t, ids, n, true, &back, &n_back, &err) == PUM_OK, "decoding failed");
        pum_free(back);
        pum_free(ids);
    }
    const int32_t *stops;
    int n_stops = pum_tokenizer_stops(t, &stops);
    check_tokens(t, stops, (size_t)n_stops);
    check_chat(file, t);
    pum_tokenizer_destroy(&t);
}

/* ---- memory */

static void check_plan(const pum_file *file) {
    static const int n_ctx[] = {-1, 0, 1, 100000};
    for (int i = 0; i < 4; i++) {
        pum_plan plan;
        pum_error err = {0};
        pum_status status = pum_file_plan(file, NULL, n_ctx[i], i % 2 ? PUM_KV_Q8_0 : PUM_KV_F16, &plan, &err);
        if (status != PUM_OK) {
            must_be_error(status, &err);
            continue;
        }
        must(plan.n_ctx > 0 && plan.n_layers > 0, "a plan without a context or layers");
        must(plan.weights_bytes > 0 && plan.weights_bytes < UINT64_MAX / 4 && plan.kv_bytes < UINT64_MAX / 4 &&
                 plan.scratch_bytes < UINT64_MAX / 4,
             "a plan with sizes that have wrapped");
    }
}

static void check_vector(const llama_weights *w, const op_tensor *t) {
    must(t->n_rows == 1 && t->n_slices == 1 && vk_span_mapped(t->slices[0].span) != NULL, "a vector that is nowhere");
    (void)w;
}

static void check_weights(const pum_file *file) {
    static op_kernels *kernels; // it lives as long as the program
    if (!kernels) must(op_kernels_create(fake_device(), &kernels, NULL) == PUM_OK, "no kernels");
    const gguf *g = file_gguf(file);
    llama_config config;
    llama_sizes sizes;
    pum_error err = {0};
    pum_status status = llama_config_read(g, &config, &err);
    if (status == PUM_OK) status = llama_weights_sizes(g, &config, fake_device()->caps.max_storage_range, &sizes, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return;
    }
    must(config.n_head_kv > 0 && config.n_head % config.n_head_kv == 0 && config.n_rot <= config.head_dim && config.n_vocab > 0,
         "dimensions that do not fit each other");
    must(isfinite(config.rope_freq_base) && isfinite(config.rope_freq_scale) && config.rope_freq_scale > 0,
         "positions that are no numbers");
    // A file of this size can claim no more: its tensors are as large as it says.
    must(llama_sizes_total(&config, &sizes) <= MOST_WEIGHTS, "weights larger than their file");
    llama_weights *w;
    status = llama_weights_load(&kernels, NULL, g, &config, NULL, &w, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return;
    }
    check_vector(w, &w->output_norm);
    for (uint32_t i = 0; i < config.n_rot / 2; i++) must(isfinite(w->rope_frequencies[i]), "a frequency that is no number");
    must(llama_weights_bytes_per_token(w) > 0, "a model without weights");
    llama_weights_destroy(&w);
    op_kernels_forget(kernels);
}

/* As floats all of it is small positive numbers, wherever the header ends: what a file may say in numbers is another target's. */
static void put_data(uint8_t *whole, size_t size) {
    static uint8_t data[DATA_BYTES + 4];
    static bool made;
    for (size_t i = 0; !made && i < sizeof data; i++) data[i] = i % 4 == 3 ? 0x3E : (uint8_t)(i * 7 >> i % 5);
    made = true;
    memcpy(whole + size, data + size % 4, DATA_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t whole[(64 << 10) + DATA_BYTES];
    if (size > sizeof whole - DATA_BYTES) return 0;
    if (size) memcpy(whole, data, size);
    put_data(whole, size);
    pum_file *file;
    pum_error err = {0};
    pum_status status = pum_file_open(fuzz_file(whole, size + DATA_BYTES), &file, &err);
    if (status != PUM_OK) {
        must_be_error(status, &err);
        return 0;
    }
    check_info(file);
    check_text_of(file);
    check_plan(file);
    check_weights(file);
    pum_file_destroy(&file);
    return 0;
}
