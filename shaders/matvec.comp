// y[t,:] = W x[t,:] for one to a few tokens in one read of the weights; see matmul.glsl. The baseline for GPUs: nothing optional.
//
// A workgroup of 64 threads makes ROWS rows for TOKENS tokens. Thread i takes the columns 16 i …, 16 (i + 64) …; the threads' sums are
// added up through shared memory.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint ROWS = 4;
layout(constant_id = 1) const uint TOKENS = 1;
#include "matmul.glsl"

const uint SUMS = MATS * ROWS * TOKENS;
shared float partial[SUMS * 64];

void main() {
    uint thread = gl_LocalInvocationID.x, row0 = gl_WorkGroupID.x * ROWS, token0 = gl_WorkGroupID.y * TOKENS;
    float sum[SUMS];
    [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] = 0;
    for (uint half16 = thread; half16 < (p.n_cols + 31) / 32 * 2; half16 += 64) {
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            uint x_at = p.x_offset + min(token0 + t, p.n_tokens - 1) * p.n_cols;
            vec4 values[4];
            [[unroll]] for (uint i = 0; i < 16; i++) values[i / 4][i % 4] = half16 * 16 + i < p.n_cols ? x[x_at + half16 * 16 + i] : 0;
            [[unroll]] for (uint i = 0; i < MATS * ROWS; i++) {
                vec4 w[4];
                load16(i % MATS, min(row0 + i / MATS, p.n_rows - 1), half16, w);
                sum[i * TOKENS + t] += dot(w[0], values[0]) + dot(w[1], values[1]) + dot(w[2], values[2]) + dot(w[3], values[3]);
            }
        }
    }
    [[unroll]] for (uint i = 0; i < SUMS; i++) partial[i * 64 + thread] = sum[i];
    barrier();
    [[unroll]] for (uint width = 32; width > 0; width /= 2) {
        if (thread < width)
            [[unroll]] for (uint i = 0; i < SUMS; i++) partial[i * 64 + thread] += partial[i * 64 + thread + width];
        barrier();
    }
    if (thread < ROWS * TOKENS) {
        uint r = thread / TOKENS, t = thread % TOKENS, row = row0 + r, token = token0 + t;
        if (row < p.n_rows && token < p.n_tokens) {
            float a = partial[(r * MATS * TOKENS + t) * 64];
#ifdef SWIGLU
            a = silu(a) * partial[((r * MATS + 1) * TOKENS + t) * 64];
#endif
            store(row, token, a);
        }
    }
}
