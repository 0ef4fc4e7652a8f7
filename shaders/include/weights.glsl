// Reading weights in the device's layout (runtime/ops/layout.c): sixteen columns of a row at a time, as float.
//
//   void LOAD16(uint row, uint half16, out vec4 v[4])      columns 16*half16 … 16*half16 + 15
//
// Included once for each weight buffer, with WORDS naming its array and LOAD16 the function to make. A -D chooses the type. Uses
// p.n_rows, p.n_cols and p.plane1 … plane3 of the push constants. Columns past n_cols are zero.

#define GROUPS ((p.n_cols + 31) / 32)
// The words of a row of a plane that begins at `plane` and has `words` of them a row are STEP apart, word 0 at ROW(…).
#define STEP min(p.n_rows, 8u)
#define ROW(plane, words) ((plane) + (row >> 3) * (words) * STEP + (row & 7))

#if defined(TYPE_F32)

void LOAD16(uint row, uint half16, out vec4 v[4]) {
    uint at = ROW(0, GROUPS * 32) + half16 * 16 * STEP;
    [[unroll]] for (uint i = 0; i < 16; i++) v[i / 4][i % 4] = uintBitsToFloat(WORDS[at + i * STEP]);
}

#elif defined(TYPE_F16)

void LOAD16(uint row, uint half16, out vec4 v[4]) {
    uint at = ROW(0, GROUPS * 16) + half16 * 8 * STEP;
    [[unroll]] for (uint i = 0; i < 4; i++)
        v[i] = vec4(unpackHalf2x16(WORDS[at + 2 * i * STEP]), unpackHalf2x16(WORDS[at + (2 * i + 1) * STEP]));
}

#elif defined(TYPE_BF16)

void LOAD16(uint row, uint half16, out vec4 v[4]) {
    uint at = ROW(0, GROUPS * 16) + half16 * 8 * STEP;
    [[unroll]] for (uint i = 0; i < 4; i++) {
        uvec2 pair = uvec2(WORDS[at + 2 * i * STEP], WORDS[at + (2 * i + 1) * STEP]);
        v[i] = uintBitsToFloat(uvec4(pair.x << 16, pair.x & 0xFFFF0000u, pair.y << 16, pair.y & 0xFFFF0000u));
    }
}

#elif defined(TYPE_Q8_0)

void LOAD16(uint row, uint half16, out vec4 v[4]) {
    uint group = half16 / 2, at = ROW(0, GROUPS * 8) + half16 * 4 * STEP;
    float d = unpackHalf2x16(WORDS[ROW(p.plane1, (GROUPS + 1) / 2) + group / 2 * STEP])[group % 2];
    [[unroll]] for (uint i = 0; i < 4; i++) {
        int word = int(WORDS[at + i * STEP]);
        v[i] = d * vec4(word << 24 >> 24, word << 16 >> 24, word << 8 >> 24, word >> 24);
    }
}

#else // nibbles: word w of a group has its columns 8w … 8w+7, lowest bits first

void nibbles(uint word, out vec4 low, out vec4 high) {
    low = vec4(word & 15, word >> 4 & 15, word >> 8 & 15, word >> 12 & 15);
    high = vec4(word >> 16 & 15, word >> 20 & 15, word >> 24 & 15, word >> 28);
}

void LOAD16(uint row, uint half16, out vec4 v[4]) {
    uint group = half16 / 2, at = ROW(0, GROUPS * 4) + half16 * 2 * STEP;
    nibbles(WORDS[at], v[0], v[1]);
    nibbles(WORDS[at + STEP], v[2], v[3]);
#if defined(TYPE_Q4_0)
    float scale = unpackHalf2x16(WORDS[ROW(p.plane1, (GROUPS + 1) / 2) + group / 2 * STEP])[group % 2], offset = -8 * scale;
#elif defined(TYPE_Q4_1)
    vec2 both = unpackHalf2x16(WORDS[ROW(p.plane1, GROUPS) + group * STEP]);
    float scale = both.x, offset = both.y;
#elif defined(TYPE_Q4_K)
    vec2 both = unpackHalf2x16(WORDS[ROW(p.plane1, GROUPS / 8) + group / 8 * STEP]);
    uint bytes = WORDS[ROW(p.plane2, GROUPS / 2) + group / 2 * STEP] >> group % 2 * 16;
    float scale = both.x * float(bytes & 255), offset = -both.y * float(bytes >> 8 & 255);
#elif defined(TYPE_Q6_K)
    uint bits = WORDS[ROW(p.plane1, GROUPS * 2) + half16 * STEP];
    [[unroll]] for (uint i = 0; i < 4; i++)
        v[i] += 16 * vec4(bits >> 8 * i & 3, bits >> (8 * i + 2) & 3, bits >> (8 * i + 4) & 3, bits >> (8 * i + 6) & 3);
    int bytes = int(WORDS[ROW(p.plane2, GROUPS / 2) + group / 2 * STEP]);
    float d = unpackHalf2x16(WORDS[ROW(p.plane3, (GROUPS / 8 + 1) / 2) + group / 16 * STEP])[group / 8 % 2];
    float scale = d * float(bytes << (24 - half16 % 4 * 8) >> 24), offset = -32 * scale;
#endif
    [[unroll]] for (uint i = 0; i < 4; i++) v[i] = v[i] * scale + offset;
}

#endif
#undef GROUPS
#undef STEP
#undef ROW
