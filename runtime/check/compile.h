/* What the driver's compiler makes of the kernels: every variant that a device can run, with the constants that models of several
 * shapes give it. Nothing is run, so that it works on devices that only compile. */
#ifndef CHECK_COMPILE_H
#define CHECK_COMPILE_H

#include "check/runner.h"

/// One kernel. chosen: without a measurement it would be used.
typedef struct check_compiled {
    const shader_variant *variant;
    const op_kernel_params *params;
    const check_compilation *made;
    bool chosen;
} check_compiled;
typedef void (*check_compiled_visit)(void *user, const check_compiled *kernel);

/// runner: who compiles them. types: bit t for models whose weights are of tensor type t. Returns an error only where it could
/// not go on. Errors: PUM_ERR_MEMORY, those of the runner, and what models of these shapes cannot do.
pum_status check_compile(vk_device *device, const check_runner *runner, uint64_t types, check_compiled_visit visit, void *user,
                         pum_error *err);

#endif
