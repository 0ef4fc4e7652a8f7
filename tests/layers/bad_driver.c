/* A Vulkan driver that does harm as soon as the loader asks it for anything: PUMICE_BAD_DRIVER says which. Otherwise it offers
 * nothing, and the loader does without it. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
__attribute__((visibility("default"))) void *vk_icdGetInstanceProcAddr(void *instance, const char *name);

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    if (*version > 5) *version = 5;
    return 0;
}

void *vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    const char *harm = getenv("PUMICE_BAD_DRIVER");
    (void)instance;
    (void)name;
    if (harm && strcmp(harm, "crash") == 0) raise(SIGSEGV);
    if (harm && strcmp(harm, "exit") == 0) _Exit(3);
    while (harm && strcmp(harm, "hang") == 0) continue;
    return NULL;
}
