// y[t,:] = W x[t,:] for many tokens with the cooperative matrices of VK_NV_cooperative_matrix2; see matmul.glsl.
//
// Rounding and sums are those of matmul_coop.comp. What differs: a matrix is as large as the part of the tile that is asked for, and the
// driver lays it over the invocations; where it offers that, over those of a whole workgroup. The sums go to y from where they are, by a
// function of each element.
//
// A workgroup makes a tile of ROWS rows x TOKENS tokens of each of MATS matrices, cut into a grid of parts: one (matrices of the workgroup),
// or one for each subgroup, here 2 x 2:
//
//              TOKENS                 for each group of 32 columns:
//          ┌───────┬───────┐              each part: its weights [PART_ROWS, 32] of each matrix by its x [32, PART_TOKENS]
//     ROWS │   0   │   2   │              the next group of weights and x goes to the other half of the shared memory
//          ├───────┼───────┤
//          │   1   │   3   │
//          └───────┴───────┘
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix2 : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint THREADS = 128;
layout(constant_id = 1) const int SCOPE = gl_ScopeSubgroup; // of the matrices; or gl_ScopeWorkgroup
layout(constant_id = 2) const uint SLOTS = 128;             // ROWS * MATS
layout(constant_id = 3) const uint TOKENS = 64;
layout(constant_id = 4) const uint GRID_ROWS = 2; // parts along the rows, and along the tokens
layout(constant_id = 5) const uint GRID_TOKENS = 2;
#include "half8.glsl"
#include "matmul.glsl"

const uint ROWS = SLOTS / MATS, PART_ROWS = ROWS / GRID_ROWS, PART_TOKENS = TOKENS / GRID_TOKENS;

uint mat_of(uint slot) { return slot / ROWS; }
uint row_of(uint slot) { return min(gl_WorkGroupID.x * ROWS + slot % ROWS, p.n_rows - 1); }
#include "matmul_halves.glsl"

coopmat<float, SCOPE, PART_ROWS, PART_TOKENS, gl_MatrixUseAccumulator> sums[MATS];

void multiply(uint from, uint part_row0, uint part_token0) {
    coopmat<float16_t, SCOPE, 32, PART_TOKENS, gl_MatrixUseB> values;
    coopMatLoad(values, tile, from + (SLOTS + part_token0) * LINE, LINE, gl_CooperativeMatrixLayoutColumnMajor);
    [[unroll]] for (uint mat = 0; mat < MATS; mat++) {
        coopmat<float16_t, SCOPE, PART_ROWS, 32, gl_MatrixUseA> weights;
        coopMatLoad(weights, tile, from + (mat * ROWS + part_row0) * LINE, LINE, gl_CooperativeMatrixLayoutRowMajor);
        sums[mat] = coopMatMulAdd(weights, values, sums[mat]);
    }
}

// One element of a part, whose first row and token these are.
void store_in(uint row, uint token, float value) {
    if (row < p.n_rows && token < p.n_tokens) store(row, token, value);
}
#ifdef SWIGLU
float store_element(const in uint in_row, const in uint in_token, const in float gate, const in float up, const in uint row0,
                    const in uint token0) {
    store_in(row0 + in_row, token0 + in_token, silu(gate) * up);
    return gate;
}
#define STORE(row0, token0) coopMatPerElementNV(sums[0], sums[0], store_element, sums[1], row0, token0)
#else
float store_element(const in uint in_row, const in uint in_token, const in float sum, const in uint row0, const in uint token0) {
    store_in(row0 + in_row, token0 + in_token, sum);
    return sum;
}
#define STORE(row0, token0) coopMatPerElementNV(sums[0], sums[0], store_element, row0, token0)
#endif

void main() {
    uint part = GRID_ROWS * GRID_TOKENS == 1 ? 0 : gl_SubgroupID;
    uint part_row0 = part % GRID_ROWS * PART_ROWS, part_token0 = part / GRID_ROWS * PART_TOKENS;
    [[unroll]] for (uint mat = 0; mat < MATS; mat++)
        sums[mat] = coopmat<float, SCOPE, PART_ROWS, PART_TOKENS, gl_MatrixUseAccumulator>(0);
    load_weights(0, 0);
    load_x(0, 0);
    barrier();
    uint n_groups = (p.n_cols + 31) / 32;
    for (uint group = 0; group < n_groups; group++) {
        multiply(group % 2 * HALF, part_row0, part_token0);
        if (group + 1 < n_groups) {
            uint to = (group + 1) % 2 * HALF;
            load_weights(group + 1, to);
            load_x(group + 1, to);
        }
        barrier();
    }
    STORE(gl_WorkGroupID.x * ROWS + part_row0, gl_WorkGroupID.y * TOKENS + part_token0);
}
