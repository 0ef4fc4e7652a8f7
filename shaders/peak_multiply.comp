// Multiplies and adds in 16 independent chains of four, 8 times n_rounds long.
//
//   binding 0  one float a thread
//
// FUSED: drivers that do not contract a product and a sum by themselves are told to.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 128) in;
#include "peak_push.h"

#ifdef FUSED
#define MULTIPLY_ADD(sum, a) fma(sum, a, a)
#else
#define MULTIPLY_ADD(sum, a) (sum * a + a)
#endif

layout(push_constant) uniform push_block { peak_push p; };
layout(binding = 0) buffer out_block { float result[]; };

void main() {
    uint thread = gl_GlobalInvocationID.x;
    vec4 a = vec4(result[thread]), sum[4];
    [[unroll]] for (uint i = 0; i < 4; i++) sum[i] = a + float(i);
    for (uint round = 0; round < p.n_rounds; round++)
        [[unroll]] for (uint k = 0; k < 8; k++)
            [[unroll]] for (uint i = 0; i < 4; i++) sum[i] = MULTIPLY_ADD(sum[i], a);
    vec4 total = sum[0] + sum[1] + sum[2] + sum[3];
    result[thread] = total.x + total.y + total.z + total.w;
}
