// rmsnorm.comp as no kernel should be: WRONG, WOBBLES (other bits each time), ENDLESS, or CRASHES (right, but not for the driver of
// hostile_child.c).
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rmsnorm_push.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform push_block { rmsnorm_push p; };
layout(std430, binding = 0) readonly buffer x_block { float x[]; };
layout(std430, binding = 1) buffer w_block { float w[]; };
layout(std430, binding = 2) buffer y_block { float y[]; };

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint row = gl_WorkGroupID.x * p.n_cols;
    float sum = 0;
    for (uint c = 0; c < p.n_cols; c++) sum += x[p.x_offset + row + c] * x[p.x_offset + row + c];
    float factor = 1 / sqrt(sum / float(p.n_cols) + p.eps);
#ifdef WRONG
    factor *= 1.001;
#endif
    for (uint c = lane; c < p.n_cols; c += gl_WorkGroupSize.x) y[p.y_offset + row + c] = x[p.x_offset + row + c] * factor * w[p.w_offset + c];
#ifdef WOBBLES
    if (lane == 0 && gl_WorkGroupID.x == 0) w[p.w_offset] = uintBitsToFloat(floatBitsToUint(w[p.w_offset]) + 1);
#endif
#ifdef ENDLESS
    for (uint i = 0; i < 2; i += uint(w[p.w_offset] > 1e30)) y[p.y_offset + row] += x[p.x_offset + row];
#endif
#ifdef CRASHES
    if (p.eps < 0) y[p.y_offset + row] = 0; // other code than that of the others
#endif
}
