/* What is known of the kernels of a device: checked and timed once, kept in a file, and what the choice goes by. */
#ifndef CHECK_TUNE_H
#define CHECK_TUNE_H

#include "check/runner.h"

/// The results of all variants. One thread at a time.
pum_status check_table_create(check_table **table, pum_error *err);
void check_table_destroy(check_table **table);
/// Of a variant and size. verdict PUM_VERDICT_NONE: not tried.
check_result *check_table_at(const check_table *table, const shader_variant *variant, op_size size);
/// Forgets everything, or what is known of an op at a size.
void check_table_clear(check_table *table);
void check_table_forget(check_table *table, const check_job *job);

/// Has the choice go by the table: what did not pass is left out; times count if use_times.
void check_table_apply(const check_table *table, op_kernels *kernels, bool use_times);

/// Whether a verdict leaves a variant out.
bool check_is_bad(pum_verdict verdict);
/// What the choice knows of a variant by the table.
op_variant_knowledge check_table_knowledge(const check_table *table, const shader_variant *variant, bool use_times);

/// One line that is the same as long as a table is good: this build, its kernels, device, driver.
void check_table_identity(const vk_device *device, char *text, size_t n_bytes);
/// Where the table of a device is kept in a folder; to be freed with free(). NULL without memory.
char *check_table_file(const vk_device *device, const char *folder);
/// Reads what check_table_write has written for this device, driver and build. A file that is damaged or of another is dropped,
/// and the log says so. Returns whether it was read.
bool check_table_read(check_table *table, const vk_device *device, const char *path);
void check_table_write(const check_table *table, const vk_device *device, const char *path);

/// Of which ops a model has need, by the types of its weights: bit t for tensor_type t. Ops without weights are always meant.
typedef struct check_needs {
    uint64_t products, swiglus, embeddings;
} check_needs;
bool check_needed(const check_needs *needs, const check_job *job);

typedef struct check_tune_params {
    const check_needs *needs;    ///< NULL: all ops
    uint32_t n_repeats, n_cases; ///< n_cases: of the shapes of an op; 0: all
    double most_s; ///< 0: everything is checked, and timed where there is a choice. Else after so many seconds the table's order
                   ///< is good enough for what is left, the time is taken of what is likely to be chosen, and only what is chosen
                   ///< is checked
    pum_progress_fn progress;
    void *user;
} check_tune_params;
/// Whether something of that is not tried yet.
bool check_tune_wanted(const check_table *table, const vk_caps *caps, const check_needs *needs);
/// Checks what is not tried yet, and times it where there is a choice. A warning in the log names each variant that did not pass.
/// Errors: PUM_ERR_MEMORY, PUM_ERR_DEVICE_MEMORY, PUM_ERR_ABORTED; PUM_ERR_DEVICE_LOST, where the runner is this process;
/// PUM_ERR_DEVICE.
pum_status check_tune(const check_runner *runner, const check_tune_params *params, check_table *table, pum_error *err);

/// The mean KL of tiny models of every type to the float64 reference, with the kernels that the table chooses: the largest of
/// them, and what is allowed. Errors: as a model's that cannot run.
/// needs: only of the types of its products; NULL: of all. kernels: of the device; from now on they are chosen by the table.
pum_status check_model(const check_runner *runner, op_kernels *kernels, const check_table *table, const check_needs *needs,
                       double *mean_kl, double *limit, pum_error *err);

#endif
