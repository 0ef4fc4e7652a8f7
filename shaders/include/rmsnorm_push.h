#ifndef SHADERS_RMSNORM_PUSH_H
#define SHADERS_RMSNORM_PUSH_H
#include "push.h"

struct rmsnorm_push {
    PUSH_UINT n_cols;
    PUSH_UINT x_offset, w_offset, y_offset; // in floats from the start of the binding
    PUSH_FLOAT eps;
};
PUSH_BYTES(rmsnorm_push, 20)

#endif
