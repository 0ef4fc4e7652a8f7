// What the kernels of attention share: bindings, rows, results.
//
// A row is one query of one of the `group` heads that share a KV head; rows of a token stand together, so that all rows of a workgroup
// read the same K and V. Workgroups: x over blocks of rows, y over the KV heads of the slice, z over chunks of the context.
//
// With one chunk the results are a. With more, each chunk leaves a partial result in scratch, for attention_merge.comp: a record of
// 1 + HEAD_DIM/4 vec4 for every (token, head, chunk): (maximum, sum of weights, 0, 0), then the weighted sum of V.
#include "attention_push.h"

layout(push_constant) uniform push_block { attention_push p; };
layout(std430, binding = 0) readonly buffer q_block { vec4 q_rows[]; };
layout(std430, binding = 1) readonly buffer k_block { uvec4 k_cache[]; };
layout(std430, binding = 2) readonly buffer v_block { uvec4 v_cache[]; };
layout(std430, binding = 3) writeonly buffer results_block { vec4 results[]; };

const float LOWEST = -1.0e30; // a maximum before anything was seen

uint head_of(uint row) { return (p.first_head + gl_WorkGroupID.y) * p.group + row % p.group; }
uint token_of(uint row) { return row / p.group; }
// The first position that a row does not see.
uint end_of(uint row) { return p.n_past + token_of(row) + 1; }
// This workgroup's part of the context: up to the first position that none of its rows sees.
uint chunk_begin() { return gl_WorkGroupID.z * p.chunk; }
uint chunk_end(uint last_row) { return min(chunk_begin() + p.chunk, end_of(last_row)); }

// In vec4 from the start of q, a and scratch.
uint q_at(uint row) { return ((p.q_first_row + token_of(row)) * p.n_head + head_of(row)) * (HEAD_DIM / 4); }
uint a_at(uint row) { return ((p.a_first_row + token_of(row)) * p.n_head + head_of(row)) * (HEAD_DIM / 4); }
uint record_at(uint row) {
    return ((token_of(row) * p.n_head + head_of(row)) * p.n_chunks + gl_WorkGroupID.z) * (HEAD_DIM / 4 + 1);
}
// In uvec4, eight halves, from the start of the slice.
uint kv_at(uint position) { return (gl_WorkGroupID.y * p.n_ctx + position) * (HEAD_DIM / 8); }

void unpack8(uvec4 words, out vec4 low, out vec4 high) {
    low = vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));
    high = vec4(unpackHalf2x16(words.z), unpackHalf2x16(words.w));
}
