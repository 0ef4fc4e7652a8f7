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
    // A layer that is named already, of validation say, stays above this one.
    const char *above = getenv("VK_INSTANCE_LAYERS"), *others = getenv("VK_ADD_LAYER_PATH");
    char layers[512], folders[6000];
    snprintf(layers, sizeof layers, "%s%sVK_LAYER_PUMICE_test", above ? above : "", above ? ":" : "");
    snprintf(folders, sizeof folders, "%s%s%s", folder, others ? ":" : "", others ? others : "");
    setenv("VK_LAYER_PATH", folders, 1);
    setenv("VK_INSTANCE_LAYERS", layers, 1);
    setenv("NODEVICE_SELECT", "1", 1); // Mesa's layer that sorts the devices crashes when listing them has failed once
    void *library = dlopen(path, RTLD_NOW);
    if (!library) {
        printf("%s\n", dlerror());
        return false;
    }
    *(void **)&layer->begin = dlsym(library, "pumice_layer_begin");
    *(void **)&layer->fired = dlsym(library, "pumice_layer_fired");
    *(void **)&layer->handles = dlsym(library, "pumice_layer_handles");
    *(void **)&layer->bury = dlsym(library, "pumice_layer_bury");
    return layer->begin && layer->fired && layer->handles && layer->bury;
}
