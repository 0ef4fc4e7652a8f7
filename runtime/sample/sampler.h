/* What the path that samples on the device needs of a sampler, to begin where it stands and to bring it up to date afterwards. */
#ifndef SAMPLE_SAMPLER_H
#define SAMPLE_SAMPLER_H

#include "pumice.h"

const pum_sampler_params *sampler_params(const pum_sampler *sampler);
/// Tokens drawn since the last reset: the number of the next random number. A greedy sampler draws none.
uint64_t sampler_n_draws(const pum_sampler *sampler);
/// After n_draws more tokens were drawn elsewhere, with the random numbers that come next here.
void sampler_skip_draws(pum_sampler *sampler, uint64_t n_draws);
/// The last tokens accepted, oldest first, borrowed until the next accept: at least as many of them as the penalties look at.
const int32_t *sampler_history(const pum_sampler *sampler, size_t *n_tokens);

#endif
