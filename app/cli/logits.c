/* pumice logits: the logits after each token, streamed to a file. */
#include "commands.h"
#include "ids.h"

#include "chat/system.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_AT_ONCE = 512 }; ///< held in memory: a multiple of what a chunk holds, where it is smaller

static bool write_all(engine *e, const options *o, const int32_t *ids, size_t n, FILE *out) {
    pum_model_info info;
    pum_model_get_info(e->model, &info);
    pum_session *session = NULL;
    pum_error err;
    int chunk = o->n_chunk ? o->n_chunk : TOKENS_AT_ONCE;
    size_t at_once = (size_t)(chunk >= TOKENS_AT_ONCE ? chunk : TOKENS_AT_ONCE / chunk * chunk);
    if (at_once > n) at_once = n;
    int wanted = o->n_ctx > 0 ? o->n_ctx : (int)n;
    pum_session_params params = {.n_ctx = wanted, .n_chunk = o->n_chunk, .kv = o->kv};
    float *logits = malloc(at_once * (size_t)info.n_vocab * sizeof *logits);
    bool ok = logits != NULL;
    if (!ok) fprintf(stderr, "pumice: error: logits: host memory ran out; use a smaller --chunk\n");
    if (ok) ok = pum_session_create(e->model, &params, &session, &err) == PUM_OK || engine_error(&err);
    if (ok) engine_session_notice(session);
    for (size_t done = 0, now; done < n && ok; done += now) {
        now = n - done < at_once ? n - done : at_once;
        ok = pum_session_append_logits(session, ids + done, (int)now, logits, &err) == PUM_OK || engine_error(&err);
        size_t n_values = now * (size_t)info.n_vocab;
        if (ok && fwrite(logits, sizeof *logits, n_values, out) != n_values) {
            fprintf(stderr, "pumice: error: %s: cannot be written: %s\n", o->out_file, strerror(errno));
            ok = false;
        }
    }
    free(logits);
    pum_session_destroy(&session);
    return ok;
}

int command_logits(options *o) {
    if (!o->tokens_file || !o->out_file) {
        fprintf(stderr, "pumice: error: logits: expected --tokens FILE and -o FILE; see --help\n");
        return 2;
    }
    engine e = {0};
    size_t n_bytes, n = 0;
    int32_t *ids = NULL;
    char *text = engine_read_all(o->tokens_file, &n_bytes);
    bool ok = text && ids_parse(text, n_bytes, &ids, &n);
    if (ok && n == 0) {
        fprintf(stderr, "pumice: error: %s: expected token ids, got none\n", o->tokens_file);
        ok = false;
    }
    ok = ok && engine_open(&e, o);
    FILE *out = ok ? system_open(o->out_file, "wb") : NULL;
    if (ok && !out) fprintf(stderr, "pumice: error: %s: cannot be written: %s\n", o->out_file, strerror(errno));
    ok = out && write_all(&e, o, ids, n, out);
    if (out && fclose(out) != 0 && ok) {
        fprintf(stderr, "pumice: error: %s: cannot be written: %s\n", o->out_file, strerror(errno));
        ok = false;
    }
    free(ids);
    free(text);
    engine_close(&e);
    return ok ? 0 : 1;
}
