// y[t,:] = W x[t,:] for many tokens with cooperative matrices (VK_KHR_cooperative_matrix); see matmul.glsl.
//
// W and x are rounded to float16, products are added in float32: an input is off by 2^-11 of itself, or by 2^-25 where it is below 2^-14.
// See half8.glsl for inputs beyond float16's range.
//
// A workgroup makes a tile of SLOTS slots x TOKENS tokens; a slot is a row of one matrix (slot = row * MATS + matrix, so that both matrices
// of a row are neighbours). Its subgroups lie over the tile in a grid, here of 2 x 2, and each keeps the sums of its part:
//
//               TOKENS                 for each group of 32 columns:
//           ┌───────┬───────┐              each subgroup: 32 / K times its SUB_SLOTS / M matrices of weights by its SUB_TOKENS / N of x
//     SLOTS │   0   │   2   │              the next group of weights and x goes to the other half of the shared memory
//           ├───────┼───────┤
//           │   1   │   3   │
//           └───────┴───────┘
//
// At the end the sums go through the shared memory to y. See matmul_halves.glsl for what it holds.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 128;
layout(constant_id = 1) const uint SUBGROUP = 32; // size of one, which the pipeline requires
layout(constant_id = 2) const uint M = 16;        // matrices of weights are M x K, of x K x N, of sums M x N
layout(constant_id = 3) const uint N = 16;
layout(constant_id = 4) const uint K = 16;
layout(constant_id = 5) const uint SLOTS = 128;
layout(constant_id = 6) const uint TOKENS = 64;
layout(constant_id = 7) const uint GRID = 2; // subgroups along the slots
#include "half8.glsl"
#include "matmul.glsl"

const uint SUB_SLOTS = SLOTS / GRID, SUB_TOKENS = TOKENS / (THREADS / SUBGROUP / GRID);

uint mat_of(uint slot) { return slot % MATS; }
uint row_of(uint slot) { return min((gl_WorkGroupID.x * SLOTS + slot) / MATS, p.n_rows - 1); }
#include "matmul_halves.glsl"

#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
const uint M_TILES = SUB_SLOTS / M, N_TILES = SUB_TOKENS / N;
SUMS sums[M_TILES * N_TILES];

void multiply(uint from, uint sub_slot0, uint sub_token0) {
    [[unroll]] for (uint k = 0; k < 32; k += K) {
        coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB> values[N_TILES];
        [[unroll]] for (uint n = 0; n < N_TILES; n++)
            coopMatLoad(values[n], tile, from + (SLOTS + sub_token0 + n * N) * LINE + k / 8, LINE, gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint m = 0; m < M_TILES; m++) {
            coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA> weights;
            coopMatLoad(weights, tile, from + (sub_slot0 + m * M) * LINE + k / 8, LINE, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint n = 0; n < N_TILES; n++)
                sums[m * N_TILES + n] = coopMatMulAdd(weights, values[n], sums[m * N_TILES + n]);
        }
    }
}

float staged(uint stage, uint at) { return uintBitsToFloat(tile[stage + at / 4][at % 4]); }

// One matrix of sums, whose first slot and token these are.
void store_sums(SUMS sum, uint slot0, uint token0) {
    uint stage = gl_SubgroupID * M * N / 4;
    subgroupBarrier();
    coopMatStore(sum, tile, stage, M / 4, gl_CooperativeMatrixLayoutColumnMajor);
    subgroupBarrier();
    const uint ROWS = M / MATS;
    [[unroll]] for (uint i = 0; i < ROWS * N; i += SUBGROUP) {
        uint unit = i + gl_SubgroupInvocationID, in_row = unit % ROWS, in_token = unit / ROWS, at = in_token * M + in_row * MATS;
        uint row = slot0 / MATS + in_row, token = token0 + in_token;
        if (in_token < N && row < p.n_rows && token < p.n_tokens) {
#ifdef SWIGLU
            store(row, token, silu(staged(stage, at)) * staged(stage, at + 1));
#else
            store(row, token, staged(stage, at));
#endif
        }
    }
}

void main() {
    uint sub_slot0 = gl_SubgroupID % GRID * SUB_SLOTS, sub_token0 = gl_SubgroupID / GRID * SUB_TOKENS;
    [[unroll]] for (uint i = 0; i < M_TILES * N_TILES; i++) sums[i] = SUMS(0);
    load_weights(0, 0);
    load_x(0, 0);
    barrier();
    uint n_groups = (p.n_cols + 31) / 32;
    for (uint group = 0; group < n_groups; group++) {
        multiply(group % 2 * HALF, sub_slot0, sub_token0);
        if (group + 1 < n_groups) {
            uint to = (group + 1) % 2 * HALF;
            load_weights(group + 1, to);
            load_x(group + 1, to);
        }
        barrier();
    }
    uint slot0 = gl_WorkGroupID.x * SLOTS + sub_slot0, token0 = gl_WorkGroupID.y * TOKENS + sub_token0;
    [[unroll]] for (uint i = 0; i < M_TILES * N_TILES; i++)
        store_sums(sums[i], slot0 + i / N_TILES * M, token0 + i % N_TILES * N);
}
