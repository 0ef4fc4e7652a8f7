/* Any bytes as a GGUF file: refused with a sentence, or whole and consistent to the last byte. */
#include "fuzz/fuzz.h"
#include "unit/gguf_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pum_error err;
    walk_gguf(data, size, &err);
    return 0;
}
