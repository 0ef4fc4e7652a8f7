// Rotates q in place and k on its way into the cache, and stores k and v there as float16; see rope_store.glsl.
// One thread per pair of dimensions: workgroups x over the pairs of q, then k, then v.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rope_store.glsl"

layout(local_size_x = 64) in;

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
