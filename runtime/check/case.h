/* One shape of an op with its inputs, and with what must come out. */
#ifndef CHECK_CASE_H
#define CHECK_CASE_H

#include "base/arena.h"
#include "check/check.h"
#include "check/reference/kv.h"
#include "ops/buffers.h"

/// Some values that an op writes. What it writes elsewhere is wrong.
typedef struct check_output {
    const char *name;
    vk_span span;
    const reference_kv *kv; ///< a slice of the cache; NULL: float32
    const double *expected; ///< [values of the span]; NULL: scratch, anything
    const double *terms;    ///< of each value, the sum of the absolute values of its terms
    const double *peaks;    ///< for products: sum |w| times the largest |x|; may be NULL
    double k;               ///< roundings of 2^-24 of the terms that are allowed
} check_output;

enum { CASE_MAX_COPIES = 64, CASE_MAX_OUTPUTS = 4 };

typedef struct check_case {
    char what[96];
    op_kernels *kernels;
    uint64_t random;
    bool for_timing; ///< rows are in the device's own memory, and nothing is expected
    arena host;
    op_memory *device;
    op_host mapped; ///< of all rows of a case that is checked, between guards
    size_t used;
    void (*record)(const struct check_case *c, op_frame *f);
    /// Looks at what no table of numbers can say; NULL: there is nothing of that. Not all is right: a message.
    bool (*is_right)(const struct check_case *c, char *message, size_t n_bytes);
    check_output outputs[CASE_MAX_OUTPUTS];
    uint32_t n_outputs;
    // The operands, as far as the op has them.
    op_tensor w[CASE_MAX_COPIES], w1[CASE_MAX_COPIES], norm;
    uint32_t n_copies;
    op_rows x, y, n, scratch;
    vk_span tokens, state, ring, kv_spans[2];
    op_kv kv;
    reference_kv slices[2]; ///< of K and V, for checking
    op_rope rope;
    op_position position;
    bool add, with_norm;
    pum_sampler_params sampling;
    uint32_t n_allowed;
    int32_t put_out;
} check_case;

/// The op of a kind of jobs.
typedef struct check_kind {
    const char *prefix;   ///< of the op's name; the type follows where it is typed
    const char *stand_in; ///< prefix of the op that serves where this one has no variant, or NULL
    unsigned sizes;       ///< bit s: there are forms for op_size s
    bool typed;
    uint32_t n_cases;
    bool untimed; ///< there is no case for timing
    /// Makes case number i, or the one for timing.
    pum_status (*make)(const check_job *job, uint32_t i, check_case *c, pum_error *err);
} check_kind;

pum_status check_make_product(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_rmsnorm(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_embed(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_rope_store(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_attention(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_swiglu(const check_job *job, uint32_t i, check_case *c, pum_error *err);
pum_status check_make_sample(const check_job *job, uint32_t i, check_case *c, pum_error *err);

/* What the makers stand on. Memory of a case is poisoned with NaNs. */

enum { CASE_MAPPED_BYTES = 4 << 20 };
/// After c is zeroed and has its kernels, random and for_timing.
pum_status check_case_begin(check_case *c, pum_error *err);
void check_case_end(check_case *c);
/// How many bytes of `mapped` the rows of the case and the guards around them take.
size_t check_case_bytes(const check_case *c);
/// Host memory to the end of the case.
pum_status check_case_doubles(check_case *c, size_t n, double **values, pum_error *err);
pum_status check_case_span(check_case *c, uint64_t n_bytes, vk_span *span, pum_error *err);
pum_status check_case_rows(check_case *c, uint32_t n_rows, uint32_t n_cols, op_rows *rows, pum_error *err);
/// Random numbers with this standard deviation; the host's pointer to them. Not for timing.
float *check_case_fill(check_case *c, op_rows rows, double sigma);
float *check_case_floats(vk_span span);
/// A random matrix; values: receives [n_rows, n_cols] floats, or is NULL.
pum_status check_case_tensor(check_case *c, tensor_type type, uint32_t n_rows, uint32_t n_cols, double sigma, uint32_t n_copies,
                             op_tensor *tensors, float **values, pum_error *err);
void check_case_output(check_case *c, check_output output);

#endif
