#ifndef SHADERS_ROPE_STORE_PUSH_H
#define SHADERS_ROPE_STORE_PUSH_H
#include "push.h"

// Heads are counted within this dispatch: all of q with the first slice of the cache, no q with the others.
struct rope_store_push {
    PUSH_UINT n_head;                         // of q
    PUSH_UINT n_head_kv;                      // stride of k and v, in heads
    PUSH_UINT first_head, n_heads;            // of the slice
    PUSH_UINT head_dim, n_rot, n_ctx, n_past;
    PUSH_UINT q_first_row, k_first_row, v_first_row;
};
PUSH_BYTES(rope_store_push, 44)

#endif
