#include "chat/conversation.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LEAST_ANSWER = 64 }; ///< tokens that an answer should have room for, before old turns are left out

struct conversation {
    conversation_params params;
    pum_session *session;
    pum_sampler *sampler;
    char **stops;
    pum_chat_message *turns; ///< roles are static, contents our own
    size_t n_turns, capacity;
    size_t first_turn; ///< the oldest turn that is still told to the model (the system turn always is)
    bool plain;
    atomic_bool stop;
    const conversation_callbacks *callbacks; ///< of the question under way
    int n_reused;
};

static pum_status fail_memory(pum_error *err) {
    if (err) {
        err->status = PUM_ERR_MEMORY;
        snprintf(err->message, sizeof err->message, "host memory ran out; close other programs and try again");
    }
    return PUM_ERR_MEMORY;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void rest(const conversation *c) {
    if (c->callbacks && c->callbacks->rest) c->callbacks->rest(c->callbacks->user);
}

static bool on_progress(void *user, uint64_t done, uint64_t total) {
    conversation *c = user;
    if (c->callbacks && c->callbacks->progress && total > 1)
        c->callbacks->progress(c->callbacks->user, c->n_reused + (int)done, c->n_reused + (int)total);
    if (done < total) rest(c);
    return !atomic_load(&c->stop);
}

/* ---- making */

static pum_status copy_stops(conversation *c, pum_error *err) {
    c->stops = calloc(c->params.n_stops + 1, sizeof *c->stops);
    if (!c->stops) return fail_memory(err);
    for (size_t i = 0; i < c->params.n_stops; i++)
        if (!(c->stops[i] = strdup(c->params.stops[i]))) return fail_memory(err);
    return PUM_OK;
}

static pum_status check_template(conversation *c, pum_error *err) {
    const pum_chat_message hello = {"user", "Hello"};
    char *text;
    pum_status status = pum_chat_text(c->params.file, &hello, 1, true, &text, err);
    pum_free(text);
    c->plain = status == PUM_ERR_UNSUPPORTED && c->params.allow_plain;
    return c->plain ? PUM_OK : status;
}

bool conversation_is_plain(const conversation *c) { return c->plain; }

static pum_status make_session(conversation *c, const pum_model *model, pum_session **session, pum_error *err) {
    pum_session_params p = {.n_ctx = c->params.n_ctx, .kv = c->params.kv, .progress = on_progress, .progress_user = c};
    return pum_session_create(model, &p, session, err);
}

pum_status conversation_create(const conversation_params *params, conversation **conversation_out, pum_error *err) {
    *conversation_out = NULL;
    conversation *c = calloc(1, sizeof *c);
    if (!c) return fail_memory(err);
    c->params = *params;
    pum_status status = check_template(c, err);
    if (status == PUM_OK) status = copy_stops(c, err);
    if (status == PUM_OK) status = pum_sampler_create(&params->sampling, &c->sampler, err);
    if (status == PUM_OK) status = make_session(c, params->model, &c->session, err);
    if (status != PUM_OK) conversation_destroy(&c);
    *conversation_out = c;
    return status;
}

pum_status conversation_move(conversation *c, const pum_model *model, pum_error *err) {
    pum_session *session;
    pum_status status = make_session(c, model, &session, err);
    if (status != PUM_OK) return status;
    pum_session_destroy(&c->session);
    c->session = session;
    c->params.model = model;
    return PUM_OK;
}

static int count_rebuilds(const conversation *c) {
    pum_stats stats;
    pum_session_get_stats(c->session, &stats);
    return (int)stats.n_rebuilds;
}

static void drop_turns(conversation *c, size_t from) {
    while (c->n_turns > from) free((char *)c->turns[--c->n_turns].content);
    if (c->first_turn > c->n_turns) c->first_turn = c->n_turns;
}

void conversation_destroy(conversation **conversation_in) {
    conversation *c = *conversation_in;
    if (!c) return;
    drop_turns(c, 0);
    for (size_t i = 0; c->stops && i < c->params.n_stops; i++) free(c->stops[i]);
    free(c->stops);
    free(c->turns);
    pum_sampler_destroy(&c->sampler);
    pum_session_destroy(&c->session);
    free(c);
    *conversation_in = NULL;
}

/* ---- turns */

static bool has_system(const conversation *c) { return c->n_turns > 0 && strcmp(c->turns[0].role, "system") == 0; }

static pum_status add_turn(conversation *c, const char *role, const char *content, pum_error *err) {
    if (c->n_turns == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        pum_chat_message *turns = realloc(c->turns, capacity * sizeof *turns);
        if (!turns) return fail_memory(err);
        c->turns = turns;
        c->capacity = capacity;
    }
    char *copy = strdup(content);
    if (!copy) return fail_memory(err);
    c->turns[c->n_turns++] = (pum_chat_message){role, copy};
    return PUM_OK;
}

pum_status conversation_set_system(conversation *c, const char *text, pum_error *err) {
    if (has_system(c)) {
        free((char *)c->turns[0].content);
        memmove(c->turns, c->turns + 1, --c->n_turns * sizeof *c->turns);
        if (c->first_turn > 0) c->first_turn--;
    }
    if (!text || !*text) return PUM_OK;
    pum_status status = add_turn(c, "system", text, err);
    if (status != PUM_OK) return status;
    pum_chat_message system = c->turns[c->n_turns - 1];
    memmove(c->turns + 1, c->turns, (c->n_turns - 1) * sizeof *c->turns);
    c->turns[0] = system;
    if (c->first_turn > 0) c->first_turn++;
    return PUM_OK;
}

void conversation_clear(conversation *c) {
    drop_turns(c, has_system(c) ? 1 : 0);
    c->first_turn = 0;
    pum_sampler_reset(c->sampler);
}

static size_t count_same(const conversation *c, const conversation *other) {
    size_t same = 0;
    while (same < c->n_turns && same < other->n_turns && strcmp(c->turns[same].role, other->turns[same].role) == 0 &&
           strcmp(c->turns[same].content, other->turns[same].content) == 0)
        same++;
    return same;
}

pum_status conversation_set_turns(conversation *c, const char *system, const pum_chat_message *turns, size_t n_turns,
                                  pum_error *err) {
    conversation fresh = {0};
    pum_status status = system && *system ? add_turn(&fresh, "system", system, err) : PUM_OK;
    for (size_t i = 0; i < n_turns && status == PUM_OK; i++)
        status = add_turn(&fresh, strcmp(turns[i].role, "user") == 0 ? "user" : "assistant", turns[i].content, err);
    if (status != PUM_OK) {
        drop_turns(&fresh, 0);
        free(fresh.turns);
        return status;
    }
    // Of the same chat the same turns stay left out: the prompt goes on where it ended.
    if (count_same(c, &fresh) <= c->first_turn) c->first_turn = 0;
    size_t first_turn = c->first_turn;
    drop_turns(c, 0);
    free(c->turns);
    c->turns = fresh.turns;
    c->n_turns = fresh.n_turns;
    c->capacity = fresh.capacity;
    c->first_turn = first_turn;
    return PUM_OK;
}

pum_status conversation_set_sampling(conversation *c, const pum_sampler_params *sampling, pum_error *err) {
    pum_sampler *sampler;
    pum_status status = pum_sampler_create(sampling, &sampler, err);
    if (status != PUM_OK) return status;
    pum_sampler_destroy(&c->sampler);
    c->sampler = sampler;
    c->params.sampling = *sampling;
    return PUM_OK;
}

const pum_chat_message *conversation_turns(const conversation *c, size_t *n_turns) {
    *n_turns = c->n_turns;
    return c->turns;
}

void conversation_get_plan(const conversation *c, pum_plan *plan) { pum_session_get_plan(c->session, plan); }
int conversation_n_ctx(const conversation *c) { return pum_session_n_ctx(c->session); }
int conversation_n_past(const conversation *c) { return pum_session_n_past(c->session); }

/* ---- the prompt: all turns that fit */

/* All that was said, one after another, as a base model goes on with it. */
static pum_status render_plain(const conversation *c, const pum_chat_message *told, size_t n, int32_t **tokens, size_t *n_tokens,
                               pum_error *err) {
    size_t n_bytes = 1;
    for (size_t i = 0; i < n; i++) n_bytes += strlen(told[i].content) + 1;
    char *text = malloc(n_bytes);
    if (!text) return fail_memory(err);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        // An answer goes on where its question ended; a new question begins a new line.
        if (i > 0 && strcmp(told[i].role, "user") == 0) text[at++] = '\n';
        memcpy(text + at, told[i].content, strlen(told[i].content));
        at += strlen(told[i].content);
    }
    pum_status status = pum_tokenizer_encode(c->params.tokenizer, text, at, PUM_ENCODE_BOS, tokens, n_tokens, err);
    free(text);
    return status;
}

/* Puts the tokens of a text behind others. *tokens: to be freed with free(). */
static pum_status add_tokens(const conversation *c, const char *text, int32_t **tokens, size_t *n_tokens, pum_error *err) {
    int32_t *more;
    size_t n;
    pum_status status = pum_tokenizer_encode(c->params.tokenizer, text, strlen(text), PUM_ENCODE_PLAIN, &more, &n, err);
    if (status != PUM_OK) return status;
    int32_t *grown = realloc(*tokens, (*n_tokens + n + 1) * sizeof *grown);
    if (grown) {
        *tokens = grown;
        if (n) memcpy(grown + *n_tokens, more, n * sizeof *grown);
        *n_tokens += n;
    }
    pum_free(more);
    return grown ? PUM_OK : fail_memory(err);
}

static bool ends_in_answer(const conversation *c) {
    return c->n_turns > 0 && strcmp(c->turns[c->n_turns - 1].role, "assistant") == 0;
}

/* Renders the system turn and the turns from `first` on; an answer at their end is left open. *tokens: to be freed with free().
 */
static pum_status render(const conversation *c, size_t first, int32_t **tokens, size_t *n_tokens, pum_error *err) {
    *tokens = NULL;
    *n_tokens = 0;
    pum_chat_message *told = malloc((c->n_turns + 1) * sizeof *told);
    if (!told) return fail_memory(err);
    size_t n = 0, begin = has_system(c) ? 1 : 0;
    if (begin) told[n++] = c->turns[0];
    for (size_t i = first > begin ? first : begin; i < c->n_turns; i++) told[n++] = c->turns[i];
    bool open = ends_in_answer(c) && !c->plain;
    int32_t *rendered = NULL;
    size_t n_rendered = 0;
    pum_status status =
        c->plain ? render_plain(c, told, n, &rendered, &n_rendered, err)
                 : pum_chat_tokens(c->params.file, c->params.tokenizer, told, n - open, true, &rendered, &n_rendered, err);
    free(told);
    if (status != PUM_OK) return status;
    if ((*tokens = malloc((n_rendered + 1) * sizeof **tokens)) && n_rendered)
        memcpy(*tokens, rendered, n_rendered * sizeof **tokens);
    pum_free(rendered);
    if (!*tokens) return fail_memory(err);
    *n_tokens = n_rendered;
    if (open) status = add_tokens(c, c->turns[c->n_turns - 1].content, tokens, n_tokens, err);
    if (status != PUM_OK) {
        free(*tokens);
        *tokens = NULL;
    }
    return status;
}

/* The turns that fit, oldest left out first, in pairs of question and answer. */
static pum_status make_prompt(conversation *c, int32_t **tokens, size_t *n_tokens, pum_error *err) {
    size_t n_ctx = (size_t)pum_session_n_ctx(c->session), begin = has_system(c) ? 1 : 0;
    size_t room = n_ctx > 4 * LEAST_ANSWER ? n_ctx - LEAST_ANSWER : n_ctx - n_ctx / 4;
    if (c->first_turn < begin) c->first_turn = begin;
    for (;;) {
        pum_status status = render(c, c->first_turn, tokens, n_tokens, err);
        if (status != PUM_OK || *n_tokens <= room) return status;
        bool last_pair = c->first_turn + 2 >= c->n_turns;
        if (last_pair && *n_tokens < n_ctx) return PUM_OK; // the question alone: a short answer is better than none
        size_t n = *n_tokens;
        free(*tokens);
        *tokens = NULL;
        if (last_pair) {
            if (err) {
                err->status = PUM_ERR_CONTEXT_FULL;
                snprintf(err->message, sizeof err->message,
                         "this message takes %zu tokens with its system turn, the context holds %zu; shorten it or "
                         "use a larger context (--ctx)",
                         n, n_ctx);
            }
            return PUM_ERR_CONTEXT_FULL;
        }
        c->first_turn += 2;
        // Far too much, as when a long chat is opened: what cannot fit at half as many tokens for a byte is not rendered again.
        size_t n_bytes = 0, n_left = 0;
        for (size_t i = c->first_turn; i < c->n_turns; i++) n_left += strlen(c->turns[i].content);
        for (size_t i = c->first_turn - 2; i < c->n_turns; i++) n_bytes += strlen(c->turns[i].content);
        while (c->first_turn + 2 < c->n_turns && (double)n_left * (double)n > 2.0 * (double)room * (double)n_bytes) {
            n_left -= strlen(c->turns[c->first_turn].content) + strlen(c->turns[c->first_turn + 1].content);
            c->first_turn += 2;
        }
    }
}

/* Rewinds to what the session and the prompt have in common, and computes the rest. */
static pum_status read_prompt(conversation *c, const int32_t *tokens, int n_tokens, pum_error *err) {
    const int32_t *past = pum_session_tokens(c->session);
    int n_past = pum_session_n_past(c->session), same = 0;
    while (same < n_past && same < n_tokens - 1 && past[same] == tokens[same]) same++;
    pum_status status = pum_session_rewind(c->session, same, err);
    c->n_reused = same;
    return status == PUM_OK ? pum_session_append(c->session, tokens + same, n_tokens - same, err) : status;
}

/* ---- the answer */

/* The text of an answer as it grows. */
typedef struct answer {
    char *text;
    size_t n, capacity;
    bool failed;
} answer;

static void add_text(answer *a, const char *text) {
    size_t n = strlen(text);
    if (a->failed) return;
    if (a->capacity - a->n <= n) {
        size_t capacity = 2 * (a->n + n) + 256;
        char *grown = realloc(a->text, capacity);
        if (!grown) {
            a->failed = true;
            return;
        }
        a->text = grown;
        a->capacity = capacity;
    }
    memcpy(a->text + a->n, text, n + 1);
    a->n += n;
}

static bool show(conversation *c, answer *a, const char *text) {
    if (!*text) return true;
    add_text(a, text);
    return c->callbacks->text(c->callbacks->user, text);
}

/* An answer on its way from the model to the screen. */
typedef struct generating {
    conversation *c;
    pum_stream *stream;
    answer *answer;
    answer_report *report;
    pum_status status; ///< of the stream
    pum_error *err;
} generating;

static bool on_token(void *user, int32_t token) {
    generating *g = user;
    const char *text;
    bool stopped;
    g->report->n_answer++;
    if ((g->status = pum_stream_push(g->stream, token, &text, &stopped, g->err)) != PUM_OK) return false;
    if (!show(g->c, g->answer, text)) atomic_store(&g->c->stop, true);
    g->report->end = stopped ? ANSWER_STOP_STRING : ANSWER_STOPPED;
    if (!stopped) rest(g->c);
    return !stopped && !atomic_load(&g->c->stop);
}

static pum_status generate(conversation *c, pum_stream *stream, answer *a, answer_report *report, pum_error *err) {
    generating g = {c, stream, a, report, PUM_OK, err};
    pum_generate_params params = {.n_tokens = c->params.n_answer > 0 ? c->params.n_answer : -1, .on_token = on_token, .user = &g};
    params.n_stop_tokens = pum_tokenizer_stops(c->params.tokenizer, &params.stop_tokens);
    pum_end end;
    report->end = ANSWER_STOPPED;
    if (atomic_load(&c->stop)) return PUM_OK;
    pum_status status = pum_session_generate(c->session, c->sampler, &params, &end, err);
    if (g.status != PUM_OK) return g.status;
    if (status == PUM_ERR_ABORTED) return PUM_OK;
    if (status != PUM_OK) return status;
    switch (end) {
    case PUM_END_LENGTH:
        report->end = ANSWER_LENGTH;
        break;
    case PUM_END_STOP_TOKEN:
        report->end = ANSWER_STOP_TOKEN;
        break;
    case PUM_END_CONTEXT_FULL:
        report->end = ANSWER_CONTEXT_FULL;
        break;
    case PUM_END_CALLER: // on_token has said why
        break;
    }
    return PUM_OK;
}

static pum_status answer_prompt(conversation *c, const int32_t *tokens, int n_tokens, answer *a, answer_report *report,
                                pum_error *err) {
    pum_stream *stream = NULL;
    pum_status status =
        pum_stream_create(c->params.tokenizer, (const char *const *)c->stops, c->params.n_stops, !c->plain, &stream, err);
    if (status != PUM_OK) return status;
    double begin = now_ms();
    report->n_prompt = n_tokens;
    status = read_prompt(c, tokens, n_tokens, err);
    report->n_prompt_reused = c->n_reused;
    report->prompt_ms = now_ms() - begin;
    for (int i = 0; i < n_tokens && status == PUM_OK; i++) pum_sampler_accept(c->sampler, tokens[i]);
    begin = now_ms();
    if (status == PUM_OK) status = generate(c, stream, a, report, err);
    if (status == PUM_OK && report->end != ANSWER_STOP_STRING) show(c, a, pum_stream_finish(stream));
    report->answer_ms = now_ms() - begin;
    pum_stream_destroy(&stream);
    return status;
}

/* Computes what comes behind the turns. What of it came is in `a`, whatever fails. */
static pum_status compute(conversation *c, const conversation_callbacks *callbacks, answer *a, answer_report *report,
                          pum_error *err) {
    c->callbacks = callbacks;
    int n_rebuilds = count_rebuilds(c);
    int32_t *tokens = NULL;
    size_t n_tokens = 0;
    pum_status status = make_prompt(c, &tokens, &n_tokens, err);
    if (status == PUM_OK) status = answer_prompt(c, tokens, (int)n_tokens, a, report, err);
    free(tokens);
    c->callbacks = NULL;
    report->n_rebuilds = count_rebuilds(c) - n_rebuilds;
    if (status != PUM_ERR_ABORTED) return status;
    report->end = ANSWER_STOPPED; // while the prompt was read
    return PUM_OK;
}

static void begin_answer(conversation *c, answer_report *report) {
    *report = (answer_report){.end = ANSWER_STOPPED};
    atomic_store(&c->stop, false);
    pum_session_clear_abort(c->session);
}

static int count_left_out(const conversation *c) {
    size_t begin = has_system(c) ? 1 : 0;
    return c->first_turn > begin ? (int)(c->first_turn - begin) : 0;
}

pum_status conversation_ask(conversation *c, const char *text, const conversation_callbacks *callbacks, answer_report *report,
                            pum_error *err) {
    begin_answer(c, report);
    size_t first_turn = c->first_turn;
    pum_status status = add_turn(c, "user", text, err);
    if (status != PUM_OK) return status;
    size_t question = c->n_turns - 1;
    answer a = {0};
    status = compute(c, callbacks, &a, report, err);
    // An answer that came in part stays, as the person saw it; a question that has none is taken back.
    if (a.n > 0 || status == PUM_OK) {
        pum_error ignored;
        pum_status added = add_turn(c, "assistant", a.text ? a.text : "", &ignored);
        if (added != PUM_OK) drop_turns(c, question);
    } else {
        drop_turns(c, question);
        c->first_turn = first_turn;
    }
    report->n_turns_left_out = count_left_out(c);
    free(a.text);
    return status;
}

/* Puts the text behind the last turn. */
static bool lengthen_turn(conversation *c, const char *text) {
    pum_chat_message *last = &c->turns[c->n_turns - 1];
    size_t n = strlen(last->content);
    char *grown = malloc(n + strlen(text) + 1);
    if (!grown) return false;
    memcpy(grown, last->content, n);
    strcpy(grown + n, text);
    free((char *)last->content);
    last->content = grown;
    return true;
}

pum_status conversation_answer(conversation *c, const conversation_callbacks *callbacks, answer_report *report, pum_error *err) {
    begin_answer(c, report);
    bool goes_on = ends_in_answer(c);
    if (c->n_turns == (has_system(c) ? 1 : 0)) {
        if (err) {
            err->status = PUM_ERR_ARGUMENT;
            snprintf(err->message, sizeof err->message, "there is nothing to answer yet; write a message first");
        }
        return PUM_ERR_ARGUMENT;
    }
    answer a = {0};
    pum_status status = compute(c, callbacks, &a, report, err);
    pum_error ignored;
    if (goes_on && a.n > 0)
        lengthen_turn(c, a.text); // without memory it is as before; the next answer is computed from what stands there
    else if (!goes_on && (a.n > 0 || status == PUM_OK))
        add_turn(c, "assistant", a.text ? a.text : "", &ignored);
    report->n_turns_left_out = count_left_out(c);
    free(a.text);
    return status;
}

void conversation_stop(conversation *c) {
    atomic_store(&c->stop, true);
    pum_session_abort(c->session);
}
