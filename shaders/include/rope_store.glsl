// What the kernels share that rotate q and k: (a, b) of dimensions (2j, 2j+1), j < n_rot/2, becomes (a cos - b sin, a sin + b cos); the
// other dimensions stay.                                                                                                  arXiv:2104.09864
// qkv [n_tokens, n_head_all*head_dim] float32; table [n_ctx, n_rot/2] (cos, sin); caches: see kv.glsl. Workgroups y over tokens.
#include "half.glsl"
#include "rope_store_push.h"

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
