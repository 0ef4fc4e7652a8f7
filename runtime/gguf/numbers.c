#include "gguf/gguf.h"

#include <inttypes.h>
#include <math.h>

enum { VALUES_AT_ONCE = 4096, BYTES_AT_ONCE = 16384 };

static pum_status check_tensor(const gguf *file, const gguf_tensor *t, pum_error *err) {
    uint8_t blocks[BYTES_AT_ONCE];
    float values[VALUES_AT_ONCE];
    uint64_t n_blocks = t->n_bytes / t->type->block_bytes, n;
    uint64_t by_values = VALUES_AT_ONCE / t->type->block_values, by_bytes = BYTES_AT_ONCE / t->type->block_bytes;
    uint64_t at_once = by_values < by_bytes ? by_values : by_bytes;
    for (uint64_t first = 0; first < n_blocks; first += n) {
        n = n_blocks - first < at_once ? n_blocks - first : at_once;
        pum_status status = gguf_read(file, t, first * t->type->block_bytes, n * t->type->block_bytes, blocks, err);
        if (status != PUM_OK) return status;
        t->type->expand(blocks, n, values);
        for (uint64_t i = 0; i < n * t->type->block_values; i++)
            if (!isfinite(values[i]))
                return pum_fail(err, PUM_ERR_FORMAT,
                                "%s: tensor '%.100s': expected numbers, got %g as value %" PRIu64
                                "; the file is damaged: download or convert it again",
                                gguf_path(file), t->name, (double)values[i], first * t->type->block_values + i);
    }
    return PUM_OK;
}

pum_status gguf_check_numbers(const gguf *file, pum_error *err) {
    pum_status status = PUM_OK;
    for (int i = 0; i < gguf_n_tensors(file) && status == PUM_OK; i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        if (t->type->expand) status = check_tensor(file, t, err);
    }
    return status;
}
