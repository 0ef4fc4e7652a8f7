/* A table of kernels with some that are wrong, give other bits each time, crash the driver or never end: each is caught, named
 * and left out, what is left does the work, and no process stays behind. The checks run in a child process, hostile_child.c. */
#include "assert_ok.h"
#include "base/child.h"
#include "check/apart.h"
#include "check/compile.h"
#include "check/tune.h"
#include "vk/device.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *name;
    pum_verdict verdict;
    const char *words; ///< in the notice
} hostile[] = {
    {"rmsnorm_wrong", PUM_VERDICT_WRONG, "times what is allowed"},
    {"rmsnorm_wobbles", PUM_VERDICT_UNREPEATABLE, "other bits"},
    {"rmsnorm_crashes", PUM_VERDICT_CRASHED, "SIGSEGV"},
    {"rmsnorm_endless", PUM_VERDICT_HUNG, "did not end in"},
};
enum { N_HOSTILE = sizeof hostile / sizeof *hostile, N_TOKENS = 12, N_VOCAB = 512, SILENT_S = 8 };

static vk_device *device;
static char folder[] = "/tmp/test_check_hostile.XXXXXX";
static char warnings[16384];

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user;
    if (level < PUM_LOG_WARNING) return;
    strncat(warnings, message, sizeof warnings - strlen(warnings) - 1);
    strncat(warnings, "\n", sizeof warnings - strlen(warnings) - 1);
}

static const shader_variant *find(const char *name) {
    const shader_variant *v = check_find_variant(name);
    if (!v) fail_msg("no variant %s", name);
    return v;
}

static void expect_no_child(void) {
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static int n_asked;

static bool count(void *user, uint64_t done, uint64_t total) {
    (void)user;
    n_asked++;
    assert_true(done <= total);
    return true;
}

static const check_needs q4_0 = {1u << TENSOR_Q4_0, 1u << TENSOR_Q4_0, 1u << TENSOR_Q4_0};

/* The table, after its checks in a child. most_s: as in check_tune_params. */
static void tune(const check_needs *needs, double most_s, check_table *table) {
    pum_error error;
    check_apart *apart;
    MUST(check_apart_create(device, &(check_apart_params){.silent_s = SILENT_S}, &apart, &error));
    check_runner runner = check_there(apart);
    warnings[0] = 0;
    n_asked = 0;
    MUST(check_tune(&runner,
                    &(check_tune_params){.needs = needs, .n_repeats = 3, .n_cases = 1, .most_s = most_s, .progress = count},
                    table, &error));
    check_apart_destroy(&apart);
    expect_no_child();
}

static void test_each_is_named(void **state) {
    (void)state;
    pum_error error;
    check_table *table;
    MUST(check_table_create(&table, &error));
    tune(&(check_needs){0}, 0, table);
    printf("%s", warnings);
    for (int i = 0; i < N_HOSTILE; i++) {
        const check_result *r = check_table_at(table, find(hostile[i].name), OP_MANY);
        if (r->verdict != hostile[i].verdict || !strstr(r->message, hostile[i].words))
            fail_msg("%s: expected verdict %d with \"%s\", got %d: %s", hostile[i].name, hostile[i].verdict, hostile[i].words,
                     r->verdict, r->message);
        const char *notice = strstr(warnings, hostile[i].name);
        if (!notice || strstr(notice + 1, hostile[i].name))
            fail_msg("%s: expected one notice, got: %s", hostile[i].name, warnings);
    }
    assert_int_equal(check_table_at(table, find("rmsnorm"), OP_MANY)->verdict, PUM_VERDICT_OK); // the rest has its turn
    assert_int_equal(check_table_at(table, find("swiglu"), OP_MANY)->verdict, PUM_VERDICT_OK);
    assert_true(n_asked > 3 * SILENT_S); // several times a second, while a kernel hung
    check_table_destroy(&table);
}

/* The logits of some tokens of a random model on a device that is opened anew. */
static void run_model(float *logits) {
    pum_device_params params = {.which = getenv("PUMICE_TEST_DEVICE"), .cache_folder = folder, .tune = true};
    pum_device *d;
    pum_model *m;
    pum_session *s;
    pum_error error;
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) tokens[i] = i * 31 % N_VOCAB;
    MUST(pum_device_open_with(&params, &d, &error));
    MUST(pum_model_random(d, "260k", "Q4_0", 1, NULL, &m, &error));
    MUST(pum_session_create(m, NULL, &s, &error));
    MUST(pum_session_append(s, tokens, N_TOKENS, &error));
    memcpy(logits, pum_session_logits(s), N_VOCAB * sizeof *logits);
    pum_session_destroy(&s);
    pum_model_destroy(&m);
    pum_device_destroy(&d);
}

/* What is known is kept: a program that opens the device later does its work without those kernels. */
static void test_program_works(void **state) {
    (void)state;
    static float first[N_VOCAB], right[N_VOCAB];
    pum_error error;
    check_table *table;
    char *path = check_table_file(device, folder);
    MUST(check_table_create(&table, &error));
    tune(&q4_0, 60, table);
    op_kernels *kernels;
    MUST(op_kernels_create(device, &kernels, &error));
    check_table_apply(table, kernels, true);
    const shader_variant *chosen = op_variant_choose(kernels, "rmsnorm", OP_MANY, NULL, NULL);
    assert_non_null(chosen);
    assert_int_equal(check_table_at(table, chosen, OP_MANY)->verdict, PUM_VERDICT_OK);
    for (int i = 0; i < N_HOSTILE; i++) assert_string_not_equal(chosen->name, hostile[i].name);
    // What cannot be timed was seen whatever was chosen.
    assert_int_equal(check_table_at(table, find("rmsnorm_crashes"), OP_MANY)->verdict, PUM_VERDICT_CRASHED);
    assert_int_equal(check_table_at(table, find("rmsnorm_endless"), OP_MANY)->verdict, PUM_VERDICT_HUNG);
    op_kernels_destroy(&kernels);
    check_table_write(table, device, path);
    run_model(first);
    // The same by what the table prefers where all of that is unknown but the worst.
    check_table_clear(table);
    for (size_t i = 0; i < n_shader_variants; i++)
        for (op_size size = OP_ONE; size < OP_N_SIZES; size++)
            check_table_at(table, &shader_variants[i], size)->passed_over = true;
    for (int i = 0; i < N_HOSTILE; i++)
        *check_table_at(table, find(hostile[i].name), OP_MANY) = (check_result){.verdict = PUM_VERDICT_HUNG};
    check_table_write(table, device, path);
    run_model(right);
    for (int i = 0; i < N_VOCAB; i++)
        if (!(fabs((double)first[i] - (double)right[i]) <= 1e-4))
            fail_msg("logit %d: expected %g, got %g", i, (double)right[i], (double)first[i]);
    unlink(path);
    free(path);
    check_table_destroy(&table);
}

/* An op without any kernel that is right: a sentence, not gibberish. */
static void test_unusable(void **state) {
    (void)state;
    pum_error error;
    check_table *table;
    char *path = check_table_file(device, folder);
    MUST(check_table_create(&table, &error));
    for (size_t i = 0; i < n_shader_variants; i++)
        for (op_size size = OP_ONE; size < OP_N_SIZES; size++) {
            check_result *r = check_table_at(table, &shader_variants[i], size);
            if (op_variant_serves(&shader_variants[i], "rmsnorm"))
                r->verdict = PUM_VERDICT_CRASHED;
            else
                r->passed_over = true;
        }
    check_table_write(table, device, path);
    pum_device_params params = {.which = getenv("PUMICE_TEST_DEVICE"), .cache_folder = folder, .tune = true};
    pum_device *d;
    pum_model *m;
    MUST(pum_device_open_with(&params, &d, &error));
    assert_int_equal(pum_model_random(d, "260k", "Q4_0", 1, NULL, &m, &error), PUM_ERR_UNSUPPORTED);
    if (!strstr(error.message, "rmsnorm") || !strstr(error.message, "--device")) fail_msg("%s", error.message);
    pum_device_destroy(&d);
    unlink(path);
    free(path);
    check_table_destroy(&table);
}

/* ---- a child that gets no time */

static const check_job *find_job(check_job *jobs, size_t n, const char *op) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(jobs[i].op, op) == 0) return &jobs[i];
    fail_msg("no job %s", op);
    return NULL;
}

/* A child that sleeps so long before it runs a good kernel. */
static check_result run_sleeper(const char *sleep_s, double silent_s) {
    pum_error error;
    check_apart *apart;
    check_job *jobs;
    size_t n_jobs;
    check_result result;
    setenv("PUMICE_TEST_SLEEP_S", sleep_s, 1);
    MUST(check_apart_create(device, &(check_apart_params){.silent_s = silent_s}, &apart, &error));
    MUST(check_jobs(&jobs, &n_jobs, &error));
    check_runner runner = check_there(apart);
    MUST(runner.variant(runner.user, find_job(jobs, n_jobs, "rmsnorm"), find("rmsnorm"), 1, 1, &result, &error));
    free(jobs);
    check_apart_destroy(&apart);
    unsetenv("PUMICE_TEST_SLEEP_S");
    return result;
}

/* On a busy machine a CPU driver gets no time to run: not its fault. But it is not waited for without an end. */
static void test_busy_machine(void **state) {
    (void)state;
    check_result late = run_sleeper("5", 2), never = run_sleeper("300", 2);
    if (late.verdict != PUM_VERDICT_OK) fail_msg("expected a verdict in the end, got %d: %s", late.verdict, late.message);
    if (never.verdict != PUM_VERDICT_HUNG || !strstr(never.message, "did not end in 10 s"))
        fail_msg("expected a hang of 10 s, got %d: %s", never.verdict, never.message);
    expect_no_child();
}

/* ---- stopping while a kernel hangs */

static bool seen_hanging(const char *what) { return what && strstr(what, "n_rows"); }
static int n_hanging;

static bool stop_the_hang(void *user, const char *what) {
    (void)user;
    n_hanging += seen_hanging(what);
    return n_hanging < 5;
}

static pum_status hang(check_watch_fn watch, pum_error *error) {
    check_apart *apart;
    check_job *jobs;
    size_t n_jobs;
    check_result result;
    if (check_apart_create(device, &(check_apart_params){.silent_s = 600}, &apart, error) != PUM_OK) return error->status;
    if (check_jobs(&jobs, &n_jobs, error) != PUM_OK) return error->status;
    check_runner runner = check_there(apart);
    runner.watch(runner.user, watch, NULL);
    pum_status status = runner.variant(runner.user, find_job(jobs, n_jobs, "rmsnorm"), check_find_variant("rmsnorm_endless"), 1,
                                       1, &result, error);
    free(jobs);
    check_apart_destroy(&apart);
    return status;
}

static void test_stops(void **state) {
    (void)state;
    pum_error error;
    n_hanging = 0;
    assert_int_equal(hang(stop_the_hang, &error), PUM_ERR_ABORTED);
    expect_no_child();
}

static int hanging_pipe;

static bool say_hanging(void *user, const char *what) {
    (void)user;
    if (seen_hanging(what) && write(hanging_pipe, "h", 1) < 0) _exit(3);
    return true;
}

/* A program that is killed takes the endless kernel with it: the last one that holds the far end of the pipe, its standard error,
 * goes. */
static void test_child_goes_with_the_program(void **state) {
    (void)state;
    int ends[2];
    pum_error error;
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    pid_t program = fork();
    assert_true(program >= 0);
    if (program == 0) {
        close(ends[0]);
        hanging_pipe = 2;
        if (dup2(ends[1], 2) != 2) _exit(2);
        close(ends[1]);
        vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error); // that of before the fork is not ours
        hang(say_hanging, &error);
        _exit(0);
    }
    close(ends[1]);
    char letter = 0;
    for (int i = 0; i < 3; i++) assert_int_equal(read(ends[0], &letter, 1), 1); // it hangs, and goes on hanging
    assert_int_equal(kill(program, SIGKILL), 0);
    assert_int_equal(waitpid(program, NULL, 0), program);
    while (read(ends[0], &letter, 1) == 1) continue; // ends by the time-out of the test if a process stays
    close(ends[0]);
}

/* ---- a process that the program starts itself */

static pid_t service;

static int start_service(void *user) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return -1;
    fflush(stdout);
    service = fork();
    if (service == 0) {
        if (dup2(ends[1], 0) != 0 || dup2(ends[1], 1) != 1) _exit(2);
        close(ends[0]);
        close(ends[1]);
        execl(user, user, (char *)NULL);
        _exit(2);
    }
    close(ends[1]);
    return ends[0];
}

static void stop_service(void *user) {
    (void)user;
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
}

static void test_service(void **state) {
    (void)state;
    pum_error error;
    char path[CHILD_PATH_BYTES];
    check_apart *apart;
    check_job *jobs;
    size_t n_jobs;
    assert_true(child_find("pumice-check", path));
    check_apart_params params = {.start = start_service, .stop = stop_service, .user = path, .silent_s = SILENT_S};
    MUST(check_apart_create(device, &params, &apart, &error));
    MUST(check_jobs(&jobs, &n_jobs, &error));
    check_runner runner = check_there(apart);
    const struct {
        const char *variant;
        pum_verdict verdict;
    } cases[] = {{"rmsnorm", PUM_VERDICT_OK}, {"rmsnorm_crashes", PUM_VERDICT_CRASHED}, {"rmsnorm_subgroup", PUM_VERDICT_OK}};
    for (int i = 0; i < 3; i++) {
        check_result result;
        MUST(runner.variant(runner.user, find_job(jobs, n_jobs, "rmsnorm"), find(cases[i].variant), 1, 2, &result, &error));
        assert_int_equal(result.verdict, cases[i].verdict);
    }
    free(jobs);
    check_apart_destroy(&apart);
    expect_no_child();
}

/* ---- kernels that are only compiled */

typedef struct compilations {
    int n_made, n_failed, n_crashed;
} compilations;

static void on_compiled(void *user, const check_compiled *kernel) {
    compilations *c = user;
    bool crashes = strcmp(kernel->variant->name, "rmsnorm_crashes") == 0;
    c->n_made += kernel->made->compiled;
    c->n_failed += !kernel->made->compiled && !crashes;
    c->n_crashed += crashes && !kernel->made->compiled && strstr(kernel->made->message, "SIGSEGV");
    if (crashes && kernel->made->compiled) fail_msg("%s: expected it to crash", kernel->variant->name);
}

static void test_compiler_crashes(void **state) {
    (void)state;
    pum_error error;
    check_apart *apart;
    compilations seen = {0};
    MUST(check_apart_create(device, &(check_apart_params){.silent_s = 10 * SILENT_S}, &apart, &error));
    check_runner runner = check_there(apart);
    MUST(check_compile(device, &runner, 1u << TENSOR_F32, on_compiled, &seen, &error));
    check_apart_destroy(&apart);
    assert_int_equal(seen.n_failed, 0);
    assert_true(seen.n_crashed > 0 && seen.n_made > 10);
}

int main(void) {
    pum_error error;
    char path[CHILD_PATH_BYTES];
    pum_set_log(on_log, NULL);
    pum_status status = vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    if (status == PUM_OK && device->caps.type != PUM_DEVICE_CPU) {
        printf("skipped: %s is no CPU driver, and a kernel that never ends may take the whole system with it\n",
               device->caps.name);
        return 77;
    }
    if (status != PUM_OK || !child_find("pumice-check", path) || !mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_named), cmocka_unit_test(test_program_works),
        cmocka_unit_test(test_unusable),      cmocka_unit_test(test_busy_machine),
        cmocka_unit_test(test_stops),         cmocka_unit_test(test_child_goes_with_the_program),
        cmocka_unit_test(test_service),       cmocka_unit_test(test_compiler_crashes),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    vk_device_close(&device);
    char rest[4200];
    snprintf(rest, sizeof rest, "rm -r %s", folder);
    return system(rest) != 0 || n_failed ? 1 : 0;
}
