/* What a sampler may choose, in double. */
#ifndef TESTS_REFERENCE_SAMPLE_H
#define TESTS_REFERENCE_SAMPLE_H

#include "pumice.h"

typedef struct reference_candidate {
    float logit;
    int32_t id;
} reference_candidate;

/// Lowers the logits [n_vocab] of the tokens in window. In float32, as it is defined: there is nothing to allow for.
void reference_penalise(const pum_sampler_params *p, const int32_t *window, size_t n_window, float *logits, size_t n_vocab);
/// All logits as candidates [n_vocab], best first, ties by the lower id.
void reference_sort(const float *logits, size_t n_vocab, reference_candidate *candidates);
/// Whether the draw u in [0, 1) may choose token from n candidates, best first, in float32; slack 0: in exact arithmetic, where
/// exactly one token is right. Otherwise a border of top-p, of min-p or between two tokens may be off by slack times what
/// roundings explain: for weights exp(y), in units of 2^-23 of the sum of weights,
///   sum of (3 + 2 |y|) exp(y), Vulkan's bound of exp; of 2 |y| exp(y), as y has some roundings of its own; n / 2 for the
///   additions.
bool reference_may_choose(const pum_sampler_params *p, const reference_candidate *candidates, size_t n, double u, int32_t token,
                          double slack);
/// How probable each of n candidates, best first, is in exact arithmetic.
void reference_probabilities(const pum_sampler_params *p, const reference_candidate *candidates, size_t n, double *probabilities);

#endif
