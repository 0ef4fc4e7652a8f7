/* What a decode step on the device keeps from one run to the next, in a storage buffer: the recorded step is the same for every
 * token. Valid C and GLSL. The host fills it (op_step_fill), the embedding reads `token`, rope and attention read `n_past`, and
 * sample_choose moves all of it on. */
#ifndef SHADERS_STEP_STATE_H
#define SHADERS_STEP_STATE_H
#include "push.h"

#define STEP_MAX_TOP_K 64
#define STEP_MAX_STOP_IDS 16
#define STEP_MAX_WINDOW 256

// step_state.stopped. A step that stops leaves token and n_past as they are: the steps in flight behind it repeat its work, with
// the same K and V at the same place, and sample nothing.
#define STEP_RUNS 0
#define STEP_STOP_TOKEN 1 // one of stop_ids was chosen
#define STEP_FULL 2       // n_past has reached n_end
#define STEP_WRONG 3      // a logit is NaN or +inf, or all are -inf: nothing was chosen

// A record of the ring of chosen tokens is one word, so that it is never seen half written: the number of the token, counted from
// 1, whether the step stopped, and the token; for STEP_WRONG the place of the first wrong logit.
#define STEP_TOKEN_BITS 18
#define STEP_STOPPED_BITS 2
#define STEP_NUMBER_BITS 12
#define STEP_RECORD(number, stopped, token)                                                                                      \
    ((number) << (STEP_TOKEN_BITS + STEP_STOPPED_BITS) | (stopped) << STEP_TOKEN_BITS | (token))

// token and n_past stand where a binding may begin, so that each can be bound alone to a kernel that reads nothing else.
struct step_state {
    PUSH_UINT token;  // that the running step appends
    PUSH_UINT n_end;  // position that must not be reached: end of the context, or of what was asked for
    PUSH_UINT n_made; // tokens chosen
    PUSH_UINT stopped;
    PUSH_UINT seed[2], n_draws[2]; // key and counter of the random numbers, low word first
    PUSH_FLOAT inverse_temp;       // 0: greedy, draws no number
    PUSH_FLOAT top_p;              // 1: off
    PUSH_FLOAT log_min_p;
    PUSH_FLOAT repeat, inverse_repeat, presence, frequency; // penalties
    PUSH_UINT n_stop_ids, stop_ids[STEP_MAX_STOP_IDS];
    PUSH_UINT n_window, window_at; // tokens that the penalties look at, 0: none; where the next one goes
    PUSH_UINT unused[30];
    PUSH_UINT n_past;                  // position of token
    PUSH_UINT window[STEP_MAX_WINDOW]; // [n_window] the last tokens, a ring; no token's id where there is none yet
};

#endif
