// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For many rows. A workgroup of 128 threads takes 16*ROWS rows through the context in tiles of 32 positions:
//
//                 32 positions                  HEAD_DIM
//               ┌──────────────┐             ┌──────────────┐      thread (tx, ty) = (id % 8, id / 8) owns ROWS rows from ty*ROWS,
//     16*ROWS   │    score     │  then  sum  │              │      of the score positions tx, tx+8, tx+16, tx+24,
//       rows    │ = q K^T      │             │ += score V   │      of the sum the vec4 tx, tx+8, …
//               └──────────────┘             └──────────────┘
// q and K are staged 16 dimensions at a time, V as many positions at a time as fit in the same place.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x = 128) in;
layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint ROWS = 4; // at most 4
#include "attention.glsl"

const uint BLOCK = 16 * ROWS;
const uint TILE = 32;
const uint OWN = (PARTS + 7) / 8; // vec4 of a row's sum that a thread owns
// Compilers unroll this: where an invocation has registers for few rows, it has none for many positions.
const uint V_STEP = ROWS == 4 && HEAD_DIM <= 48 ? 32 : ROWS == 4 && HEAD_DIM <= 96 ? 16 : HEAD_DIM <= 192 ? 8 : 4;

shared vec4 staged[384]; // q [64][4] and K [32][4], or V [V_STEP][PARTS]
shared float score[BLOCK * (TILE + 1)];
shared float maximum[BLOCK], total[BLOCK], keep[BLOCK];

// Threads that read the same part of neighbouring rows meet different banks.
uint place(uint row, uint part) { return row * 4 + (part ^ (row >> 1 & 3)); }

void stage_q_and_k(uint first, uint base, uint last, uint part0) {
    uint id = gl_LocalInvocationID.x;
    for (uint i = id; i < BLOCK * 4; i += 128) {
        uint part = part0 + i % 4, row = min(first + i / 4, p.n_rows - 1);
        staged[place(i / 4, i % 4)] = part < PARTS ? qkv[q_at(row) + part] * p.scale : vec4(0);
    }
    if (id < TILE * 2) {
        uint position = id / 2, part = id % 2 * 2;
        vec4 low = vec4(0), high = vec4(0);
        if (base + position < last && part0 + part < PARTS) load_k(base + position, (part0 + part) / 2, low, high);
        staged[BLOCK * 4 + place(position, part)] = low;
        staged[BLOCK * 4 + place(position, part + 1)] = high;
    }
}

void stage_v(uint base, uint last) {
    for (uint i = gl_LocalInvocationID.x; i < V_STEP * PARTS / 2; i += 128) {
        uint position = i / (PARTS / 2), part = i % (PARTS / 2) * 2;
        vec4 low = vec4(0), high = vec4(0);
        if (base + position < last) load_v(base + position, part / 2, low, high);
        staged[position * PARTS + part] = low;
        staged[position * PARTS + part + 1] = high;
    }
}

// One thread per row: scores become weights, and the sums so far will be scaled by keep.
void soften(uint first, uint base) {
    uint r = gl_LocalInvocationID.x;
    if (r >= BLOCK) return;
    uint n = min(end_of(min(first + r, p.n_rows - 1)) - min(base, end_of(min(first + r, p.n_rows - 1))), TILE);
    float highest = maximum[r], sum = 0;
    for (uint c = 0; c < n; c++) highest = max(highest, score[r * (TILE + 1) + c]);
    for (uint c = 0; c < TILE; c++) {
        float weight = c < n ? exp(score[r * (TILE + 1) + c] - highest) : 0;
        score[r * (TILE + 1) + c] = weight;
        sum += weight;
    }
    keep[r] = exp(maximum[r] - highest);
    total[r] = total[r] * keep[r] + sum;
    maximum[r] = highest;
}

void main() {
    uint id = gl_LocalInvocationID.x, tx = id % 8, ty = id / 8, first = gl_WorkGroupID.x * BLOCK;
    uint last = end_of(min(first + BLOCK, p.n_rows) - 1);
    vec4 sum[ROWS * OWN];
    for (uint i = 0; i < ROWS * OWN; i++) sum[i] = vec4(0);
    if (id < BLOCK) {
        maximum[id] = LOWEST;
        total[id] = 0;
    }
    for (uint base = 0; base < last; base += TILE) {
        float s[ROWS * 4];
        for (uint i = 0; i < ROWS * 4; i++) s[i] = 0;
        for (uint part0 = 0; part0 < PARTS; part0 += 4) {
            barrier();
            stage_q_and_k(first, base, last, part0);
            barrier();
            for (uint part = 0; part < 4; part++) {
                vec4 k[4];
                for (uint c = 0; c < 4; c++) k[c] = staged[BLOCK * 4 + place(tx + 8 * c, part)];
                for (uint r = 0; r < ROWS; r++) {
                    vec4 q = staged[place(ty * ROWS + r, part)];
                    for (uint c = 0; c < 4; c++) s[r * 4 + c] += dot(q, k[c]);
                }
            }
        }
        for (uint r = 0; r < ROWS; r++)
            for (uint c = 0; c < 4; c++) score[(ty * ROWS + r) * (TILE + 1) + tx + 8 * c] = s[r * 4 + c];
        barrier();
        soften(first, base);
        barrier();
        for (uint r = 0; r < ROWS; r++)
            for (uint o = 0; o < OWN; o++) sum[r * OWN + o] *= keep[ty * ROWS + r];
        for (uint step0 = 0; step0 < TILE; step0 += V_STEP) {
            stage_v(base + step0, last);
            barrier();
            for (uint i = 0; i < V_STEP; i++) {
                for (uint o = 0; o < OWN; o++) {
                    vec4 v = staged[i * PARTS + min(tx + 8 * o, PARTS - 1)];
                    for (uint r = 0; r < ROWS; r++) sum[r * OWN + o] += score[(ty * ROWS + r) * (TILE + 1) + step0 + i] * v;
                }
            }
            barrier();
        }
    }
    for (uint r = 0; r < ROWS; r++) {
        uint row = first + ty * ROWS + r;
        if (row < p.n_rows)
            for (uint o = 0; o < OWN; o++)
                if (tx + 8 * o < PARTS) a[a_at(row) + tx + 8 * o] = sum[r * OWN + o] / total[ty * ROWS + r];
    }
}
