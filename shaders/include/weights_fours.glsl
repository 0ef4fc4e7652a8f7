// Reading weights in the device's layout (runtime/ops/layout.c) in 16-byte pieces, each one word of four rows: eight columns of four rows
// at a time.
//
//   void EIGHT(uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset)
//
// Rows 4*four … + 3, columns 8*eight … + 7; the weight of row r in column j is w[j][r] * scale[r] + offset[r]. Included once for each
// weight buffer, with FOURS naming its array of uvec4 and EIGHT the function to make. A -D chooses the type. Uses p.n_cols and
// p.plane1 … plane3. n_cols is a multiple of 32, n_rows at least 8.

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
// Of a word with a nibble or six bits for each of eight columns: even ones in the bytes of one word, odd ones in those of another.
void eight_bytes(uvec4 even, uvec4 odd, out vec4 w[8]) {
    w[0] = byte0(even);
    w[1] = byte0(odd);
    w[2] = byte1(even);
    w[3] = byte1(odd);
    w[4] = byte2(even);
    w[5] = byte2(odd);
    w[6] = byte3(even);
    w[7] = byte3(odd);
}
// Four pairs of bits, one in each nibble of the lower half, to bits 4 and 5 of four bytes.
uvec4 spread(uvec4 pairs) {
    pairs = (pairs | pairs << 8) & 0x00330033u;
    return (pairs << 4 | pairs << 8) & 0x30303030u;
}

#endif

void EIGHT(uint four, uint eight, out vec4 w[8], out vec4 scale, out vec4 offset) {
    uint group = eight / 4;
#if defined(TYPE_F32)
    [[unroll]] for (uint j = 0; j < 8; j++) w[j] = uintBitsToFloat(FOUR(0, GROUPS * 32, eight * 8 + j));
#elif defined(TYPE_F16)
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uvec4 q = FOUR(0, GROUPS * 16, eight * 4 + i);
        w[2 * i] = halves(q, 0);
        w[2 * i + 1] = halves(q, 16);
    }
#elif defined(TYPE_BF16)
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uvec4 q = FOUR(0, GROUPS * 16, eight * 4 + i);
        w[2 * i] = uintBitsToFloat(q << 16);
        w[2 * i + 1] = uintBitsToFloat(q & 0xFFFF0000u);
    }
#elif defined(TYPE_Q8_0)
    [[unroll]] for (uint i = 0; i < 2; i++) {
        ivec4 q = ivec4(FOUR(0, GROUPS * 8, eight * 2 + i));
        [[unroll]] for (uint j = 0; j < 4; j++) w[4 * i + j] = vec4(q << (24 - 8 * j) >> 24);
    }
#elif defined(TYPE_Q6_K)
    uvec4 q = FOUR(0, GROUPS * 4, eight), high = FOUR(p.plane1, GROUPS * 2, eight / 2) >> (eight % 2 * 16);
    eight_bytes(q & 0x0F0F0F0Fu | spread(high & 0x3333u), q >> 4 & 0x0F0F0F0Fu | spread(high >> 2 & 0x3333u), w);
#else
    uvec4 q = FOUR(0, GROUPS * 4, eight);
    eight_bytes(q & 0x0F0F0F0Fu, q >> 4 & 0x0F0F0F0Fu, w);
#endif

#if defined(TYPE_F32) || defined(TYPE_F16) || defined(TYPE_BF16)
    scale = vec4(1);
    offset = vec4(0);
#elif defined(TYPE_Q8_0)
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
