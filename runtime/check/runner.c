#include "check/runner.h"

#include "check/tiny.h"
#include "check/tune.h"

#include <stdio.h>

static void watch_here(void *user, check_watch_fn watch, void *watch_user) { checker_watch(user, watch, watch_user); }

static pum_status variant_here(void *user, const check_job *job, const shader_variant *variant, uint32_t most_cases,
                               uint32_t n_repeats, check_result *result, pum_error *err) {
    return check_variant(user, job, variant, most_cases, n_repeats, result, err);
}

static pum_status time_here(void *user, const check_job *job, const shader_variant *variant, double enough_us,
                            check_result *result, pum_error *err) {
    return check_time(user, job, variant, enough_us, result, err);
}

static pum_status model_here(void *user, const check_table *table, tensor_type type, double *mean_kl, pum_error *err) {
    check_table_apply(table, checker_kernels(user), true);
    return check_tiny_kl(checker_kernels(user), type, mean_kl, err);
}

static pum_status compile_here(void *user, const shader_variant *variant, const op_kernel_params *params,
                               check_compilation *result, pum_error *err) {
    pum_error error;
    vk_pipeline_statistics statistics;
    pum_status status = op_kernel_compile(op_kernels_device(checker_kernels(user)), variant, params, &statistics, &error);
    if (status == PUM_ERR_MEMORY) return pum_fail(err, status, "%s", error.message);
    *result = CHECK_NOT_COMPILED;
    result->compiled = status == PUM_OK;
    if (result->compiled)
        result->statistics = statistics;
    else
        snprintf(result->message, sizeof result->message, "%.199s", error.message);
    return PUM_OK;
}

check_runner check_here(checker *c) {
    return (check_runner){
        c, &op_kernels_device(checker_kernels(c))->caps, watch_here, variant_here, time_here, model_here, compile_here};
}
