// Reading a block of eight rows of weights in the device's layout (runtime/ops/layout.c), a row a lane, through addresses.
//
//   block_t block_of(uint64_t weights, uint block)          where the planes of rows 8*block … begin
//   scale_t scale_of(block_t b, uint group)                 what the 32 columns of a group share
//   eight_t eight_of(block_t b, uint group, uint eight)     the words of columns 32*group + 8*eight … + 7
//   float weight_of(eight_t q, scale_t s, uint eight, uint j)   column j of those
//
// eight and j are constants after unrolling, and then so is the whole distance of every load from its group. A -D chooses the type; uses
// GROUPS and p.plane1 … plane3. n_cols is a multiple of 32.

struct words_1 { uint w[8]; }; // of eight rows
struct words_2 { uint w[16]; };
struct words_4 { uint w[32]; };
struct words_8 { uint w[64]; };
struct words_16 { uint w[128]; };
struct words_32 { uint w[256]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_1 { words_1 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_2 { words_2 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_4 { words_4 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_8 { words_8 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_16 { words_16 at[]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer plane_32 { words_32 at[]; };

// A block's part of a plane: offset of the plane in words, words of a row in it.
#define BLOCK_OF(plane, offset, words) plane(weights + 4 * (uint64_t(offset) + uint64_t(block) * 8 * (words)))
// Half of a word that two groups share, `shift` 0 or 16.
float half_at(uint word, uint shift) { return unpackHalf2x16(word >> shift).x; }

#if defined(TYPE_F32)

struct block_t { plane_32 q; };
struct scale_t { uint unused; };
struct eight_t { uint q[8]; };

block_t block_of(uint64_t weights, uint block) { return block_t(BLOCK_OF(plane_32, 0, GROUPS * 32)); }
scale_t scale_of(block_t b, uint group) { return scale_t(0); }
eight_t eight_of(block_t b, uint group, uint eight) {
    eight_t e;
    [[unroll]] for (uint j = 0; j < 8; j++) e.q[j] = LANES8(b.q.at[group].w, (eight * 8 + j) * 8);
    return e;
}
float weight_of(eight_t e, scale_t s, uint eight, uint j) { return uintBitsToFloat(e.q[j]); }

#elif defined(TYPE_F16) || defined(TYPE_BF16)

struct block_t { plane_16 q; };
struct scale_t { uint unused; };
struct eight_t { uint q[4]; };

block_t block_of(uint64_t weights, uint block) { return block_t(BLOCK_OF(plane_16, 0, GROUPS * 16)); }
scale_t scale_of(block_t b, uint group) { return scale_t(0); }
eight_t eight_of(block_t b, uint group, uint eight) {
    eight_t e;
    [[unroll]] for (uint i = 0; i < 4; i++) e.q[i] = LANES8(b.q.at[group].w, (eight * 4 + i) * 8);
    return e;
}
float weight_of(eight_t e, scale_t s, uint eight, uint j) {
#if defined(TYPE_F16)
    return half_at(e.q[j / 2], j % 2 * 16);
#else
    return uintBitsToFloat(j % 2 == 0 ? e.q[j / 2] << 16 : e.q[j / 2] & 0xFFFF0000u);
#endif
}

#elif defined(TYPE_Q8_0)

struct block_t { plane_8 q; plane_1 d; };
struct scale_t { float d; };
struct eight_t { uint q[2]; };

block_t block_of(uint64_t weights, uint block) {
    return block_t(BLOCK_OF(plane_8, 0, GROUPS * 8), BLOCK_OF(plane_1, p.plane1, (GROUPS + 1) / 2));
}
scale_t scale_of(block_t b, uint group) { return scale_t(half_at(LANES8(b.d.at[group / 2].w, 0), group % 2 * 16)); }
eight_t eight_of(block_t b, uint group, uint eight) {
    eight_t e;
    [[unroll]] for (uint i = 0; i < 2; i++) e.q[i] = LANES8(b.q.at[group].w, (eight * 2 + i) * 8);
    return e;
}
float weight_of(eight_t e, scale_t s, uint eight, uint j) { return float(int(e.q[j / 4]) << (24 - j % 4 * 8) >> 24) * s.d; }

#else // nibbles

// A nibble is not shifted down but left where it stands, so that d[j] of nibble j is d / 16^j; only the highest one, which would be
// negative, is.
struct scale_t { float d[8]; float m; };
scale_t scale_of_nibbles(float d, float m) {
    scale_t s;
    [[unroll]] for (uint j = 0; j < 7; j++) s.d[j] = d * uintBitsToFloat((127 - 4 * j) << 23);
    s.d[7] = d;
    s.m = m;
    return s;
}
float weight_of_nibble(uint q, scale_t s, uint j) { return fma(float(int(j < 7 ? q & 15u << 4 * j : q >> 28)), s.d[j], s.m); }

#if defined(TYPE_Q6_K)

struct block_t { plane_4 q; plane_2 high; plane_1 scales, d; };
struct eight_t { uint q, high; float d; };

block_t block_of(uint64_t weights, uint block) {
    return block_t(BLOCK_OF(plane_4, 0, GROUPS * 4), BLOCK_OF(plane_2, p.plane1, GROUPS * 2), BLOCK_OF(plane_1, p.plane2, GROUPS / 2),
                   BLOCK_OF(plane_1, p.plane3, (GROUPS / 8 + 1) / 2));
}
// Two scales, of sixteen columns each, in the place of the nibbles'.
scale_t scale_of(block_t b, uint group) {
    float d = half_at(LANES8(b.d.at[group / 16].w, 0), group / 8 % 2 * 16);
    int bytes = int(LANES8(b.scales.at[group / 2].w, 0)) >> group % 2 * 16;
    scale_t s;
    s.d[0] = d * float(bytes << 24 >> 24);
    s.d[1] = d * float(bytes << 16 >> 24);
    return s;
}
eight_t eight_of(block_t b, uint group, uint eight) {
    return eight_t(LANES8(b.q.at[group].w, eight * 8), LANES8(b.high.at[group].w, eight / 2 * 8), 0);
}
float weight_of(eight_t e, scale_t s, uint eight, uint j) {
    uint low = e.q >> 4 * j & 15, shift = 2 * (eight % 2 * 8 + j);
    uint high = shift >= 4 ? e.high >> (shift - 4) & 48 : e.high << (4 - shift) & 48;
    return float(int(low | high) - 32) * s.d[eight / 2];
}

#else

struct eight_t { uint q; };
float weight_of(eight_t e, scale_t s, uint eight, uint j) { return weight_of_nibble(e.q, s, j); }

#if defined(TYPE_Q4_K)
struct block_t { plane_4 q; plane_1 d, scales; };
block_t block_of(uint64_t weights, uint block) {
    return block_t(BLOCK_OF(plane_4, 0, GROUPS * 4), BLOCK_OF(plane_1, p.plane1, GROUPS / 8), BLOCK_OF(plane_1, p.plane2, GROUPS / 2));
}
scale_t scale_of(block_t b, uint group) {
    vec2 both = unpackHalf2x16(LANES8(b.d.at[group / 8].w, 0));
    uint bytes = LANES8(b.scales.at[group / 2].w, 0) >> group % 2 * 16;
    return scale_of_nibbles(both.x * float(int(bytes & 255)), -both.y * float(int(bytes >> 8 & 255)));
}
#elif defined(TYPE_Q4_1)
struct block_t { plane_4 q; plane_1 both; };
block_t block_of(uint64_t weights, uint block) {
    return block_t(BLOCK_OF(plane_4, 0, GROUPS * 4), BLOCK_OF(plane_1, p.plane1, GROUPS));
}
scale_t scale_of(block_t b, uint group) {
    vec2 both = unpackHalf2x16(LANES8(b.both.at[group].w, 0));
    return scale_of_nibbles(both.x, both.y);
}
#else // Q4_0
struct block_t { plane_4 q; plane_1 d; };
block_t block_of(uint64_t weights, uint block) {
    return block_t(BLOCK_OF(plane_4, 0, GROUPS * 4), BLOCK_OF(plane_1, p.plane1, (GROUPS + 1) / 2));
}
scale_t scale_of(block_t b, uint group) {
    float d = half_at(LANES8(b.d.at[group / 2].w, 0), group % 2 * 16);
    return scale_of_nibbles(d, -8 * d);
}
#endif

eight_t eight_of(block_t b, uint group, uint eight) { return eight_t(LANES8(b.q.at[group].w, eight * 8)); }

#endif
#endif
#undef BLOCK_OF
