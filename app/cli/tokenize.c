/* pumice tokenize and detokenize: bytes to ids and back. */
#include "commands.h"
#include "ids.h"

#include <stdio.h>
#include <stdlib.h>

static bool print_ids(const int32_t *ids, size_t n) {
    for (size_t i = 0; i < n; i++) printf(i ? " %d" : "%d", (int)ids[i]);
    return engine_write("\n", 1);
}

int command_tokenize(options *o) {
    engine e = {0};
    size_t n_bytes, n = 0;
    int32_t *ids = NULL;
    pum_error err;
    bool ok = engine_open_file(&e, o);
    char *text = ok ? engine_read_all(NULL, &n_bytes) : NULL;
    ok = text;
    int flags = (o->no_bos ? 0 : PUM_ENCODE_BOS) | (o->special ? PUM_ENCODE_SPECIAL : 0);
    if (ok) ok = pum_tokenizer_encode(e.tokenizer, text, n_bytes, flags, &ids, &n, &err) == PUM_OK || engine_error(&err);
    ok = ok && print_ids(ids, n);
    pum_free(ids);
    free(text);
    engine_close(&e);
    return ok ? 0 : 1;
}

int command_detokenize(options *o) {
    engine e = {0};
    size_t n_bytes, n = 0;
    int32_t *ids = NULL;
    pum_error err;
    bool ok = engine_open_file(&e, o);
    char *text = ok ? engine_read_all(NULL, &n_bytes) : NULL, *out = NULL;
    ok = text && ids_parse(text, n_bytes, &ids, &n);
    if (ok) ok = pum_tokenizer_decode(e.tokenizer, ids, n, o->special, &out, &n_bytes, &err) == PUM_OK || engine_error(&err);
    ok = ok && engine_write(out, n_bytes);
    pum_free(out);
    free(ids);
    free(text);
    engine_close(&e);
    return ok ? 0 : 1;
}
