#ifndef SHADERS_PEAK_PUSH_H
#define SHADERS_PEAK_PUSH_H
#include "push.h"

struct peak_push {
    PUSH_UINT n, n_rounds; // words of four to read, or values; times over
    PUSH_ADDRESS(in)       // of what is read, for kernels that use it
};
PUSH_BYTES(peak_push, 16)

#endif
