/* What is known of kernels: each row of the table can be checked, the choice goes by times, a file is good for what it was
 * written for and for nothing else, and what was chosen once is what is chosen the next time. */
#include "assert_ok.h"
#include "check/tune.h"
#include "vk/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static vk_device *device;
static op_kernels *kernels;
static char folder[] = "/tmp/test_check.XXXXXX";

static const check_needs q4_0 = {1u << TENSOR_Q4_0, 1u << TENSOR_Q4_0, 1u << TENSOR_Q4_0};

static bool has_job(const check_job *jobs, size_t n_jobs, const char *op, size_t length) {
    for (size_t i = 0; i < n_jobs; i++)
        if (strlen(jobs[i].op) == length && memcmp(jobs[i].op, op, length) == 0) return true;
    return false;
}

static void test_every_row_can_be_checked(void **state) {
    (void)state;
    check_job *jobs;
    size_t n_jobs;
    pum_error error;
    MUST(check_jobs(&jobs, &n_jobs, &error));
    for (size_t i = 0; i < n_shader_variants; i++)
        for (const char *op = shader_variants[i].op; *op; op += strcspn(op, ",") + (op[strcspn(op, ",")] == ',')) {
            size_t length = strcspn(op, ",");
            if (strncmp(op, "peak_", 5) != 0 && strncmp(op, "subgroups", length) != 0 && !has_job(jobs, n_jobs, op, length))
                fail_msg("%s: no check for its op %.*s", shader_variants[i].name, (int)length, op);
        }
    free(jobs);
}

/* Of one type of weights, and of the ops without: the other types differ in what they read. */
static void test_all_pass(void **state) {
    (void)state;
    checker *c;
    check_table *table;
    pum_error error;
    MUST(checker_create(device, &c, &error));
    MUST(check_table_create(&table, &error));
    check_runner runner = check_here(c);
    MUST(check_tune(&runner, &(check_tune_params){.needs = &q4_0, .n_repeats = 2, .n_cases = 4}, table, &error));
    assert_false(check_tune_wanted(table, &device->caps, &q4_0));
    int n_ok = 0;
    for (size_t i = 0; i < n_shader_variants; i++)
        for (op_size size = OP_ONE; size < OP_N_SIZES; size++) {
            const check_result *r = check_table_at(table, &shader_variants[i], size);
            if (r->verdict == PUM_VERDICT_NONE || r->verdict == PUM_VERDICT_UNSUPPORTED) continue;
            if (r->verdict != PUM_VERDICT_OK) fail_msg("%s: verdict %d: %s", shader_variants[i].name, r->verdict, r->message);
            if (!(r->max_error_ratio >= 0 && r->max_error_ratio <= 1))
                fail_msg("%s: %g", shader_variants[i].name, r->max_error_ratio);
            n_ok++;
        }
    printf("%d variants and sizes are right\n", n_ok);
    assert_true(n_ok >= 10);
    check_table_destroy(&table);
    checker_destroy(&c);
}

static const shader_variant *chosen(void) { return op_variant_choose(kernels, "matmul_q4_0", OP_MANY, NULL, NULL); }

static const shader_variant *find(const char *name) {
    for (size_t i = 0; i < n_shader_variants; i++)
        if (strcmp(shader_variants[i].name, name) == 0) return &shader_variants[i];
    fail_msg("no variant %s", name);
    return NULL;
}

/* Any of a job but the one that the table's order chooses. */
static void test_choice_goes_by_times(void **state) {
    (void)state;
    check_table *table;
    pum_error error;
    MUST(check_table_create(&table, &error));
    const shader_variant *first = chosen(), *tile = find("matmul_tile_q4_0");
    assert_non_null(first);
    *check_table_at(table, first, OP_MANY) = (check_result){.verdict = PUM_VERDICT_OK, .time_us = 100};
    *check_table_at(table, tile, OP_MANY) = (check_result){.verdict = PUM_VERDICT_OK, .time_us = first == tile ? 100 : 97};
    check_table_apply(table, kernels, true);
    assert_ptr_equal(chosen(), first); // within the noise
    check_table_at(table, tile, OP_MANY)->time_us = 50;
    check_table_apply(table, kernels, true);
    assert_ptr_equal(chosen(), tile);
    check_table_apply(table, kernels, false); // as with --no-tune
    assert_ptr_equal(chosen(), first);
    const pum_verdict bad[] = {PUM_VERDICT_WRONG, PUM_VERDICT_UNREPEATABLE, PUM_VERDICT_FAILED, PUM_VERDICT_CRASHED,
                               PUM_VERDICT_HUNG};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check_table_at(table, tile, OP_MANY)->verdict = bad[i];
        check_table_apply(table, kernels, true);
        assert_ptr_not_equal(chosen(), tile);
        check_table_at(table, first, OP_MANY)->verdict = bad[i];
        check_table_apply(table, kernels, false); // wrong ones are left out in any case
        assert_ptr_not_equal(chosen(), first);
        check_table_at(table, first, OP_MANY)->verdict = PUM_VERDICT_OK;
    }
    check_table_clear(table);
    check_table_apply(table, kernels, true);
    assert_ptr_equal(chosen(), first);
    check_table_destroy(&table);
}

/* ---- its file */

static size_t read_file(const char *path, char *bytes, size_t most) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, most, f);
    fclose(f);
    return n;
}

static void write_file(const char *path, const char *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void test_file(void **state) {
    (void)state;
    check_table *table, *read;
    pum_error error;
    MUST(check_table_create(&table, &error));
    MUST(check_table_create(&read, &error));
    char *path = check_table_file(device, folder);
    assert_non_null(path);
    assert_false(check_table_read(read, device, path));
    const shader_variant *tile = find("matmul_tile_q4_0"), *matvec = find("matvec_q4_0");
    *check_table_at(table, tile, OP_MANY) = (check_result){.verdict = PUM_VERDICT_OK, .max_error_ratio = 0.25, .time_us = 123.5};
    check_table_at(table, matvec, OP_FEW)->verdict = PUM_VERDICT_WRONG;
    check_table_at(table, matvec, OP_ONE)->passed_over = true;
    check_table_write(table, device, path);
    assert_true(check_table_read(read, device, path));
    assert_int_equal(check_table_at(read, tile, OP_MANY)->verdict, PUM_VERDICT_OK);
    assert_true(check_table_at(read, tile, OP_MANY)->time_us == 123.5);
    assert_true(check_table_at(read, tile, OP_MANY)->max_error_ratio == 0.25);
    assert_int_equal(check_table_at(read, matvec, OP_FEW)->verdict, PUM_VERDICT_WRONG);
    assert_true(check_table_at(read, matvec, OP_ONE)->passed_over);
    assert_int_equal(check_table_at(read, tile, OP_ONE)->verdict, PUM_VERDICT_NONE);

    static char bytes[1 << 16], changed[1 << 16];
    size_t n = read_file(path, bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        memcpy(changed, bytes, n);
        changed[i] ^= 1;
        write_file(path, changed, n);
        check_table_clear(read);
        if (check_table_read(read, device, path)) fail_msg("a change of byte %zu was not seen", i);
        assert_int_equal(check_table_at(read, tile, OP_MANY)->verdict, PUM_VERDICT_NONE);
        write_file(path, bytes, i);
        if (check_table_read(read, device, path)) fail_msg("read after %zu bytes", i);
    }
    unlink(path);
    free(path);
    check_table_destroy(&table);
    check_table_destroy(&read);
}

/* ---- through the public header */

enum { N_TOKENS = 12, N_VOCAB = 512 };

static int n_tunings, n_said_here;

/* This test is not beside any helper program: the checks run in it, and it is said. */
static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user, (void)level;
    n_said_here += strstr(message, "kernels are checked in this process") != NULL;
}

static uint64_t last_done;

static bool count_tunings(void *user, uint64_t done, uint64_t total) {
    (void)user, (void)total;
    n_tunings += done == 0 && last_done != 0;
    last_done = done;
    return true;
}

/* The logits of some tokens of a random model, on a device that is opened anew. */
static void run_model(bool tune, float *logits) {
    pum_device_params params = {
        .which = getenv("PUMICE_TEST_DEVICE"), .cache_folder = folder, .tune = tune, .tune_progress = count_tunings};
    pum_device *d;
    pum_model *m;
    pum_session *s;
    pum_error error;
    n_tunings = 0;
    last_done = UINT64_MAX;
    MUST(pum_device_open_with(&params, &d, &error));
    MUST(pum_model_random(d, "260k", "Q4_0", 1, NULL, &m, &error));
    MUST(pum_session_create(m, NULL, &s, &error));
    int32_t tokens[N_TOKENS];
    for (int i = 0; i < N_TOKENS; i++) tokens[i] = i * 31 % N_VOCAB;
    MUST(pum_session_append(s, tokens, N_TOKENS - 1, &error));
    MUST(pum_session_append(s, tokens + N_TOKENS - 1, 1, &error));
    memcpy(logits, pum_session_logits(s), N_VOCAB * sizeof *logits);
    pum_session_destroy(&s);
    pum_model_destroy(&m);
    pum_device_destroy(&d);
}

static void test_tuned_once(void **state) {
    (void)state;
    static float first[N_VOCAB], again[N_VOCAB];
    static char bytes[1 << 16], later[1 << 16];
    char *path = check_table_file(device, folder);
    run_model(false, first);
    assert_int_equal(n_tunings, 0);
    assert_int_not_equal(access(path, F_OK), 0); // --no-tune leaves nothing behind
    n_said_here = 0;
    pum_set_log(on_log, NULL);
    run_model(true, first);
    pum_set_log(NULL, NULL);
    assert_int_equal(n_said_here, 1);
    assert_int_equal(n_tunings, 1);
    size_t n = read_file(path, bytes, sizeof bytes);
    for (int i = 0; i < 2; i++) {
        run_model(true, again);
        assert_int_equal(n_tunings, 0);
        assert_memory_equal(first, again, sizeof first);
    }
    assert_int_equal(read_file(path, later, sizeof later), n);
    assert_memory_equal(bytes, later, n);
    bytes[n / 2] ^= 1; // damaged: made anew
    write_file(path, bytes, n);
    run_model(true, again);
    assert_int_equal(n_tunings, 1);
    unlink(path);
    free(path);
}

/* A variant that has lost the device the last time: it is left out, and the rest is tried once. */
static void test_goes_on_after_a_failure(void **state) {
    (void)state;
    static float logits[N_VOCAB];
    check_table *table;
    pum_error error;
    char *path = check_table_file(device, folder);
    const shader_variant *first = op_variant_choose(kernels, "matvec_q4_0", OP_ONE, NULL, NULL);
    MUST(check_table_create(&table, &error));
    check_table_at(table, first, OP_ONE)->verdict = PUM_VERDICT_FAILED;
    check_table_write(table, device, path);
    run_model(true, logits);
    assert_int_equal(n_tunings, 1);
    run_model(true, logits);
    assert_int_equal(n_tunings, 0);
    assert_true(check_table_read(table, device, path));
    assert_int_equal(check_table_at(table, first, OP_ONE)->verdict, PUM_VERDICT_FAILED);
    check_table_apply(table, kernels, true);
    assert_ptr_not_equal(op_variant_choose(kernels, "matvec_q4_0", OP_ONE, NULL, NULL), first);
    check_table_clear(table);
    check_table_apply(table, kernels, true);
    check_table_destroy(&table);
    unlink(path);
    free(path);
}

static bool stop(void *user, uint64_t done, uint64_t total) {
    (void)user, (void)done, (void)total;
    return false;
}

static void test_stops(void **state) {
    (void)state;
    pum_device_params params = {.which = getenv("PUMICE_TEST_DEVICE"), .tune = true, .tune_progress = stop};
    pum_device *d;
    pum_model *m;
    pum_error error;
    MUST(pum_device_open_with(&params, &d, &error));
    assert_int_equal(pum_model_random(d, "260k", "Q4_0", 1, NULL, &m, &error), PUM_ERR_ABORTED);
    assert_null(m);
    pum_device_destroy(&d);
}

int main(void) {
    pum_error error;
    pum_status status = vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    if (status != PUM_OK || op_kernels_create(device, &kernels, &error) != PUM_OK || !mkdtemp(folder)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_can_be_checked),
        cmocka_unit_test(test_choice_goes_by_times),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_tuned_once),
        cmocka_unit_test(test_goes_on_after_a_failure),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_all_pass),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    op_kernels_destroy(&kernels);
    vk_device_close(&device);
    char rest[4200];
    snprintf(rest, sizeof rest, "rm -r %s", folder);
    return system(rest) != 0 || n_failed ? 1 : 0;
}
