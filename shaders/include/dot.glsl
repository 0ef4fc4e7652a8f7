// Products of bytes, four pairs at a time (SPV_KHR_integer_dot_product), and x in a form for them.
//
// Eight bits are too few for x: eight values in a row get one answer in ten wrong. Two planes of them, x = scale * (256 * high + low), are off
// by at most 2^-16 of the largest value that shares the scale, here of 32 columns.
#extension GL_EXT_spirv_intrinsics : require

spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450) int sdot4x8(int a, int b,
                                                                                                                     spirv_literal int format);
int dot4(int a, int b) { return sdot4x8(a, b, 0); }

// Of the largest magnitude; not a number if one of them is none.
float planes_scale(vec4 v[8]) {
    uvec4 most = uvec4(0); // as bits: they are in the order of the magnitudes, with what is no number above all
    [[unroll]] for (uint i = 0; i < 8; i++) most = max(most, floatBitsToUint(v[i]) & 0x7FFFFFFFu);
    uint bits = max(max(most.x, most.y), max(most.z, most.w));
    return bits < 0x10000000u ? 0 : uintBitsToFloat(bits) / 32512;
}

int bytes_of(ivec4 q) {
    q &= 255;
    return q.x | q.y << 8 | q.z << 16 | q.w << 24;
}

// Eight columns in the order of weights_fours.glsl's bytes: high of `a`, high of `b`, low of `a`, low of `b`. total: their sum, rounded as
// they are, so that what is subtracted for an offset is just what was added for it.
ivec4 planes_of(vec4 v0, vec4 v1, float scale, inout float total) {
    float inverse = scale > 0 ? 1 / scale : 0;
#ifdef TYPE_Q8_0
    vec4 a = roundEven(v0 * inverse), b = roundEven(v1 * inverse);
#else
    vec4 a = roundEven(vec4(v0.xz, v1.xz) * inverse), b = roundEven(vec4(v0.yw, v1.yw) * inverse);
#endif
    total += scale * dot(a + b, vec4(1));
    ivec4 qa = ivec4(a), qb = ivec4(b);
    return ivec4(bytes_of((qa + 128) >> 8), bytes_of((qb + 128) >> 8), bytes_of(qa), bytes_of(qb));
}

// Four rows: a and b are their bytes, q one token's eight columns. The parts are added up apart and joined by planes_sum.
void add_planes(ivec4 a, ivec4 b, ivec4 q, inout ivec4 high, inout ivec4 low) {
    [[unroll]] for (uint r = 0; r < 4; r++) {
        high[r] += dot4(a[r], q.x) + dot4(b[r], q.y);
        low[r] += dot4(a[r], q.z) + dot4(b[r], q.w);
    }
}
// 32 columns fit: 32 * 127 * 32512 < 2^31.
vec4 planes_sum(ivec4 high, ivec4 low) { return vec4(256 * high + low); }
