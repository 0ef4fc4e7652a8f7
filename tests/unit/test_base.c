/* runtime/base: arena, UTF-8, file mapping, errors, log, clock, random numbers. */
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file_source.h"
#include "base/line_reader.h"
#include "base/log.h"
#include "base/random.h"
#include "base/system_memory.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ------------------------------------------------------------------ arena */

static void test_arena(void **state) {
    (void)state;
    arena a = {0};
    enum { N = 3000 };
    static uint8_t *parts[N];
    // Sizes that cross the arena's blocks; each part must keep what is written into it, and come zeroed and aligned.
    for (size_t i = 0; i < N; i++) {
        size_t n = (i * 7919) % 301 + (i % 500 == 0 ? 100000 : 0);
        parts[i] = arena_alloc(&a, n, 1);
        assert_non_null(parts[i]);
        assert_int_equal((uintptr_t)parts[i] % _Alignof(max_align_t), 0);
        for (size_t k = 0; k < n; k++) assert_int_equal(parts[i][k], 0);
        memset(parts[i], (int)(i % 255 + 1), n);
    }
    size_t total = 0;
    for (size_t i = 0; i < N; i++) {
        size_t n = (i * 7919) % 301 + (i % 500 == 0 ? 100000 : 0);
        for (size_t k = 0; k < n; k++) assert_int_equal(parts[i][k], i % 255 + 1);
        total += n;
    }
    assert_true(a.n_bytes >= total && a.n_bytes < 2 * total);
    arena_free(&a);
    assert_true(a.n_bytes == 0 && !a.blocks);
    arena_free(&a);
}

static void test_arena_limits(void **state) {
    (void)state;
    arena a = {0};
    assert_null(arena_alloc(&a, SIZE_MAX, 1));
    assert_null(arena_alloc(&a, SIZE_MAX / 8, 16));
    assert_null(arena_alloc(&a, 1, SIZE_MAX));
    assert_null(arena_copy(&a, "x", SIZE_MAX));
    assert_non_null(arena_alloc(&a, 0, 0));
    assert_string_equal(arena_copy(&a, "text that goes on", 4), "text");
    assert_string_equal(arena_copy(&a, NULL, 0), "");
    arena_free(&a);
}

/* ------------------------------------------------------------------ UTF-8 */

/// Every code point there and back, every beginning of it unfinished, every other byte in its tail impossible.
static void test_utf8_round_trip(void **state) {
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code < 0xE000) continue;
        char bytes[4];
        uint32_t back = 0;
        int n = utf8_encode(code, bytes);
        int expected = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        if (n != expected || utf8_decode(bytes, (size_t)n, &back) != n || back != code) fail_msg("U+%04X: %d bytes", code, n);
        for (int k = 0; k < n; k++)
            if (utf8_decode(bytes, (size_t)k, &back) != 0) fail_msg("U+%04X: its first %d bytes are not unfinished", code, k);
        if (n > 1) {
            bytes[n - 1] = 'x';
            if (utf8_decode(bytes, (size_t)n, &back) != -1) fail_msg("U+%04X: a broken tail is taken", code);
        }
    }
}

static void test_utf8_bytes(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        int length;
        uint32_t code;
    } cases[] = {
        {"A", 1, 1, 'A'},
        {"\0", 1, 1, 0},
        {"\xC3\xA9", 2, 2, 0xE9},
        {"\xED\x95\x9C", 3, 3, 0xD55C},
        {"\xF0\x9F\x98\x80", 4, 4, 0x1F600},
        {"\xF4\x8F\xBF\xBF", 4, 4, 0x10FFFF},
        {"\x80", 1, -1, 0},             // a tail alone
        {"\xC0\x80", 2, -1, 0},         // overlong zero
        {"\xC1\xBF", 2, -1, 0},         // overlong
        {"\xE0\x9F\xBF", 3, -1, 0},     // overlong
        {"\xF0\x8F\xBF\xBF", 4, -1, 0}, // overlong
        {"\xED\xA0\x80", 3, -1, 0},     // surrogate
        {"\xED\xA0", 2, -1, 0},         // surrogate, seen before it is whole
        {"\xF4\x90\x80\x80", 4, -1, 0}, // over U+10FFFF
        {"\xF4\x90", 2, -1, 0},
        {"\xF5\x80\x80\x80", 4, -1, 0},
        {"\xFF", 1, -1, 0},
        {"\xC3", 1, 0, 0},
        {"\xE2\x82", 2, 0, 0},
        {"\xF0\x9F\x98", 3, 0, 0},
        {"\xE2(", 2, -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t code = 0;
        int length = utf8_decode(cases[i].bytes, cases[i].n, &code);
        if (length != cases[i].length || (length > 0 && code != cases[i].code))
            fail_msg("case %zu: expected %d and U+%04X, got %d and U+%04X", i, cases[i].length, cases[i].code, length, code);
    }
}

/* ------------------------------------------------------------------ files */

static void test_file_source(void **state) {
    (void)state;
    char path[] = "/tmp/pumice_test_base_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    file_source source = {.n_bytes = 1};
    pum_error err = {0};
    assert_int_equal(file_source_open(path, &source, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, "the file is empty"));
    assert_int_equal(source.n_bytes, 0);
    file_source_close(&source);

    uint8_t content[10000], read[10000];
    uint64_t n_read;
    for (size_t i = 0; i < sizeof content; i++) content[i] = (uint8_t)(i * 31);
    assert_int_equal(write(fd, content, sizeof content), sizeof content);
    assert_int_equal(file_source_open(path, &source, &err), PUM_OK);
    assert_int_equal(source.n_bytes, sizeof content);
    // Advice of any range, inside or not, changes nothing that is read.
    static const uint64_t ranges[][2] = {{0, 10000}, {1, 1}, {5000, UINT64_MAX}, {9999, 2}, {10000, 1}, {UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        file_source_will_need(&source, ranges[i][0], ranges[i][1]);
        assert_int_equal(file_source_read(&source, 0, read, sizeof read, &n_read, &err), PUM_OK);
        assert_int_equal(n_read, sizeof read);
        assert_memory_equal(read, content, sizeof content);
    }
    // As far as the file goes, and where it was cut short after it was opened.
    assert_int_equal(file_source_read(&source, 9990, read, sizeof read, &n_read, &err), PUM_OK);
    assert_int_equal(n_read, 10);
    assert_memory_equal(read, content + 9990, 10);
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(file_source_read(&source, 90, read, 20, &n_read, &err), PUM_OK);
    assert_int_equal(n_read, 10);
    assert_int_equal(file_source_read(&source, 5000, read, 20, &n_read, &err), PUM_OK);
    assert_int_equal(n_read, 0);
    assert_int_equal(pwrite(fd, content, sizeof content, 0), sizeof content);
    close(fd);
    file_source_close(&source);
    assert_int_equal(source.n_bytes, 0);
    file_source_close(&source);

    // An open descriptor, of a file that has no name any more; it stays open.
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    unlink(path);
    char descriptor[64];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    assert_int_equal(file_source_open(descriptor, &source, &err), PUM_OK);
    assert_int_equal(file_source_read(&source, 1000, read, 1000, &n_read, &err), PUM_OK);
    assert_memory_equal(read, content + 1000, 1000);
    file_source_close(&source);
    assert_int_equal(close(fd), 0);
    assert_int_equal(file_source_open(path, &source, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "No such file"));
    assert_int_equal(file_source_open("/tmp", &source, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, "expected a regular file, got a folder"));
    assert_int_equal(file_source_open("/dev/zero", &source, NULL), PUM_ERR_IO);
    assert_int_equal(file_source_open("/proc/self/fd/999999", &source, NULL), PUM_ERR_IO);
}

/* ------------------------------------------------------------------ errors, log, time */

static void test_errors(void **state) {
    (void)state;
    pum_error err = {0};
    assert_int_equal(pum_fail(&err, PUM_ERR_FORMAT, "%s: expected %d, got %d", "thing", 1, 2), PUM_ERR_FORMAT);
    assert_int_equal(err.status, PUM_ERR_FORMAT);
    assert_string_equal(err.message, "thing: expected 1, got 2");
    assert_int_equal(pum_fail_in(&err, PUM_ERR_IO, "part %d", 3), PUM_ERR_IO);
    assert_string_equal(err.message, "part 3: thing: expected 1, got 2");
    assert_int_equal(err.status, PUM_ERR_IO);
    assert_int_equal(pum_fail_memory(&err, "KV cache", 1ull << 40), PUM_ERR_MEMORY);
    assert_non_null(strstr(err.message, "KV cache: needed 1099511627776 bytes"));
    assert_int_equal(pum_fail(NULL, PUM_ERR_DEVICE, "%s", "nobody listens"), PUM_ERR_DEVICE);
    assert_int_equal(pum_fail_in(NULL, PUM_ERR_DEVICE, "nobody listens"), PUM_ERR_DEVICE);

    char longer[3000];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    pum_fail(&err, PUM_ERR_FORMAT, "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    pum_fail_in(&err, PUM_ERR_FORMAT, "in");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_memory_equal(err.message, "in: aaa", 7);
    pum_fail_in(&err, PUM_ERR_FORMAT, "%s", longer);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_status_names(void **state) {
    (void)state;
    assert_string_equal(pum_status_name(PUM_OK), "PUM_OK");
    assert_string_equal(pum_status_name((pum_status)-99), "PUM_ERR_?");
    for (int status = PUM_ERR_ABORTED; status < PUM_OK; status++) {
        const char *name = pum_status_name((pum_status)status);
        assert_true(strncmp(name, "PUM_ERR_", 8) == 0 && name[8] != '?');
        for (int other = status + 1; other <= PUM_OK; other++) assert_string_not_equal(name, pum_status_name((pum_status)other));
    }
}

typedef struct heard {
    int n;
    pum_log_level level;
    char last[2000];
} heard;

static void hear(void *user, pum_log_level level, const char *message) {
    heard *h = user;
    h->n++;
    h->level = level;
    snprintf(h->last, sizeof h->last, "%s", message);
}

static void *talk(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) base_log(PUM_LOG_DEBUG, "line %d", i);
    return NULL;
}

static void test_log(void **state) {
    (void)state;
    static heard h;
    base_log(PUM_LOG_INFO, "nobody listens");
    pum_set_log(hear, &h);
    base_log(PUM_LOG_WARNING, "%d devices", 3);
    assert_int_equal(h.n, 1);
    assert_int_equal(h.level, PUM_LOG_WARNING);
    assert_string_equal(h.last, "3 devices");
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, talk, NULL), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    assert_int_equal(h.n, 4001); // one call at a time: none is lost
    pum_set_log(NULL, NULL);
    base_log(PUM_LOG_INFO, "nobody listens again");
    assert_int_equal(h.n, 4001);
}

static void test_clock(void **state) {
    (void)state;
    uint64_t wall = clock_now_ns(), cpu = clock_thread_cpu_ns();
    uint64_t spent = 0;
    while (spent < 2000000) spent = clock_thread_cpu_ns() - cpu; // 2 ms of work
    assert_true(clock_now_ns() - wall >= spent / 2);
    uint64_t before = clock_thread_cpu_ns();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    assert_true(clock_thread_cpu_ns() - before < 15000000); // sleeping is not CPU time
}

/* ------------------------------------------------------------------ random numbers */

/* Against the paper's own vectors (Random123's kat_vectors). */
static void test_philox(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], words[4];
    } known[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t words[4];
        random_philox(known[i].counter, known[i].key, words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

static void test_random_uniform(void **state) {
    (void)state;
    assert_true(random_uniform(0, 0) == (float)0x6627e8 * 0x1p-24f);
    // Both halves of seed and number count.
    assert_true(random_uniform(1, 0) != random_uniform(1ull << 32, 0) && random_uniform(0, 1) != random_uniform(0, 1ull << 32));
    enum { N = 100000 };
    double sum = 0, squares = 0;
    for (uint64_t i = 0; i < N; i++) {
        double u = (double)random_uniform(42, i);
        assert_true(u >= 0 && u < 1);
        sum += u - 0.5;
        squares += (u - 0.5) * (u - 0.5);
    }
    assert_true(sum * sum < 25.0 * N / 12); // five deviations
    assert_true(squares > 0.99 * N / 12 && squares < 1.01 * N / 12);
}

/* Bytes in pieces of each size: the same lines; one that is too long is cut, and nothing of it is lost. */
static void test_lines_from_pieces(void **state) {
    (void)state;
    enum { N_LONG = LINE_READER_BYTES + 100 };
    static char text[N_LONG + 64], got[N_LONG + 64];
    strcpy(text, "one\n\ntwo words\n");
    memset(text + strlen(text), 'x', N_LONG);
    strcpy(text + strlen(text), "\nlast\nno end");
    size_t n_text = strlen(text);
    for (size_t piece = 1; piece < 5000; piece = piece * 3 + 1) {
        line_reader *r = calloc(1, sizeof *r);
        int n_lines = 0;
        size_t n_got = 0, longest = 0;
        for (size_t at = 0; at < n_text;) {
            size_t room;
            char *to = line_reader_room(r, &room);
            assert_true(room > 0);
            size_t n = n_text - at < piece ? n_text - at : piece;
            if (n > room) n = room;
            memcpy(to, text + at, n);
            line_reader_add(r, n);
            at += n;
            for (const char *line; (line = line_reader_take(r)); n_lines++) {
                size_t length = strlen(line);
                memcpy(got + n_got, line, length);
                n_got += length;
                longest = length > longest ? length : longest;
            }
        }
        assert_int_equal(n_lines, 6); // one, nothing, two words, the first part of the long one, its rest, last
        assert_int_equal(longest, LINE_READER_BYTES - 1);
        assert_int_equal(n_got, 3 + 9 + N_LONG + 4);
        free(r);
    }
}

static void test_memory_of_the_system(void **state) {
    (void)state;
    uint64_t bytes = system_memory_available_bytes();
    assert_true(bytes == UINT64_MAX || (bytes > 1 << 20 && bytes < (uint64_t)1 << 50));
#ifdef __linux__
    assert_true(bytes != UINT64_MAX);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_limits),
        cmocka_unit_test(test_utf8_round_trip),
        cmocka_unit_test(test_utf8_bytes),
        cmocka_unit_test(test_file_source),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_status_names),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_philox),
        cmocka_unit_test(test_random_uniform),
        cmocka_unit_test(test_lines_from_pieces),
        cmocka_unit_test(test_memory_of_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
