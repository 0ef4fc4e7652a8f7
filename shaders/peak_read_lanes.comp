// Reads as peak_read.comp does, for CPU drivers that load a value which is the same for all lanes once; see lanes8.glsl. A workgroup is a
// subgroup of eight lanes and reads a piece of its own, front to back.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x = 8) in;
#include "peak_push.h"
#include "lanes8.glsl"

layout(push_constant) uniform push_block { peak_push p; };
layout(binding = 1) writeonly buffer out_block { uint result[]; };

struct line { uint w[64]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer lines_ref { line at[]; };

void main() {
    uint n_lines = p.n / 16 / gl_NumWorkGroups.x, round = 0, sum[8];
    lines_ref mine = lines_ref(packUint2x32(uvec2(p.in_low, p.in_high)) + uint64_t(gl_WorkGroupID.x) * n_lines * 256);
    [[unroll]] for (uint k = 0; k < 8; k++) sum[k] = 0;
    do {
        uint i = 0;
        do {
            [[unroll]] for (uint k = 0; k < 8; k++) sum[k] ^= LANES8(mine.at[i].w, k * 8) + round;
        } while (++i < n_lines);
    } while (++round < p.n_rounds);
    uint all = 0;
    [[unroll]] for (uint k = 0; k < 8; k++) all ^= sum[k];
    result[gl_GlobalInvocationID.x] = all;
}
