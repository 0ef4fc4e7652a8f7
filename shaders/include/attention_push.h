#ifndef SHADERS_ATTENTION_PUSH_H
#define SHADERS_ATTENTION_PUSH_H
#include "push.h"

// A row is one query of one of the heads that share a KV head: row = token * group + head within the group.
struct attention_push {
    PUSH_UINT n_rows, group, n_head;  // n_rows = n_tokens * group, group = n_head / n_head_kv
    PUSH_UINT n_head_all;             // of a row of qkv: q, k and v
    PUSH_UINT first_token, n_ctx;     // first_token: of the pass, the first one of this dispatch
    PUSH_UINT first_head;             // KV head that the slice begins with
    PUSH_UINT q_first_row, a_first_row;
    PUSH_UINT n_chunks, chunk;        // the context is cut in at most n_chunks of chunk positions
    PUSH_FLOAT scale;
    PUSH_ADDRESS(k) PUSH_ADDRESS(v) // of the slice, for kernels that use them
};
PUSH_BYTES(attention_push, 64)

// What stands before the records of partial results: how many workgroups have left theirs, for each block of rows of a KV head.
#define ATTENTION_BLOCKS 4096

#endif
