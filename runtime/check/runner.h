/* Who runs the checks: this process, or a child process that may crash and hang (apart.h). */
#ifndef CHECK_RUNNER_H
#define CHECK_RUNNER_H

#include "check/check.h"

typedef struct check_table check_table;

/// What the driver's compiler made of a kernel, which was not run.
typedef struct check_compilation {
    bool compiled;
    vk_pipeline_statistics statistics; ///< all -1 where it did not compile
    char message[200];                 ///< why it did not compile
} check_compilation;
#define CHECK_NOT_COMPILED ((check_compilation){.statistics = {-1, -1, -1, -1, -1, -1, -1}})

/// As check_variant, check_time, check_tiny_kl and op_kernel_compile. One thread at a time.
typedef struct check_runner {
    void *user;
    const vk_caps *caps;
    void (*watch)(void *user, check_watch_fn watch, void *watch_user);
    pum_status (*variant)(void *user, const check_job *job, const shader_variant *variant, uint32_t most_cases,
                          uint32_t n_repeats, check_result *result, pum_error *err);
    pum_status (*time)(void *user, const check_job *job, const shader_variant *variant, double enough_us, check_result *result,
                       pum_error *err);
    /// With the kernels that the table chooses.
    pum_status (*model)(void *user, const check_table *table, tensor_type type, double *mean_kl, pum_error *err);
    /// That a kernel does not compile is no error.
    pum_status (*compile)(void *user, const shader_variant *variant, const op_kernel_params *params, check_compilation *result,
                          pum_error *err);
} check_runner;

/// This process. The checker must outlive it.
check_runner check_here(checker *checker);

#endif
