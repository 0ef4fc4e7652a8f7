// What the matrix products share: bindings, and the ends of their sums.
//
//   binding 0  weights, 1  second weights (SWIGLU), 2  x [n_tokens, n_cols], 3  y, 4  norm [n_cols]
//
// SWIGLU: MATS is 2, and y = silu(W0 x) * (W1 x), silu(a) = a / (1 + exp(-a)).     arXiv:2002.05202

#include "matmul_push.h"

layout(push_constant) uniform push_block { matmul_push p; };
#ifdef SWIGLU
const uint MATS = 2;
#else
const uint MATS = 1;
#endif
layout(binding = 3) buffer y_block { float y[]; };

#ifdef ADDRESSES // the other bindings are not used

uint64_t address(uint low, uint high) { return packUint2x32(uvec2(low, high)); }

#elif defined(FOURS_ONLY)

layout(binding = 0) readonly buffer w0_block { uvec4 w0_fours[]; };
layout(binding = 1) readonly buffer w1_block { uvec4 w1_fours[]; };
layout(binding = 2) readonly buffer x_block { vec4 x4[]; };
layout(binding = 4) readonly buffer norm_block { vec4 norm4[]; };

#define FOURS w0_fours
#define EIGHT eight_w0
#define EIGHT_BYTES eight_bytes_w0
#define EIGHT_SCALES eight_scales_w0
#include "weights_fours.glsl"
#undef FOURS
#undef EIGHT
#undef EIGHT_BYTES
#undef EIGHT_SCALES

#ifdef SWIGLU
#define FOURS w1_fours
#define EIGHT eight_w1
#define EIGHT_BYTES eight_bytes_w1
#define EIGHT_SCALES eight_scales_w1
#include "weights_fours.glsl"
#define OF_MATRIX(mat, w0, w1) if (mat == 0) { w0; } else { w1; }
#else
#define OF_MATRIX(mat, w0, w1) w0
#endif

#ifdef BYTES_ONLY
void load_bytes(uint mat, uint four, uint eight, out uvec4 a, out uvec4 b) {
    OF_MATRIX(mat, eight_bytes_w0(four, eight, a, b), eight_bytes_w1(four, eight, a, b));
}
void load_scales(uint mat, uint four, uint eight, out vec4 scale, out vec4 offset) {
    OF_MATRIX(mat, eight_scales_w0(four, eight, scale, offset), eight_scales_w1(four, eight, scale, offset));
}
#else
void load_eight(uint mat, uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset) {
    OF_MATRIX(mat, eight_w0(four, eight, w, scale, offset), eight_w1(four, eight, w, scale, offset));
}
#endif

#else

layout(binding = 0) readonly buffer w0_block { uint w0_words[]; };
layout(binding = 1) readonly buffer w1_block { uint w1_words[]; };
layout(binding = 2) readonly buffer x_block { float x[]; };
layout(binding = 2) readonly buffer x4_block { vec4 x4[]; };
layout(binding = 4) readonly buffer norm_block { vec4 norm4[]; };

#define WORDS w0_words
#define LOAD16 load16_w0
#include "weights.glsl"
#undef WORDS
#undef LOAD16

#ifdef SWIGLU
#define nibbles nibbles_w1
#define WORDS w1_words
#define LOAD16 load16_w1
#include "weights.glsl"
#undef nibbles
#endif

void load16(uint mat, uint row, uint half16, out vec4 v[4]) {
#ifdef SWIGLU
    if (mat == 1) {
        load16_w1(row, half16, v);
        return;
    }
#endif
    load16_w0(row, half16, v);
}

#endif

float silu(float a) { return a / (1 + exp(-a)); }

void store(uint row, uint token, float sum) {
    uint at = p.y_offset + token * p.y_stride + row;
    y[at] = p.add != 0 ? y[at] + sum : sum;
}
