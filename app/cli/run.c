/* pumice run: the completion of a prompt, as it comes. */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct running {
    engine e;
    pum_session *session;
    pum_sampler *sampler;
    pum_stream *stream;
    int32_t *prompt;
    size_t n_prompt;
    bool began; ///< something was printed
    bool ok;    ///< so far, while generating
} running;

static bool print(running *r, const char *text, size_t n_bytes) {
    r->began = r->began || n_bytes > 0;
    return engine_write(text, n_bytes);
}

static bool make_prompt(running *r, const options *o, const char *text, size_t n_bytes) {
    pum_error err = {0};
    pum_status status;
    if (o->chat) {
        pum_chat_message messages[2];
        size_t n = 0;
        if (o->system) messages[n++] = (pum_chat_message){"system", o->system};
        messages[n++] = (pum_chat_message){"user", text};
        status = pum_chat_tokens(r->e.file, r->e.tokenizer, messages, n, true, &r->prompt, &r->n_prompt, &err);
    } else {
        status = pum_tokenizer_encode(r->e.tokenizer, text, n_bytes, PUM_ENCODE_BOS, &r->prompt, &r->n_prompt, &err);
    }
    if (status != PUM_OK) return engine_error(&err);
    if (r->n_prompt > 0) return true;
    // An empty prompt begins from BOS alone, whether or not the file puts it before other texts.
    int32_t bos = pum_tokenizer_bos(r->e.tokenizer);
    r->prompt = malloc(sizeof *r->prompt);
    if (!r->prompt || bos < 0) {
        snprintf(err.message, sizeof err.message,
                 "an empty prompt needs a BOS token, which this model has not; give a prompt with -p");
        return engine_error(&err);
    }
    r->prompt[0] = bos;
    r->n_prompt = 1;
    return true;
}

static bool prepare(running *r, options *o, const char *text, size_t n_bytes) {
    pum_error err;
    if (!engine_open(&r->e, o) || !make_prompt(r, o, text, n_bytes)) return false;
    engine_seed(o);
    pum_session_params params = {.n_ctx = o->n_ctx, .kv = o->kv};
    if (pum_session_create(r->e.model, &params, &r->session, &err) != PUM_OK ||
        pum_sampler_create(&o->sampling, &r->sampler, &err) != PUM_OK)
        return engine_error(&err);
    engine_session_notice(r->session);
    // After a prompt the text goes on, with its space; after BOS alone, or as an answer, it begins.
    bool first = o->chat || r->n_prompt == 1;
    if (pum_stream_create(r->e.tokenizer, o->stops, (size_t)o->n_stops, first, &r->stream, &err) != PUM_OK)
        return engine_error(&err);
    return true;
}

static bool read_prompt(running *r, pum_error *err) {
    pum_status status = pum_session_append(r->session, r->prompt, (int)r->n_prompt, err);
    if (status == PUM_ERR_ABORTED) return true; // Ctrl-C: nothing was printed yet
    if (status != PUM_OK) return engine_error(err);
    for (size_t i = 0; i < r->n_prompt; i++) pum_sampler_accept(r->sampler, r->prompt[i]);
    return true;
}

static bool on_token(void *user, int32_t token) {
    running *r = user;
    const char *text;
    bool stopped;
    pum_error err;
    r->ok = pum_stream_push(r->stream, token, &text, &stopped, &err) == PUM_OK || engine_error(&err);
    r->ok = r->ok && print(r, text, strlen(text));
    return r->ok && !stopped && !engine_interrupted();
}

static bool generate(running *r, const options *o) {
    pum_error err;
    if (!read_prompt(r, &err)) return false;
    pum_generate_params params = {.n_tokens = o->n_tokens, .on_token = on_token, .user = r};
    params.n_stop_tokens = pum_tokenizer_stops(r->e.tokenizer, &params.stop_tokens);
    pum_end end = PUM_END_LENGTH;
    r->ok = true;
    if (!engine_interrupted()) {
        pum_status status = pum_session_generate(r->session, r->sampler, &params, &end, &err);
        if (status != PUM_OK && status != PUM_ERR_ABORTED) return engine_error(&err);
    }
    if (!r->ok) return false;
    if (end == PUM_END_CONTEXT_FULL && !engine_interrupted())
        engine_notice("the context of %d tokens is full; --ctx makes it larger", pum_session_n_ctx(r->session));
    const char *rest = pum_stream_finish(r->stream);
    return print(r, rest, strlen(rest));
}

int command_run(options *o) {
    size_t n_bytes = o->prompt ? strlen(o->prompt) : 0;
    char *read = NULL;
    const char *text = o->prompt;
    if (!text) text = read = engine_read_all(o->prompt_file, &n_bytes);
    if (!text) return 1;
    running r = {0};
    bool ok = prepare(&r, o, text, n_bytes);
    if (ok) {
        engine_catch_interrupt(r.session);
        if (o->echo) ok = print(&r, text, n_bytes);
        ok = ok && generate(&r, o);
        // A failure before the first text leaves standard output empty; one behind it leaves whole lines.
        if (ok || r.began) ok = engine_write("\n", 1) && ok;
    }
    pum_stream_destroy(&r.stream);
    pum_sampler_destroy(&r.sampler);
    pum_session_destroy(&r.session);
    pum_free(r.prompt);
    engine_close(&r.e);
    free(read);
    return ok ? 0 : 1;
}
