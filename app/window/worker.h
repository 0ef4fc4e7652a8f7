/* The engine, on a thread of its own: the window gives it orders and takes its news, and never waits. */
#ifndef WINDOW_WORKER_H
#define WINDOW_WORKER_H

#include "pumice.h"

#include <SDL.h>
#include <stdbool.h>

typedef enum news_kind {
    NEWS_CHECKING, ///< done of total kernels, at the first use of a device
    NEWS_LOADING,  ///< done of total bytes
    NEWS_READY,    ///< text: the model's name; detail, on_cpu, checked: the device
    NEWS_DEVICE,   ///< the same of another device; the chat goes on there
    NEWS_FAILED,   ///< text: a sentence; nothing else has changed
    NEWS_PROGRESS, ///< done of total tokens of the prompt
    NEWS_TEXT,     ///< a piece of the answer
    NEWS_DONE,     ///< of the answer
    NEWS_DEVICES,  ///< what there is, as asked for
    NEWS_LEFT_OUT, ///< text: drivers that are left out, as pum_drivers_left_out
} news_kind;

typedef struct news {
    struct news *next;
    news_kind kind;
    uint64_t done, total;
    double tokens_per_s;
    int n_past, n_ctx;
    uint64_t memory_bytes, memory_free_bytes; ///< of a device: its own memory that the model takes, and what was free before
    bool stopped, failed;                     ///< NEWS_DONE: by the person; there is no answer, or half of one
    bool on_cpu, checked;                     ///< of a device: its driver runs on the CPU; its kernels were checked
    int n_rebuilds;                           ///< NEWS_DONE: how often the device was lost meanwhile
    int n_left_out;    ///< the turns that are left out from now on, because the context is full; 0: none more than before
    bool context_full; ///< that is why the answer ends
    char *text, *detail;
    pum_device_info *devices; ///< [n_devices]
    int n_devices;
} news;

/// Where models are loaded, and how. Copied.
typedef struct worker_setup {
    const char *device, *devices; ///< as in pum_device_params; the device "cpu": the first driver that runs on the CPU
    int n_ctx;                    ///< as in pum_session_params
    pum_kv_type kv;
} worker_setup;

/// What is to be answered: the turns of a chat's branch, and how. It is the worker's once it was given to it.
typedef struct worker_turns {
    int64_t chat; ///< a number that is another one for another chat
    char *system; ///< NULL: what the template puts there
    bool has_sampling;
    pum_sampler_params sampling;
    pum_chat_message *turns; ///< [n_turns]; an answer at their end goes on
    size_t n_turns, capacity;
} worker_turns;

worker_turns *worker_turns_create(void);
/// role: static. Returns false when the heap is out.
bool worker_turns_add(worker_turns *t, const char *role, const char *text);
void worker_turns_free(worker_turns *t);

typedef struct worker worker;

/// wake: the type of the SDL event that is pushed when there is news (one until it was taken).
worker *worker_start(uint32_t wake, const worker_setup *setup);
/// Stops what runs, ends the thread and frees everything.
void worker_stop(worker **w);

/* Orders. Each returns at once. */
void worker_load(worker *w, const char *path); ///< NULL: the default model
/// Models are loaded so from now on.
void worker_set_up(worker *w, const worker_setup *setup);
/// Asks for NEWS_DEVICES.
void worker_list_devices(worker *w);
void worker_answer(worker *w, worker_turns *turns);
void worker_interrupt(worker *w); ///< ends the answer that is being computed
/// From now on nothing new is given to the device, which keeps what it has, until this is called with false. What is under way
/// ends within one submission.
void worker_hold(worker *w, bool hold);

/// All news since the last call, oldest first; free each with news_free.
news *worker_take_news(worker *w);
void news_free(news *n);

#endif
