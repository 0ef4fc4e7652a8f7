/* A Vulkan driver and a layer that do harm as soon as the loader asks them for anything: PUMICE_BAD_DRIVER and PUMICE_BAD_LAYER
 * say which. Otherwise they offer nothing, and the loader does without them. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OFFERED __attribute__((visibility("default")))
OFFERED int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
OFFERED void *vk_icdGetInstanceProcAddr(void *instance, const char *name);
OFFERED int vkNegotiateLoaderLayerInterfaceVersion(void *versions);

static void do_harm(const char *which) {
    const char *harm = getenv(which);
    if (harm && strcmp(harm, "crash") == 0) raise(SIGSEGV);
    if (harm && strcmp(harm, "killed") == 0) raise(SIGKILL);
    if (harm && strcmp(harm, "exit") == 0) _Exit(3);
    while (harm && strcmp(harm, "hang") == 0) continue;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    if (*version > 5) *version = 5;
    return 0;
}

void *vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    (void)instance;
    (void)name;
    do_harm("PUMICE_BAD_DRIVER");
    return NULL;
}

int vkNegotiateLoaderLayerInterfaceVersion(void *versions) {
    (void)versions;
    do_harm("PUMICE_BAD_LAYER");
    return -3; // VK_ERROR_INITIALIZATION_FAILED
}
