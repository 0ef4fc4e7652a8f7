/* pum_session: one timeline of tokens with its KV cache. */
#include "base/clock.h"
#include "base/error.h"
#include "file.h"
#include "gguf/gguf.h"
#include "llama/decode.h"
#include "model.h"
#include "sample/sampler.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_PREFILL = 8 };

_Static_assert((int)PUM_MAX_OPS == (int)OP_MAX_TIMES, "a list for all of them");

struct pum_session {
    const pum_model *model;
    llama_context *context; ///< NULL when the device was lost, until it is needed again; other threads drop it, and nothing else
                            ///< of a session: seen between device_enter and device_leave only
    device_part part;       ///< the context
    uint32_t n_ctx, n_chunk, n_vocab;
    uint32_t n_prefill; ///< tokens of one submission's chunk: n_chunk, halved whenever the device was lost
    pum_kv_type kv;
    int n_past;
    int n_computed;  ///< of those whose K and V are in the context: all, unless the device was lost
    int32_t *tokens; ///< [n_ctx], the first n_past are the timeline
    float *logits;   ///< [n_vocab] of the last token
    bool has_logits;
    atomic_bool abort;
    pum_progress_fn progress;
    void *progress_user;
    llama_context_shape shape;
    llama_context_place place;
    pum_plan plan;
    pum_stats stats;
    uint64_t decode_cpu_ns;
    uint32_t n_contexts; ///< made: more than one where the device was lost
};

/* ---- the device half: what goes with a lost device is made anew, and the timeline is replayed */

static void drop_context(void *owner) {
    pum_session *s = owner;
    llama_context_destroy(&s->context);
}

static pum_status need_context(pum_session *s, pum_error *err) {
    if (s->context) return PUM_OK;
    pum_device *device = s->model->device;
    pum_status status = llama_context_create(s->model->weights, s->shape, &s->place, &s->context, err);
    if (status != PUM_OK) return status;
    // Where the device gave less than was planned, the computer's memory has more of it.
    int n_in_host = (int)llama_layers_in_host(s->context);
    if (n_in_host > s->plan.n_layers_in_host) s->plan.n_layers_in_host = n_in_host;
    device_add(device, &s->part, drop_context, s);
    s->n_computed = 0;
    s->n_contexts++;
    return PUM_OK;
}

static pum_status replay(pum_session *s, pum_error *err) {
    pum_status status = PUM_OK;
    while (s->n_computed < s->n_past && status == PUM_OK) {
        uint32_t left = (uint32_t)(s->n_past - s->n_computed), n = left < s->n_prefill ? left : s->n_prefill;
        status = llama_forward(s->context, s->tokens + s->n_computed, n, (uint32_t)s->n_computed, NULL, &s->abort, err);
        if (status == PUM_OK) s->n_computed += (int)n;
    }
    return status;
}

/* Work goes on from where the session stands, so that it can be begun again. */
typedef pum_status (*session_work)(pum_session *s, void *argument, pum_error *err);

/* Does something on the device, with weights, context and timeline there. Behind a lost device it goes on; one that is lost again
 * and again without a new token in between is given up. */
static pum_status on_device(pum_session *s, session_work work, void *argument, pum_error *err) {
    pum_device *device = s->model->device;
    for (int n_lost = 0, n_past = s->n_past;; n_lost++) {
        pum_status status = device_enter(device, err);
        if (status != PUM_OK) return status;
        status = model_need_weights(s->model, &s->abort, err);
        if (status == PUM_OK) status = need_context(s, err);
        if (status == PUM_OK) status = replay(s, err);
        if (status == PUM_OK && work) status = work(s, argument, err);
        if (!device_leave(device, status)) return status;
        if (s->n_past > n_past) n_lost = 0;
        if (n_lost == DEVICE_MOST_LOST) return device_fail_lost(device, err);
        n_past = s->n_past;
        // Drivers reset a device for what takes too long.
        if (s->n_prefill > LEAST_PREFILL) s->n_prefill /= 2;
    }
}

/* ---- making */

static pum_status allocate(pum_session *s, pum_error *err) {
    s->tokens = calloc(s->n_ctx, sizeof *s->tokens);
    s->logits = calloc(s->n_vocab, sizeof *s->logits);
    if (!s->tokens || !s->logits)
        return pum_fail_memory(err, "a session", s->n_ctx * sizeof *s->tokens + s->n_vocab * sizeof *s->logits);
    return on_device(s, NULL, NULL, err);
}

pum_status pum_session_create(const pum_model *model, const pum_session_params *params, pum_session **session, pum_error *err) {
    *session = NULL;
    pum_session_params p = params ? *params : (pum_session_params){.n_ctx = -1};
    if (p.n_chunk < 0)
        return pum_fail(err, PUM_ERR_ARGUMENT, "prefill chunk: expected 1 or more (0: automatic), got %d", p.n_chunk);
    if (p.kv != PUM_KV_F16 && p.kv != PUM_KV_Q8_0)
        return pum_fail(err, PUM_ERR_ARGUMENT, "KV cache: expected one of pum_kv_type, got %d", (int)p.kv);
    pum_plan plan;
    llama_context_shape shape;
    llama_context_place place;
    const plan_wish wish = {p.n_ctx, p.n_chunk, p.kv};
    pum_status status = plan_session(model->device, &model->config, &model->placement, &wish, &shape, &place, &plan, err);
    if (status != PUM_OK) return status;
    if (!plan.fits) return plan_refuse(model->device, &plan, err);

    pum_session *s = calloc(1, sizeof *s);
    if (!s) return pum_fail_memory(err, "a session", sizeof *s);
    *s = (pum_session){
        .model = model,
        .n_ctx = shape.n_ctx,
        .n_chunk = shape.n_chunk,
        .n_prefill = shape.n_chunk,
        .kv = p.kv,
        .n_vocab = model->config.n_vocab,
        .progress = p.progress,
        .progress_user = p.progress_user,
        .shape = shape,
        .place = place,
        .plan = plan,
    };
    if ((status = allocate(s, err)) != PUM_OK) {
        pum_session_destroy(&s);
        return status;
    }
    *session = s;
    return PUM_OK;
}

void pum_session_destroy(pum_session **session) {
    if (!session || !*session) return;
    pum_session *s = *session;
    device_hold(s->model->device);
    device_remove(s->model->device, &s->part);
    llama_context_destroy(&s->context);
    device_release(s->model->device);
    free(s->tokens);
    free(s->logits);
    free(s);
    *session = NULL;
}

int pum_session_n_ctx(const pum_session *session) { return (int)session->n_ctx; }
void pum_session_get_plan(const pum_session *session, pum_plan *plan) { *plan = session->plan; }
int pum_session_n_past(const pum_session *session) { return session->n_past; }
const int32_t *pum_session_tokens(const pum_session *session) { return session->tokens; }
const float *pum_session_logits(const pum_session *session) { return session->has_logits ? session->logits : NULL; }

static pum_status check_tokens(const pum_session *s, const int32_t *tokens, int n_tokens, pum_error *err) {
    if (n_tokens < 1) return pum_fail(err, PUM_ERR_ARGUMENT, "append: expected at least one token, got %d", n_tokens);
    if (n_tokens > (int)s->n_ctx - s->n_past)
        return pum_fail(err, PUM_ERR_CONTEXT_FULL,
                        "the context is full: %d tokens and %d more, it holds %u; use a larger context (--ctx) or "
                        "a shorter text",
                        s->n_past, n_tokens, s->n_ctx);
    for (int i = 0; i < n_tokens; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= s->n_vocab)
            return pum_fail(err, PUM_ERR_ARGUMENT, "token %d: expected an id from 0 to %u, got %d", i, s->n_vocab - 1,
                            (int)tokens[i]);
    return PUM_OK;
}

/* One chunk: the forward pass, then the logits that are wanted. all_logits: of each token, or NULL. last: whether the append ends
 * here. */
static pum_status append_chunk(pum_session *s, const int32_t *tokens, uint32_t n, bool last, float *all_logits, pum_error *err) {
    bool in_pass = last && !all_logits;
    pum_status status = llama_forward(s->context, tokens, n, (uint32_t)s->n_past, in_pass ? s->logits : NULL, &s->abort, err);
    if (status == PUM_OK && all_logits) status = llama_logits(s->context, 0, n, all_logits, &s->abort, err);
    if (status != PUM_OK) return status;
    if (last && all_logits) memcpy(s->logits, all_logits + (uint64_t)(n - 1) * s->n_vocab, s->n_vocab * sizeof *s->logits);
    memcpy(s->tokens + s->n_past, tokens, n * sizeof *tokens);
    s->n_computed = s->n_past += (int)n;
    s->has_logits = last;
    return PUM_OK;
}

static void count(pum_session *s, int n_tokens, uint64_t begin_ns, uint64_t begin_cpu_ns) {
    double ms = (double)(clock_now_ns() - begin_ns) / 1e6;
    if (n_tokens > 1) {
        s->stats.prefill_tokens += (uint64_t)n_tokens;
        s->stats.prefill_ms += ms;
        return;
    }
    s->stats.decode_tokens++;
    s->stats.decode_ms += ms;
    s->decode_cpu_ns += clock_thread_cpu_ns() - begin_cpu_ns;
}

static void count_dispatches(pum_session *s) {
    op_frame_counts counts = llama_counts(s->context);
    s->stats.dispatches_per_token = counts.dispatches;
    s->stats.barriers_per_token = counts.barriers;
}

typedef struct appending {
    const int32_t *tokens;
    int n_tokens, done;
    float *logits; ///< of each token, or NULL
} appending;

static pum_status append_rest(pum_session *s, void *argument, pum_error *err) {
    appending *a = argument;
    pum_status status = PUM_OK;
    for (int n; a->done < a->n_tokens && status == PUM_OK; a->done += status == PUM_OK ? n : 0) {
        n = a->n_tokens - a->done < (int)s->n_prefill ? a->n_tokens - a->done : (int)s->n_prefill;
        float *out = a->logits ? a->logits + (uint64_t)a->done * s->n_vocab : NULL;
        bool last = a->done + n == a->n_tokens;
        status = append_chunk(s, a->tokens + a->done, (uint32_t)n, last, out, err);
        if (status == PUM_OK && s->progress && !s->progress(s->progress_user, (uint64_t)(a->done + n), (uint64_t)a->n_tokens) &&
            !last)
            status = pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    }
    if (status == PUM_OK && a->n_tokens == 1) count_dispatches(s);
    return status;
}

pum_status pum_session_append_logits(pum_session *s, const int32_t *tokens, int n_tokens, float *logits, pum_error *err) {
    pum_status status = check_tokens(s, tokens, n_tokens, err);
    if (status != PUM_OK) return status;
    uint64_t begin = clock_now_ns(), begin_cpu = clock_thread_cpu_ns();
    s->has_logits = false;
    appending a = {tokens, n_tokens, 0, logits};
    status = on_device(s, append_rest, &a, err);
    if (status == PUM_ERR_ABORTED) atomic_store(&s->abort, false);
    if (status == PUM_OK) count(s, n_tokens, begin, begin_cpu);
    return status;
}

pum_status pum_session_append(pum_session *session, const int32_t *tokens, int n_tokens, pum_error *err) {
    return pum_session_append_logits(session, tokens, n_tokens, NULL, err);
}

/* A device that computed wrongly may have got what is no number from a damaged file. */
static pum_status blame(const pum_session *s, pum_status status, pum_error *err) {
    pum_error damage;
    if (status != PUM_ERR_DEVICE || !s->model->file) return status;
    if (gguf_check_numbers(file_gguf(s->model->file), &damage) != PUM_ERR_FORMAT) return status;
    if (err) *err = damage;
    return PUM_ERR_FORMAT;
}

pum_status pum_session_sample(pum_session *session, pum_sampler *sampler, int32_t *token, pum_error *err) {
    if (!session->has_logits) return pum_fail(err, PUM_ERR_ARGUMENT, "sample: there are no logits; append a token first");
    return blame(session, pum_sampler_sample(sampler, session->logits, (int)session->n_vocab, token, err), err);
}

pum_status pum_session_rewind(pum_session *session, int n_past, pum_error *err) {
    if (n_past < 0 || n_past > session->n_past)
        return pum_fail(err, PUM_ERR_ARGUMENT, "rewind: expected 0 to %d tokens, got %d", session->n_past, n_past);
    if (n_past < session->n_past) session->has_logits = false;
    session->n_past = n_past;
    if (session->n_computed > n_past) session->n_computed = n_past;
    return PUM_OK;
}

/* ---- generating */

/* A run of generation, on either path. */
typedef struct generation {
    pum_session *s;
    pum_sampler *sampler;
    const pum_generate_params *params;
    int n_left;    ///< tokens that may still be chosen
    int32_t token; ///< the last that was chosen; handed out, and not on the timeline yet
    pum_end end;
} generation;

static bool is_stop(const pum_generate_params *p, int32_t token) {
    for (int i = 0; i < p->n_stop_tokens; i++)
        if (p->stop_tokens[i] == token) return true;
    return false;
}

/* Hands out a token that was chosen. Returns whether another is wanted, for which this one is appended. */
static bool hand_out(generation *g, int32_t token) {
    const pum_generate_params *p = g->params;
    if (is_stop(p, token)) {
        g->end = PUM_END_STOP_TOKEN;
        return false;
    }
    pum_sampler_accept(g->sampler, token);
    bool more = !p->on_token || p->on_token(p->user, token);
    g->n_left--;
    g->end = !more ? PUM_END_CALLER : g->n_left == 0 ? PUM_END_LENGTH : PUM_END_CONTEXT_FULL;
    return more && g->n_left > 0 && g->s->n_past < (int)g->s->n_ctx;
}

static pum_status generate_on_host(generation *g, pum_error *err) {
    pum_status status = PUM_OK;
    do {
        status = pum_session_append(g->s, &g->token, 1, err);
        if (status == PUM_OK) status = pum_session_sample(g->s, g->sampler, &g->token, err);
    } while (status == PUM_OK && hand_out(g, g->token));
    return status;
}

static pum_status fail_wrong_logit(const op_step_record *record, pum_error *err) {
    return pum_fail(err, PUM_ERR_DEVICE,
                    "logit %d: expected a number, got none: the device computes wrongly; choose another --device",
                    (int)record->token);
}

static pum_status fail_wrong_token(const pum_session *s, const op_step_record *record, pum_error *err) {
    return pum_fail(err, PUM_ERR_DEVICE,
                    "expected a token below %u from the device, got %d: it computes wrongly; choose another --device", s->n_vocab,
                    (int)record->token);
}

static pum_status generate_on_device(pum_session *s, void *argument, pum_error *err) {
    generation *g = argument;
    const pum_sampler_params *params = sampler_params(g->sampler);
    uint32_t left = s->n_ctx - (uint32_t)s->n_past;
    op_step_start start = {
        .params = params,
        .n_draws = sampler_n_draws(g->sampler),
        .stop_ids = g->params->stop_tokens,
        .n_stop_ids = (uint32_t)g->params->n_stop_tokens,
        .token = g->token,
        .n_past = (uint32_t)s->n_past,
        .n_end = (uint32_t)s->n_past + (left < (uint32_t)g->n_left ? left : (uint32_t)g->n_left),
    };
    start.history = sampler_history(g->sampler, &start.n_history);
    uint64_t begin = clock_now_ns(), begin_cpu = clock_thread_cpu_ns();
    pum_status status = llama_decode_begin(s->context, &start, err);
    bool more = true;
    while (status == PUM_OK && more) {
        op_step_record record;
        status = llama_decode_next(s->context, &s->abort, &record, err);
        if (status != PUM_OK) break;
        s->tokens[s->n_past++] = g->token; // the step appended it
        s->n_computed = s->n_past;
        count(s, 1, begin, begin_cpu);
        count_dispatches(s);
        begin = clock_now_ns();
        begin_cpu = clock_thread_cpu_ns();
        if (record.stopped == STEP_WRONG)
            status = blame(s, fail_wrong_logit(&record, err), err);
        else if ((uint32_t)record.token >= s->n_vocab)
            status = fail_wrong_token(s, &record, err);
        if (params->temp != 0) sampler_skip_draws(g->sampler, 1);
        g->token = record.token;
        more = status == PUM_OK && hand_out(g, g->token);
    }
    pum_status ended = llama_decode_end(s->context, status == PUM_OK ? err : NULL);
    if (status != PUM_OK) return status;
    return ended == PUM_ERR_DEVICE_LOST ? PUM_OK : ended; // lost behind the last token: that is for the next call
}

/* CPU drivers compute the logits where the host's sampler reads them, and faster than a kernel does. */
static bool lives_on_device(const generation *g) {
    const pum_session *s = g->s;
    // Steps of several devices meet at the host.
    if (g->params->path == PUM_DECODE_HOST || s->model->placement.n_stages > 1 ||
        !op_sample_supported(sampler_params(g->sampler), s->n_vocab, (uint32_t)g->params->n_stop_tokens))
        return false;
    return g->params->path == PUM_DECODE_DEVICE || s->model->device->vk->caps.type != PUM_DEVICE_CPU;
}

pum_status pum_session_generate(pum_session *s, pum_sampler *sampler, const pum_generate_params *params, pum_end *end,
                                pum_error *err) {
    generation g = {s, sampler, params, params->n_tokens < 0 ? INT_MAX : params->n_tokens, -1, PUM_END_LENGTH};
    *end = PUM_END_LENGTH;
    if (g.n_left == 0) return PUM_OK;
    pum_status status = pum_session_sample(s, sampler, &g.token, err);
    if (status == PUM_OK && hand_out(&g, g.token))
        status = lives_on_device(&g) ? on_device(s, generate_on_device, &g, err) : generate_on_host(&g, err);
    if (status == PUM_ERR_ABORTED) atomic_store(&s->abort, false);
    s->has_logits = false;
    *end = g.end;
    return status;
}

void pum_session_abort(pum_session *session) { atomic_store(&session->abort, true); }
void pum_session_clear_abort(pum_session *session) { atomic_store(&session->abort, false); }

void pum_session_get_stats(const pum_session *s, pum_stats *stats) {
    const pum_model *m = s->model;
    *stats = s->stats;
    stats->host_us_per_token = s->stats.decode_tokens ? (double)s->decode_cpu_ns / 1e3 / (double)s->stats.decode_tokens : 0;
    for (const pum_device *d = m->device; d; d = d->next) {
        stats->device_bytes += atomic_load(&d->vk->allocated_bytes);
        stats->n_pipelines += op_kernels_count(d->kernels);
    }
    stats->plan_bytes = s->plan.weights_bytes + s->plan.kv_bytes + s->plan.scratch_bytes;
    stats->weight_bytes_per_token = m->weights_bytes_per_token;
    stats->kv_bytes_per_position = s->plan.kv_bytes / s->n_ctx;
    stats->flop_per_token = llama_weights_flop_per_token(&m->config);
    stats->load_ms = m->load_ms;
    stats->load_host_bytes = m->host_bytes;
    stats->n_rebuilds = s->n_contexts ? s->n_contexts - 1 : 0;
}

void pum_session_reset_stats(pum_session *session) {
    session->stats = (pum_stats){0};
    session->decode_cpu_ns = 0;
    session->n_contexts = 1;
}

typedef struct measuring {
    const int32_t *tokens;
    int n_tokens;
    op_times times;
} measuring;

static pum_status measure_ops(pum_session *s, void *argument, pum_error *err) {
    measuring *m = argument;
    m->times = (op_times){0};
    return llama_measure(s->context, m->tokens, (uint32_t)m->n_tokens, (uint32_t)s->n_past, &m->times, &s->abort, err);
}

pum_status pum_session_measure_ops(pum_session *s, const int32_t *tokens, int n_tokens, pum_op_time *ops, int *n_ops,
                                   pum_error *err) {
    *n_ops = 0;
    pum_status status = check_tokens(s, tokens, n_tokens, err);
    if (status != PUM_OK) return status;
    if ((uint32_t)n_tokens > s->n_chunk)
        return pum_fail(err, PUM_ERR_ARGUMENT, "measuring ops: expected at most a chunk of %u tokens, got %d", s->n_chunk,
                        n_tokens);
    measuring m = {.tokens = tokens, .n_tokens = n_tokens};
    if ((status = on_device(s, measure_ops, &m, err)) != PUM_OK) return status;
    for (uint32_t i = 0; i < m.times.n; i++) {
        const op_time *t = &m.times.ops[i];
        ops[i] = (pum_op_time){t->name, (int)t->n_dispatches, t->ns / 1e6, t->flop, t->bytes};
    }
    *n_ops = (int)m.times.n;
    return PUM_OK;
}
