#ifndef SHADERS_PEAK_PUSH_H
#define SHADERS_PEAK_PUSH_H
#include "push.h"

struct peak_push {
    PUSH_UINT n, n_rounds; // words of four to read, or values; times over
};
PUSH_BYTES(peak_push, 8)

#endif
