// y[t,:] = W x[t,:], or with NORM W (x[t,:] * norm / rms(x[t,:])), for one to a few tokens in one read of the weights; see matmul.glsl.
//
// A workgroup makes BLOCKS blocks of eight rows for TOKENS tokens. Threads 2i and 2i+1 load 16 bytes each, side by side: four rows of
// eight columns, so that all threads together read THREADS * 16 bytes in one piece (nibbles; wider types in several), and go on by
// THREADS / 2 eights of columns:
//
//      columns     0…7        8…15     …
//      rows 0…3   thread 0   thread 2
//      rows 4…7   thread 1   thread 3            x of an eight of columns serves both its threads, all BLOCKS and MATS
//
// With SUBGROUPS each subgroup adds up its sums by shuffles, and SLOTS of them are left to add; without, THREADS / 2.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef SUBGROUPS
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif

layout(local_size_x_id = 0) in;
#define THREADS gl_WorkGroupSize.x
layout(constant_id = 1) const uint BLOCKS = 1;
layout(constant_id = 2) const uint TOKENS = 1;
layout(constant_id = 3) const uint NORM = 0;
layout(constant_id = 4) const uint SLOTS = 32;
#define FOURS_ONLY
#include "matmul.glsl"

const uint SUMS = MATS * BLOCKS * TOKENS;
shared vec4 partial[SUMS * SLOTS * 2]; // [matrix, block, token] [slot] [half of the block]
shared float partial_squares[TOKENS * SLOTS];

void main() {
#ifdef SUBGROUPS
    uint thread = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; // whatever order the driver gives them
#else
    uint thread = gl_LocalInvocationID.x;
#endif
    uint half8 = thread % 2, block0 = gl_WorkGroupID.x * BLOCKS, token0 = gl_WorkGroupID.y * TOKENS;
    uint last_block = (p.n_rows + 7) / 8 - 1, x_at[TOKENS];
    vec4 sum[SUMS];
    float squares[TOKENS];
    // Past the end the last block and token are repeated, and not stored.
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        x_at[t] = (p.x_offset + min(token0 + t, p.n_tokens - 1) * p.n_cols) / 4;
        squares[t] = 0;
    }
    [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] = vec4(0);

    for (uint eight = thread / 2; eight < p.n_cols / 8; eight += THREADS / 2) {
        vec4 low[TOKENS], high[TOKENS];
        float total[TOKENS];
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            low[t] = x4[x_at[t] + 2 * eight];
            high[t] = x4[x_at[t] + 2 * eight + 1];
            if (NORM != 0) {
                squares[t] += dot(low[t], low[t]) + dot(high[t], high[t]);
                low[t] *= norm4[2 * eight];
                high[t] *= norm4[2 * eight + 1];
            }
            total[t] = dot(low[t], vec4(1)) + dot(high[t], vec4(1));
        }
        [[unroll]] for (uint i = 0; i < MATS * BLOCKS; i++) {
            vec4 w[8], scale, offset;
            load_eight(i / BLOCKS, 2 * min(block0 + i % BLOCKS, last_block) + half8, eight, w, scale, offset);
            [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                vec4 s = w[0] * low[t].x + w[1] * low[t].y + w[2] * low[t].z + w[3] * low[t].w + w[4] * high[t].x + w[5] * high[t].y +
                         w[6] * high[t].z + w[7] * high[t].w;
                sum[i * TOKENS + t] += s * scale + total[t] * offset;
            }
        }
    }

#ifdef SUBGROUPS
    for (uint step = 2; step < gl_SubgroupSize; step *= 2) {
        [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] += subgroupShuffleXor(sum[i], step);
        if (NORM != 0)
            [[unroll]] for (uint t = 0; t < TOKENS; t++) squares[t] += subgroupShuffleXor(squares[t], step);
    }
    uint slot = gl_SubgroupID;
    bool speaks = gl_SubgroupInvocationID < 2;
#else
    uint slot = thread / 2;
    bool speaks = true;
#endif
    if (speaks) {
        [[unroll]] for (uint i = 0; i < SUMS; i++) partial[(i * SLOTS + slot) * 2 + half8] = sum[i];
        if (NORM != 0 && half8 == 0)
            [[unroll]] for (uint t = 0; t < TOKENS; t++) partial_squares[t * SLOTS + slot] = squares[t];
    }
    barrier();

    for (uint out_at = thread; out_at < 8 * BLOCKS * TOKENS; out_at += THREADS) {
        uint row = (block0 + out_at / 8 % BLOCKS) * 8 + out_at % 8, t = out_at / (8 * BLOCKS);
        float total[MATS], square = 0;
        [[unroll]] for (uint m = 0; m < MATS; m++) total[m] = 0;
        for (uint s = 0; s < SLOTS; s++) {
            [[unroll]] for (uint m = 0; m < MATS; m++)
                total[m] += partial[(((m * BLOCKS + out_at / 8 % BLOCKS) * TOKENS + t) * SLOTS + s) * 2 + out_at % 8 / 4][out_at % 4];
            if (NORM != 0) square += partial_squares[t * SLOTS + s];
        }
        float factor = NORM != 0 ? 1 / sqrt(square / float(p.n_cols) + p.eps) : 1, a = total[0] * factor;
#ifdef SWIGLU
        a = silu(a) * total[1] * factor;
#endif
        if (row < p.n_rows && token0 + t < p.n_tokens) store(row, token0 + t, a);
    }
}
