/* The seed corpus of fuzz_tokenizer: each text for each of its tokenizers. Usage: fuzz_tokenizer_seeds FOLDER */
#include "fuzz/seed_file.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    static const char *const texts[] = {
        "",
        " ",
        "Hello, world!  ab aba\tabab\r\n\n x",
        "\xED\x95\x9C\xEA\xB8\x80 \xF0\x9F\x99\x82 caf\xC3\xA9",
        "\xE2\x96\x81 a\xE2\x96\x81\xE2\x96\x81 b",
        "<s>ab</s> <|x|><|x|>< |> <|x|",
        "\x80\xFF\xED\xA0\x80\xC0\xAF\xF0\x9F",
        "<|x|><   a    b<|x|><<|x|><  c",
        "aaaaaaaaaaabaab it's I'LL 12345  6",
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (int kind = 0; kind < 9; kind++)
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            char name[32], bytes[128] = {(char)kind};
            snprintf(name, sizeof name, "text_%d_%zu", kind, i);
            memcpy(bytes + 1, texts[i], strlen(texts[i]));
            seed_file(argv[1], name, bytes, 1 + strlen(texts[i]));
        }
    seed_file(argv[1], "zeros", "\2a\0\0b", 5);
    return 0;
}
