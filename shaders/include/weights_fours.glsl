// Reading weights in the device's layout (runtime/ops/layout.c) in 16-byte pieces, each one word of four rows: eight columns of four rows
// at a time.
//
//   void EIGHT(uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset)
//
// Rows 4*four … + 3, columns 8*eight … + 7; the weight of row r in column j is w[j][r] * scale[r] + offset[r]. Of the types in bytes or less
// also the parts of that:
//
//   void EIGHT_BYTES(uint four, uint eight, out uvec4 a, out uvec4 b)
//   void EIGHT_SCALES(uint four, uint eight, out vec4 scale, out vec4 offset)
//
// a has the columns 0 2 4 6 of each row in its bytes and b 1 3 5 7; of Q8_0, whose bytes are signed, 0 … 3 and 4 … 7. Included once for each
// weight buffer, with FOURS naming its array of uvec4, and EIGHT, EIGHT_BYTES and EIGHT_SCALES the functions to make. A -D chooses the type.
// Uses p.n_cols and p.plane1 … plane3. n_cols is a multiple of 32, n_rows at least 8.

#ifndef WEIGHTS_FOURS_GLSL
#define WEIGHTS_FOURS_GLSL

#define GROUPS (p.n_cols / 32)
// Word `word` of the four rows, in a plane that begins at `plane` and has `words` of them a row.
#define FOUR(plane, words, word) FOURS[(plane) / 4 + ((four >> 1) * (words) + (word)) * 2 + (four & 1)]

vec4 halves(uvec4 words, uint shift) { // shift 0 or 16
    words >>= shift;
    return vec4(unpackHalf2x16(words.x).x, unpackHalf2x16(words.y).x, unpackHalf2x16(words.z).x, unpackHalf2x16(words.w).x);
}
// Bytes of the four rows, in the way that conversions from a byte of a register are recognised.
vec4 byte0(uvec4 q) { return vec4(q & 255u); }
vec4 byte1(uvec4 q) { return vec4(q >> 8 & 255u); }
vec4 byte2(uvec4 q) { return vec4(q >> 16 & 255u); }
vec4 byte3(uvec4 q) { return vec4(q >> 24); }
// Four pairs of bits, one in each nibble of the lower half, to bits 4 and 5 of four bytes.
uvec4 spread(uvec4 pairs) {
    pairs = (pairs | pairs << 8) & 0x00330033u;
    return (pairs << 4 | pairs << 8) & 0x30303030u;
}

#endif

#if defined(TYPE_F32) || defined(TYPE_F16) || defined(TYPE_BF16)

void EIGHT(uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset) {
#if defined(TYPE_F32)
    [[unroll]] for (uint j = 0; j < 8; j++) w[j] = uintBitsToFloat(FOUR(0, GROUPS * 32, eight * 8 + j));
#else
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uvec4 q = FOUR(0, GROUPS * 16, eight * 4 + i);
#ifdef TYPE_F16
        w[2 * i] = halves(q, 0);
        w[2 * i + 1] = halves(q, 16);
#else
        w[2 * i] = uintBitsToFloat(q << 16);
        w[2 * i + 1] = uintBitsToFloat(q & 0xFFFF0000u);
#endif
    }
#endif
    scale = vec4(1);
    offset = vec4(0);
}

#else

void EIGHT_BYTES(uint four, uint eight, out uvec4 a, out uvec4 b) {
#ifdef TYPE_Q8_0
    a = FOUR(0, GROUPS * 8, eight * 2);
    b = FOUR(0, GROUPS * 8, eight * 2 + 1);
#else
    uvec4 q = FOUR(0, GROUPS * 4, eight);
    a = q & 0x0F0F0F0Fu;
    b = q >> 4 & 0x0F0F0F0Fu;
#ifdef TYPE_Q6_K
    uvec4 high = FOUR(p.plane1, GROUPS * 2, eight / 2) >> (eight % 2 * 16);
    a |= spread(high & 0x3333u);
    b |= spread(high >> 2 & 0x3333u);
#endif
#endif
}

void EIGHT_SCALES(uint four, uint eight, out vec4 scale, out vec4 offset) {
    uint group = eight / 4;
#if defined(TYPE_Q8_0)
    scale = halves(FOUR(p.plane1, (GROUPS + 1) / 2, group / 2), group % 2 * 16);
    offset = vec4(0);
#elif defined(TYPE_Q4_0)
    scale = halves(FOUR(p.plane1, (GROUPS + 1) / 2, group / 2), group % 2 * 16);
    offset = -8 * scale;
#elif defined(TYPE_Q4_1)
    uvec4 both = FOUR(p.plane1, GROUPS, group);
    scale = halves(both, 0);
    offset = halves(both, 16);
#elif defined(TYPE_Q4_K)
    uvec4 both = FOUR(p.plane1, GROUPS / 8, group / 8), bytes = FOUR(p.plane2, GROUPS / 2, group / 2) >> (group % 2 * 16);
    scale = halves(both, 0) * byte0(bytes);
    offset = -halves(both, 16) * byte1(bytes);
#elif defined(TYPE_Q6_K)
    ivec4 bytes = ivec4(FOUR(p.plane2, GROUPS / 2, group / 2));
    scale = halves(FOUR(p.plane3, (GROUPS / 8 + 1) / 2, group / 16), group / 8 % 2 * 16) * vec4(bytes << (24 - eight / 2 % 4 * 8) >> 24);
    offset = -32 * scale;
#endif
}

void EIGHT(uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset) {
    uvec4 a, b;
    EIGHT_BYTES(four, eight, a, b);
#ifdef TYPE_Q8_0
    [[unroll]] for (uint j = 0; j < 4; j++) {
        w[j] = vec4(ivec4(a) << (24 - 8 * j) >> 24);
        w[4 + j] = vec4(ivec4(b) << (24 - 8 * j) >> 24);
    }
#else
    w[0] = byte0(a);
    w[1] = byte0(b);
    w[2] = byte1(a);
    w[3] = byte1(b);
    w[4] = byte2(a);
    w[5] = byte2(b);
    w[6] = byte3(a);
    w[7] = byte3(b);
#endif
    EIGHT_SCALES(four, eight, scale, offset);
}

#endif
