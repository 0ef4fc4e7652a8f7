#ifndef SHADERS_SAMPLE_PUSH_H
#define SHADERS_SAMPLE_PUSH_H
#include "push.h"

#define SAMPLE_MAX_CANDIDATES 2048 // that sample_choose takes, of all slices
#define SAMPLE_MAX_SLICE 8192      // logits

struct sample_push {
    PUSH_UINT n_vocab, first_logit; // in floats from the start of the binding
    PUSH_UINT n_slice;              // logits of a workgroup of sample_top
    PUSH_UINT top_k;
    PUSH_UINT n_candidates; // n_slices * top_k
    PUSH_UINT n_ring;
};
PUSH_BYTES(sample_push, 24)

#endif
