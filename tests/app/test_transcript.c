/* Layout covers each byte once and in order; what streams is laid out as what came at once; selection, copying and finding. */
#include "laid.h"
#include "reader.h"
#include "transcript.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static fonts *f;

static const char TEXT[] =
    "# Head\n\nSome **bold** words and `code` that wrap, \xED\x95\x9C\xEA\xB5\xAD\xEC\x96\xB4 \xE6\x97\xA5\xE6\x9C\xAC.\n\n"
    "\xD9\x85\xD8\xB1\xD8\xAD\xD8\xA8\xD8\xA7 English \xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D (12) \xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD\n\n"
    "- one\n- two\n\n```c\nint main(void) {\n\treturn 0;\n}\n```\n\n|a|b|\n|-|-|\n|c d e|f|\n\nThe end.";

static int setup(void **state) {
    (void)state;
    if (TTF_Init() != 0 || !(f = fonts_open(16))) {
        printf("skipped: no font\n");
        exit(77);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fonts_close(&f);
    TTF_Quit();
    return 0;
}

static void check_cell(const md_doc *doc, const md_cell *c, int width) {
    layout l;
    assert_true(layout_build(&l, f, doc, c->begin, c->end, 0, width, 'l'));
    uint32_t at = c->begin;
    for (uint32_t i = 0; i < l.n_lines; i++) {
        assert_int_equal(l.lines[i].begin, at);
        uint32_t in = at;
        for (uint32_t p = 0; p < l.lines[i].n_pieces; p++) {
            const layout_piece *piece = &l.pieces[l.lines[i].piece + p];
            assert_int_equal(piece->begin, in);
            assert_true(piece->end > piece->begin);
            in = piece->end;
        }
        assert_true(in == l.lines[i].end || (in + 1 == l.lines[i].end && doc->text[in] == '\n'));
        at = l.lines[i].end;
        // One piece alone may be wider than the line; more than that must fit.
        if (width >= 200) assert_true(l.lines[i].width <= width);
    }
    assert_int_equal(at, c->end);
    layout_free(&l);
}

static void test_covers(void **state) {
    (void)state;
    static const int widths[] = {1, 17, 60, 200, 333, 900, 5000};
    md_doc *doc = md_read(TEXT, sizeof TEXT - 1);
    assert_non_null(doc);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
        for (uint32_t c = 0; c < doc->n_cells; c++) check_cell(doc, &doc->cells[c], widths[w]);
    md_free(&doc);
}

static void test_right_to_left(void **state) {
    (void)state;
    static const char text[] = "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D abc";
    md_doc *doc = md_plain(text, sizeof text - 1);
    layout l;
    assert_true(layout_build(&l, f, doc, 0, sizeof text - 1, 0, 500, 'l'));
    assert_int_equal(l.n_lines, 1);
    const layout_piece *first = &l.pieces[0], *last = &l.pieces[l.n_pieces - 1];
    assert_true(first->rtl && !last->rtl);
    assert_true(first->x > last->x); // the paragraph begins on the right
    assert_int_equal(first->x + first->width, 500);
    assert_true(layout_x(&l, f, doc->text, 0, 2) < first->x + first->width);
    layout_free(&l);
    md_free(&doc);
}

static int settled_height(transcript *t) {
    transcript_layout(t, f, 400);
    transcript_settle(t, f, 0, 100000, false);
    return transcript_height(t);
}

/* What streams goes on where it was, whatever came behind it. */
static void test_notice_in_between(void **state) {
    (void)state;
    transcript *t = transcript_create();
    assert_false(transcript_append(t, "lost"));
    transcript_add(t, MESSAGE_ASSISTANT, "the beginning");
    transcript_add(t, MESSAGE_NOTICE, "a notice");
    assert_true(transcript_append(t, ", and the end"));
    settled_height(t);
    assert_string_equal(transcript_message(t, 0), "the beginning, and the end");
    assert_string_equal(transcript_message(t, 1), "a notice");
    transcript_destroy(&t);
}

static void test_stream(void **state) {
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        transcript *whole = transcript_create(), *streamed = transcript_create();
        transcript_add(whole, MESSAGE_ASSISTANT, TEXT);
        transcript_add(streamed, MESSAGE_ASSISTANT, "");
        unsigned random = seed;
        for (size_t at = 0; at < sizeof TEXT - 1;) {
            size_t n = 1 + (random = random * 1664525 + 1013904223) / 65536 % 12;
            if (n > sizeof TEXT - 1 - at) n = sizeof TEXT - 1 - at;
            char piece[16] = {0};
            memcpy(piece, TEXT + at, n);
            assert_true(transcript_append(streamed, piece));
            settled_height(streamed);
            at += n;
        }
        assert_int_equal(settled_height(streamed), settled_height(whole));
        text_place first, last;
        assert_true(transcript_ends(whole, &first, &last));
        char *a = transcript_copy(whole, first, last, false), *b = transcript_copy(streamed, first, last, false);
        assert_string_equal(a, b);
        free(a);
        free(b);
        transcript_destroy(&whole);
        transcript_destroy(&streamed);
    }
}

static void test_copy(void **state) {
    (void)state;
    transcript *t = transcript_create();
    transcript_add(t, MESSAGE_USER, "a *b*");
    transcript_add(t, MESSAGE_ASSISTANT, "x **y**\n\n- one\n- two\n\n```c\nint a;\n```");
    settled_height(t);
    text_place first, last;
    assert_true(transcript_ends(t, &first, &last));
    char *text = transcript_copy(t, first, last, false), *markdown = transcript_copy(t, last, first, true);
    assert_string_equal(text, "a *b*\n\nx y\n\n\xE2\x80\xA2 one\n\xE2\x80\xA2 two\n\nint a;");
    assert_string_equal(markdown, "a *b*\n\nx **y**\n\n- one\n- two\n\n```c\nint a;\n```");
    free(text);
    free(markdown);
    // From the middle of one message into the next.
    text_place from = {0, 0, 0, 2}, to = {1, 0, 0, 3};
    text = transcript_copy(t, from, to, true);
    assert_string_equal(text, "*b*\n\nx **y**");
    free(text);
    transcript_destroy(&t);
}

static void test_steps(void **state) {
    (void)state;
    transcript *t = transcript_create();
    transcript_add(t, MESSAGE_USER, "ab");
    transcript_add(t, MESSAGE_ASSISTANT, "c\n\nd");
    settled_height(t);
    text_place at = {0};
    for (int i = 0; i < 3; i++) transcript_step(t, f, &at, STEP_RIGHT);
    assert_int_equal(at.message, 1);
    assert_int_equal(at.section, 0);
    for (int i = 0; i < 2; i++) transcript_step(t, f, &at, STEP_RIGHT);
    assert_int_equal(at.section, 1);
    transcript_step(t, f, &at, STEP_UP);
    assert_int_equal(at.section, 0);
    transcript_step(t, f, &at, STEP_UP);
    assert_int_equal(at.message, 0);
    transcript_destroy(&t);
}

static void test_find(void **state) {
    (void)state;
    transcript *t = transcript_create();
    transcript_add(t, MESSAGE_USER, "The word");
    transcript_add(t, MESSAGE_ASSISTANT, "a wo**rd**, WORD and \xC3\x84pfel\n\nno\n\nword");
    settled_height(t);
    assert_int_equal(transcript_find(t, "word"), 4);
    assert_int_equal(transcript_found(t, 3).section, 2);
    assert_int_equal(transcript_find(t, "\xC3\xA4pfel"), 1);
    assert_int_equal(transcript_find(t, "absent"), 0);
    assert_int_equal(transcript_find(t, ""), 0);
    transcript_destroy(&t);
}

static void press(reader *r, const reader_view *v, SDL_Keycode code, uint16_t mod) {
    assert_true(reader_event(r, v, &(SDL_Event){.key = {.type = SDL_KEYDOWN, .keysym = {.sym = code, .mod = mod}}}));
}

/* While an answer streams, more is found behind what was. */
static void test_find_while_it_grows(void **state) {
    (void)state;
    transcript *t = transcript_create();
    int scroll = 0;
    bool sticks = true;
    reader r = {0};
    const reader_view v = {t, f, {0, 0, 400, 300}, &scroll, &sticks};
    transcript_add(t, MESSAGE_USER, "a word");
    transcript_add(t, MESSAGE_ASSISTANT, "a wo");
    settled_height(t);
    press(&r, &v, SDLK_f, KMOD_LCTRL);
    assert_true(reader_event(&r, &v, &(SDL_Event){.text = {.type = SDL_TEXTINPUT, .text = "word"}}));
    assert_int_equal(r.n_found, 1);
    transcript_append(t, "rd");
    settled_height(t);
    press(&r, &v, SDLK_DOWN, 0);
    assert_int_equal(r.n_found, 2);
    assert_int_equal(r.now, 1);
    transcript_append(t, ", word");
    settled_height(t);
    reader_grown(&r, &v);
    assert_int_equal(r.n_found, 3);
    assert_int_equal(r.now, 1);
    reader_free(&r);
    transcript_destroy(&t);
}

/* What is seen stays where it is, although what is above turns out higher than guessed. */
static void test_no_jump(void **state) {
    (void)state;
    transcript *t = transcript_create();
    for (int i = 0; i < 200; i++)
        transcript_add(t, i & 1 ? MESSAGE_ASSISTANT : MESSAGE_USER,
                       "# A heading\n\nand iiiiiii llllll iiiii\n\n|a|b|\n|-|-|\n|c|d|\n\n```\nx\n```");
    transcript_layout(t, f, 400);
    int scroll = transcript_settle(t, f, 0, 300, true);
    assert_int_equal(scroll, transcript_height(t) - 300);
    for (int i = 0; i < 100; i++) {
        text_place seen;
        int before, after, height;
        SDL_Rect area = {0, 0, 400, 300};
        assert_true(transcript_place_at(t, f, area, scroll, 100, 150, &seen));
        transcript_locate(t, f, seen, &before, &height);
        int wanted = scroll - 90, settled = transcript_settle(t, f, wanted, 300, false);
        transcript_locate(t, f, seen, &after, &height);
        assert_int_equal(after - settled, before - scroll + 90);
        scroll = settled;
    }
    transcript_destroy(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_covers),  cmocka_unit_test(test_right_to_left),
        cmocka_unit_test(test_stream),  cmocka_unit_test(test_notice_in_between),
        cmocka_unit_test(test_copy),    cmocka_unit_test(test_steps),
        cmocka_unit_test(test_find),    cmocka_unit_test(test_find_while_it_grows),
        cmocka_unit_test(test_no_jump),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
