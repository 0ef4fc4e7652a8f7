// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For few rows, as in decode, where K and V are read once and the context is cut over workgroups. Of the 128 threads, LANES = HEAD_DIM/8
// share a position (each reads 16 bytes of K and V, neighbours read neighbours), and GROUPS such groups take positions in turn:
//
//     thread   0 … LANES-1 │ LANES … 2*LANES-1 │ …           each group keeps its own maximum, total and sum for its positions,
//     position base        │ base + 1          │ …           joined at the end. Only the dot products cross threads.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 128) in;
layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint ROWS = 1; // at most 4
#include "attention.glsl"

const uint LANES = HEAD_DIM / 8;
const uint GROUPS = 128 / LANES;
const uint BATCH = 16 / ROWS; // positions of a group between barriers

shared float partial[2048]; // [BATCH][ROWS][GROUPS][LANES] of dot products; at the end [GROUPS][HEAD_DIM] of a row's sums
shared float maxima[GROUPS], totals[GROUPS];
shared uint arrived_before;

void main() {
    uint id = gl_LocalInvocationID.x, group = id / LANES, lane = id % LANES, first = gl_WorkGroupID.x * ROWS;
    bool used = group < GROUPS;
    uint begin = chunk_begin(), last = chunk_end(min(first + ROWS, p.n_rows) - 1);
    vec4 q[ROWS * 2], sum[ROWS * 2];
    float maximum[ROWS], total[ROWS];
    uint end[ROWS];
    for (uint r = 0; r < ROWS; r++) {
        uint row = min(first + r, p.n_rows - 1);
        end[r] = min(end_of(row), last);
        maximum[r] = LOWEST;
        total[r] = 0;
        for (uint i = 0; i < 2; i++) {
            q[r * 2 + i] = qkv[q_at(row) + lane * 2 + i] * p.scale;
            sum[r * 2 + i] = vec4(0);
        }
    }
    for (uint base = begin; base < last; base += BATCH * GROUPS) {
        for (uint b = 0; b < BATCH; b++) {
            uint position = base + b * GROUPS + group;
            vec4 low = vec4(0), high = vec4(0);
            if (used && position < last) load_k(position, lane, low, high);
            for (uint r = 0; r < ROWS; r++)
                if (used) partial[((b * ROWS + r) * GROUPS + group) * LANES + lane] = dot(q[r * 2], low) + dot(q[r * 2 + 1], high);
        }
        barrier();
        // A score is summed where its first part stands.
        for (uint i = id; i < BATCH * ROWS * GROUPS; i += 128) {
            float score = partial[i * LANES];
            for (uint j = 1; j < LANES; j++) score += partial[i * LANES + j];
            partial[i * LANES] = score;
        }
        barrier();
        for (uint r = 0; r < ROWS; r++) {
            float before = maximum[r];
            for (uint b = 0; b < BATCH; b++)
                if (used && base + b * GROUPS + group < end[r])
                    maximum[r] = max(maximum[r], partial[((b * ROWS + r) * GROUPS + group) * LANES]);
            float keep = exp(before - maximum[r]);
            total[r] *= keep;
            sum[r * 2] *= keep;
            sum[r * 2 + 1] *= keep;
        }
        for (uint b = 0; b < BATCH; b++) {
            uint position = base + b * GROUPS + group;
            vec4 low = vec4(0), high = vec4(0);
            if (used && position < last) load_v(position, lane, low, high);
            for (uint r = 0; r < ROWS; r++) {
                float weight = 0;
                if (used && position < end[r]) weight = exp(partial[((b * ROWS + r) * GROUPS + group) * LANES] - maximum[r]);
                total[r] += weight;
                sum[r * 2] += weight * low;
                sum[r * 2 + 1] += weight * high;
            }
        }
        barrier();
    }
    for (uint r = 0; r < ROWS; r++) {
        if (used && lane == 0) maxima[group] = maximum[r];
        barrier();
        float highest = LOWEST;
        for (uint g = 0; g < GROUPS; g++) highest = max(highest, maxima[g]);
        float take = exp(maximum[r] - highest);
        if (used) {
            if (lane == 0) totals[group] = total[r] * take;
            for (uint i = 0; i < 4; i++) {
                partial[group * HEAD_DIM + lane * 8 + i] = sum[r * 2][i] * take;
                partial[group * HEAD_DIM + lane * 8 + 4 + i] = sum[r * 2 + 1][i] * take;
            }
        }
        barrier();
        uint row = first + r;
        if (row < p.n_rows && id < HEAD_DIM / 4) {
            vec4 joined = vec4(0);
            float all = 0;
            for (uint g = 0; g < GROUPS; g++) {
                uint at = g * HEAD_DIM + id * 4;
                joined += vec4(partial[at], partial[at + 1], partial[at + 2], partial[at + 3]);
                all += totals[g];
            }
            if (p.n_chunks == 1) {
                a[a_at(row) + id] = joined / all;
            } else if (begin < last) {
                uint record = record_at(row, gl_WorkGroupID.z);
                records[record + 1 + id] = joined;
                if (id == 0) records[record] = vec4(highest, all, 0, 0);
            }
        }
        barrier();
    }
    if (p.n_chunks > 1) {
        memoryBarrierBuffer();
        barrier();
        if (id == 0) arrived_before = arrive();
        barrier();
        if (arrived_before == p.n_chunks - 1) {
            memoryBarrierBuffer();
            uint n_rows = min(ROWS, p.n_rows - first);
            for (uint i = id; i < n_rows * PARTS; i += 128) join_chunks(first + i / PARTS, i % PARTS);
            if (id == 0) forget_arrivals();
        }
    }
}
