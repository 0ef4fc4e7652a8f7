// Rotates q in place and k on its way into the cache, and stores k and v there as q8_0: of 32 values the largest absolute value / 127 is the
// scale, rounded to float16, and each value is the nearest multiple of that; see rope_store.glsl and kv.glsl.
// One workgroup per head: x over the heads of q, then k, then v. head_dim is a multiple of 32, at most 256.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "rope_store.glsl"

layout(local_size_x = 64) in;
shared vec2 pair_of[128];

float scale_of(uint block) {
    float largest = 0;
    for (uint i = 0; i < 16; i++) largest = max(largest, max(abs(pair_of[block * 16 + i].x), abs(pair_of[block * 16 + i].y)));
    return largest / 127;
}

int quantized(float value, float scale) { return scale > 0 ? int(clamp(roundEven(value / scale), -127, 127)) : 0; }

void store(bool is_v, uint at, uint word) {
    if (is_v) v_cache[at] = word;
    else k_cache[at] = word;
}

void main() {
    uint pairs = p.head_dim / 2, t = gl_WorkGroupID.y, position = n_past + t, head = gl_WorkGroupID.x, id = gl_LocalInvocationID.x;
    uint row = (p.first_row + t) * p.n_head_all * pairs;
    if (head < p.n_head) {
        for (uint j = id; j < pairs; j += 64) qkv[row + head * pairs + j] = rotate(qkv[row + head * pairs + j], j, position);
    } else {
        head -= p.n_head;
        bool is_v = head >= p.n_heads;
        if (is_v) head -= p.n_heads;
        uint from = row + ((is_v ? p.first_v : p.first_k) + head) * pairs;
        for (uint j = id; j < pairs; j += 64) pair_of[j] = is_v ? qkv[from + j] : rotate(qkv[from + j], j, position);
        barrier();
        uint words = p.head_dim / 4, n_blocks = p.head_dim / 32, to = head * p.n_ctx + position;
        for (uint w = id; w < words; w += 64) {
            float scale = unpackHalf2x16(half_bits(scale_of(w / 8))).x;
            vec4 four = vec4(pair_of[2 * w], pair_of[2 * w + 1]);
            uint word = 0;
            for (uint i = 0; i < 4; i++) word |= uint(quantized(four[i], scale) & 255) << 8 * i;
            store(is_v, to * words + w, word);
        }
        uint scale_words = (n_blocks + 1) / 2, first = p.n_heads * p.n_ctx * words + to * scale_words;
        for (uint s = id; s < scale_words; s += 64)
            store(is_v, first + s, half_pair(vec2(scale_of(2 * s), 2 * s + 1 < n_blocks ? scale_of(2 * s + 1) : 0)));
    }
}
