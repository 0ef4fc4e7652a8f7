/* Whether the kernels of a device are right, and how fast they are: each variant beside a plain reference in double, on the
 * device itself. One check of one variant is one call without any state outside of its checker, so that a process of its own can
 * make it: runner.h. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "gguf/types.h"
#include "ops/ops.h"

/// What is checked at once: the variants of an op, for a size of its work.
typedef struct check_job {
    const struct check_kind *kind;
    char op[48];
    op_size size;
    tensor_type type; ///< of the op's weights; F32 for ops without
} check_job;

/// The jobs of all rows of the table; *jobs is to be freed with free(). Ops that only measure a device have none.
pum_status check_jobs(check_job **jobs, size_t *n_jobs, pum_error *err);
/// Whether the op works on weights of a type, which is in its name.
bool check_job_is_typed(const check_job *job);
/// Whether the device has a kernel for it that may be chosen, its own or one of an op that stands in.
bool check_job_is_served(const check_job *job, op_kernels *kernels);
/// "1", "2-8" or "many": how many tokens the size stands for.
const char *check_size_name(op_size size);

typedef struct check_result {
    pum_verdict verdict;
    double max_error_ratio; ///< the largest error as a part of what roundings explain; what is not finite counts as infinite
    double time_us;         ///< 0: not timed
    double mean_kl;         ///< of a tiny model that uses it, where its inputs are rounded; else 0
    bool passed_over;       ///< with PUM_VERDICT_NONE: there was no time for it, and it is not tried again
    char message[200];      ///< what was wrong
} check_result;

/// One thread at a time. It has pipelines of its own, so that a device that is in use can be checked.
typedef struct checker checker;
pum_status checker_create(vk_device *device, checker **checker, pum_error *err);
void checker_destroy(checker **checker);
op_kernels *checker_kernels(checker *checker);

/// Is told in words what is about to run, before each run. Returns false to stop: PUM_ERR_ABORTED.
typedef bool (*check_watch_fn)(void *user, const char *what);
/// watch: NULL ends it.
void checker_watch(checker *checker, check_watch_fn watch, void *user);

/// The row of the table with this name, or NULL.
const shader_variant *check_find_variant(const char *name);

/// Checks one variant of a job: the first most_cases shapes, n_repeats times each with the same bits, and nothing written beside
/// the results. Returns an error only where the checker itself could not go on: no memory, which is no fault of the variant,
/// a device that was lost, which is, or PUM_ERR_ABORTED.
pum_status check_variant(checker *checker, const check_job *job, const shader_variant *variant, uint32_t most_cases,
                         uint32_t n_repeats, check_result *result, pum_error *err);
/// Times a variant, with the rest of the result left as it is unless it fails. enough_us: once it is clear that it takes longer,
/// that is precise enough; 0: measure well.
pum_status check_time(checker *checker, const check_job *job, const shader_variant *variant, double enough_us,
                      check_result *result, pum_error *err);

/// How far from exact the inputs of a variant's products are, by the words of its needs.
typedef struct check_precision {
    double of_terms; ///< allowed error as a part of sum |w x|
    double of_peaks; ///< and of sum |w| times the largest |x|
    double max_kl;   ///< of a model that uses it, to the float64 reference
} check_precision;
check_precision check_precision_of(const shader_variant *variant);

#endif
