// Rotates q in place and k on its way into the cache, and stores k and v there as float16.                         arXiv:2104.09864
//   (a, b) of dimensions (2j, 2j+1), j < n_rot/2, becomes (a cos - b sin, a sin + b cos); the other dimensions stay.
// q [n_tokens, n_head*head_dim], k, v [n_tokens, n_head_kv*head_dim] float32; table [n_ctx, n_rot/2] (cos, sin);
// k_cache, v_cache [n_heads, n_ctx, head_dim] float16, two in a word: the heads of one slice.
// One thread per pair of dimensions: workgroups x over the pairs of q, then k, then v; y over tokens.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "half.glsl"
#include "rope_store_push.h"

layout(local_size_x = 64) in;
layout(push_constant) uniform push_block { rope_store_push p; };
layout(std430, binding = 0) buffer q_block { vec2 q[]; };
layout(std430, binding = 1) readonly buffer k_block { vec2 k[]; };
layout(std430, binding = 2) readonly buffer v_block { vec2 v[]; };
layout(std430, binding = 3) readonly buffer table_block { vec2 table[]; };
layout(std430, binding = 4) writeonly buffer k_cache_block { uint k_cache[]; };
layout(std430, binding = 5) writeonly buffer v_cache_block { uint v_cache[]; };

vec2 rotate(vec2 pair, uint j, uint position) {
    if (2 * j >= p.n_rot) return pair;
    vec2 angle = table[position * (p.n_rot / 2) + j];
    return vec2(pair.x * angle.x - pair.y * angle.y, pair.x * angle.y + pair.y * angle.x);
}

void main() {
    uint pairs = p.head_dim / 2, t = gl_WorkGroupID.y, position = p.n_past + t;
    uint i = gl_GlobalInvocationID.x, j = i % pairs;
    uint n_q = p.n_head * pairs, n_kv = p.n_heads * pairs;
    if (i < n_q) {
        uint at = (p.q_first_row + t) * n_q + i;
        q[at] = rotate(q[at], j, position);
    } else if (i < n_q + 2 * n_kv) {
        bool is_v = i >= n_q + n_kv;
        uint head = (i - n_q) / pairs - (is_v ? p.n_heads : 0);
        uint from = (p.n_head_kv * t + p.first_head + head) * pairs + j;
        uint to = (head * p.n_ctx + position) * pairs + j;
        uint row = p.n_head_kv * pairs;
        if (is_v) v_cache[to] = half_pair(v[p.v_first_row * row + from]);
        else k_cache[to] = half_pair(rotate(k[p.k_first_row * row + from], j, position));
    }
}
