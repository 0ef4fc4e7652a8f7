// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For CPU drivers, where a barrier and shared memory cost more than they save and every load is a loop over the lanes. The workgroup is
// one subgroup. Each lane owns ROWS rows: q and the sum stay in registers, so that softmax never crosses lanes. K and V of STEP positions
// are loaded once, eight values a lane, and broadcast:
//
//      lane          0             1        …                          for each lane i, for each of its 8 values:
//      loads    position 0,   position 0,   …  of STEP*HEAD_DIM/8 ──►      score[row] += q[row][d] * broadcast(value, i)
//               d 0 … 7       d 8 … 15
//
// Loops over register arrays must unroll, or the arrays go to memory.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // the subgroup size: 4, 8 or 16
layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint ROWS = 1;
layout(constant_id = 3) const uint STEP = 4; // STEP * HEAD_DIM / 8 is a multiple of the subgroup size
#define SIZE gl_WorkGroupSize.x
#include "attention.glsl"

const uint LOADS = STEP * HEAD_DIM / 8 / SIZE;

float q[ROWS * HEAD_DIM], sum[ROWS * HEAD_DIM], score[ROWS * STEP];

void main() {
    uint lane = gl_LocalInvocationID.x, first = gl_WorkGroupID.x * (SIZE * ROWS);
    uint last = chunk_end(min(first + SIZE * ROWS, p.n_rows) - 1);
    uint row[ROWS], end[ROWS];
    float maximum[ROWS], total[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // Lanes past the last row repeat it, and keep the result to themselves.
        row[r] = min(first + r * SIZE + lane, p.n_rows - 1);
        end[r] = min(end_of(row[r]), last);
        maximum[r] = LOWEST;
        total[r] = 0;
        [[unroll]] for (uint d = 0; d < HEAD_DIM / 4; d++) {
            vec4 value = q_rows[q_at(row[r]) + d] * p.scale;
            [[unroll]] for (uint i = 0; i < 4; i++) {
                q[r * HEAD_DIM + 4 * d + i] = value[i];
                sum[r * HEAD_DIM + 4 * d + i] = 0;
            }
        }
    }
    for (uint base = chunk_begin(); base < last; base += STEP) {
        [[unroll]] for (uint s = 0; s < ROWS * STEP; s++) score[s] = 0;
        [[unroll]] for (uint j = 0; j < LOADS; j++) {
            vec4 low = vec4(0), high = vec4(0);
            uint c = j * SIZE + lane;
            if (base + c / (HEAD_DIM / 8) < last) unpack8(k_cache[kv_at(base) + c], low, high);
            [[unroll]] for (uint i = 0; i < SIZE * 8; i++) {
                uint at = j * SIZE * 8 + i;
                float value = subgroupShuffle(i % 8 < 4 ? low[i % 4] : high[i % 4], i / 8);
                [[unroll]] for (uint r = 0; r < ROWS; r++) score[r * STEP + at / HEAD_DIM] += q[r * HEAD_DIM + at % HEAD_DIM] * value;
            }
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float before = maximum[r];
            [[unroll]] for (uint s = 0; s < STEP; s++)
                if (base + s < end[r]) maximum[r] = max(maximum[r], score[r * STEP + s]);
            float keep = exp(before - maximum[r]);
            total[r] *= keep;
            [[unroll]] for (uint s = 0; s < STEP; s++) {
                score[r * STEP + s] = base + s < end[r] ? exp(score[r * STEP + s] - maximum[r]) : 0;
                total[r] += score[r * STEP + s];
            }
            [[unroll]] for (uint d = 0; d < HEAD_DIM; d++) sum[r * HEAD_DIM + d] *= keep;
        }
        [[unroll]] for (uint j = 0; j < LOADS; j++) {
            vec4 low = vec4(0), high = vec4(0);
            uint c = j * SIZE + lane;
            if (base + c / (HEAD_DIM / 8) < last) unpack8(v_cache[kv_at(base) + c], low, high);
            [[unroll]] for (uint i = 0; i < SIZE * 8; i++) {
                uint at = j * SIZE * 8 + i;
                float value = subgroupShuffle(i % 8 < 4 ? low[i % 4] : high[i % 4], i / 8);
                [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * HEAD_DIM + at % HEAD_DIM] += score[r * STEP + at / HEAD_DIM] * value;
            }
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        if (first + r * SIZE + lane < p.n_rows) {
            float factor = p.n_chunks == 1 ? 1 / total[r] : 1;
            uint to = p.n_chunks == 1 ? a_at(row[r]) : record_at(row[r]) + 1;
            [[unroll]] for (uint d = 0; d < HEAD_DIM; d += 4) {
                uint i = r * HEAD_DIM + d;
                vec4 value = vec4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]) * factor;
                if (p.n_chunks == 1) a_rows[to + d / 4] = value;
                else scratch[to + d / 4] = value;
            }
            if (p.n_chunks > 1) scratch[to - 1] = vec4(maximum[r], total[r], 0, 0);
        }
    }
}
