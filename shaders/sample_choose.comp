// Chooses a token from the candidates that sample_top left, and moves the step on: top-p, then min-p, both of the candidates as
// they are, then a draw from softmax(logit / temp). With x[i] = logit[i] - logit[0], candidates in order:
//   top-p   keeps the first i with sum over j <= i of exp(x[j])  >=  top_p * sum over all
//   min-p   leaves out x[i] < log(min_p)
//   draw    the first i with sum over j <= i of exp(x[j] / temp)  >  u * sum over what is kept,  u in [0, 1)
// One workgroup. A stopped step is left as it is. runtime/sample/sampler.c is the definition, in double; here exp and the sums are
// float32, so that another token comes where u is within some 1e-6 of a border.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "philox.glsl"
#include "sample_push.h"
#include "step_state.h"

layout(local_size_x_id = 0) in;
#define SIZE gl_WorkGroupSize.x
layout(push_constant) uniform push_block { sample_push p; };
layout(std430, binding = 0) readonly buffer candidates_block { uvec2 candidates[]; };
layout(std430, binding = 1) buffer state_block { step_state state; };
layout(std430, binding = 2) writeonly buffer ring_block { uint ring[]; };

uvec2 candidate(uint i) { return candidates[i]; }
#include "select.glsl"

shared float weights[STEP_MAX_TOP_K], hot_weights[STEP_MAX_TOP_K]; // exp(x), exp(x / temp)

void weigh(uint n) {
    float best = logit_of(list[0].x), inverse_temp = state.inverse_temp;
    for (uint i = gl_LocalInvocationID.x; i < n; i += SIZE) {
        float x = logit_of(list[i].x) - best; // 0 or below, -inf perhaps; exp(-200) is 0
        weights[i] = exp(max(x, -200));
        hot_weights[i] = exp(max(x * inverse_temp, -200));
    }
}

// How many of n remain.
uint cut(uint n) {
    float total = 0, sum = 0, best = logit_of(list[0].x);
    uint kept = n;
    if (state.top_p < 1) {
        for (uint i = 0; i < n; i++) total += weights[i];
        for (kept = 0; kept < n && (kept == 0 || sum < state.top_p * total); kept++) sum += weights[kept];
    }
    while (kept > 1 && logit_of(list[kept - 1].x) - best < state.log_min_p) kept--;
    return kept;
}

// Prefix sums are the total's own partial sums, and u * total < total: there is such a place, and its weight is not 0.
uint draw(uint n) {
    float total = 0, sum = hot_weights[0];
    for (uint i = 0; i < n; i++) total += hot_weights[i];
    float at = random_uniform(uvec2(state.seed[0], state.seed[1]), uvec2(state.n_draws[0], state.n_draws[1])) * total;
    uint chosen = 0;
    while (chosen + 1 < n && sum <= at) sum += hot_weights[++chosen];
    state.n_draws[0]++;
    if (state.n_draws[0] == 0) state.n_draws[1]++;
    return chosen;
}

void note(uint stopped, uint token) {
    ring[state.n_made % p.n_ring] = STEP_RECORD(state.n_made + 1, stopped, token);
    state.stopped = stopped;
}

void take(uint token) {
    uint stopped = state.n_past + 1 < state.n_end ? STEP_RUNS : STEP_FULL, n_stop_ids = state.n_stop_ids;
    for (uint i = 0; i < n_stop_ids; i++)
        if (state.stop_ids[i] == token) stopped = STEP_STOP_TOKEN;
    note(stopped, token);
    state.n_made++;
    if (state.n_window > 0) {
        state.window[state.window_at] = token;
        state.window_at = (state.window_at + 1) % state.n_window;
    }
    if (stopped == STEP_RUNS) {
        state.token = token;
        state.n_past++;
    }
}

void main() {
    select_best(p.n_candidates, p.top_k);
    uint n = min(p.top_k, p.n_vocab);
    weigh(n);
    barrier();
    if (gl_LocalInvocationID.x == 0 && state.stopped == STEP_RUNS) {
        uint best = list[0].x;
        if (best == KEY_WRONG || best == KEY_LOWEST) note(STEP_WRONG, list[0].y);
        else take(list[state.inverse_temp > 0 ? draw(cut(n)) : 0].y);
    }
}
