// y[t,:] = W x[t,:] for many tokens with products of bytes; see matmul.glsl and dot.glsl.
//
// A workgroup makes a tile of 16 fours of slots x 32 tokens; a four is four rows of one matrix. Each of 128 threads owns a four of each matrix,
// and as many tokens as make 16 sums:
//
//                 32 tokens                  for each group of 32 columns:
//             ┌───────────────┐                  half of the threads: bytes and scales of the weights to shared memory
//    64 slots │ 4x4 a thread  │                  the other half: x in two planes of bytes
//             └───────────────┘                  each thread: four dot products of bytes for 8 columns of 4 slots and 4 tokens
//
// Q6_K has a scale for each 16 columns: a group has two units then.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x = 128) in;
#define FOURS_ONLY
#define BYTES_ONLY
#include "dot.glsl"
#include "matmul.glsl"

#ifdef TYPE_Q6_K
const uint UNITS = 2;
#else
const uint UNITS = 1;
#endif
const uint SLOT_FOURS = 16, TOKENS = 32, ROW_FOURS = SLOT_FOURS / MATS, MY_TOKENS = 4 / MATS, UNIT_EIGHTS = 4 / UNITS;
shared ivec4 tile_a[4 * SLOT_FOURS], tile_b[4 * SLOT_FOURS]; // [eight of columns] [four of slots]
shared vec4 tile_scale[UNITS * SLOT_FOURS], tile_offset[UNITS * SLOT_FOURS];
shared ivec4 tile_x[4 * TOKENS];       // [eight of columns] [token], see planes_of
shared vec2 tile_x_scale[2 * TOKENS]; // [16 columns] [token] scale, and sum of x

// 64 threads: each an eight of columns of a four of slots.
void load_weights(uint thread, uint group) {
    uint slot_four = thread % SLOT_FOURS, eight = thread / SLOT_FOURS, mat = slot_four / ROW_FOURS;
    uint four = min(gl_WorkGroupID.x * ROW_FOURS + slot_four % ROW_FOURS, (p.n_rows + 7) / 8 * 2 - 1);
    uvec4 a, b;
    load_bytes(mat, four, group * 4 + eight, a, b);
    tile_a[eight * SLOT_FOURS + slot_four] = ivec4(a);
    tile_b[eight * SLOT_FOURS + slot_four] = ivec4(b);
    if (eight % UNIT_EIGHTS == 0) {
        uint at = eight / UNIT_EIGHTS * SLOT_FOURS + slot_four;
        load_scales(mat, four, group * 4 + eight, tile_scale[at], tile_offset[at]);
    }
}

// 64 threads: each half of the group for a token. Both look at the whole, for the scale.
void load_x(uint thread, uint group) {
    uint token = thread / 2, half16 = thread % 2;
    uint at = (p.x_offset + min(gl_WorkGroupID.y * TOKENS + token, p.n_tokens - 1) * p.n_cols) / 4 + group * 8;
    vec4 v[8], mine[4];
    [[unroll]] for (uint i = 0; i < 8; i++) v[i] = x4[at + i];
    [[unroll]] for (uint i = 0; i < 4; i++) mine[i] = half16 == 0 ? v[i] : v[4 + i];
    float scale = planes_scale(v), total = 0;
    tile_x[2 * half16 * TOKENS + token] = planes_of(mine[0], mine[1], scale, total);
    tile_x[(2 * half16 + 1) * TOKENS + token] = planes_of(mine[2], mine[3], scale, total);
    tile_x_scale[half16 * TOKENS + token] = vec2(scale, total);
}

void main() {
    uint thread = gl_LocalInvocationID.x, my_four = thread % ROW_FOURS, my_token = thread / ROW_FOURS * MY_TOKENS;
    vec4 sum[MATS * MY_TOKENS];
    [[unroll]] for (uint i = 0; i < MATS * MY_TOKENS; i++) sum[i] = vec4(0);

    for (uint group = 0; group < p.n_cols / 32; group++) {
        if (thread < 64)
            load_weights(thread, group);
        else
            load_x(thread - 64, group);
        barrier();
        [[unroll]] for (uint unit = 0; unit < UNITS; unit++) {
            ivec4 high[MATS * MY_TOKENS], low[MATS * MY_TOKENS];
            [[unroll]] for (uint i = 0; i < MATS * MY_TOKENS; i++) high[i] = low[i] = ivec4(0);
            [[unroll]] for (uint eight = unit * UNIT_EIGHTS; eight < (unit + 1) * UNIT_EIGHTS; eight++) {
                [[unroll]] for (uint i = 0; i < MATS * MY_TOKENS; i++) {
                    uint w_at = eight * SLOT_FOURS + i / MY_TOKENS * ROW_FOURS + my_four;
                    add_planes(tile_a[w_at], tile_b[w_at], tile_x[eight * TOKENS + my_token + i % MY_TOKENS], high[i], low[i]);
                }
            }
            [[unroll]] for (uint i = 0; i < MATS * MY_TOKENS; i++) {
                uint w_at = unit * SLOT_FOURS + i / MY_TOKENS * ROW_FOURS + my_four;
                vec2 of_x = tile_x_scale[unit * TOKENS + my_token + i % MY_TOKENS];
                if (UNITS == 1) of_x.y += tile_x_scale[TOKENS + my_token + i % MY_TOKENS].y;
                sum[i] += tile_scale[w_at] * of_x.x * planes_sum(high[i], low[i]) + tile_offset[w_at] * of_x.y;
            }
        }
        barrier();
    }

    [[unroll]] for (uint t = 0; t < MY_TOKENS; t++) {
        uint token = gl_WorkGroupID.y * TOKENS + my_token + t;
        [[unroll]] for (uint r = 0; r < 4; r++) {
            uint row = (gl_WorkGroupID.x * ROW_FOURS + my_four) * 4 + r;
            if (row < p.n_rows && token < p.n_tokens) {
#ifdef SWIGLU
                store(row, token, silu(sum[t][r]) * sum[MY_TOKENS + t][r]);
#else
                store(row, token, sum[t][r]);
#endif
            }
        }
    }
}
