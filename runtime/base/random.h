/* Random numbers that are a function of seed and number alone: no state to carry, and a GPU draws the same ones. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/// Philox 4x32-10: ten rounds over counter [4] under key [2]. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
/// 1, 2, 3", SC11. shaders/include/philox.glsl is the same.
void random_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t words[4]);
/// The number-th draw of a seed, in [0, 1): the upper 24 bits of the first word, which a float holds exactly.
float random_uniform(uint64_t seed, uint64_t number);

#endif
