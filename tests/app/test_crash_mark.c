/* The mark of a device in use: it outlives a crash and nothing else. */
#include "chat/crash_mark.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], own[96], path[128], device[CRASH_MARK_DEVICE_BYTES];
static pum_error err;

static int fresh(void **state) {
    (void)state;
    strcpy(folder, "/tmp/pumice-mark-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(own, sizeof own, "%s/pumice", folder);
    snprintf(path, sizeof path, "%s/device-in-use", own);
    return setenv("XDG_STATE_HOME", folder, 1);
}

static int clean(void **state) {
    (void)state;
    unlink(path);
    rmdir(own);
    return rmdir(folder);
}

static crash_mark *set(crash_mark *mark, const char *name) {
    pum_status status = crash_mark_set(&mark, name, &err);
    if (status != PUM_OK) print_error("%s\n", err.message);
    assert_int_equal(status, PUM_OK);
    return mark;
}

/* Another Pumice, which sets the mark and waits for what comes. */
static pid_t another(const char *name) {
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        crash_mark *mark = NULL;
        alarm(20);                // should the test fail before it ends us
        signal(SIGSEGV, SIG_DFL); // cmocka's
        signal(SIGABRT, SIG_DFL);
        if (crash_mark_set(&mark, name, NULL) != PUM_OK || !mark) _exit(1);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;) pause();
    }
    char byte;
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void end(pid_t child, int by) {
    int how;
    kill(child, by);
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == by);
}

static void test_in_order(void **state) {
    (void)state;
    assert_false(crash_mark_take(device));
    crash_mark *mark = set(NULL, "A");
    assert_non_null(mark);
    assert_int_equal(access(path, F_OK), 0);
    crash_mark_clear(&mark);
    assert_null(mark);
    assert_int_equal(access(path, F_OK), -1);
    assert_false(crash_mark_take(device));
    crash_mark_clear(&mark);
    crash_mark_clear(NULL);
}

static void test_after_a_crash(void **state) {
    (void)state;
    static const int ends[] = {SIGKILL, SIGSEGV, SIGABRT};
    for (int i = 0; i < 3; i++) {
        end(another("NVIDIA GeForce GTX 1060"), ends[i]);
        assert_true(crash_mark_take(device));
        assert_string_equal(device, "NVIDIA GeForce GTX 1060");
        assert_false(crash_mark_take(device)); // once
        assert_string_equal(device, "");
    }
}

static void test_the_other_still_runs(void **state) {
    (void)state;
    pid_t child = another("A");
    assert_false(crash_mark_take(device));
    crash_mark *mark = set(NULL, "B");
    assert_null(mark); // it is the other's
    end(child, SIGKILL);
    assert_true(crash_mark_take(device));
    assert_string_equal(device, "A");
}

static void test_another_device(void **state) {
    (void)state;
    crash_mark *mark = set(NULL, "a device with a long name");
    assert_ptr_equal(set(mark, "B"), mark);
    char text[64];
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    assert_int_equal(n, 1);
    assert_int_equal(text[0], 'B');
    crash_mark_clear(&mark);
}

/* A process that the program started, and that outlives it, does not hold the mark. */
static void test_a_child_of_the_crashed(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        crash_mark *mark = NULL;
        if (crash_mark_set(&mark, "A", NULL) != PUM_OK || !mark) _exit(1);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            dup2(ends[0], 0);
            close(ends[1]);
            execlp("cat", "cat", (char *)NULL);
            _exit(1);
        }
        nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
        raise(SIGKILL);
    }
    int how;
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how));
    assert_true(crash_mark_take(device));
    close(ends[0]);
    close(ends[1]);
}

static void test_whatever_is_in_it(void **state) {
    (void)state;
    char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    mkdir(own, 0700);
    for (size_t n = 0; n <= sizeof bytes; n += 1024) {
        FILE *file = fopen(path, "wb");
        fwrite(bytes, 1, n, file);
        fclose(file);
        assert_true(crash_mark_take(device));
        assert_int_equal(strlen(device), n < CRASH_MARK_DEVICE_BYTES ? n : CRASH_MARK_DEVICE_BYTES - 1);
    }
    memset(bytes, 'x', sizeof bytes);
    bytes[sizeof bytes - 1] = 0;
    crash_mark *mark = set(NULL, bytes);
    assert_non_null(mark);
    crash_mark_clear(&mark);
}

static void test_no_folder(void **state) {
    (void)state;
    FILE *file = fopen(own, "w");
    fclose(file);
    crash_mark *mark = NULL;
    assert_int_equal(crash_mark_set(&mark, "A", &err), PUM_ERR_IO);
    assert_non_null(strstr(err.message, path));
    assert_null(mark);
    assert_false(crash_mark_take(device));
    unlink(own);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_order, fresh, clean),
        cmocka_unit_test_setup_teardown(test_after_a_crash, fresh, clean),
        cmocka_unit_test_setup_teardown(test_the_other_still_runs, fresh, clean),
        cmocka_unit_test_setup_teardown(test_another_device, fresh, clean),
        cmocka_unit_test_setup_teardown(test_a_child_of_the_crashed, fresh, clean),
        cmocka_unit_test_setup_teardown(test_whatever_is_in_it, fresh, clean),
        cmocka_unit_test_setup_teardown(test_no_folder, fresh, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
