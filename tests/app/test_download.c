/* Downloads from model_server.py: whole, cut, stalled, refused, corrupted, changed, paused, killed.
 *
 *   test_download SERVER.py [--seed N]
 *   test_download --fetch URL FILE BYTES SHA256    one download, for the test that kills it */
#include "chat/download.h"
#include "chat/download_fetch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MEANWHILE_MS = 20000 };

static const char *program;
static int port, n_names;
static uint64_t n_bytes;
static char sha256[80], wrong_sha256[80];
static char folder[64], file[128], part_path[160], notes[160], name[32];
static download_status status;

/* ---- what the tests share */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(int ms) { nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL); }

/* Each test asks for a file of another name, so that the server counts its questions alone. */
static int fresh(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pumice-download-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(name, sizeof name, "%d.gguf", n_names++);
    snprintf(file, sizeof file, "%s/models/%s", folder, name);
    snprintf(part_path, sizeof part_path, "%s.part", file);
    snprintf(notes, sizeof notes, "%s.part.json", file);
    return 0;
}

static int clean(void **state) {
    (void)state;
    char models[128];
    snprintf(models, sizeof models, "%s/models", folder);
    unlink(file);
    unlink(part_path);
    unlink(notes);
    rmdir(models);
    return rmdir(folder);
}

static const char *url_of(const char *behaviour) {
    static char urls[4][256];
    static int n;
    char *url = urls[n++ % 4];
    snprintf(url, sizeof *urls, "http://127.0.0.1:%d/%s/%s", port, behaviour, name);
    return url;
}

static void again(void **state) {
    assert_int_equal(clean(state), 0);
    assert_int_equal(fresh(state), 0);
}

/* Begins a download from one or two sources (b may be NULL). checked: with length and checksum. */
static download *begin(const char *a, const char *b, bool checked) {
    const char *sources[] = {url_of(a), b ? url_of(b) : NULL};
    download_params params = {
        .file = file, .sources = sources, .n_sources = b ? 2 : 1, .stall_s = 1, .first_wait_ms = 10, .n_tries = 3};
    if (checked) params.n_bytes = n_bytes, params.sha256 = sha256;
    download *d;
    pum_error err;
    assert_int_equal(download_start(&params, &d, &err), PUM_OK);
    return d;
}

static void wait_for(download *d, download_state state, uint64_t bytes) {
    for (int64_t until = now_ms() + MEANWHILE_MS;;) {
        download_get_status(d, &status);
        if (status.state == state && status.done_bytes >= bytes) return;
        if (status.state >= DOWNLOAD_DONE || now_ms() > until) {
            print_error("expected the state %d, got %d: %s\n", state, status.state, status.message);
            fail();
        }
        sleep_ms(2);
    }
}

static void wait_for_end(download *d) {
    for (int64_t until = now_ms() + MEANWHILE_MS;;) {
        download_get_status(d, &status);
        if (status.state >= DOWNLOAD_DONE) return;
        if (now_ms() > until) fail_msg("it does not end: %d, %s", status.state, status.message);
        sleep_ms(2);
    }
}

static void destroy(download **d) {
    int64_t since = now_ms();
    download_destroy(d);
    assert_null(*d);
    if (now_ms() - since > 300) fail_msg("stopping took %lld ms", (long long)(now_ms() - since)); // of which 100 for this machine
}

static uint64_t size_of(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 ? (uint64_t)s.st_size : 0;
}

/* Whether the file is the model, by another's word. */
static bool is_model(const char *path) {
    char command[256], got[80] = "";
    snprintf(command, sizeof command, "sha256sum %s", path);
    FILE *pipe = popen(command, "r");
    bool read = fscanf(pipe, "%64s", got) == 1;
    return pclose(pipe) == 0 && read && strcmp(got, sha256) == 0;
}

static void has_got(download *d) {
    wait_for_end(d);
    if (status.state != DOWNLOAD_DONE) print_error("%s\n", status.message);
    assert_int_equal(status.state, DOWNLOAD_DONE);
    assert_int_equal(status.done_bytes, n_bytes);
    assert_int_equal(status.total_bytes, n_bytes);
    assert_true(is_model(file));
    assert_int_equal(access(part_path, F_OK), -1);
    assert_int_equal(access(notes, F_OK), -1);
    destroy(&d);
}

static void says(const char *word) {
    if (!strstr(status.message, word)) print_error("expected \"%s\" in: %s\n", word, status.message);
    assert_non_null(strstr(status.message, word));
}

/* It fails with that sentence; so much of the file is kept. */
static void has_failed(download *d, const char *word, uint64_t kept) {
    wait_for_end(d);
    assert_int_equal(status.state, DOWNLOAD_FAILED);
    says(word);
    destroy(&d);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(size_of(part_path), kept);
    if (kept) return;
    assert_int_equal(access(part_path, F_OK), -1);
    assert_int_equal(access(notes, F_OK), -1);
}

/* What was asked for: "first-byte validator" for each request. */
static const char *asked(void) {
    static char text[4096];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(s, (struct sockaddr *)&to, sizeof to), 0);
    dprintf(s, "GET /asked/%s HTTP/1.0\r\n\r\n", name);
    size_t n = 0;
    for (ssize_t got; n < sizeof text - 1 && (got = read(s, text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
    text[n] = 0;
    close(s);
    char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    return body + 4;
}

static void write_part(const void *bytes, size_t n) {
    char models[128];
    snprintf(models, sizeof models, "%s/models", folder);
    mkdir(models, 0700);
    FILE *f = fopen(part_path, "wb");
    assert_non_null(f);
    fwrite(bytes, 1, n, f);
    fclose(f);
}

/* ---- the tests */

static void test_whole(void **state) {
    (void)state;
    download *d = begin("good", NULL, true);
    wait_for_end(d);
    assert_true(status.checked);
    assert_string_equal(status.message, "");
    has_got(d);
    assert_string_equal(asked(), "0 -\n");
}

static void test_not_checked(void **state) {
    (void)state;
    static const char *const behaviours[] = {"good", "nolength"};
    for (int i = 0; i < 2; i++) {
        download *d = begin(behaviours[i], NULL, false);
        wait_for_end(d);
        assert_false(status.checked); // nobody promised a checksum
        unlink(part_path);
        assert_true(is_model(file));
        destroy(&d);
    }
}

static void test_checksum_of_the_source(void **state) {
    (void)state;
    download *d = begin("linked/good", NULL, false);
    wait_for_end(d);
    assert_true(status.checked);
    has_got(d);
    again(state);
    d = begin("linked/corrupt", NULL, false);
    has_failed(d, wrong_sha256, 0);
    // It is another one than the one that is wanted: nothing is loaded.
    const char *source = url_of("linked/slow");
    char other[65];
    memset(other, 'A', 64);
    other[64] = 0;
    download_params params = {.file = file, .sources = &source, .n_sources = 1, .sha256 = other};
    assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
    has_failed(d, "has another file: expected the SHA-256 aaaaaaaa", 0);
}

static void test_goes_on_after_cuts(void **state) {
    (void)state;
    has_got(begin("cut", NULL, true));
    assert_string_equal(asked(), "0 -\n700000 \"one\"\n1400000 \"one\"\n2100000 \"one\"\n2800000 \"one\"\n");
}

static void test_goes_on_by_date(void **state) {
    (void)state;
    has_got(begin("dated", NULL, false));
    assert_string_equal(asked(), "0 -\n700000 Sun, 06 Nov 1994 08:49:37 GMT\n");
}

static void test_a_source_that_cannot_go_on(void **state) {
    (void)state;
    static const char *const behaviours[] = {"norange", "offset"};
    for (int i = 0; i < 2; i++) {
        download *d = begin(behaviours[i], NULL, true);
        wait_for(d, DOWNLOAD_RUNNING, 1);
        while (download_get_status(d, &status), status.state < DOWNLOAD_DONE && !*status.message) sleep_ms(1);
        has_got(d);
        again(state);
    }
}

/* Without anything that tells whether the file is the same, nothing is put behind what is there, unless a checksum will tell. */
static void test_no_validator(void **state) {
    (void)state;
    has_got(begin("notag", NULL, false));
    assert_string_equal(asked(), "0 -\n0 -\n");
    again(state);
    has_got(begin("weak", NULL, false));
    assert_string_equal(asked(), "0 -\n0 -\n");
    again(state);
    has_got(begin("notag", NULL, true));
    assert_string_equal(asked(), "0 -\n700000 -\n");
}

static void test_stalled(void **state) {
    (void)state;
    download *d = begin("stall", NULL, true);
    wait_for(d, DOWNLOAD_WAITING, 1);
    says("nothing came from 127.0.0.1 for 1 s");
    has_got(d);
    assert_string_equal(asked(), "0 -\n700000 \"one\"\n");
}

static void test_servers_in_trouble(void **state) {
    (void)state;
    has_got(begin("broken", NULL, true));
    assert_string_equal(asked(), "0 -\n0 -\n0 -\n");
    again(state);
    int64_t since = now_ms();
    has_got(begin("busy", NULL, true));
    assert_true(now_ms() - since >= 1000); // as it asked
}

static void test_refused(void **state) {
    (void)state;
    has_failed(begin("missing", NULL, true), "127.0.0.1 does not have the file (HTTP 404)", 0);
    has_failed(begin("private", NULL, true), "does not give the file to everybody (HTTP 403)", 0);
    has_failed(begin("short", NULL, true), "expected 3000004 bytes, got 3000003", 0);
    has_failed(begin("long", NULL, true), "expected 3000004 bytes, got 3000005", 0);
    has_failed(begin("html", NULL, false), "expected a GGUF file, got something else, perhaps a page to log in at", 0);
    has_failed(begin("empty", NULL, false), "after 0 of 0 bytes", 0);
    has_failed(begin("tofile", NULL, true), "expected to be sent on to a http or https address, got file:///etc/passwd", 0);
    has_failed(begin("toftp", NULL, true), "got ftp://127.0.0.1/model", 0);
    has_failed(begin("loop", NULL, true), "sent on more than 8 times", 0);
}

static void test_other_protocols(void **state) {
    (void)state;
    static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x", "", "http://"};
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        download_params params = {.file = file, .sources = &urls[i], .n_sources = 1, .first_wait_ms = 1};
        download *d;
        assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
        has_failed(d, "expected a http or https address", 0);
    }
    assert_true(fetch_may_lead("http://a", "https://b") && fetch_may_lead("http://a", "http://b") &&
                fetch_may_lead("HTTPS://a", "https://b"));
    assert_false(fetch_may_lead("https://a", "http://b") || fetch_may_lead("HTTPS://a", "http://b") ||
                 fetch_may_lead("http://a", "file://b"));
    assert_false(fetch_may_lead("http://a", "httpsx://b") || fetch_may_lead("http://a", "/b"));
}

static void test_nobody_answers(void **state) {
    (void)state;
    static const char *const urls[] = {"http://127.0.0.1:9/x", "http://nowhere.invalid/x"};
    static const char *const words[] = {"127.0.0.1 does not answer", "nowhere.invalid was not found"};
    for (int i = 0; i < 2; i++) {
        download_params params = {.file = file, .sources = &urls[i], .n_sources = 1, .first_wait_ms = 1, .n_tries = 2};
        download *d;
        assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
        has_failed(d, words[i], 0);
    }
}

static void test_the_next_source(void **state) {
    (void)state;
    download *d = begin("missing", "good", true);
    wait_for_end(d);
    assert_int_equal(status.source, 1);
    has_got(d);
    again(state);
    // What came of a good source that broke is used, for the checksum will tell …
    download_params params = {.file = file,
                              .sources = (const char *const[]){url_of("stall"), url_of("good")},
                              .n_sources = 2,
                              .n_bytes = n_bytes,
                              .sha256 = sha256,
                              .stall_s = 1,
                              .first_wait_ms = 1,
                              .n_tries = 1};
    assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
    has_got(d);
    assert_string_equal(asked(), "0 -\n700000 -\n");
    again(state);
    // … and where it tells that this was wrong, the next source begins at the beginning.
    d = begin("corrupt", "good", true);
    has_got(d);
    assert_string_equal(asked(), "0 -\n0 -\n");
}

static void test_corrupted(void **state) {
    (void)state;
    download *d = begin("corrupt", NULL, true);
    char expected[200];
    snprintf(expected, sizeof expected, "expected the SHA-256 %s, got %s", sha256, wrong_sha256);
    has_failed(d, expected, 0);
}

static void test_pause_and_resume(void **state) {
    (void)state;
    download *d = begin("slow", NULL, true);
    wait_for(d, DOWNLOAD_RUNNING, 300000);
    download_pause(d);
    wait_for(d, DOWNLOAD_PAUSED, 300000);
    uint64_t there = size_of(part_path);
    assert_int_equal(there, status.done_bytes);
    assert_int_equal(status.bytes_per_s, 0);
    sleep_ms(100);
    assert_int_equal(size_of(part_path), there);
    download_resume(d);
    wait_for(d, DOWNLOAD_RUNNING, there + 600000);
    assert_true(status.bytes_per_s > 0);
    assert_true(status.seconds_left >= 0 && status.seconds_left < 60);
    has_got(d);
    char expected[80];
    snprintf(expected, sizeof expected, "0 -\n%llu \"one\"\n", (unsigned long long)there);
    assert_string_equal(asked(), expected);
}

static void test_cancel(void **state) {
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        download *d = begin("slow", NULL, true);
        wait_for(d, DOWNLOAD_RUNNING, 300000);
        if (paused) download_pause(d), wait_for(d, DOWNLOAD_PAUSED, 0);
        download_cancel(d);
        wait_for_end(d);
        assert_int_equal(status.state, DOWNLOAD_CANCELLED);
        download_resume(d);
        destroy(&d);
        assert_int_equal(access(part_path, F_OK), -1);
        assert_int_equal(access(notes, F_OK), -1);
        assert_int_equal(access(file, F_OK), -1);
    }
}

static void test_discard(void **state) {
    (void)state;
    pum_error err;
    download *d = begin("slow", NULL, true);
    wait_for(d, DOWNLOAD_RUNNING, 300000);
    assert_int_equal(download_discard(file, &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, "is being downloaded already"));
    destroy(&d);
    assert_true(size_of(part_path) >= 300000);
    assert_int_equal(download_discard(file, &err), PUM_OK);
    assert_int_equal(access(part_path, F_OK), -1);
    assert_int_equal(access(notes, F_OK), -1);
}

/* Wherever it is, stopping it takes no time, and the next one goes on. */
static void test_destroy(void **state) {
    (void)state;
    static const char *const behaviours[] = {"slow", "stall", "silent", "busy", "good"};
    pum_error err;
    for (size_t i = 0; i < sizeof behaviours / sizeof *behaviours; i++) {
        for (int ms = 0; ms < 400; ms = 3 * ms + 20) { // 260: when curl has no timers left that would wake it
            const char *source = url_of(behaviours[i]);
            download_params params = {.file = file, .sources = &source, .n_sources = 1, .n_bytes = n_bytes, .sha256 = sha256};
            download *d;
            assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
            sleep_ms(ms);
            destroy(&d);
            assert_int_equal(download_discard(file, &err), PUM_OK); // nobody has it any more
        }
    }
    download *d = NULL;
    download_destroy(&d);
    download_destroy(NULL);
    has_got(begin("good", NULL, true));
}

static void test_the_next_start(void **state) {
    (void)state;
    for (int checked = 0; checked < 2; checked++) {
        download *d = begin("slow", NULL, checked);
        wait_for(d, DOWNLOAD_RUNNING, 300000);
        destroy(&d);
        uint64_t there = size_of(part_path);
        assert_true(there >= 300000);
        // The source that it is from comes first.
        d = begin("missing", "slow", checked);
        has_got(d);
        char expected[80];
        snprintf(expected, sizeof expected, "0 -\n%llu \"one\"\n", (unsigned long long)there);
        assert_string_equal(asked(), expected);
        again(state);
    }
}

static void test_changed_meanwhile(void **state) {
    (void)state;
    static const char *const behaviours[] = {"changing", "changingbadly"};
    for (int i = 0; i < 2; i++) {
        download *d = begin(behaviours[i], NULL, false);
        wait_for(d, DOWNLOAD_RUNNING, 300000);
        download_pause(d);
        wait_for(d, DOWNLOAD_PAUSED, 0);
        download_resume(d);
        wait_for_end(d);
        assert_int_equal(status.state, DOWNLOAD_DONE);
        says("the file has changed at the source");
        assert_int_equal(size_of(file), n_bytes);
        assert_false(is_model(file)); // it is the other, whole
        assert_int_equal(access(part_path, F_OK), -1);
        destroy(&d);
        again(state);
    }
}

static void test_parts_of_anything(void **state) {
    (void)state;
    char *bytes = calloc(1, n_bytes + 10);
    // Nobody knows where it is from: used where a checksum tells in the end, and here it does.
    write_part(bytes, 100000);
    has_failed(begin("good", NULL, true), "expected the SHA-256", 0);
    has_got(begin("good", NULL, true));
    unlink(file);
    write_part(bytes, 100000);
    has_got(begin("good", NULL, false));
    unlink(file);
    write_part(bytes, n_bytes + 10);
    has_got(begin("good", NULL, true));
    unlink(file);
    // Notes that are none.
    write_part(bytes, 100000);
    FILE *f = fopen(notes, "w");
    fputs("{\"url\": 5, \"etag\": [", f);
    fclose(f);
    has_got(begin("good", NULL, false));
    free(bytes);
}

static void test_whole_already(void **state) {
    (void)state;
    has_got(begin("good", NULL, true));
    assert_int_equal(rename(file, part_path), 0);
    has_got(begin("missing", NULL, true));
    assert_string_equal(asked(), "0 -\n");
}

static void test_no_room(void **state) {
    (void)state;
    has_failed(begin("huge", NULL, false), "of free space on the disk for the rest of the model", 0);
    const char *source = url_of("good");
    download_params params = {.file = file, .sources = &source, .n_sources = 1, .n_bytes = 1ull << 60};
    download *d;
    assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
    wait_for_end(d);
    says("make room");
    destroy(&d);
    assert_string_equal(strstr(asked(), "\n"), "\n"); // nothing was asked for that
    // While it is written.
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1000000;
    setrlimit(RLIMIT_FSIZE, &limit);
    d = begin("good", "good", true);
    wait_for_end(d);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status.source, 0); // another one would not help
    has_failed(d, part_path, 1000000);
    has_got(begin("good", NULL, true));
}

static void test_no_folder(void **state) {
    (void)state;
    char right[128];
    strcpy(right, file);
    strcpy(file, "/proc/nothing/x.gguf");
    has_failed(begin("good", NULL, true), "/proc/nothing/x.gguf.part could not be opened", 0);
    strcpy(file, right);
}

static void test_two_at_once(void **state) {
    (void)state;
    download *d = begin("slow", NULL, true);
    wait_for(d, DOWNLOAD_RUNNING, 1);
    download *other = begin("slow", NULL, true);
    wait_for_end(other);
    assert_int_equal(status.state, DOWNLOAD_FAILED);
    says("is being downloaded already");
    destroy(&other);
    has_got(d);
}

static void test_by_a_proxy(void **state) {
    (void)state;
    char proxy[64];
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", port);
    setenv("http_proxy", proxy, 1);
    char url[128];
    snprintf(url, sizeof url, "http://models.invalid/hop/good/%s", name);
    const char *source = url;
    download_params params = {.file = file, .sources = &source, .n_sources = 1, .n_bytes = n_bytes, .sha256 = sha256};
    download *d;
    assert_int_equal(download_start(&params, &d, NULL), PUM_OK);
    has_got(d);
    unsetenv("http_proxy");
}

static void test_arguments(void **state) {
    (void)state;
    download *d;
    pum_error err;
    const char *source = "http://a/b";
    download_params params = {.file = file, .sources = &source, .n_sources = 0};
    assert_int_equal(download_start(&params, &d, &err), PUM_ERR_ARGUMENT);
    params.n_sources = 1;
    params.sha256 = "abc";
    assert_int_equal(download_start(&params, &d, &err), PUM_ERR_ARGUMENT);
    assert_non_null(strstr(err.message, "expected 64 hex digits, got abc"));
    assert_null(d);
}

/* kill -9 at random moments: each start goes on, and in the end the file is right. */
static void test_killed(void **state) {
    (void)state;
    char total[32];
    snprintf(total, sizeof total, "%llu", (unsigned long long)n_bytes);
    uint64_t before = 0;
    int n_kills = 0;
    for (int i = 0; i < 100 && access(file, F_OK) != 0; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl(program, program, "--fetch", url_of("slow"), file, total, sha256, (char *)NULL);
            _exit(1);
        }
        sleep_ms(100 + rand() % 200);
        kill(child, SIGKILL);
        int how;
        waitpid(child, &how, 0);
        n_kills += WIFSIGNALED(how);
        assert_true(access(file, F_OK) == 0 || size_of(part_path) >= before); // nothing that came is lost
        before = size_of(part_path);
    }
    assert_true(n_kills >= 3);
    assert_true(is_model(file));
}

/* ---- */

static int fetch_one(char **argv) {
    const char *source = argv[2];
    download_params params = {
        .file = argv[3], .sources = &source, .n_sources = 1, .n_bytes = strtoull(argv[4], NULL, 10), .sha256 = argv[5]};
    download *d;
    if (download_start(&params, &d, NULL) != PUM_OK) return 1;
    do {
        sleep_ms(5);
        download_get_status(d, &status);
    } while (status.state < DOWNLOAD_DONE);
    download_destroy(&d);
    return status.state != DOWNLOAD_DONE;
}

/* Starts the server, which ends when this program does; false: it cannot be had. */
static bool start_server(const char *script) {
    int in[2], out[2];
    if (pipe(in) != 0 || pipe(out) != 0) return false;
    for (int i = 0; i < 2; i++) fcntl(in[i], F_SETFD, FD_CLOEXEC), fcntl(out[i], F_SETFD, FD_CLOEXEC);
    if (fork() == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        execlp("python3", "python3", script, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    unsigned long long n;
    FILE *said = fdopen(out[0], "r");
    if (!said || fscanf(said, "%d %llu %64s %64s", &port, &n, sha256, wrong_sha256) != 4) return false;
    n_bytes = n;
    return true;
}

int main(int argc, char **argv) {
    setenv("no_proxy", "127.0.0.1", 1);
    unsetenv("http_proxy");
    if (argc == 6 && strcmp(argv[1], "--fetch") == 0) return fetch_one(argv);
    program = argv[0];
    if (argc < 2 || !start_server(argv[1])) {
        puts("skipped: expected python3 to run model_server.py, got nothing from it");
        return 77;
    }
    srand(argc > 3 ? (unsigned)atoi(argv[3]) : 1);
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, fresh, clean)
    const struct CMUnitTest tests[] = {
        TEST(whole),
        TEST(not_checked),
        TEST(checksum_of_the_source),
        TEST(goes_on_after_cuts),
        TEST(goes_on_by_date),
        TEST(a_source_that_cannot_go_on),
        TEST(no_validator),
        TEST(stalled),
        TEST(servers_in_trouble),
        TEST(refused),
        TEST(other_protocols),
        TEST(nobody_answers),
        TEST(the_next_source),
        TEST(corrupted),
        TEST(pause_and_resume),
        TEST(cancel),
        TEST(discard),
        TEST(destroy),
        TEST(the_next_start),
        TEST(changed_meanwhile),
        TEST(parts_of_anything),
        TEST(whole_already),
        TEST(no_room),
        TEST(no_folder),
        TEST(two_at_once),
        TEST(by_a_proxy),
        TEST(arguments),
        TEST(killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
