// Reading the KV cache: one position of one KV head of the slice, eight values at a time.
//
// f16    [heads][n_ctx][HEAD_DIM] float16.
//        For matrices of float16 (KV_HALVES, half8.glsl) as they are.
// q8_0   two planes: [heads][n_ctx][HEAD_DIM] int8, four in a word; then [heads][n_ctx][HEAD_DIM/32] float16, a scale for 32 values,
//        two in a word, and those of a position in whole words.
#ifdef KV_Q8_0
#define KV_EIGHT uvec2
#else
#define KV_EIGHT uvec4
#endif
layout(std430, binding = 1) readonly buffer k_block { KV_EIGHT k_cache[]; };
layout(std430, binding = 2) readonly buffer v_block { KV_EIGHT v_cache[]; };

// Counted from the first head of the slice.
uint kv_row(uint position) { return gl_WorkGroupID.y * p.n_ctx + position; }

#ifdef KV_Q8_0
vec4 bytes_of(uint word) {
    int bits = int(word);
    return vec4(bitfieldExtract(bits, 0, 8), bitfieldExtract(bits, 8, 8), bitfieldExtract(bits, 16, 8), bits >> 24);
}
// The word that holds the scale of some eight values.
uint scale_word(uint position, uint eight) {
    return gl_NumWorkGroups.y * p.n_ctx * (HEAD_DIM / 4) + kv_row(position) * ((HEAD_DIM + 63) / 64) + eight / 8;
}
void scaled(uvec2 values, uint word, uint eight, out vec4 low, out vec4 high) {
    float scale = unpackHalf2x16(word)[eight / 4 & 1];
    low = bytes_of(values.x) * scale;
    high = bytes_of(values.y) * scale;
}
#define LOAD_EIGHT(cache, position, eight, low, high)                                                                                  \
    {                                                                                                                                  \
        uint at = scale_word(position, eight);                                                                                         \
        scaled(cache[kv_row(position) * (HEAD_DIM / 8) + (eight)], cache[at / 2][at & 1], eight, low, high);                           \
    }
#else
#define LOAD_EIGHT(cache, position, eight, low, high)                                                                                  \
    {                                                                                                                                  \
        uvec4 words = cache[kv_row(position) * (HEAD_DIM / 8) + (eight)];                                                              \
        low = vec4(unpackHalf2x16(words.x), unpackHalf2x16(words.y));                                                                  \
        high = vec4(unpackHalf2x16(words.z), unpackHalf2x16(words.w));                                                                 \
    }
#endif
void load_k(uint position, uint eight, out vec4 low, out vec4 high) LOAD_EIGHT(k_cache, position, eight, low, high)
void load_v(uint position, uint eight, out vec4 low, out vec4 high) LOAD_EIGHT(v_cache, position, eight, low, high)

#ifdef KV_HALVES
#ifdef KV_Q8_0
uvec4 halves_of_k(uint position, uint eight) {
    vec4 low, high;
    load_k(position, eight, low, high);
    return half8(low, high);
}
uvec4 halves_of_v(uint position, uint eight) {
    vec4 low, high;
    load_v(position, eight, low, high);
    return half8(low, high);
}
#else
uvec4 halves_of_k(uint position, uint eight) { return k_cache[kv_row(position) * (HEAD_DIM / 8) + eight]; }
uvec4 halves_of_v(uint position, uint eight) { return v_cache[kv_row(position) * (HEAD_DIM / 8) + eight]; }
#endif
#endif
