// What the kernels of attention share: bindings, rows, results.
//
// A row is one query of one of the `group` heads that share a KV head; rows of a token stand together, so that all rows of a workgroup
// read the same K and V. Workgroups: x over blocks of rows, y over the KV heads of the slice, z over chunks of the context.
//
// With one chunk the results go straight to a. With more, each chunk that holds a position leaves a partial result: a record of
// 1 + HEAD_DIM/4 vec4 for every (token, head, chunk): (maximum, sum of weights, 0, 0), then the weighted sum of V. The workgroup that
// comes last joins those of its rows; none waits for another.
#include "attention_push.h"

layout(push_constant) uniform push_block { attention_push p; };
layout(std430, binding = 0) readonly buffer qkv_block { vec4 qkv[]; };
layout(std430, binding = 3) writeonly buffer a_block { vec4 a[]; };
layout(std430, binding = 4) coherent buffer partial_block {
    uint arrived[ATTENTION_BLOCKS]; // zero before a dispatch, and after it
    vec4 records[];
};
layout(std430, binding = 5) readonly buffer n_past_block { uint n_past; };

#include "kv.glsl"

const float LOWEST = -1.0e30; // a maximum before anything was seen
const uint PARTS = HEAD_DIM / 4;

uint head_of(uint row) { return (p.first_head + gl_WorkGroupID.y) * p.group + row % p.group; }
uint token_of(uint row) { return row / p.group; }
// The first position that a row does not see.
uint end_of(uint row) { return n_past + p.first_token + token_of(row) + 1; }
// This workgroup's part of the context: up to the first position that none of its rows sees; empty where chunk_end is not behind it.
uint chunk_begin() { return gl_WorkGroupID.z * p.chunk; }
uint chunk_end(uint last_row) { return min(chunk_begin() + p.chunk, end_of(last_row)); }

// In vec4 from the start of qkv, a and the records.
uint q_at(uint row) { return ((p.q_first_row + token_of(row)) * p.n_head_all + head_of(row)) * PARTS; }
uint a_at(uint row) { return ((p.a_first_row + token_of(row)) * p.n_head + head_of(row)) * PARTS; }
uint record_at(uint row, uint chunk) { return ((token_of(row) * p.n_head + head_of(row)) * p.n_chunks + chunk) * (PARTS + 1); }
// Counts one thread's workgroup in, once its records are written. Returns how many of its block came before.
uint arrive() {
    return atomicAdd(arrived[(p.first_head + gl_WorkGroupID.y) * gl_NumWorkGroups.x + gl_WorkGroupID.x], 1);
}
void forget_arrivals() { arrived[(p.first_head + gl_WorkGroupID.y) * gl_NumWorkGroups.x + gl_WorkGroupID.x] = 0; }

// Joins the records of a row, four dimensions at a time: with M the largest of the maxima m[c],
//   a[row] = sum over c of exp(m[c] - M) sum_v[c]  /  sum over c of exp(m[c] - M) total[c]                        arXiv:2112.05682
void join_chunks(uint row, uint part) {
    float maximum = LOWEST, total = 0;
    vec4 sum = vec4(0);
    for (uint c = 0; c < p.n_chunks && c * p.chunk < end_of(row); c++) {
        uint record = record_at(row, c);
        vec2 head = records[record].xy;
        float highest = max(maximum, head.x), keep = exp(maximum - highest), take = exp(head.x - highest);
        sum = sum * keep + records[record + 1 + part] * take;
        total = total * keep + head.y * take;
        maximum = highest;
    }
    a[a_at(row) + part] = sum / total;
}
