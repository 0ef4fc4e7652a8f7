// a[row] = softmax(scale q[row] K^T) V over the positions that the row may see; see attention.glsl.     arXiv:2112.05682, 2205.14135
//
// For few rows on CPU drivers that load a value which is the same for all lanes once; see lanes8.glsl. The workgroup is one subgroup of
// eight lanes and owns ROWS rows. Words of K and V are vector loads through addresses, so that a lane holds VALUES neighbouring dimensions of
// each 8 * VALUES; eight positions at a time:
//
//      K      lane 0      …   lane 7              part[position] += q * K, for each of eight positions; added up across the lanes
//           d 0, 1            d 14, 15            they are a score a lane, a position each, for softmax
//      V    d 0, 1            d 14, 15            sum += weight[position] * V
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x = 8) in;
layout(constant_id = 1) const uint HEAD_DIM = 64; // a multiple of 8 * VALUES
layout(constant_id = 2) const uint ROWS = 1;
#include "attention.glsl"
#include "attention_join.glsl"
#include "lanes8.glsl"

#ifdef KV_Q8_0
const uint VALUES = 4; // of a word
#else
const uint VALUES = 2;
#endif
const uint GROUPS = HEAD_DIM / (8 * VALUES), SUMS = GROUPS * VALUES; // of a row
struct line { uint w[8]; };
layout(buffer_reference, std430, buffer_reference_align = 32) readonly buffer lines_ref { line at[]; };
layout(buffer_reference, std430, buffer_reference_align = 4) readonly buffer word_ref { uint word; };

float q[ROWS * SUMS], sum[ROWS * SUMS], part[ROWS * 8], maximum[ROWS], total[ROWS];

uint64_t k_address() { return packUint2x32(uvec2(p.k_low, p.k_high)); }
uint64_t v_address() { return packUint2x32(uvec2(p.v_low, p.v_high)); }
lines_ref line_at(uint64_t cache, uint position) { return lines_ref(cache + kv_row(position) * (GROUPS * 32)); }

#ifdef KV_Q8_0
// 32 values share a scale, as eight lanes do a word each.
float scale_at(uint64_t cache, uint position, uint group) {
    return unpackHalf2x16(word_ref(cache + 4 * uint64_t(scale_word(position, group * 4))).word)[group & 1];
}
float value_of(uint word, uint c) { return float(int(word) << (24 - 8 * c) >> 24); }
#else
float scale_at(uint64_t cache, uint position, uint group) { return 1; }
float value_of(uint word, uint c) { return unpackHalf2x16(word >> 16 * c).x; }
#endif

uint dimension(uint i) { return i / VALUES * (8 * VALUES) + gl_SubgroupInvocationID * VALUES + i % VALUES; }

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

void add_positions(uint base, uint last, uint end[ROWS]) {
    // Past the end the last position is repeated, with no weight.
    [[unroll]] for (uint s = 0; s < 8; s++) {
        uint position = min(base + s, last - 1);
        lines_ref k = line_at(k_address(), position);
        [[unroll]] for (uint r = 0; r < ROWS; r++) part[r * 8 + s] = 0;
        [[unroll]] for (uint g = 0; g < GROUPS; g++) {
            uint word = LANES8(k.at[g].w, 0);
            float scale = scale_at(k_address(), position, g);
            [[unroll]] for (uint c = 0; c < VALUES; c++) {
                float value = value_of(word, c) * scale;
                [[unroll]] for (uint r = 0; r < ROWS; r++) part[r * 8 + s] = fma(q[r * SUMS + g * VALUES + c], value, part[r * 8 + s]);
            }
        }
    }
    float weight[ROWS];
    [[unroll]] for (uint r = 0; r < ROWS; r++) {
        float eight[8];
        [[unroll]] for (uint s = 0; s < 8; s++) eight[s] = part[r * 8 + s];
        float score = sum_of_lanes(eight);
        bool seen = base + gl_SubgroupInvocationID < end[r];
        float highest = max(maximum[r], subgroupMax(seen ? score : LOWEST)), keep = exp(maximum[r] - highest);
        maximum[r] = highest;
        weight[r] = seen ? exp(score - highest) : 0;
        total[r] = total[r] * keep + weight[r]; // of the lane's positions
        [[unroll]] for (uint i = 0; i < SUMS; i++) sum[r * SUMS + i] *= keep;
    }
    [[unroll]] for (uint s = 0; s < 8; s++) {
        uint position = min(base + s, last - 1);
        lines_ref v = line_at(v_address(), position);
        [[unroll]] for (uint g = 0; g < GROUPS; g++) {
            uint word = LANES8(v.at[g].w, 0);
            float scale = scale_at(v_address(), position, g);
            [[unroll]] for (uint c = 0; c < VALUES; c++) {
                float value = value_of(word, c) * scale;
                [[unroll]] for (uint r = 0; r < ROWS; r++) {
                    uint i = r * SUMS + g * VALUES + c;
                    sum[i] = fma(subgroupShuffle(weight[r], s), value, sum[i]);
                }
            }
        }
    }
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
