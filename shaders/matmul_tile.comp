// y[t,:] = W x[t,:] for many tokens; see matmul.glsl. The baseline for GPUs: shared memory, nothing optional.
//
// A workgroup makes a tile of 64 slots x 32 tokens; a slot is a row of one matrix (slot = row * MATS + matrix, so that a thread has both
// matrices of its rows). Each of 128 threads owns 4 slots x 4 tokens:
//
//                 32 tokens                  for each group of 32 columns:
//             ┌───────────────┐                  weights and x of the group to shared memory
//    64 slots │ 4x4 a thread  │                  each thread: 32 times 4 weights by 4 values of x
//             └───────────────┘
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 128) in;
#include "matmul.glsl"

const uint SLOTS = 64, TOKENS = 32, COLS = 32;
// A step of 4 more than the width keeps the columns of one slot apart in the banks.
shared vec4 tile_w[COLS * (SLOTS + 4) / 4];
shared vec4 tile_x[COLS * (TOKENS + 4) / 4];

void main() {
    uint thread = gl_LocalInvocationID.x, slot0 = gl_WorkGroupID.x * SLOTS, token0 = gl_WorkGroupID.y * TOKENS;
    uint n_slots = p.n_rows * MATS;
    uint my_slots = thread % 16, my_tokens = thread / 16; // in fours
    vec4 sum[4];                                           // [token] of four slots
    [[unroll]] for (uint t = 0; t < 4; t++) sum[t] = vec4(0);

    uint load_slot = thread / 2, load_half = thread % 2, load_token = thread / 4, load_col = thread % 4 * 8;
    for (uint group = 0; group < (p.n_cols + 31) / 32; group++) {
        uint slot = min(slot0 + load_slot, n_slots - 1);
        vec4 v[4];
        load16(slot % MATS, slot / MATS, 2 * group + load_half, v);
        [[unroll]] for (uint i = 0; i < 16; i++)
            tile_w[((load_half * 16 + i) * (SLOTS + 4) + load_slot) / 4][load_slot % 4] = v[i / 4][i % 4];
        uint x_at = p.x_offset + min(token0 + load_token, p.n_tokens - 1) * p.n_cols;
        [[unroll]] for (uint i = 0; i < 8; i++) {
            uint col = group * 32 + load_col + i;
            tile_x[((load_col + i) * (TOKENS + 4) + load_token) / 4][load_token % 4] = col < p.n_cols ? x[x_at + col] : 0;
        }
        barrier();
        for (uint k = 0; k < COLS; k++) {
            vec4 w = tile_w[k * (SLOTS + 4) / 4 + my_slots], values = tile_x[k * (TOKENS + 4) / 4 + my_tokens];
            [[unroll]] for (uint t = 0; t < 4; t++) sum[t] += w * values[t];
        }
        barrier();
    }

    [[unroll]] for (uint t = 0; t < 4; t++) {
        uint token = token0 + my_tokens * 4 + t;
        [[unroll]] for (uint i = 0; i < 4; i += MATS) {
            uint row = (slot0 + my_slots * 4 + i) / MATS;
            if (row < p.n_rows && token < p.n_tokens) {
#ifdef SWIGLU
                store(row, token, silu(sum[t][i]) * sum[t][i + 1]);
#else
                store(row, token, sum[t][i]);
#endif
            }
        }
    }
}
