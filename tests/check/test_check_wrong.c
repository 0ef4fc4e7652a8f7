/* A table of kernels with rows that have the code for another type of weights: each is caught, named and left out, and the work
 * goes on with the others. */
#include "check/tiny.h"
#include "check/tune.h"
#include "vk/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const wrong[] = {"matmul_uniform_q4_1", "matmul_lanes_q4_1", "matvec_subgroup_q4_1"};
enum { N_WRONG = sizeof wrong / sizeof *wrong };
static vk_device *device;
static char warnings[8192];

static void on_log(void *user, pum_log_level level, const char *message) {
    (void)user;
    if (level < PUM_LOG_WARNING) return;
    strncat(warnings, message, sizeof warnings - strlen(warnings) - 1);
    strncat(warnings, "\n", sizeof warnings - strlen(warnings) - 1);
}

static bool is_wrong(const char *name) {
    for (int i = 0; i < N_WRONG; i++)
        if (strcmp(wrong[i], name) == 0) return true;
    return false;
}

static void tune(double most_s) {
    pum_error error;
    checker *c;
    check_table *table = NULL;
    const check_needs needs = {.products = 1u << TENSOR_Q4_1};
    warnings[0] = 0;
    if (checker_create(device, &c, &error) != PUM_OK || check_table_create(&table, &error) != PUM_OK)
        fail_msg("%s", error.message);
    check_runner runner = check_here(c);
    if (check_tune(&runner, &(check_tune_params){.needs = &needs, .n_repeats = 2, .most_s = most_s}, table, &error) != PUM_OK)
        fail_msg("%s", error.message);
    op_kernels *kernels = checker_kernels(c);
    check_table_apply(table, kernels, true);
    int n_found = 0;
    for (size_t i = 0; i < n_shader_variants; i++)
        for (op_size size = OP_ONE; size < OP_N_SIZES; size++) {
            const shader_variant *v = &shader_variants[i];
            const check_result *r = check_table_at(table, v, size);
            bool tried = r->verdict != PUM_VERDICT_NONE && r->verdict != PUM_VERDICT_UNSUPPORTED;
            if (!tried) continue;
            if (is_wrong(v->name) && r->verdict != PUM_VERDICT_WRONG) fail_msg("%s passed", v->name);
            if (!is_wrong(v->name) && r->verdict != PUM_VERDICT_OK) fail_msg("%s did not pass: %s", v->name, r->message);
            if (!is_wrong(v->name)) continue;
            n_found++;
            assert_true(r->max_error_ratio > 1);
            if (!strstr(warnings, v->name)) fail_msg("%s is not named in the log: %s", v->name, warnings);
        }
    assert_true(n_found > 0);
    static const struct {
        const char *op;
        op_size size;
    } ops[] = {{"matvec_q4_1", OP_ONE}, {"matvec_q4_1", OP_FEW}, {"matmul_q4_1", OP_MANY}};
    for (int i = 0; i < 3; i++) {
        const shader_variant *v = op_variant_choose(kernels, ops[i].op, ops[i].size, NULL, NULL);
        assert_non_null(v);
        if (is_wrong(v->name)) fail_msg("%s is chosen", v->name);
        printf("%s: %s\n", ops[i].op, v->name);
    }
    check_table_destroy(&table);
    checker_destroy(&c);
}

/* Before anything is known a model takes what the table puts first. */
static void test_model(void **state) {
    (void)state;
    pum_error error;
    checker *c;
    double right = 0, wrong_kl = 0;
    if (checker_create(device, &c, &error) != PUM_OK ||
        check_tiny_kl(checker_kernels(c), TENSOR_Q4_0, &right, &error) != PUM_OK ||
        check_tiny_kl(checker_kernels(c), TENSOR_Q4_1, &wrong_kl, &error) != PUM_OK)
        fail_msg("%s", error.message);
    printf("mean KL %.2g, with a wrong kernel %.2g\n", right, wrong_kl);
    assert_true(right >= 0 && right <= 2e-6);
    assert_true(wrong_kl > 1e-3);
    checker_destroy(&c);
}

static void test_all(void **state) {
    (void)state;
    tune(0);
}

static void test_at_first_use(void **state) {
    (void)state;
    tune(60);
}

int main(void) {
    pum_error error;
    pum_set_log(on_log, NULL);
    pum_status status = vk_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    if (status != PUM_OK) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_all),
                                       cmocka_unit_test(test_at_first_use)};
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    vk_device_close(&device);
    return n_failed ? 1 : 0;
}
