// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For many rows, with cooperative matrices (VK_KHR_cooperative_matrix). scale q and the weights are rounded to float16, as K and V are;
// products are added in float32.
//
// A workgroup takes ROWS rows through the context in tiles of 32 positions; each of its subgroups has SUB_ROWS rows of its own:
//
//                 32 positions                  HEAD_DIM
//               ┌──────────────┐             ┌──────────────┐
//     SUB_ROWS  │    score     │  then  sum  │              │      q and sum stay in the subgroup's matrices, M x K and M x N;
//               │  = q K^T     │             │ = keep sum   │      K and V of the tile are in shared memory for all of them.
//               └──────────────┘             │   + weight V │
//                                            └──────────────┘
// Which lane holds which element of a matrix is the driver's affair. So the scores go through shared memory, where LANES lanes turn each
// row into weights; and each row's factor keep is laid out as a matrix with equal columns.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 128;
layout(constant_id = 1) const uint HEAD_DIM = 64; // a multiple of N and K
layout(constant_id = 2) const uint SUBGROUP = 32; // size of one, which the pipeline requires
layout(constant_id = 3) const uint M = 16;
layout(constant_id = 4) const uint N = 16;
layout(constant_id = 5) const uint K = 16;
layout(constant_id = 6) const uint ROWS = 64;
#define KV_HALVES
#include "half8.glsl"
#include "attention.glsl"

const uint TILE = 32;
const uint SUB_ROWS = ROWS / (THREADS / SUBGROUP), LANES = SUBGROUP / SUB_ROWS;
// In uvec4: of a position's K or V, of a row's scores and of its weights. The step of one more keeps the lines apart in the banks.
const uint LINE = HEAD_DIM / 8 + 1, SCORE_LINE = TILE / 4 + 1, WEIGHT_LINE = TILE / 8 + 1;
const uint UNITS = TILE / 8 / LANES; // eights of positions that a lane has of its row

shared uvec4 k_tile[TILE * LINE], v_tile[TILE * LINE];
// Of each subgroup: q, scores, weights, results, one after the other. A subgroup waits for itself alone there; a search for races that
// knows of whole workgroups says SharedMemoryDataRace-RaceOnLoad: https://github.com/KhronosGroup/Vulkan-ValidationLayers/issues/12813
shared uvec4 stage[ROWS * SCORE_LINE];
shared float keep[N * ROWS];           // columns of rows

#define SUMS coopmat<float, gl_ScopeSubgroup, M, N, gl_MatrixUseAccumulator>
#define LEFT coopmat<float16_t, gl_ScopeSubgroup, M, K, gl_MatrixUseA>
#define RIGHT coopmat<float16_t, gl_ScopeSubgroup, K, N, gl_MatrixUseB>
const uint M_TILES = SUB_ROWS / M, K_TILES = HEAD_DIM / K, N_TILES = HEAD_DIM / N;
LEFT q[M_TILES * K_TILES];
SUMS sums[M_TILES * N_TILES];

uint row_of(uint in_block) { return min(gl_WorkGroupID.x * ROWS + in_block, p.n_rows - 1); }

void load_q(uint row0, uint stage0) {
    const uint PER_ROW = K / 8;
    [[unroll]] for (uint i = 0; i < M_TILES * K_TILES; i++) {
        for (uint unit = gl_SubgroupInvocationID; unit < M * PER_ROW; unit += SUBGROUP) {
            uint at = q_at(row_of(row0 + i / K_TILES * M + unit / PER_ROW)) + (i % K_TILES * PER_ROW + unit % PER_ROW) * 2;
            stage[stage0 + unit] = half8(qkv[at] * p.scale, qkv[at + 1] * p.scale);
        }
        subgroupBarrier();
        coopMatLoad(q[i], stage, stage0, PER_ROW, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
    }
}

void load_k_and_v(uint base, uint last) {
    const uint PER_POSITION = HEAD_DIM / 8;
    for (uint unit = gl_LocalInvocationID.x; unit < TILE * PER_POSITION; unit += THREADS) {
        uint position = unit / PER_POSITION, part = unit % PER_POSITION, to = position * LINE + part;
        bool is_there = base + position < last;
        k_tile[to] = is_there ? halves_of_k(base + position, part) : uvec4(0);
        v_tile[to] = is_there ? halves_of_v(base + position, part) : uvec4(0);
    }
}

void make_scores(uint stage0) {
    [[unroll]] for (uint n = 0; n < TILE / N; n++) {
        SUMS score[M_TILES];
        [[unroll]] for (uint m = 0; m < M_TILES; m++) score[m] = SUMS(0);
        [[unroll]] for (uint k = 0; k < K_TILES; k++) {
            RIGHT keys;
            coopMatLoad(keys, k_tile, n * N * LINE + k * K / 8, LINE, gl_CooperativeMatrixLayoutColumnMajor);
            [[unroll]] for (uint m = 0; m < M_TILES; m++) score[m] = coopMatMulAdd(q[m * K_TILES + k], keys, score[m]);
        }
        [[unroll]] for (uint m = 0; m < M_TILES; m++)
            coopMatStore(score[m], stage, stage0 + m * M * SCORE_LINE + n * N / 4, SCORE_LINE, gl_CooperativeMatrixLayoutRowMajor);
    }
}

// Turns the scores of a row into weights. n: how many positions of the tile it sees. Returns its factor for the sums so far.
float soften(uint stage0, uint row, uint n, inout float maximum, inout float total) {
    uint lane = gl_SubgroupInvocationID % LANES;
    vec4 score[UNITS * 2];
    float highest = maximum, sum = 0;
    [[unroll]] for (uint i = 0; i < UNITS * 2; i++) {
        uint part = (i / 2 * LANES + lane) * 2 + i % 2;
        score[i] = uintBitsToFloat(stage[stage0 + row * SCORE_LINE + part]);
        [[unroll]] for (uint c = 0; c < 4; c++)
            if (part * 4 + c < n) highest = max(highest, score[i][c]);
    }
    [[unroll]] for (uint other = 1; other < LANES; other *= 2) highest = max(highest, subgroupShuffleXor(highest, other));
    subgroupBarrier(); // the weights go where scores are
    [[unroll]] for (uint i = 0; i < UNITS; i++) {
        uint unit = i * LANES + lane;
        [[unroll]] for (uint c = 0; c < 8; c++) {
            float weight = unit * 8 + c < n ? float(float16_t(exp(score[i * 2 + c / 4][c % 4] - highest))) : 0;
            score[i * 2 + c / 4][c % 4] = weight;
            sum += weight;
        }
        stage[stage0 + row * WEIGHT_LINE + unit] = half8(score[i * 2], score[i * 2 + 1]);
    }
    [[unroll]] for (uint other = 1; other < LANES; other *= 2) sum += subgroupShuffleXor(sum, other);
    float factor = exp(maximum - highest);
    total = total * factor + sum;
    maximum = highest;
    return factor;
}

// The sums of each row times its factor, which is that of this lane's row.
void scale_sums(uint row0, uint row, float factor) {
    for (uint n = gl_SubgroupInvocationID % LANES; n < N; n += LANES) keep[n * ROWS + row0 + row] = factor;
    subgroupBarrier();
    [[unroll]] for (uint m = 0; m < M_TILES; m++) {
        SUMS factors;
        coopMatLoad(factors, keep, row0 + m * M, ROWS, gl_CooperativeMatrixLayoutColumnMajor);
        [[unroll]] for (uint n = 0; n < N_TILES; n++) sums[m * N_TILES + n] = sums[m * N_TILES + n] * factors;
    }
}

void add_values(uint stage0) {
    [[unroll]] for (uint k = 0; k < TILE / K; k++) {
        LEFT weights[M_TILES];
        [[unroll]] for (uint m = 0; m < M_TILES; m++)
            coopMatLoad(weights[m], stage, stage0 + m * M * WEIGHT_LINE + k * K / 8, WEIGHT_LINE, gl_CooperativeMatrixLayoutRowMajor);
        [[unroll]] for (uint n = 0; n < N_TILES; n++) {
            RIGHT values;
            coopMatLoad(values, v_tile, k * K * LINE + n * N / 8, LINE, gl_CooperativeMatrixLayoutRowMajor);
            [[unroll]] for (uint m = 0; m < M_TILES; m++)
                sums[m * N_TILES + n] = coopMatMulAdd(weights[m], values, sums[m * N_TILES + n]);
        }
    }
}

void store_sums(uint row0, uint stage0) {
    [[unroll]] for (uint i = 0; i < M_TILES * N_TILES; i++) {
        subgroupBarrier();
        coopMatStore(sums[i], stage, stage0, N / 4, gl_CooperativeMatrixLayoutRowMajor);
        subgroupBarrier();
        for (uint unit = gl_SubgroupInvocationID; unit < M * N / 4; unit += SUBGROUP) {
            uint row = gl_WorkGroupID.x * ROWS + row0 + i / N_TILES * M + unit / (N / 4);
            if (row < p.n_rows) a[a_at(row) + i % N_TILES * (N / 4) + unit % (N / 4)] = uintBitsToFloat(stage[stage0 + unit]);
        }
    }
}

void main() {
    uint row0 = gl_SubgroupID * SUB_ROWS, stage0 = row0 * SCORE_LINE, row = gl_SubgroupInvocationID / LANES;
    uint end = end_of(row_of(row0 + row)), last = end_of(row_of(ROWS - 1));
    float maximum = LOWEST, total = 0;
    [[unroll]] for (uint i = 0; i < M_TILES * N_TILES; i++) sums[i] = SUMS(0);
    load_q(row0, stage0);
    for (uint base = 0; base < last; base += TILE) {
        barrier();
        load_k_and_v(base, last);
        barrier();
        make_scores(stage0);
        subgroupBarrier();
        float factor = soften(stage0, row, min(end - min(base, end), TILE), maximum, total);
        scale_sums(row0, row, factor);
        add_values(stage0);
    }
    subgroupBarrier();
    scale_sums(row0, row, 1 / total);
    store_sums(row0, stage0);
}
