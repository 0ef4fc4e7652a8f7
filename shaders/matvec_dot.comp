// y[t,:] = W x[t,:], or with NORM W (x[t,:] * norm / rms(x[t,:])), for one to a few tokens in one read of the weights, with products of bytes;
// see matmul.glsl and dot.glsl. Laid out as matvec_blocks.comp: an eight of columns of a block of eight rows is the work of two threads.
//
// CHUNK columns at a time: first the workgroup turns x into planes of bytes, a thread for each 32 columns of a token, then it goes through the
// weights. The more blocks share that the better. A thread makes planes of one token only, so that subgroups are no smaller than TOKENS.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
#define THREADS gl_WorkGroupSize.x
layout(constant_id = 1) const uint BLOCKS = 1;
layout(constant_id = 2) const uint TOKENS = 1;
layout(constant_id = 3) const uint NORM = 0;
layout(constant_id = 4) const uint SLOTS = 4;    // subgroups
layout(constant_id = 5) const uint CHUNK = 2048; // a multiple of 32
#define FOURS_ONLY
#define BYTES_ONLY
#include "dot.glsl"
#include "matmul.glsl"

const uint SUMS = MATS * BLOCKS * TOKENS;
shared ivec4 planes[TOKENS * CHUNK / 8];
shared vec2 scales[TOKENS * CHUNK / 8]; // scale, and sum of eight columns
shared vec4 partial[SUMS * SLOTS * 2];  // [matrix, block, token] [slot] [half of the block]
shared float partial_squares[TOKENS * SLOTS];

// Returns the sum of the squares of x, before the norm's factors.
float make_planes(uint token, uint to, uint group) {
    uint at = (p.x_offset + token * p.n_cols) / 4 + group * 8;
    vec4 v[8];
    float square = 0;
    [[unroll]] for (uint i = 0; i < 8; i++) {
        v[i] = x4[at + i];
        if (NORM != 0) {
            square += dot(v[i], v[i]);
            v[i] *= norm4[group * 8 + i];
        }
    }
    float scale = planes_scale(v);
    [[unroll]] for (uint e = 0; e < 4; e++) {
        float total = 0;
        planes[to + e] = planes_of(v[2 * e], v[2 * e + 1], scale, total);
        scales[to + e] = vec2(scale, total);
    }
    return square;
}

void main() {
    uint thread = gl_SubgroupID * gl_SubgroupSize + gl_SubgroupInvocationID; // whatever order the driver gives them
    uint half8 = thread % 2, block0 = gl_WorkGroupID.x * BLOCKS, token0 = gl_WorkGroupID.y * TOKENS;
    uint last_block = (p.n_rows + 7) / 8 - 1;
    vec4 sum[SUMS];
    uint my_token = thread % TOKENS;
    float square = 0;
    [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] = vec4(0);

    // Past the end the last block and token are repeated, and not stored.
    for (uint col0 = 0; col0 < p.n_cols; col0 += CHUNK) {
        uint n_eights = min(CHUNK, p.n_cols - col0) / 8;
        barrier();
        for (uint group = thread / TOKENS; group < n_eights / 4; group += THREADS / TOKENS)
            square += make_planes(min(token0 + my_token, p.n_tokens - 1), my_token * CHUNK / 8 + group * 4, col0 / 32 + group);
        barrier();
        for (uint eight = thread / 2; eight < n_eights; eight += THREADS / 2) {
            [[unroll]] for (uint i = 0; i < MATS * BLOCKS; i++) {
                uint four = 2 * min(block0 + i % BLOCKS, last_block) + half8;
                uvec4 a, b;
                vec4 scale, offset;
                load_bytes(i / BLOCKS, four, col0 / 8 + eight, a, b);
                load_scales(i / BLOCKS, four, col0 / 8 + eight, scale, offset);
                [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                    ivec4 high = ivec4(0), low = ivec4(0);
                    vec2 of_x = scales[t * CHUNK / 8 + eight];
                    add_planes(ivec4(a), ivec4(b), planes[t * CHUNK / 8 + eight], high, low);
                    sum[i * TOKENS + t] += scale * of_x.x * planes_sum(high, low) + offset * of_x.y;
                }
            }
        }
    }

    for (uint step = 2; step < gl_SubgroupSize; step *= 2)
        [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i] += subgroupShuffleXor(sum[i], step);
    for (uint step = TOKENS; step < gl_SubgroupSize; step *= 2) square += subgroupShuffleXor(square, step);
    if (gl_SubgroupInvocationID < 2)
        [[unroll]] for (uint i = 0; i < SUMS; i++) partial[(i * SLOTS + gl_SubgroupID) * 2 + half8] = sum[i];
    if (gl_SubgroupInvocationID < TOKENS) partial_squares[my_token * SLOTS + gl_SubgroupID] = square;
    barrier();

    for (uint out_at = thread; out_at < 8 * BLOCKS * TOKENS; out_at += THREADS) {
        uint row = (block0 + out_at / 8 % BLOCKS) * 8 + out_at % 8, t = out_at / (8 * BLOCKS);
        float total[MATS], squares = 0;
        [[unroll]] for (uint m = 0; m < MATS; m++) total[m] = 0;
        for (uint s = 0; s < SLOTS; s++) {
            [[unroll]] for (uint m = 0; m < MATS; m++)
                total[m] += partial[(((m * BLOCKS + out_at / 8 % BLOCKS) * TOKENS + t) * SLOTS + s) * 2 + out_at % 8 / 4][out_at % 4];
            squares += partial_squares[t * SLOTS + s];
        }
        float factor = NORM != 0 ? 1 / sqrt(squares / float(p.n_cols) + p.eps) : 1, a = total[0] * factor;
#ifdef SWIGLU
        a = silu(a) * total[1] * factor;
#endif
        if (row < p.n_rows && token0 + t < p.n_tokens) store(row, token0 + t, a);
    }
}
