/* A conversation: turns, and the session that computes their answers. Only what changed since the last answer is computed again;
 * when the context is full, the oldest turns are left out and the system turn stays. */
#ifndef CHAT_CONVERSATION_H
#define CHAT_CONVERSATION_H

#include "pumice.h"

/// One thread at a time, except conversation_stop. File, tokenizer and model must outlive it.
typedef struct conversation conversation;

typedef struct conversation_params {
    const pum_file *file;
    const pum_tokenizer *tokenizer;
    const pum_model *model;
    int n_ctx; ///< as in pum_session_params
    pum_kv_type kv;
    pum_sampler_params sampling;
    const char *const *stops; ///< [n_stops] strings, copied
    size_t n_stops;
    bool allow_plain; ///< without a known template the turns are told as plain text, one after another
    int n_answer;     ///< tokens of one answer at most; 0: until a stop token or a full context
} conversation_params;

typedef struct conversation_callbacks {
    /// A piece of the answer, whole characters; return false to stop.
    bool (*text)(void *user, const char *text);
    /// Tokens of the prompt done and in all; may be NULL.
    void (*progress)(void *user, int done, int total);
    /// Between two pieces of work on the device; what waits here lets it rest. May be NULL.
    void (*rest)(void *user);
    void *user;
} conversation_callbacks;

typedef enum answer_end { ANSWER_STOP_TOKEN, ANSWER_STOP_STRING, ANSWER_LENGTH, ANSWER_CONTEXT_FULL, ANSWER_STOPPED } answer_end;

typedef struct answer_report {
    answer_end end;
    int n_prompt, n_prompt_reused, n_answer; ///< tokens
    double prompt_ms, answer_ms;
    int n_turns_left_out; ///< because the context was full, in all so far
    int n_rebuilds;       ///< how often the device was lost meanwhile, and the answer went on behind it
} answer_report;

/// Errors: those of pum_session_create and pum_sampler_create; PUM_ERR_UNSUPPORTED where the file has no chat template that is
/// known.
pum_status conversation_create(const conversation_params *params, conversation **conversation, pum_error *err);
void conversation_destroy(conversation **conversation);

/// Goes on with the same turns on another copy of the model, on another device say; the one before is not needed any more.
/// Errors: those of pum_session_create; the conversation is unchanged then.
pum_status conversation_move(conversation *c, const pum_model *model, pum_error *err);

/// Whether the turns are told as plain text, because the file has no template that is known.
bool conversation_is_plain(const conversation *c);

/// The system turn; NULL: what the template itself puts there. Copied. Errors: PUM_ERR_MEMORY.
pum_status conversation_set_system(conversation *c, const char *text, pum_error *err);
/// Forgets all turns but the system's.
void conversation_clear(conversation *c);

/// Adds a user turn and computes the assistant's, which is added as far as it came.
/// Whatever fails, the conversation can go on: a user turn that could not be answered at all is taken back.
/// Errors: those of pum_session_append; PUM_ERR_CONTEXT_FULL when this turn alone does not fit.
pum_status conversation_ask(conversation *c, const char *text, const conversation_callbacks *callbacks, answer_report *report,
                            pum_error *err);
/// The turns as they are from now on: those of a chat that is opened, edited, or walked along another branch.
/// system, turns  [n_turns] user and assistant turns; copied. What they have in common with the turns before is not computed
/// again. Errors: PUM_ERR_MEMORY; the conversation is unchanged then.
pum_status conversation_set_turns(conversation *c, const char *system, const pum_chat_message *turns, size_t n_turns,
                                  pum_error *err);
/// Answers the last turn, or goes on with it where it is an answer, which ends as conversation_ask does; callbacks get what is
/// new. The turns stay whatever fails. Errors: as conversation_ask; PUM_ERR_ARGUMENT where there is no turn.
pum_status conversation_answer(conversation *c, const conversation_callbacks *callbacks, answer_report *report, pum_error *err);
/// The sampling from now on. Errors: those of pum_sampler_create; nothing has changed then.
pum_status conversation_set_sampling(conversation *c, const pum_sampler_params *sampling, pum_error *err);
/// Ends the answer that is being computed. Any thread.
void conversation_stop(conversation *c);

/// The turns, without a system turn that the template puts there itself; valid until the conversation changes.
const pum_chat_message *conversation_turns(const conversation *c, size_t *n_turns);
/// As pum_session_get_plan.
void conversation_get_plan(const conversation *c, pum_plan *plan);
int conversation_n_ctx(const conversation *c);
int conversation_n_past(const conversation *c);

#endif
