#define _DEFAULT_SOURCE // readlink
#include "control.h"

#include <dlfcn.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool layer_control_open(layer_control *layer) {
    char program[4096], folder[5000], path[6000];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n < 0) return false;
    program[n] = 0;
    snprintf(folder, sizeof folder, "%s/layers", dirname(program));
    snprintf(path, sizeof path, "%s/pumice_test_layer.so", folder);
    setenv("VK_LAYER_PATH", folder, 1);
    setenv("VK_INSTANCE_LAYERS", "VK_LAYER_PUMICE_test", 1);
    setenv("NODEVICE_SELECT", "1", 1); // Mesa's layer that sorts the devices crashes when listing them has failed once
    void *library = dlopen(path, RTLD_NOW);
    if (!library) {
        printf("%s\n", dlerror());
        return false;
    }
    *(void **)&layer->begin = dlsym(library, "pumice_layer_begin");
    *(void **)&layer->fired = dlsym(library, "pumice_layer_fired");
    *(void **)&layer->handles = dlsym(library, "pumice_layer_handles");
    return layer->begin && layer->fired && layer->handles;
}
