/* The seed corpus of fuzz_markdown. Usage: fuzz_markdown_seeds FOLDER */
#include "fuzz/seed_file.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    static const char *const texts[] = {
        "@# Head *a* **b** `c` ~~d~~\n\n[l](http://x.y) ![i](z) <b>h</b> &amp; &#65; &#x1F600;\n",
        "@- a\n  - b\n    1. c\n\n  d\n- [x] e\n\n> q\n> > r\n\n---\n",
        "@```c\nint a = 0x1; /* c */ \"s\\n\" // d\n```\n\n~~~\nopen",
        "@|a|b|\n|-|:-:|\n|c|d|\n\n<think>\nx\n</think>y",
        "@$E=mc^2$ \\(\\frac{a}{\\sqrt{b_{ij}}}\\) \\[\n\\sum_{i}^n \\alpha\n\\] $$\\begin{x}a&b\\\\c\\end{x}$$ $5 and $6",
        "@\xED\x95\x9C\xEA\xB8\x80 \xD7\xA9\xD7\x9C \xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD \xFF\xC0",
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char name[16];
        snprintf(name, sizeof name, "text_%zu", i);
        seed_file(argv[1], name, texts[i], strlen(texts[i]));
    }
    seed_file(argv[1], "zeros", "@a\0\0b\n", 6);
    return 0;
}
