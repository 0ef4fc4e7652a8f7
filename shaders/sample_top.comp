// The best top_k of each slice of the logits, after the penalties: candidates[slice * top_k …], best first, none where the slice
// has fewer. A logit whose id is in the window of the last tokens, count times, becomes
//   (logit > 0 ? logit / repeat : logit * repeat) - frequency * count - presence
// One workgroup a slice. The logits stay as they are. runtime/sample/sampler.c is the definition.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "sample_push.h"
#include "step_state.h"

layout(local_size_x_id = 0) in;
#define SIZE gl_WorkGroupSize.x
layout(constant_id = 1) const bool PENALTIES = true;
layout(push_constant) uniform push_block { sample_push p; };
layout(std430, binding = 0) readonly buffer logits_block { uint logits[]; };
layout(std430, binding = 1) readonly buffer state_block { step_state state; };
layout(std430, binding = 2) writeonly buffer candidates_block { uvec2 candidates[]; };

// A bit for each logit of the slice that has a penalty, and stands in `lowered` instead. Its length is not that of the state's window:
// glslang 12 would give it the type of that, with a buffer's layout, which shared memory must not have.
shared uint marks[SAMPLE_MAX_SLICE / 32 + 1];
shared uvec2 lowered[STEP_MAX_WINDOW]; // candidates of the tokens of the window that are in the slice
uint first = gl_WorkGroupID.x * p.n_slice, n_logits = min(p.n_slice, p.n_vocab - first), n_window = PENALTIES ? state.n_window : 0;

uvec2 candidate(uint i);
#include "select.glsl"

uvec2 candidate(uint i) {
    if (PENALTIES && i >= n_logits) return lowered[i - n_logits];
    if (PENALTIES && (marks[i / 32] >> i % 32 & 1) == 1) return NONE;
    return uvec2(key_of(logits[p.first_logit + first + i]), first + i);
}

// Rounded as the host rounds: `precise` forbids to contract, and there is no quotient. A finite logit stays finite.
uint key_of_penalised(uint bits, uint count) {
    float logit = uintBitsToFloat(bits);
    precise float changed = logit > 0 ? logit * state.inverse_repeat : logit * state.repeat;
    precise float penalty = state.frequency * float(count) + state.presence;
    changed -= penalty;
    bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    return key_of(finite ? floatBitsToUint(clamp(changed, -3.40282347e38, 3.40282347e38)) : bits);
}

// A token of the window: taken out of the slice, and lowered where it stands in the window for the first time.
void lower(uint at) {
    uint id = state.window[at], place = id - first, count = 0, before = 0;
    lowered[at] = NONE;
    if (place < n_logits) {
        for (uint i = 0; i < n_window; i++) {
            count += uint(state.window[i] == id);
            if (i < at) before = count;
        }
        atomicOr(marks[place / 32], 1u << place % 32);
        if (before == 0) lowered[at] = uvec2(key_of_penalised(logits[p.first_logit + id], count), id);
    }
}

void main() {
    if (PENALTIES) {
        for (uint i = gl_LocalInvocationID.x; i < (n_logits + 31) / 32; i += SIZE) marks[i] = 0;
        barrier();
        for (uint i = gl_LocalInvocationID.x; i < n_window; i += SIZE) lower(i);
        barrier();
    }
    select_best(n_logits + n_window, p.top_k);
    for (uint i = gl_LocalInvocationID.x; i < p.top_k; i += SIZE) candidates[gl_WorkGroupID.x * p.top_k + i] = list[i];
}
