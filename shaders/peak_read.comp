// Reads n times 16 bytes, n_rounds times over, and keeps no more than what stops the compiler from leaving the reads out.
//
//   binding 0  bytes to read, 1  one word a thread
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 128) in;
#include "peak_push.h"

layout(push_constant) uniform push_block { peak_push p; };
layout(binding = 0) readonly buffer in_block { uvec4 bytes[]; };
layout(binding = 1) writeonly buffer out_block { uint result[]; };

void main() {
    uint thread = gl_GlobalInvocationID.x, step = gl_NumWorkGroups.x * 128;
    uvec4 sum = uvec4(0);
    for (uint round = 0; round < p.n_rounds; round++)
        for (uint i = thread; i < p.n; i += 4 * step) {
            uvec4 a = bytes[i], b = bytes[min(i + step, p.n - 1)], c = bytes[min(i + 2 * step, p.n - 1)], d = bytes[min(i + 3 * step, p.n - 1)];
            sum ^= (a ^ b) + (c ^ d) + round;
        }
    result[thread] = sum.x ^ sum.y ^ sum.z ^ sum.w;
}
