// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For CPU drivers, where a barrier and shared memory cost more than they save and every load is a loop over the lanes. The workgroup is
// one subgroup, cut into clusters of LANES lanes. Each lane owns ROWS rows, whose q and sum stay in registers, so that softmax does not
// cross lanes. A cluster loads K and V of STEP positions, eight values a lane, and hands them round:
//
//      lane          0             1        …                          for each lane i of the cluster, for each of its 8 values:
//      loads    position 0,   position 0,   …  of STEP*HEAD_DIM/8 ──►      score[row] += q[row][d] * shuffle(value, i)
//               d 0 … 7       d 8 … 15
//
// With few rows there are several clusters; they own the same rows, take steps in turn, and are joined at the end.
// Loops over register arrays must unroll, or the arrays go to memory. A shuffle from a constant lane is one instruction on llvmpipe,
// where a broadcast is a loop.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // the subgroup size
layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint ROWS = 1;
layout(constant_id = 3) const uint STEP = 4; // STEP * HEAD_DIM / 8 is a multiple of LANES
layout(constant_id = 4) const uint LANES = 8; // a power of two, at most the subgroup size
#define SIZE gl_WorkGroupSize.x
#include "attention.glsl"
#include "attention_join.glsl"

const uint LOADS = STEP * HEAD_DIM / 8 / LANES;

float q[ROWS * HEAD_DIM], sum[ROWS * HEAD_DIM], score[ROWS * STEP], maximum[ROWS], total[ROWS];

// Afterwards every cluster has the results of all.
void join(uint r) {
    [[unroll]] for (uint step = LANES; step < SIZE; step *= 2) {
        uint other = gl_LocalInvocationID.x ^ step;
        float highest = max(maximum[r], subgroupShuffle(maximum[r], other)), keep = exp(maximum[r] - highest);
        maximum[r] = highest;
        total[r] *= keep;
        total[r] += subgroupShuffle(total[r], other);
        [[unroll]] for (uint d = 0; d < HEAD_DIM; d++) {
            float part = sum[r * HEAD_DIM + d] * keep;
            sum[r * HEAD_DIM + d] = part + subgroupShuffle(part, other);
        }
    }
}

void main() {
    uint lane = gl_LocalInvocationID.x % LANES, cluster = LANES < SIZE ? gl_LocalInvocationID.x / LANES : 0, cluster0 = cluster * LANES;
    uint first = gl_WorkGroupID.x * (LANES * ROWS), last = chunk_end(min(first + LANES * ROWS, p.n_rows) - 1);
    uint row[ROWS], end[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // Lanes past the last row repeat it, and keep the result to themselves.
        row[r] = min(first + r * LANES + lane, p.n_rows - 1);
        end[r] = min(end_of(row[r]), last);
        maximum[r] = LOWEST;
        total[r] = 0;
        [[unroll]] for (uint d = 0; d < HEAD_DIM; d += 4) {
            vec4 value = qkv[q_at(row[r]) + d / 4] * p.scale;
            [[unroll]] for (uint i = 0; i < 4; i++) {
                q[r * HEAD_DIM + d + i] = value[i];
                sum[r * HEAD_DIM + d + i] = 0;
            }
        }
    }
    for (uint all = chunk_begin(); all < last; all += STEP * (SIZE / LANES)) {
        uint base = all + cluster * STEP;
        [[unroll]] for (uint s = 0; s < ROWS * STEP; s++) score[s] = 0;
        [[unroll]] for (uint j = 0; j < LOADS; j++) {
            vec4 low = vec4(0), high = vec4(0);
            uint c = j * LANES + lane;
            uint position = base + c / (HEAD_DIM / 8);
            if (position < last) load_k(position, c % (HEAD_DIM / 8), low, high);
            [[unroll]] for (uint i = 0; i < LANES * 8; i++) {
                uint at = j * LANES * 8 + i;
                float value = subgroupShuffle(i % 8 < 4 ? low[i % 4] : high[i % 4], cluster0 + i / 8);
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
            uint c = j * LANES + lane;
            uint position = base + c / (HEAD_DIM / 8);
            if (position < last) load_v(position, c % (HEAD_DIM / 8), low, high);
            [[unroll]] for (uint i = 0; i < LANES * 8; i++) {
                uint at = j * LANES * 8 + i;
                float value = subgroupShuffle(i % 8 < 4 ? low[i % 4] : high[i % 4], cluster0 + i / 8);
                [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * HEAD_DIM + at % HEAD_DIM] += score[r * STEP + at / HEAD_DIM] * value;
            }
        }
    }
    if (LANES < SIZE) { // around the loop: a loop of no turns inside would keep llvmpipe from unrolling this one
        [[unroll]] for (uint r = 0; r < ROWS; r++) join(r);
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        if (cluster == 0 && first + r * LANES + lane < p.n_rows && chunk_begin() < last) {
            uint record = record_at(row[r], gl_WorkGroupID.z);
            [[unroll]] for (uint d = 0; d < HEAD_DIM; d += 4) {
                uint i = r * HEAD_DIM + d;
                vec4 part = vec4(sum[i], sum[i + 1], sum[i + 2], sum[i + 3]);
                if (p.n_chunks == 1) a[a_at(row[r]) + d / 4] = part / total[r];
                else records[record + 1 + d / 4] = part;
            }
            if (p.n_chunks > 1) records[record] = vec4(maximum[r], total[r], 0, 0);
        }
    }
    join_if_last(first, min(LANES * ROWS, p.n_rows - first));
}
