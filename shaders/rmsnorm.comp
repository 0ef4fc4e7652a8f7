// y[t,c] = x[t,c] * w[c] / sqrt(mean over c of x[t,c]^2 + eps)                                                     arXiv:1910.07467
// x, y [n_rows, n_cols] float32 (y may be x), w [n_cols]. One workgroup per row; each thread takes every SIZE-th column.
// ONE_SUBGROUP: the workgroup is one subgroup and sums without shared memory and barriers, which CPU drivers pay dearly for.
#version 450
#extension GL_GOOGLE_include_directive : require
#ifdef ONE_SUBGROUP
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "rmsnorm_push.h"

layout(local_size_x_id = 0) in; // a power of two
#define SIZE gl_WorkGroupSize.x
layout(push_constant) uniform push_block { rmsnorm_push p; };
layout(std430, binding = 0) readonly buffer x_block { float x[]; };
layout(std430, binding = 1) readonly buffer w_block { float w[]; };
layout(std430, binding = 2) buffer y_block { float y[]; };

#ifdef ONE_SUBGROUP
float sum_over_group(float value) { return subgroupAdd(value); }
#else
shared float partial[SIZE];
float sum_over_group(float value) {
    uint lane = gl_LocalInvocationID.x;
    partial[lane] = value;
    for (uint step = SIZE / 2; step > 0; step /= 2) {
        barrier();
        if (lane < step) partial[lane] += partial[lane + step];
    }
    barrier();
    return partial[0];
}
#endif

void main() {
    uint lane = gl_LocalInvocationID.x;
    uint row = gl_WorkGroupID.x * p.n_cols;
    float sum = 0;
    for (uint c = lane; c < p.n_cols; c += SIZE) {
        float value = x[p.x_offset + row + c];
        sum += value * value;
    }
    float factor = 1 / sqrt(sum_over_group(sum) / float(p.n_cols) + p.eps);
    for (uint c = lane; c < p.n_cols; c += SIZE) y[p.y_offset + row + c] = x[p.x_offset + row + c] * factor * w[p.w_offset + c];
}
