/* Preloaded into a test: a machine without the Vulkan loader. */
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

__attribute__((visibility("default"))) void *dlopen(const char *name, int flags);

void *dlopen(const char *name, int flags) {
    if (name && strstr(name, "libvulkan")) return NULL;
    void *next = dlsym(RTLD_NEXT, "dlopen");
    void *(*real)(const char *, int);
    memcpy(&real, &next, sizeof real);
    return real(name, flags);
}
