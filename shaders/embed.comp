// x[t,:] = W[tokens[t],:], for the tokens whose rows this slice of W holds; see weights.glsl.
//
//   binding 0  weights, 1  tokens, 2  x.    Thread: sixteen columns of one token.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
#include "matmul_push.h"

layout(push_constant) uniform push_block { embed_push p; };
layout(binding = 0) readonly buffer w_block { uint words[]; };
layout(binding = 1) readonly buffer token_block { uint tokens[]; };
layout(binding = 2) writeonly buffer x_block { float x[]; };
#define WORDS words
#define LOAD16 load16
#include "weights.glsl"

void main() {
    uint half16 = gl_GlobalInvocationID.x, token = gl_WorkGroupID.y, row = tokens[token] - p.first_row;
    if (row < p.n_rows && half16 * 16 < p.n_cols) {
        vec4 v[4];
        load16(row, half16, v);
        [[unroll]] for (uint i = 0; i < 16; i++)
            if (half16 * 16 + i < p.n_cols) x[p.x_offset + token * p.n_cols + half16 * 16 + i] = v[i / 4][i % 4];
    }
}
