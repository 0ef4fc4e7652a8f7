/* Sampling on the device, as the host sees it: how a run of decode steps begins, and what each of them leaves. */
#ifndef OPS_SAMPLE_H
#define OPS_SAMPLE_H

#include "pumice.h"

#include "../../shaders/include/step_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(offsetof(struct step_state, token) % 256 == 0 && offsetof(struct step_state, n_past) % 256 == 0,
               "storage buffers are bound at multiples of 256 bytes");

/// Whether op_sample can do what is asked: greedy, or top_k from 1 to STEP_MAX_TOP_K; penalties over STEP_MAX_WINDOW tokens at
/// most; STEP_MAX_STOP_IDS and 2^18 tokens at most. The rest is for the host.
bool op_sample_supported(const pum_sampler_params *params, uint32_t n_vocab, uint32_t n_stop_ids);
/// Whether a step that was recorded for a samples by b too, once b is in the state: all but top_k and whether there are penalties
/// is there.
bool op_sample_same(const pum_sampler_params *a, const pum_sampler_params *b);

/// How a run of steps begins.
typedef struct op_step_start {
    const pum_sampler_params *params; ///< supported
    uint64_t n_draws;                 ///< random numbers of the seed that are used up
    const int32_t *history;           ///< [n_history] the last tokens, oldest first, for the penalties
    size_t n_history;
    const int32_t *stop_ids;
    uint32_t n_stop_ids;
    int32_t token;          ///< that the first step appends
    uint32_t n_past, n_end; ///< where it appends it; the position that must not be reached
} op_step_start;
/// Makes the state of the first step; the caller sends it to the device.
void op_step_fill(struct step_state *state, const op_step_start *start);

/// What a step left in the ring.
typedef struct op_step_record {
    uint32_t stopped; ///< STEP_RUNS, …
    int32_t token;    ///< for STEP_WRONG the first wrong logit
} op_step_record;
/// Reads token number n_made (from 0) of the run. false: it is not there, or not yet.
/// ring   [n_ring] words that the device writes; the host sets all their bits before the run begins.
bool op_step_read(const volatile uint32_t *ring, uint32_t n_ring, uint32_t n_made, op_step_record *record);

#endif
