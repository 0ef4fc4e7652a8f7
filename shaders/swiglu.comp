// h = silu(gate) * up, silu(a) = a / (1 + exp(-a)), where gate and up could not be made together.     arXiv:2002.05202
//
//   binding 0  up, 1  gate and h
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 64) in;
#include "matmul_push.h"

layout(push_constant) uniform push_block { swiglu_push p; };
layout(binding = 0) readonly buffer up_block { float up[]; };
layout(binding = 1) buffer h_block { float h[]; };

void main() {
    uint i = gl_GlobalInvocationID.x + gl_WorkGroupID.y * 64 * gl_NumWorkGroups.x;
    if (i < p.n_values) {
        float gate = h[p.h_offset + i];
        h[p.h_offset + i] = gate / (1 + exp(-gate)) * up[p.up_offset + i];
    }
}
