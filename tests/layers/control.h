/* The test layer from within a program that it is loaded into. */
#ifndef TESTS_LAYERS_CONTROL_H
#define TESTS_LAYERS_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct layer_control {
    void (*begin)(const char *words); ///< takes other words, and counts anew
    const char *(*fired)(void);       ///< the function that failed since, or NULL
    uint64_t (*handles)(void);        ///< that were made and not destroyed
    void (*bury)(void);               ///< destroys devices that hang, once nothing uses them
} layer_control;

/// Switches the layer on for this process, before its first call to Vulkan; it lies in layers/ beside the program. false: it
/// cannot be loaded, which is printed.
bool layer_control_open(layer_control *layer);

#endif
