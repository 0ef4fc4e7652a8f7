// Rotates q in place and k on its way into the cache, and stores k and v there as float16.                         arXiv:2104.09864
//   (a, b) of dimensions (2j, 2j+1), j < n_rot/2, becomes (a cos - b sin, a sin + b cos); the other dimensions stay.
// qkv [n_tokens, n_head_all*head_dim] float32; table [n_ctx, n_rot/2] (cos, sin);
// k_cache, v_cache [n_heads, n_ctx, head_dim] float16, two in a word: the heads of one slice.
// One thread per pair of dimensions: workgroups x over the pairs of q, then k, then v; y over tokens.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "half.glsl"
#include "rope_store_push.h"

layout(local_size_x = 64) in;
layout(push_constant) uniform push_block { rope_store_push p; };
layout(std430, binding = 0) buffer qkv_block { vec2 qkv[]; };
layout(std430, binding = 1) readonly buffer n_past_block { uint n_past; };
layout(std430, binding = 2) readonly buffer table_block { vec2 table[]; };
layout(std430, binding = 3) writeonly buffer k_cache_block { uint k_cache[]; };
layout(std430, binding = 4) writeonly buffer v_cache_block { uint v_cache[]; };

vec2 rotate(vec2 pair, uint j, uint position) {
    if (2 * j >= p.n_rot) return pair;
    vec2 angle = table[position * (p.n_rot / 2) + j];
    return vec2(pair.x * angle.x - pair.y * angle.y, pair.x * angle.y + pair.y * angle.x);
}

void main() {
    uint pairs = p.head_dim / 2, t = gl_WorkGroupID.y, position = n_past + t;
    uint i = gl_GlobalInvocationID.x, j = i % pairs, head = i / pairs;
    uint row = (p.first_row + t) * p.n_head_all * pairs;
    if (head < p.n_head) {
        qkv[row + i] = rotate(qkv[row + i], j, position);
    } else if (head < p.n_head + 2 * p.n_heads) {
        head -= p.n_head;
        bool is_v = head >= p.n_heads;
        if (is_v) head -= p.n_heads;
        vec2 pair = qkv[row + ((is_v ? p.first_v : p.first_k) + head) * pairs + j];
        uint to = (head * p.n_ctx + position) * pairs + j;
        if (is_v) v_cache[to] = half_pair(pair);
        else k_cache[to] = half_pair(rotate(pair, j, position));
    }
}
