/* pumice.h alone, and twice, in a translation unit of its own; test_header.cpp is the same in C++. */
#include "pumice.h"

#define AGAIN "pumice.h"
#include AGAIN

/* What a caller writes: parameter structs, flags that are combined, every handle as a pointer to what is not known. */
const char *test_header(pum_file *file, pum_session_params *params, int *flags);

const char *test_header(pum_file *file, pum_session_params *params, int *flags) {
    pum_sampler_params sampler = pum_sampler_defaults();
    pum_sampler *made = NULL;
    params->n_ctx = sampler.top_k;
    *flags = PUM_ENCODE_BOS | PUM_ENCODE_SPECIAL;
    pum_file_destroy(&file);
    return pum_sampler_create(&sampler, &made, NULL) == PUM_OK ? pum_version() : pum_status_name(PUM_ERR_ARGUMENT);
}
