// Joins the partial results of attention over chunks of the context: with M the largest of the maxima m[c],
//   a[row] = sum over c of exp(m[c] - M) sum_v[c]  /  sum over c of exp(m[c] - M) total[c]                        arXiv:2112.05682
// scratch [n_rows, n_chunks] records of attention.glsl, a [n_rows, HEAD_DIM]; a row is (token, head). One thread per four dimensions.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "attention_push.h"

layout(local_size_x = 64) in;
layout(constant_id = 0) const uint HEAD_DIM = 64;
layout(push_constant) uniform push_block { attention_merge_push p; };
layout(std430, binding = 0) readonly buffer scratch_block { vec4 scratch[]; };
layout(std430, binding = 1) writeonly buffer a_block { vec4 a_rows[]; };

void main() {
    uint parts = HEAD_DIM / 4, row = gl_GlobalInvocationID.x / parts, part = gl_GlobalInvocationID.x % parts;
    if (row >= p.n_rows) return;
    uint record = row * p.n_chunks * (parts + 1);
    float maximum = -1.0e30, total = 0;
    vec4 sum = vec4(0);
    for (uint c = 0; c < p.n_chunks; c++, record += parts + 1) {
        vec2 head = scratch[record].xy;
        float highest = max(maximum, head.x), keep = exp(maximum - highest), take = exp(head.x - highest);
        sum = sum * keep + scratch[record + 1 + part] * take;
        total = total * keep + head.y * take;
        maximum = highest;
    }
    a_rows[p.a_first_row * parts + row * parts + part] = sum / total;
}
