/* Attachments: what may become one, how it goes into a message, and that it comes out of there again byte by byte. */
#include "attachment.h"
#include "decode_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char why[ATTACHMENT_WHY_BYTES];

static void test_large(void **state) {
    (void)state;
    char *text = calloc(1, 3 * 4001 + 1);
    for (int i = 0; i < 4000; i++) strcpy(text + 3 * i, "한"); // characters, not bytes
    assert_false(attachment_is_large(text));
    strcat(text, "x");
    assert_true(attachment_is_large(text));
    assert_false(attachment_is_large(""));
    free(text);
}

static void test_pasting(void **state) {
    (void)state;
    attachments a = {0};
    assert_true(attachments_paste(&a, "one  two\r\n한국어 \xFF") && attachments_paste(&a, "b") && attachments_paste(&a, "c"));
    assert_string_equal(a.list[0].name, "pasted text 1");
    assert_string_equal(a.list[0].text, "one  two\n한국어 \uFFFD");
    assert_int_equal(a.list[0].n_words, 4);
    assert_int_equal(a.list[0].n_characters, 14);
    assert_int_equal(a.list[0].n_bytes, strlen(a.list[0].text));
    attachments_remove(&a, 1);
    assert_int_equal(a.n, 2);
    assert_string_equal(a.list[1].name, "pasted text 3");
    attachments_remove(&a, 7); // not there
    attachments_paste(&a, "d");
    assert_string_equal(a.list[2].name, "pasted text 4");
    attachments_clear(&a);
    assert_int_equal(a.n, 0);
}

typedef struct encoded {
    const char *bytes;
    size_t n_bytes;
    decoded result;
    const char *text;
} encoded;

#define BYTES(s) s, sizeof s - 1
static const encoded ENCODED[] = {
    {BYTES("plain\r\ntext\rx\n"), DECODED, "plain\ntext\nx\n"},
    {BYTES("\xEF\xBB\xBF한국어"), DECODED, "한국어"},
    {BYTES("\xFF\xFEh\0i\0\r\0\n\0\x3D\xD8\x4D\xDC"), DECODED, "hi\n👍"},
    {BYTES("\xFE\xFF\0h\0i\xD5\x5C"), DECODED, "hi한"},
    {BYTES("\xFE\xFF\xD8\x3D\0h\xDC\x4D\xD8\x3D"), DECODED, "\uFFFDh\uFFFD\uFFFD"}, // halves of pairs
    {BYTES("\xFF\xFEh\0i"), DECODED, "h\uFFFD"},
    {BYTES("\xFF\xFEh\0\0\0"), DECODED_BINARY, NULL},
    {BYTES("caf\xE9 \x93quoted\x94 \x80"), DECODED, "café “quoted” €"},
    {BYTES("한국어 문장 하나가 잘렸\xEB\x8B"), DECODED, "한국어 문장 하나가 잘렸\uFFFD\uFFFD"},
    {BYTES("\xC7\xD1\xB1\xB9\xBE\xEE \xB9\xAE\xC0\xE5\xC0\xCC\xB4\xD9"), DECODED_FOREIGN, NULL}, // EUC-KR
    {BYTES("PK\x03\x04\0\0"), DECODED_BINARY, NULL},
    {BYTES("\x89PNG\r\n\x1A\n"), DECODED_BINARY, NULL},
    {BYTES("\x1F\x8B\x08\x11\xE9"), DECODED_BINARY, NULL},
    {BYTES("\x1B[31mred\x1B[0m\ttab\fpage"), DECODED, "\x1B[31mred\x1B[0m\ttab\fpage"},
    {BYTES(""), DECODED, ""},
    {BYTES("\xFF\xFE"), DECODED, ""},
    {BYTES("\xEF\xBB\xBF"), DECODED, ""},
};

static void test_encodings(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ENCODED / sizeof *ENCODED; i++) {
        char *text, *exact = malloc(ENCODED[i].n_bytes); // so that a sanitizer sees what is read behind it
        memcpy(exact, ENCODED[i].bytes, ENCODED[i].n_bytes);
        decoded result = decode_text(exact, ENCODED[i].n_bytes, &text);
        if (result != ENCODED[i].result) fail_msg("%zu: expected %d, got %d", i, ENCODED[i].result, result);
        if (text)
            assert_string_equal(text, ENCODED[i].text);
        else
            assert_null(ENCODED[i].text);
        free(text);
        free(exact);
    }
}

static void test_names(void **state) {
    (void)state;
    static const char *const names[][2] = {{"notes.txt", "notes.txt"}, {" a\nb`c` ", "a b'c'"}, {"\t", "file"}, {"", "file"},
                                           {"메모.md", "메모.md"},     {"\xFFx", "\uFFFDx"}};
    attachments a = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_true(attachments_bytes(&a, names[i][0], "x", 1, why));
        assert_string_equal(a.list[i].name, names[i][1]);
    }
    attachments_clear(&a);
}

static void write_file(const char *path, const void *bytes, size_t n_bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n_bytes, file), n_bytes);
    fclose(file);
}

static void refuses(const char *path, const char *part) {
    attachments a = {0};
    why[0] = 0;
    assert_false(attachments_file(&a, path, why));
    if (!strstr(why, part)) fail_msg("%s: expected \"%s\", got \"%s\"", path, part, why);
    assert_int_equal(a.n, 0);
    attachments_clear(&a);
}

static void test_files(void **state) {
    (void)state;
    char folder[] = "/tmp/test_attachment.XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    char *big = malloc(ATTACHMENT_MAX_BYTES + 1);
    memset(big, 'x', ATTACHMENT_MAX_BYTES + 1);
    write_file("largest.txt", big, ATTACHMENT_MAX_BYTES);
    write_file("larger.txt", big, ATTACHMENT_MAX_BYTES + 1);
    write_file("zip.txt", "PK\x03\x04\0\0", 6);
    write_file("empty", "", 0);
    write_file("model", "GGUF\3\0\0\0", 8);
    write_file("GG", "GG", 2);
    write_file("\xFF.txt", "\0", 1);
    attachments a = {0};
    assert_true(attachments_file(&a, "largest.txt", why));
    assert_int_equal(a.list[0].n_characters, ATTACHMENT_MAX_BYTES);
    attachments_clear(&a);
    refuses("larger.txt", "larger.txt: expected a text of at most 8 MiB, got 8.0 MiB: attach a part of it");
    refuses("zip.txt", "got a binary file");
    refuses("empty", "got an empty file");
    refuses("\xFF.txt", "\uFFFD.txt: ");
    refuses("nowhere/none.txt", "none.txt: it cannot be read: ");
    refuses(folder, "expected a file, got something else");
    mkfifo("pipe", 0600);
    refuses("pipe", "expected a file, got something else"); // and nothing waits
    assert_true(attachment_is_model("model") && attachment_is_model("not-there.gguf"));
    assert_false(attachment_is_model("largest.txt") || attachment_is_model("GG") || attachment_is_model("not-there"));
    static const char *const files[] = {"largest.txt", "larger.txt", "zip.txt", "empty", "model", "GG", "\xFF.txt", "pipe"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(files[i]);
    assert_int_equal(chdir("/"), 0);
    rmdir(folder);
    free(big);
}

/* ---- messages */

static void test_message(void **state) {
    (void)state;
    attachments a = {0}, read = {0};
    char *message = attachments_message(&a, "words");
    assert_string_equal(message, "words");
    free(message);
    attachments_bytes(&a, "a.md", "```c\nint x;\n```\n", 16, why);
    attachments_paste(&a, "no end of line");
    message = attachments_message(&a, "What is this?");
    assert_string_equal(message, "````attachment a.md\n```c\nint x;\n```\n\n````\n\n"
                                 "```attachment pasted text 1\nno end of line\n```\n\n"
                                 "What is this?");
    assert_string_equal(attachments_read(&read, message), "What is this?");
    assert_int_equal(read.n, 2);
    assert_string_equal(read.list[0].text, "```c\nint x;\n```\n");
    assert_string_equal(read.list[1].name, "pasted text 1");
    assert_int_equal(read.list[1].n_words, 4);
    free(message);
    message = attachments_message(&a, "");
    assert_string_equal(attachments_read(&read, message), "");
    assert_int_equal(read.n, 2);
    free(message);
    attachments_clear(&a);
    attachments_clear(&read);
}

/* What a person wrote that looks much like it stays what it was. */
static void test_not_ours(void **state) {
    (void)state;
    static const char *const messages[] = {
        "",
        "words",
        "```c\nx\n```\n\nwords",
        "``attachment x\ny\n``\n",
        "```attachment x\ny\n```",
        "```attachment x\ny\n```\nwords",
        "```attachment x\ny\n```\n\n",
        "````attachment x\ny\n````\n\nwords", // a fence longer than it need be
        "```attachment \ny\n```\n",
        "```attachment  x\ny\n```\n",
        "```attachment x",
        "```attachment x\n",
        "```attachment x\ny\n````\n",
        "```attachment x\n```\n",
        "\n```attachment x\ny\n```\n",
    };
    attachments a = {0};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        const char *words = attachments_read(&a, messages[i]);
        if (words != messages[i] || a.n != 0) fail_msg("%s: expected words, got %zu attachments", messages[i], a.n);
    }
    attachments_clear(&a);
}

/* Whatever the message: what was read gives it back. And whatever was attached comes out again. */
static void test_any_message(void **state) {
    (void)state;
    static const char *const pieces[] = {
        "```", "`", "\n", "\n\n", "attachment ", "x", "```attachment n\n", "t\n", " ", "\r\n", "````attachment m\n", "\n```\n"};
    uint32_t seed = 11;
    size_t n_with = 0;
    for (int round = 0; round < 100000; round++) {
        char text[512] = "";
        for (int i = 0; i < 12; i++) {
            seed = seed * 1664525u + 1013904223u;
            if ((seed >> 20) % 3) strcat(text, pieces[(seed >> 16) % 12]);
        }
        attachments a = {0}, b = {0};
        const char *words = attachments_read(&a, text);
        char *again = attachments_message(&a, words);
        assert_string_equal(again, text);
        n_with += a.n > 0;
        free(again);
        attachments_clear(&a);

        attachments_paste(&b, text);
        attachments_bytes(&b, text, "y", 1, why);
        char *message = attachments_message(&b, "and words\n");
        assert_string_equal(attachments_read(&a, message), "and words\n");
        assert_int_equal(a.n, b.n);
        for (size_t i = 0; i < a.n; i++) {
            assert_string_equal(a.list[i].name, b.list[i].name);
            assert_string_equal(a.list[i].text, b.list[i].text);
        }
        free(message);
        attachments_clear(&a);
        attachments_clear(&b);
    }
    assert_true(n_with > 100); // some were
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),    cmocka_unit_test(test_pasting),     cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_names),    cmocka_unit_test(test_files),       cmocka_unit_test(test_message),
        cmocka_unit_test(test_not_ours), cmocka_unit_test(test_any_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
