// y[t,:] = W x[t,:], or with NORM W (x[t,:] * norm / rms(x[t,:])), for CPU drivers that load a value which is the same for all lanes once;
// see matmul.glsl and lanes8.glsl.
//
// The workgroup is one subgroup of eight lanes; a lane owns a row of each of BLOCKS blocks (times MATS) and TOKENS tokens, whose sums
// stay in registers:
//
//      lane       0      1      …   7            for each column:
//      block 0  row 0  row 1    … row 7            sum[block][t] += w[block][column] * x[t][column]
//      block 1  row 8  row 9    … row 15
//
// Weights are vector loads, x is a scalar that is broadcast: both through addresses, because the driver checks the bounds of storage
// buffers at every load, and a checked load is no vector load. n_cols is a multiple of 32, n_rows of a slice at least 8.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x = 8) in;
layout(constant_id = 0) const uint BLOCKS = 2;
layout(constant_id = 1) const uint TOKENS = 12;
layout(constant_id = 2) const uint NORM = 0;
#define ADDRESSES
#include "matmul.glsl"
#define GROUPS (p.n_cols / 32)
#include "lanes8.glsl"
#include "weights_lanes8.glsl"

struct columns { float v[32]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer row_ref { columns at[]; };

const uint SUMS = MATS * BLOCKS; // times TOKENS
block_t blocks[SUMS];
row_ref rows[TOKENS], norm;
float sum[SUMS * TOKENS], squares[TOKENS];

// Eight columns of x times norm, a column a lane.
float normed(uint t, uint group, uint eight) {
    float value = LANES8(rows[t].at[group].v, eight * 8);
    squares[t] = fma(value, value, squares[t]);
    return value * LANES8(norm.at[group].v, eight * 8);
}

void add_group(uint group) {
    scale_t scales[SUMS];
    [[unroll]] for (uint i = 0; i < SUMS; i++) scales[i] = scale_of(blocks[i], group);
    [[unroll]] for (uint eight = 0; eight < 4; eight++) {
        eight_t words[SUMS];
        float values[TOKENS];
        [[unroll]] for (uint i = 0; i < SUMS; i++) words[i] = eight_of(blocks[i], group, eight);
        if (NORM != 0)
            [[unroll]] for (uint t = 0; t < TOKENS; t++) values[t] = normed(t, group, eight);
        [[unroll]] for (uint j = 0; j < 8; j++) {
            float w[SUMS];
            [[unroll]] for (uint i = 0; i < SUMS; i++) w[i] = weight_of(words[i], scales[i], eight, j);
            [[unroll]] for (uint t = 0; t < TOKENS; t++) {
                float value = NORM != 0 ? subgroupShuffle(values[t], j) : rows[t].at[group].v[eight * 8 + j];
                [[unroll]] for (uint i = 0; i < SUMS; i++) sum[i * TOKENS + t] = fma(w[i], value, sum[i * TOKENS + t]);
            }
        }
    }
}

void main() {
    uint lane = gl_SubgroupInvocationID, block0 = gl_WorkGroupID.x * BLOCKS, token0 = gl_WorkGroupID.y * TOKENS;
    uint n_groups = GROUPS, group = 0;
    // Past the end the last block and token are repeated, and not stored.
    [[unroll]] for (uint i = 0; i < SUMS; i++) {
        uint block = min(block0 + i % BLOCKS, (p.n_rows + 7) / 8 - 1);
        blocks[i] = block_of(i < BLOCKS ? address(p.w0_low, p.w0_high) : address(p.w1_low, p.w1_high), block);
    }
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        rows[t] = row_ref(address(p.x_low, p.x_high) + uint64_t(min(token0 + t, p.n_tokens - 1)) * p.n_cols * 4);
        squares[t] = 0;
    }
    norm = row_ref(address(p.norm_low, p.norm_high));
    [[unroll]] for (uint i = 0; i < SUMS * TOKENS; i++) sum[i] = 0;

    // A loop that asks at its end: llvmpipe runs a body once more behind a break, without lanes, and loads of scalars know no lanes.
    do {
        add_group(group);
    } while (++group < n_groups);

    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        float factor = NORM != 0 ? 1 / sqrt(subgroupAdd(squares[t]) / float(p.n_cols) + p.eps) : 1;
        [[unroll]] for (uint b = 0; b < BLOCKS; b++) {
            uint row = (block0 + b) * 8 + lane;
            float a = sum[b * TOKENS + t] * factor;
#ifdef SWIGLU
            a = silu(a) * (sum[(BLOCKS + b) * TOKENS + t] * factor);
#endif
            if (row < p.n_rows && token0 + t < p.n_tokens) store(row, token0 + t, a);
        }
    }
}
