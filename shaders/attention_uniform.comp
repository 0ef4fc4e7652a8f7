// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For few rows on CPU drivers that load a value which is the same for all lanes once; see lanes8.glsl. The workgroup is one subgroup of
// eight lanes and owns ROWS rows. K and V are vector loads through addresses, of eight neighbouring dimensions each; eight positions at a
// time:
//
//      K      lane 0   1   …   7              part[position] += q * K, for each of eight positions; added up across the lanes
//             d 0      1       7                they are a score a lane, a position each, for softmax
//             d 8      9       15
//      V      d 0      1       7              sum += weight[position] * V
//
// The values are loaded as narrow as they are stored, so that the conversion is part of the load: one instruction for eight float16, where
// words of two have to be shifted and cut first.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#ifdef KV_Q8_0
#extension GL_EXT_shader_explicit_arithmetic_types_int8 : require
#extension GL_EXT_shader_8bit_storage : require
#define STORED int8_t
#else
#extension GL_EXT_shader_explicit_arithmetic_types_int16 : require
#extension GL_EXT_shader_16bit_storage : require
#define STORED uint16_t
#endif

layout(local_size_x = 8) in;
layout(constant_id = 1) const uint HEAD_DIM = 64;
layout(constant_id = 2) const uint ROWS = 1;
#include "attention.glsl"
#include "attention_join.glsl"
#include "lanes8.glsl"

#ifdef KV_Q8_0
const uint ROW_BYTES = HEAD_DIM, GROUPS = HEAD_DIM / 32; // groups of a row have a scale each
float value_of(STORED v) { return float(int(v)); }
#else
const uint ROW_BYTES = HEAD_DIM * 2, GROUPS = 1;
float value_of(STORED v) { return unpackHalf2x16(uint(v)).x; }
#endif
const uint SUMS = HEAD_DIM / 8, EACH = SUMS / GROUPS; // of a row, of a group: eights of dimensions
struct eight { STORED v[8]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer eights_ref { eight at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer words_ref { uint at[]; };

float q[ROWS * SUMS], sum[ROWS * SUMS], maximum[ROWS], total[ROWS];

uint64_t k_address() { return packUint2x32(uvec2(p.k_low, p.k_high)); }
uint64_t v_address() { return packUint2x32(uvec2(p.v_low, p.v_high)); }
eights_ref row_of(uint64_t cache, uint position) { return eights_ref(cache + kv_row(position) * ROW_BYTES); }

// lanes8.glsl's, for what is stored.
STORED lanes8(STORED a, STORED b, STORED c, STORED d, STORED e, STORED f, STORED g, STORED h) {
    uint lane = gl_SubgroupInvocationID;
    STORED ab = lane == 0 ? a : b, cd = lane == 2 ? c : d, ef = lane == 4 ? e : f, gh = lane == 6 ? g : h;
    STORED abcd = lane < 2 ? ab : cd, efgh = lane < 6 ? ef : gh;
    return lane < 4 ? abcd : efgh;
}
#define VALUE(row, i) value_of(LANES8((row).at[i].v, 0))

uint dimension(uint i) { return i * 8 + gl_SubgroupInvocationID; }

// Of eight positions, a position a lane.
void load_scales(uint64_t cache, uint position[8], out float scales[GROUPS]) {
#ifdef KV_Q8_0
    [[unroll]] for (uint g = 0; g < GROUPS; g += 2) {
        uint words[8];
        [[unroll]] for (uint s = 0; s < 8; s++) words[s] = words_ref(cache).at[scale_word(position[s], g * 4)];
        vec2 both = unpackHalf2x16(LANES8(words, 0));
        scales[g] = both.x;
        if (g + 1 < GROUPS) scales[g + 1] = both.y;
    }
#else
    scales[0] = 1;
#endif
}

// Of two values a lane the sum over both lanes of a pair: of a in the lanes without the bit `step`, of b in those with it.
float sum_of_pairs(float a, float b, uint step) {
    bool second = (gl_SubgroupInvocationID & step) != 0;
    return (second ? b : a) + subgroupShuffleXor(second ? a : b, step);
}
// Eight values a lane become the sum over all lanes of the lane's own.
float sum_of_lanes(float v[8]) {
    float a = sum_of_pairs(v[0], v[1], 1), b = sum_of_pairs(v[2], v[3], 1), c = sum_of_pairs(v[4], v[5], 1), d = sum_of_pairs(v[6], v[7], 1);
    return sum_of_pairs(sum_of_pairs(a, b, 2), sum_of_pairs(c, d, 2), 4);
}
// subgroupMax is a loop over the lanes there.
float max_of_lanes(float v) {
    [[unroll]] for (uint step = 1; step < 8; step *= 2) v = max(v, subgroupShuffleXor(v, step));
    return v;
}

// The scores of eight positions, a position a lane.
void score(uint position[8], out float scores[ROWS]) {
    float part[ROWS * 8], scales[GROUPS];
    load_scales(k_address(), position, scales);
    [[unroll]] for (uint s = 0; s < 8; s++) {
        eights_ref k = row_of(k_address(), position[s]);
        [[unroll]] for (uint g = 0; g < GROUPS; g++) {
            float product[ROWS];
            [[unroll]] for (uint r = 0; r < ROWS; r++) product[r] = 0;
            [[unroll]] for (uint i = g * EACH; i < (g + 1) * EACH; i++) {
                float value = VALUE(k, i);
                [[unroll]] for (uint r = 0; r < ROWS; r++) product[r] = fma(q[r * SUMS + i], value, product[r]);
            }
            float scale = subgroupShuffle(scales[g], s);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                uint at = r * 8 + s;
                part[at] = g == 0 ? product[r] * scale : fma(product[r], scale, part[at]);
            }
        }
    }
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        float eight[8];
        [[unroll]] for (uint s = 0; s < 8; s++) eight[s] = part[r * 8 + s];
        scores[r] = sum_of_lanes(eight);
    }
}

// sum += weight V. A dimension of all positions in one go, apart from the sum: chains of operations that wait for each other are short so.
void add_values(uint position[8], float weight[ROWS]) {
    float scales[GROUPS];
    load_scales(v_address(), position, scales);
    [[unroll]] for (uint i = 0; i < SUMS; i++) {
        float more[ROWS];
        [[unroll]] for (uint s = 0; s < 8; s++) {
            float value = VALUE(row_of(v_address(), position[s]), i);
            [[unroll]] for (uint r = 0; r < ROWS; r++) {
                float scaled = subgroupShuffle(weight[r] * scales[i / EACH], s);
                more[r] = s == 0 ? scaled * value : fma(scaled, value, more[r]);
            }
        }
        [[unroll]] for (uint r = 0; r < ROWS; r++) sum[r * SUMS + i] += more[r];
    }
}

void add_positions(uint base, uint last, uint end[ROWS]) {
    uint position[8]; // past the end the last one is repeated, with no weight
    [[unroll]] for (uint s = 0; s < 8; s++) position[s] = min(base + s, last - 1);
    float scores[ROWS], weight[ROWS];
    score(position, scores);
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        bool seen = base + gl_SubgroupInvocationID < end[r];
        float highest = max(maximum[r], max_of_lanes(seen ? scores[r] : LOWEST)), keep = exp(maximum[r] - highest);
        maximum[r] = highest;
        weight[r] = seen ? exp(scores[r] - highest) : 0;
        total[r] = total[r] * keep + weight[r]; // of the lane's positions
        [[unroll]] for (uint i = 0; i < SUMS; i++) sum[r * SUMS + i] *= keep;
    }
    add_values(position, weight);
}

void main() {
    uint first = gl_WorkGroupID.x * ROWS, n_rows = min(ROWS, p.n_rows - first), last = chunk_end(first + n_rows - 1), base = chunk_begin();
    uint row[ROWS], end[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        // Past the last row that one is repeated, and not stored.
        row[r] = min(first + r, p.n_rows - 1);
        end[r] = min(end_of(row[r]), last);
        maximum[r] = LOWEST;
        total[r] = 0;
        [[unroll]] for (uint i = 0; i < SUMS; i++) {
            q[r * SUMS + i] = qkv[q_at(row[r]) + dimension(i) / 4][dimension(i) % 4] * p.scale;
            sum[r * SUMS + i] = 0;
        }
    }
    if (base < last) {
        do { // asks at its end: llvmpipe runs a body once more behind a break, without lanes
            add_positions(base, last, end);
            base += 8;
        } while (base < last);
        [[unroll]] for (uint r = 0; r < ROWS; r++) {
            float all = subgroupAdd(total[r]);
            uint record = record_at(row[r], gl_WorkGroupID.z);
            if (r < n_rows) {
                [[unroll]] for (uint i = 0; i < SUMS; i++) {
                    uint d = dimension(i);
                    if (p.n_chunks == 1) a[a_at(row[r]) + d / 4][d % 4] = sum[r * SUMS + i] / all;
                    else records[record + 1 + d / 4][d % 4] = sum[r * SUMS + i];
                }
                if (p.n_chunks > 1) records[record] = vec4(maximum[r], all, 0, 0);
            }
        }
    }
    join_if_last(first, n_rows);
}
