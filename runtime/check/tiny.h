/* A tiny random model end to end: its probabilities on the device beside those of a float64 forward pass. */
#ifndef CHECK_TINY_H
#define CHECK_TINY_H

#include "gguf/types.h"
#include "ops/variants.h"

/// Runs tokens many, few and one at a time through a model whose matrices are of the type, with the kernels that are chosen now.
/// *mean_kl: of the probabilities after each token, the reference's to the device's; infinite where one is no number.
/// Errors: those of loading and running a model.
pum_status check_tiny_kl(op_kernels *kernels, tensor_type type, double *mean_kl, pum_error *err);

#endif
