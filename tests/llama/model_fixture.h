/* What tests of the whole model share: the device, a small real model, and visible skips. */
#ifndef TESTS_LLAMA_MODEL_FIXTURE_H
#define TESTS_LLAMA_MODEL_FIXTURE_H

#include "assert_ok.h"
#include "pumice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/// Everything that a test of the model needs; opened once per program.
typedef struct model_fixture {
    pum_device *device;
    pum_file *file;
    pum_tokenizer *tokenizer;
    pum_model *model;
} model_fixture;

/// Opens the default device and stories260K. Prints device and driver. Exits with 77 and a reason where one of them is missing.
model_fixture model_fixture_open(void);
void model_fixture_close(model_fixture *fixture);

/// Greedy: appends prompt and then n tokens, each the best of the logits; ids go to out [n]. margins [n] of the best over the
/// second, or NULL.
void greedy(pum_session *session, const int32_t *prompt, int n_prompt, int n, int32_t *out, float *margins);

#endif
