/* pumice-check with the hostile table, on a driver that does not bear some of it: its compiler crashes where the kernel
 * rmsnorm_crashes is made, and it runs an endless one to the end of time (llvmpipe 22.3 ends a loop after 65535 turns, all on its
 * own). With PUMICE_TEST_SLEEP_S it sleeps before it makes the kernel rmsnorm. */
#include "check/serve.h"
#include "vk/commands.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The linker puts what is named __wrap_ in the place of the real one. */
pum_status __real_vk_pipeline_create(vk_device *device, const vk_pipeline_params *params, vk_pipeline *pipeline, pum_error *err);
pum_status __wrap_vk_pipeline_create(vk_device *device, const vk_pipeline_params *params, vk_pipeline *pipeline, pum_error *err);
void __real_vk_commands_dispatch(vk_commands *commands, const vk_pipeline *pipeline, const vk_span *spans, const void *push,
                                 uint32_t x, uint32_t y, uint32_t z);
void __wrap_vk_commands_dispatch(vk_commands *commands, const vk_pipeline *pipeline, const vk_span *spans, const void *push,
                                 uint32_t x, uint32_t y, uint32_t z);

static VkPipeline endless;

pum_status __wrap_vk_pipeline_create(vk_device *device, const vk_pipeline_params *params, vk_pipeline *pipeline, pum_error *err) {
    if (strcmp(params->name, "rmsnorm_crashes") == 0) raise(SIGSEGV);
    const char *sleep_s = getenv("PUMICE_TEST_SLEEP_S");
    if (sleep_s && strcmp(params->name, "rmsnorm") == 0) sleep((unsigned)atoi(sleep_s));
    pum_status status = __real_vk_pipeline_create(device, params, pipeline, err);
    if (strcmp(params->name, "rmsnorm_endless") == 0) endless = pipeline->handle;
    return status;
}

void __wrap_vk_commands_dispatch(vk_commands *commands, const vk_pipeline *pipeline, const vk_span *spans, const void *push,
                                 uint32_t x, uint32_t y, uint32_t z) {
    bool again = endless && pipeline->handle == endless;
    __real_vk_commands_dispatch(commands, pipeline, spans, push, x, again ? 65535 : y, again ? 65535 : z);
}

int main(void) {
    signal(SIGINT, SIG_IGN);
    int out = dup(1);
    return out < 0 || dup2(2, 1) < 0 ? 1 : check_serve(0, out);
}
