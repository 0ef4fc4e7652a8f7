#ifndef SHADERS_ROPE_STORE_PUSH_H
#define SHADERS_ROPE_STORE_PUSH_H
#include "push.h"

// Heads are counted within this dispatch: all of q with the first slice of the cache, none of q with the others.
struct rope_store_push {
    PUSH_UINT n_head;                         // of q that are rotated
    PUSH_UINT first_k, first_v;               // head of a row of qkv where those of the slice begin
    PUSH_UINT n_head_all;                     // of a row of qkv: q, k and v
    PUSH_UINT n_heads;                        // of the slice
    PUSH_UINT head_dim, n_rot, n_ctx;
    PUSH_UINT first_row;                      // of qkv
};
PUSH_BYTES(rope_store_push, 36)

#endif
