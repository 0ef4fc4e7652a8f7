/* Markdown becomes the blocks that are written out here, and the same ones in whatever pieces it arrives. */
#include "markdown.h"
#include "sections.h"
#include "theme.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A document in words: each block on a line, runs between braces with their marks. */
static char *tell(const md_doc *doc) {
    static const char *const kinds[] = {"p", "h", "code", "table", "rule"};
    md_out out = {0};
    char piece[64];
    for (uint32_t b = 0; b < doc->n_blocks; b++) {
        const md_block *at = &doc->blocks[b];
        int n = snprintf(piece, sizeof piece, "%s", kinds[at->kind]);
        if (at->level) n += snprintf(piece + n, sizeof piece - (size_t)n, "%d", at->level);
        if (at->quotes) n += snprintf(piece + n, sizeof piece - (size_t)n, " q%d", at->quotes);
        if (at->indent) n += snprintf(piece + n, sizeof piece - (size_t)n, " i%d", at->indent);
        if (at->marker[0]) n += snprintf(piece + n, sizeof piece - (size_t)n, " %s", at->marker);
        if (at->language[0]) n += snprintf(piece + n, sizeof piece - (size_t)n, " %s", at->language);
        md_put(&out, piece, (size_t)n);
        md_put(&out, ":", 1);
        for (uint32_t c = at->first_cell; c < at->first_cell + at->n_cells; c++) {
            if (c > at->first_cell) md_put(&out, doc->cells[c].column ? " | " : " // ", doc->cells[c].column ? 3 : 4);
            for (uint32_t r = 0; r < doc->n_runs; r++) {
                const md_run *run = &doc->runs[r];
                if (run->begin < doc->cells[c].begin || run->end > doc->cells[c].end) continue;
                static const char *const marks = "bics";
                n = 0;
                for (int m = 0; m < 4; m++)
                    if (run->marks & 1 << m) piece[n++] = marks[m];
                if (run->link) n += snprintf(piece + n, sizeof piece - (size_t)n, "@%s", doc->links[run->link - 1]);
                if (run->word) n += snprintf(piece + n, sizeof piece - (size_t)n, "%d", run->word);
                if (n && at->kind != MD_CODE) md_put(&out, "{", 1), md_put(&out, piece, (size_t)n), md_put(&out, " ", 1);
                if (at->kind == MD_CODE && run->word)
                    md_put(&out, "{", 1), md_put(&out, piece + 1, (size_t)n - 1), md_put(&out, " ", 1);
                md_put(&out, doc->text + run->begin, run->end - run->begin);
                if (at->kind == MD_CODE ? run->word != 0 : n > 0) md_put(&out, "}", 1);
            }
        }
        md_put(&out, "\n", 1);
    }
    md_put(&out, "", 0);
    return out.text;
}

static void test_blocks(void **state) {
    (void)state;
    static const struct {
        const char *source, *blocks;
    } rows[] = {
        {"", ""},
        {"one\ntwo", "p:one\ntwo\n"},
        {"# A *b*", "h1:A {i b}\n"},
        {"**b** `c` ~~s~~ ***x***", "p:{b b} {c c} {s s} {bi x}\n"},
        {"[a](http://x.y/?q=1)", "p:{@http://x.y/?q=1 a}\n"},
        {"see https://x.org now", "p:see {@https://x.org https://x.org} now\n"},
        {"- a\n- b\n  1. c\n  2. d", "p i1 \xE2\x80\xA2:a\np i1 \xE2\x80\xA2:b\np i2 1.:c\np i2 2.:d\n"},
        {"7) a\n8) b", "p i1 7):a\np i1 8):b\n"},
        {"- [x] a\n- [ ] b", "p i1 \xE2\x98\x91:a\np i1 \xE2\x98\x90:b\n"},
        {"-\n- b", "p i1 \xE2\x80\xA2:\np i1 \xE2\x80\xA2:b\n"},
        {"> a\n>\n> > b", "p q1:a\np q2:b\n"},
        {"---", "rule:\n"},
        {"|a|b|\n|-|-:|\n|c|**d**|", "table:a | b // c | {b d}\n"},
        {"<b>x</b>\n\n<script>y", "p:<b>x</b>\np:<script>y\n"},
        {"a &amp; b &#65; &nope;", "p:a & b A &nope;\n"},
        {"~~~c\nint x = 3; // n\n~~~", "code c:{1 int} x = {4 3}; {3 // n}\n"},
        {"$E = mc^2$", "p:E = mc\xC2\xB2\n"},
        {"\\(\\alpha_i \\leq \\frac{a+b}{2}\\)", "p:\xCE\xB1\xE1\xB5\xA2 \xE2\x89\xA4 (a+b)/2\n"},
        {"it costs $5 and $6", "p:it costs $5 and $6\n"},
        {"`$x^2$`", "p:{c $x^2$}\n"},
        {"$a*b*c$ and *d*", "p:a*b*c and {i d}\n"},
        {"\\[\nx_{ab}\n\\]", "p:x_(ab)\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        md_doc *doc = md_read(rows[i].source, strlen(rows[i].source));
        assert_non_null(doc);
        char *told = tell(doc);
        assert_string_equal(told, rows[i].blocks);
        free(told);
        md_free(&doc);
    }
}

static void keep(section *s) { (void)s; }

static char *tell_sections(const sections *s, const char *source) {
    md_out out = {0};
    md_put(&out, "", 0);
    for (uint32_t i = 0; i < s->n; i++) {
        const section *at = &s->all[i];
        char head[48];
        static const char *const kinds[] = {"text", "code", "thought"};
        int n = snprintf(head, sizeof head, "%s%s%s%.*s:", kinds[at->kind], at->thought ? " t" : "", at->joins ? " +" : "",
                         at->n_language, source + at->language);
        md_put(&out, head, (size_t)n);
        md_put(&out, source + at->begin, at->end - at->begin);
        md_put(&out, "|", 1);
    }
    return out.text;
}

static void test_sections(void **state) {
    (void)state;
    static const struct {
        const char *source, *sections;
    } rows[] = {
        {"", ""},
        {"a\nb\n\nc", "text:a\nb\n|text:c|"},
        {"- a\n\n- b\n\n  c\n\nd", "text:- a\n\n- b\n\n  c\n|text:d|"},
        {"a\n```py\nx\n\ny\n```\nb", "text:a\n|codepy:x\n\ny\n|text:b|"},
        {"```\nopen", "code:open|"},
        {"- a\n  ```\n  x\n\n  y\n  ```\n\nb", "text:- a\n  ```\n  x\n\n  y\n  ```\n|text:b|"},
        {"<think>\na\n\nb</think>c", "thought t:|text t:a\n|text t:b|text:c|"},
        {"$$\na\n\nb\n$$\n\nc", "text:$$\na\n\nb\n$$\n|text:c|"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sections s = {0};
        assert_true(sections_read(&s, rows[i].source, strlen(rows[i].source), keep));
        char *told = tell_sections(&s, rows[i].source);
        assert_string_equal(told, rows[i].sections);
        free(told);
        free(s.all);
    }
}

/* A text of parts that mean something to the reader. */
static size_t make(char *text, size_t capacity, unsigned *seed) {
    static const char *const parts[] = {"\n",  "\n\n",           "- ", "1. ",  "```",     "```c\n",       "~~~\n", "> ",
                                        "# ",  "word ",          "  ", "    ", "<think>", "</think>",     "$$",    "\\[",
                                        "\\]", "|a|b|\n|-|-|\n", "*",  "**",   "`",       "\xED\x95\x9C", "\t",    "---\n"};
    size_t n = 0, wanted = 20 + (*seed = *seed * 1664525 + 1013904223) % 300;
    while (n < wanted && n + 16 < capacity) {
        const char *part = parts[(*seed = *seed * 1664525 + 1013904223) / 65536 % (sizeof parts / sizeof *parts)];
        n += (size_t)sprintf(text + n, "%s", part);
    }
    return n;
}

static void test_pieces(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 400; seed++) {
        char text[512];
        unsigned random = seed;
        size_t n = make(text, sizeof text, &random);
        sections whole = {0}, streamed = {0};
        assert_true(sections_read(&whole, text, n, keep));
        for (size_t at = 0; at < n;) {
            at += 1 + (random = random * 1664525 + 1013904223) / 65536 % 9;
            if (at > n) at = n;
            assert_true(sections_read(&streamed, text, at, keep));
        }
        char *a = tell_sections(&whole, text), *b = tell_sections(&streamed, text);
        if (strcmp(a, b) != 0) fail_msg("seed %u: expected '%s', got '%s'", seed, a, b);
        free(a);
        free(b);
        free(whole.all);
        free(streamed.all);
    }
}

/* ---- contrast: WCAG 2.1, 1.4.3 */

static double luminance(SDL_Color c) {
    double sum = 0;
    const double parts[] = {c.r / 255.0, c.g / 255.0, c.b / 255.0}, weights[] = {0.2126, 0.7152, 0.0722};
    for (int i = 0; i < 3; i++)
        sum += weights[i] * (parts[i] <= 0.03928 ? parts[i] / 12.92 : pow((parts[i] + 0.055) / 1.055, 2.4));
    return sum;
}

static void test_contrast(void **state) {
    (void)state;
    const theme *const themes[] = {&theme_light, &theme_dark, &theme_contrast};
    for (size_t i = 0; i < 3; i++) {
        const theme *t = themes[i];
        const struct {
            const char *name;
            SDL_Color text, ground;
        } pairs[] = {
            {"text on ground", t->text, t->ground},
            {"text on panel", t->text, t->panel},
            {"text on bubble", t->text, t->bubble},
            {"text on selection", t->text, t->selection},
            {"text on code", t->text, t->code},
            {"text on mark", t->mark_text, t->mark},
            {"text on mark now", t->text, t->mark_now},
            {"text on mark", t->text, t->mark},
            {"faint on ground", t->faint, t->ground},
            {"faint on panel", t->faint, t->panel},
            {"faint on bubble", t->faint, t->bubble},
            {"faint on code", t->faint, t->code},
            {"accent on ground", t->accent, t->ground},
            {"accent on panel", t->accent, t->panel},
            {"accent on code", t->accent, t->code},
            {"accent on bubble", t->accent, t->bubble},
            {"accent's text", t->accent_text, t->accent},
            {"error on ground", t->error, t->ground},
            {"keyword", t->keyword, t->code},
            {"string", t->string, t->code},
            {"comment", t->comment, t->code},
            {"number", t->number, t->code},
            {"keyword on selection", t->keyword, t->selection},
            {"string on selection", t->string, t->selection},
            {"comment on selection", t->comment, t->selection},
            {"number on selection", t->number, t->selection},
            {"faint on selection", t->faint, t->selection},
            {"accent on selection", t->accent, t->selection},
        };
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
            double a = luminance(pairs[p].text), b = luminance(pairs[p].ground);
            double contrast = a > b ? (a + 0.05) / (b + 0.05) : (b + 0.05) / (a + 0.05);
            if (!(contrast >= 4.5))
                fail_msg("theme %zu: %s: expected a contrast of at least 4.5, got %.2f", i, pairs[p].name, contrast);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_contrast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
