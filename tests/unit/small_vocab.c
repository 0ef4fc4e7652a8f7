#include "unit/small_vocab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The printable ones stand for themselves, the others for the characters from U+0100 on. */
size_t write_byte(uint8_t byte, char *out) {
    uint32_t code = byte;
    bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    if (!printable) code = 0x100 + (byte < 0x21 ? byte : byte < 0xA1 ? byte - 0x7F + 0x21u : 0x43u);
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    out[0] = (char)(0xC0 | code >> 6);
    out[1] = (char)(0x80 | (code & 63));
    return 2;
}

int32_t small_add(small_vocab *v, const char *name, token_kind kind, float score) {
    uint32_t id = v->params.n_vocab++;
    if (id >= SMALL_MAX_TOKENS || strlen(name) >= SMALL_TOKEN_BYTES) abort();
    memcpy(v->names[id], name, strlen(name) + 1);
    v->tokens[id] = (text_span){v->names[id], strlen(name)};
    v->kinds[id] = kind;
    v->scores[id] = score;
    return (int32_t)id;
}

int32_t small_add_written(small_vocab *v, const char *bytes, size_t n_bytes) {
    char name[SMALL_TOKEN_BYTES] = "";
    size_t n = 0;
    for (size_t i = 0; i < n_bytes && n + 2 < sizeof name; i++) n += write_byte((uint8_t)bytes[i], name + n);
    return small_add(v, name, TOKEN_NORMAL, 0);
}

static void begin(small_vocab *v, const char *model) {
    *v = (small_vocab){0};
    v->params = (tokenizer_params){.model = model,
                                   .tokens = v->tokens,
                                   .scores = v->scores,
                                   .kinds = v->kinds,
                                   .merges = v->merges,
                                   .bos = -1,
                                   .eos = -1,
                                   .unk = -1,
                                   .eot = -1};
}

void small_bpe(small_vocab *v) {
    static const char SPACE_A_MERGE[] = "\xC4\xA0 a"; // U+0120 is how a space is written
    begin(v, "gpt2");
    v->params.pre = "gpt-2";
    for (int b = 0; b < 256; b++) small_add_written(v, (const char[]){(char)b}, 1);
    small_add_written(v, "ab", 2);
    small_add_written(v, "abc", 3);
    small_add_written(v, " a", 2);
    small_add(v, "<|im_start|>", TOKEN_CONTROL, 0);
    v->params.eos = small_add(v, "<|im_end|>", TOKEN_CONTROL, 0);
    small_add(v, "<|im", TOKEN_CONTROL, 0);
    small_add(v, "[user]", TOKEN_USER_DEFINED, 0);
    v->merges[0] = (text_span){"a b", 3};
    v->merges[1] = (text_span){"ab c", 4};
    v->merges[2] = (text_span){SPACE_A_MERGE, 4};
    v->params.n_merges = 3;
}

void small_spm(small_vocab *v) {
    begin(v, "llama");
    v->params.add_bos = v->params.add_space_prefix = true;
    v->params.unk = small_add(v, "<unk>", TOKEN_UNKNOWN, 0);
    v->params.bos = small_add(v, "<s>", TOKEN_CONTROL, 0);
    v->params.eos = small_add(v, "</s>", TOKEN_CONTROL, 0);
    for (int b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", (unsigned)b);
        small_add(v, name, TOKEN_BYTE, 0);
    }
    static const struct {
        const char *name;
        float score;
    } pieces[] = {{"▁", -10}, {"a", -11},  {"b", -12},  {"c", -13}, {"▁a", -3},
                  {"ab", -2}, {"▁ab", -4}, {"abc", -5}, {"▁▁", -1}, {"가", -6}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) small_add(v, pieces[i].name, TOKEN_NORMAL, pieces[i].score);
    small_add(v, "[user]", TOKEN_USER_DEFINED, 0);
    small_add(v, "▁▁▁", TOKEN_USER_DEFINED, 0);
    small_add(v, "<|im_end|>", TOKEN_CONTROL, 0);
}

pum_tokenizer *small_create(const small_vocab *v) {
    pum_tokenizer *t;
    pum_error err = {0};
    if (tokenizer_create(&v->params, &t, &err) == PUM_OK) return t;
    fprintf(stderr, "a small vocabulary: %s\n", err.message);
    abort();
}
