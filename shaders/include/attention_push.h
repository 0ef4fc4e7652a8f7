#ifndef SHADERS_ATTENTION_PUSH_H
#define SHADERS_ATTENTION_PUSH_H
#include "push.h"

// A row is one query of one of the heads that share a KV head: row = token * group + head within the group.
struct attention_push {
    PUSH_UINT n_rows, group, n_head;  // n_rows = n_tokens * group, group = n_head / n_head_kv
    PUSH_UINT n_past, n_tokens, n_ctx;
    PUSH_UINT first_head;             // KV head that the slice begins with
    PUSH_UINT q_first_row, a_first_row;
    PUSH_UINT n_chunks, chunk;        // the context is cut in n_chunks of chunk positions; 1: a is written, else partial results
    PUSH_FLOAT scale;
};
PUSH_BYTES(attention_push, 48)

struct attention_merge_push {
    PUSH_UINT n_rows, n_chunks, a_first_row; // rows are (token, head)
};
PUSH_BYTES(attention_merge_push, 12)

#endif
