// y[t,:] = W x[t,:], or with NORM W (x[t,:] * norm / rms(x[t,:])), for CPU drivers; see matmul.glsl.
//
// A barrier and shared memory cost more there than they save, and every load is a loop over the lanes. The workgroup is one subgroup;
// each lane owns ROWS rows (times MATS) and TOKENS tokens, whose sums stay in registers:
//
//      lane          0          1        …                       for each of the 32 columns of a group:
//      weights    row 0      row 1       …   32 columns ──►          sum[row][t] += w[row][column] * shuffle(x[t], column / 4)
//      x[t]       col 0…3    col 4…7     …   of a group
//
// One load of four values a lane serves all columns of a group. A shuffle from a constant lane is one instruction on llvmpipe, where a
// load at a uniform address is a loop; so loops over registers are unrolled. n_cols is a multiple of 4.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // the subgroup size
layout(constant_id = 1) const uint ROWS = 1;
layout(constant_id = 2) const uint TOKENS = 16;
layout(constant_id = 3) const uint NORM = 0;
#define SIZE gl_WorkGroupSize.x
#include "matmul.glsl"

float over_lanes(float value) {
    float sum = 0;
    [[unroll]] for (uint i = 0; i < SIZE; i++) sum += subgroupShuffle(value, i);
    return sum;
}

void main() {
    const uint LOADS = SIZE < 8 ? 8 / SIZE : 1; // loads of four columns that make a group
    uint lane = gl_LocalInvocationID.x, token0 = gl_WorkGroupID.y * TOKENS;
    uint row[ROWS], x_at[TOKENS];
    float sum[MATS * ROWS * TOKENS], squares[TOKENS];
    // Past the end the last row and token are repeated, and not stored.
    [[unroll]] for (uint r = 0; r < ROWS; r++) row[r] = min((gl_WorkGroupID.x * ROWS + r) * SIZE + lane, p.n_rows - 1);
    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        x_at[t] = (p.x_offset + min(token0 + t, p.n_tokens - 1) * p.n_cols) / 4;
        squares[t] = 0;
    }
    [[unroll]] for (uint i = 0; i < MATS * ROWS * TOKENS; i++) sum[i] = 0;

    uint n4 = p.n_cols / 4, n_groups = (p.n_cols + 31) / 32, group = 0;
    do { // asks at its end: llvmpipe runs a body once more, without lanes, behind a break
        vec4 w[MATS * ROWS * 8];
        [[unroll]] for (uint m = 0; m < MATS; m++)
            [[unroll]] for (uint r = 0; r < ROWS; r++)
                [[unroll]] for (uint h = 0; h < 2; h++) {
                    vec4 v[4];
                    load16(m, row[r], 2 * group + h, v);
                    [[unroll]] for (uint i = 0; i < 4; i++) w[(m * ROWS + r) * 8 + 4 * h + i] = v[i];
                }
        [[unroll]] for (uint t = 0; t < TOKENS; t++) {
            [[unroll]] for (uint j = 0; j < LOADS; j++) {
                // Weights past the end are zero; x is read inside its row all the same, where it is finite. Lanes from 8 on have columns of the
                // next group, which counts them itself.
                uint four = min(8 * group + j * SIZE + lane, n4 - 1);
                vec4 mine = x4[x_at[t] + four];
                if (NORM != 0) {
                    squares[t] += lane < 8 / LOADS && 8 * group + j * SIZE + lane < n4 ? dot(mine, mine) : 0;
                    mine *= norm4[four];
                }
                [[unroll]] for (uint c = 0; c < 32 / LOADS; c++) {
                    float value = subgroupShuffle(mine[c % 4], c / 4);
                    uint column = j * (32 / LOADS) + c;
                    [[unroll]] for (uint i = 0; i < MATS * ROWS; i++) sum[i * TOKENS + t] += w[i * 8 + column / 4][column % 4] * value;
                }
            }
        }
    } while (++group < n_groups);

    [[unroll]] for (uint t = 0; t < TOKENS; t++) {
        float factor = NORM != 0 ? 1 / sqrt(over_lanes(squares[t]) / float(p.n_cols) + p.eps) : 1;
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            uint out_row = (gl_WorkGroupID.x * ROWS + r) * SIZE + lane;
            float a = sum[r * TOKENS + t] * factor;
#ifdef SWIGLU
            a = silu(a) * (sum[(ROWS + r) * TOKENS + t] * factor);
#endif
            if (out_row < p.n_rows && token0 + t < p.n_tokens) store(out_row, token0 + t, a);
        }
    }
}
