#include "worker.h"

#include "chat/conversation.h"
#include "chat/crash_mark.h"
#include "chat/devices.h"
#include "chat/models.h"

#include "pace.h"
#include "phone.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef enum order_kind { ORDER_LOAD, ORDER_ANSWER, ORDER_DEVICES } order_kind;

/* The same as worker_setup, with texts of its own. */
typedef struct setup {
    char *device, *devices;
    int n_ctx;
    pum_kv_type kv;
} setup;

typedef struct order {
    struct order *next;
    order_kind kind;
    char *text;
    setup setup; ///< of ORDER_LOAD
    worker_turns *turns;
} order;

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wanted;
    order *orders, **last_order;
    news *news, **last_news;
    bool woken, quit, held;
    bool cancelled;        ///< the question that waits is not to be answered
    conversation *running; ///< whose answer is being computed; under the lock
    uint32_t wake;
    setup wanted_setup; ///< of what is loaded from now on; of the window's thread
    /* of the thread alone */
    setup setup; ///< of what is loaded
    pace pace;
    crash_mark *mark; ///< until the first token
    pum_device *device;
    pum_file *file;
    pum_tokenizer *tokenizer;
    pum_model *model;
    conversation *conversation;
    int n_left_out;
    int64_t chat;     ///< of the last question
    bool device_gone; ///< the last question was not answered because of that
    bool told;        ///< which drivers are left out
};

/* ---- turns */

worker_turns *worker_turns_create(void) { return calloc(1, sizeof(worker_turns)); }

bool worker_turns_add(worker_turns *t, const char *role, const char *text) {
    if (t->n_turns == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 16;
        pum_chat_message *turns = realloc(t->turns, capacity * sizeof *turns);
        if (!turns) return false;
        t->turns = turns;
        t->capacity = capacity;
    }
    char *copied = strdup(text);
    if (copied) t->turns[t->n_turns++] = (pum_chat_message){role, copied};
    return copied;
}

void worker_turns_free(worker_turns *t) {
    if (!t) return;
    for (size_t i = 0; i < t->n_turns; i++) free((char *)t->turns[i].content);
    free(t->turns);
    free(t->system);
    free(t);
}

/* ---- news */

static char *copy(const char *text) { return text ? strdup(text) : NULL; }

static void tell(worker *w, news what, const char *text, const char *detail) {
    news *n = malloc(sizeof *n);
    if (!n) return;
    *n = what;
    n->next = NULL;
    n->text = copy(text);
    n->detail = copy(detail);
    pthread_mutex_lock(&w->lock);
    *w->last_news = n;
    w->last_news = &n->next;
    bool wake = !w->woken;
    w->woken = true;
    pthread_mutex_unlock(&w->lock);
    if (wake) SDL_PushEvent(&(SDL_Event){.type = w->wake});
}

news *worker_take_news(worker *w) {
    pthread_mutex_lock(&w->lock);
    news *all = w->news;
    w->news = NULL;
    w->last_news = &w->news;
    w->woken = false;
    pthread_mutex_unlock(&w->lock);
    return all;
}

void news_free(news *n) {
    free(n->devices);
    free(n->text);
    free(n->detail);
    free(n);
}

static void tell_failure(worker *w, const pum_error *err) { tell(w, (news){.kind = NEWS_FAILED}, err->message, NULL); }

/* ---- loading: the new model is complete before the old one goes */

/* While the program is in the background, here is where its work stands still. */
static bool wait_while_held(worker *w) {
    pthread_mutex_lock(&w->lock);
    while (w->held && !w->quit) pthread_cond_wait(&w->wanted, &w->lock);
    bool go_on = !w->quit;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static bool tell_progress(worker *w, news_kind kind, uint64_t done, uint64_t total) {
    tell(w, (news){.kind = kind, .done = done, .total = total}, NULL, NULL);
    return wait_while_held(w);
}
static bool on_loading(void *user, uint64_t done, uint64_t total) { return tell_progress(user, NEWS_LOADING, done, total); }
static bool on_checking(void *user, uint64_t done, uint64_t total) { return tell_progress(user, NEWS_CHECKING, done, total); }

static void close_model(worker *w) {
    conversation_destroy(&w->conversation);
    pum_model_destroy(&w->model);
    pum_tokenizer_destroy(&w->tokenizer);
    pum_file_destroy(&w->file);
}

/* What is said of the device; returns what kind of one it is. */
static news describe_device(const worker *w, news_kind kind, char *text, size_t n_bytes) {
    char names[512], memory[256];
    pum_plan plan;
    conversation_get_plan(w->conversation, &plan);
    news n = {.kind = kind,
              .on_cpu = devices_names(w->device, names, sizeof names),
              .checked = pum_model_is_checked(w->model),
              .memory_bytes = plan.device_bytes,
              .memory_free_bytes = plan.available_bytes};
    bool short_of_memory = devices_memory_notice(&plan, memory, sizeof memory);
    snprintf(text, n_bytes, "%s%s%s", names, short_of_memory ? " · " : "", short_of_memory ? memory : "");
    return n;
}

static void tell_ready(worker *w, const char *path) {
    pum_model_info info;
    pum_model_get_info(w->model, &info);
    const char *slash = strrchr(path, '/');
    char detail[1024];
    news ready = describe_device(w, NEWS_READY, detail, sizeof detail);
    ready.n_ctx = conversation_n_ctx(w->conversation);
    tell(w, ready, info.name ? info.name : slash ? slash + 1 : path, detail);
}

/* ---- devices */

enum { MOST_DEVICES = 32 };

static int list_devices(pum_device_info **devices) {
    pum_error err;
    int n = 0;
    *devices = calloc(MOST_DEVICES, sizeof **devices);
    if (!*devices || devices_list(*devices, MOST_DEVICES, &n, &err) != PUM_OK) return 0;
    return n < MOST_DEVICES ? n : MOST_DEVICES;
}

static void tell_devices(worker *w) {
    pum_device_info *devices;
    int n = list_devices(&devices);
    tell(w, (news){.kind = NEWS_DEVICES, .devices = devices, .n_devices = n}, NULL, NULL);
}

/* What `which` is to the library: "cpu" is a word of the window's. */
static const char *device_of(const char *which, char index[static 12]) {
    if (!which || strcmp(which, "cpu") != 0) return which;
    pum_device_info *devices;
    int n = list_devices(&devices), cpu = -1;
    for (int i = n; i-- > 0;)
        if (devices[i].type == PUM_DEVICE_CPU) cpu = devices[i].index;
    free(devices);
    if (cpu < 0) return "no driver that runs on the CPU"; // which the library says it has not found
    snprintf(index, 12, "%d", cpu);
    return index;
}

/* From here on until the first token a driver may take the program with it: the next start is to know whose. */
static void mark(worker *w, const char *name) {
    pum_error ignored;
    crash_mark_set(&w->mark, name, &ignored);
}

static pum_status open_device(worker *w, const char *which, const char *devices, pum_device **device, pum_error *err) {
    char index[12], names[512];
    mark(w, devices ? devices : which ? which : "");
    const pum_device_params params = {
        .which = device_of(which, index), .devices = devices, .tune = true, .tune_progress = on_checking, .tune_user = w};
    pum_status status = devices_open(&params, device, err);
    if (!w->told && pum_drivers_left_out()) tell(w, (news){.kind = NEWS_LEFT_OUT}, pum_drivers_left_out(), NULL);
    w->told = true;
    if (status == PUM_OK) {
        devices_names(*device, names, sizeof names);
        mark(w, names);
    } else {
        crash_mark_clear(&w->mark);
    }
    return status;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

static void free_setup(setup *s) {
    free(s->device);
    free(s->devices);
    *s = (setup){0};
}

static bool copy_setup(setup *to, const char *device, const char *devices, int n_ctx, pum_kv_type kv) {
    *to = (setup){copy(device), copy(devices), n_ctx, kv};
    bool ok = (!device || to->device) && (!devices || to->devices);
    if (!ok) free_setup(to);
    return ok;
}

static void load(worker *w, const char *given, const setup *s) {
    worker fresh = {0};
    char path[PATHS_MAX];
    pum_error err;
    pum_model_params params = {.progress = on_loading, .progress_user = w, .n_ctx = s->n_ctx, .kv = s->kv};
    bool elsewhere = !same(s->device, w->setup.device) || !same(s->devices, w->setup.devices);
    pum_status status = models_find(given, path, &err);
    if (status == PUM_OK) status = pum_file_open(path, &fresh.file, &err);
    if (status == PUM_OK) status = pum_file_tokenizer(fresh.file, &fresh.tokenizer, &err);
    if (status == PUM_OK && (!w->device || elsewhere)) status = open_device(w, s->device, s->devices, &fresh.device, &err);
    pum_device *device = fresh.device ? fresh.device : w->device;
    if (status == PUM_OK) status = pum_model_load(device, fresh.file, &params, &fresh.model, &err);
    conversation_params talk = {.file = fresh.file,
                                .tokenizer = fresh.tokenizer,
                                .model = fresh.model,
                                .n_ctx = s->n_ctx,
                                .kv = s->kv,
                                .sampling = pum_sampler_defaults(),
                                .allow_plain = true};
    talk.sampling.seed = (uint64_t)time(NULL);
    if (status == PUM_OK) status = conversation_create(&talk, &fresh.conversation, &err);
    if (status == PUM_OK && !copy_setup(&fresh.setup, s->device, s->devices, s->n_ctx, s->kv)) {
        status = PUM_ERR_MEMORY;
        err = (pum_error){.message = "memory ran out"};
    }
    if (status != PUM_OK) {
        close_model(&fresh);
        pum_device_destroy(&fresh.device);
        if (status == PUM_ERR_NO_DEVICE && !w->model) pum_device_destroy(&w->device); // the next try looks for another
        crash_mark_clear(&w->mark);
        tell_failure(w, &err);
        return;
    }
    close_model(w);
    if (fresh.device) pum_device_destroy(&w->device);
    if (fresh.device) w->device = fresh.device;
    free_setup(&w->setup);
    w->setup = fresh.setup;
    w->file = fresh.file;
    w->tokenizer = fresh.tokenizer;
    w->model = fresh.model;
    w->conversation = fresh.conversation;
    w->n_left_out = 0;
    tell_ready(w, path);
}

/* ---- a device that is gone */

/* Takes model and chat to whatever device there is now. Nothing has changed where that fails. */
static pum_status move(worker *w, pum_error *err) {
    pum_device *device = NULL;
    pum_model *model = NULL;
    pum_model_params params = {.progress = on_loading, .progress_user = w, .n_ctx = w->setup.n_ctx, .kv = w->setup.kv};
    pum_status status = open_device(w, NULL, NULL, &device, err);
    if (status == PUM_OK) status = pum_model_load(device, w->file, &params, &model, err);
    if (status == PUM_OK) status = conversation_move(w->conversation, model, err);
    if (status != PUM_OK) {
        pum_model_destroy(&model);
        pum_device_destroy(&device);
        return status;
    }
    pum_model_destroy(&w->model);
    pum_device_destroy(&w->device);
    w->model = model;
    w->device = device;
    char detail[512];
    tell(w, describe_device(w, NEWS_DEVICE, detail, sizeof detail), NULL, detail);
    return PUM_OK;
}

static pum_status answer_here(worker *w, const worker_turns *t, const conversation_callbacks *callbacks, answer_report *report,
                              pum_error *err) {
    pum_sampler_params sampling = pum_sampler_defaults();
    if (t->has_sampling) sampling = t->sampling;
    if (!t->has_sampling || sampling.seed == 0) sampling.seed = (uint64_t)time(NULL) * 1000 + SDL_GetTicks64();
    pum_status status = conversation_set_sampling(w->conversation, &sampling, err);
    if (status == PUM_OK) status = conversation_set_turns(w->conversation, t->system, t->turns, t->n_turns, err);
    return status == PUM_OK ? conversation_answer(w->conversation, callbacks, report, err) : status;
}

/* The device may be there again; if it is not at the second question either, another one will do. */
static pum_status answer_somewhere(worker *w, const worker_turns *t, const conversation_callbacks *callbacks,
                                   answer_report *report, pum_error *err) {
    pum_status status = answer_here(w, t, callbacks, report, err);
    pum_error ignored;
    if (status == PUM_ERR_NO_DEVICE && w->device_gone && move(w, &ignored) == PUM_OK)
        status = conversation_answer(w->conversation, callbacks, report, err); // where it broke off
    w->device_gone = status == PUM_ERR_NO_DEVICE;
    return status;
}

/* ---- answering */

static bool on_text(void *user, const char *text) {
    worker *w = user;
    crash_mark_clear(&w->mark);
    tell(w, (news){.kind = NEWS_TEXT, .n_past = conversation_n_past(w->conversation)}, text, NULL);
    return true;
}

static void on_progress(void *user, int done, int total) {
    tell(user, (news){.kind = NEWS_PROGRESS, .done = (uint64_t)done, .total = (uint64_t)total}, NULL, NULL);
}

static void on_rest(void *user) {
    worker *w = user;
    if (!wait_while_held(w)) return;
    int ms = pace_rest_ms(&w->pace, SDL_GetTicks64(), phone_heat);
    if (ms > 0) SDL_Delay((uint32_t)ms);
}

/* Returns false when the answer was cancelled before it began. */
static bool set_running(worker *w, conversation *c) {
    pthread_mutex_lock(&w->lock);
    bool go_on = !w->cancelled;
    w->running = go_on ? c : NULL;
    w->cancelled = false;
    pthread_mutex_unlock(&w->lock);
    return go_on;
}

static void answer(worker *w, const worker_turns *t) {
    pum_error err = {.message = "no model is loaded; drop a .gguf file on the window"};
    answer_report report = {0};
    if (!w->conversation) {
        tell_failure(w, &err);
        tell(w, (news){.kind = NEWS_DONE, .failed = true}, "", NULL);
        return;
    }
    conversation_callbacks callbacks = {on_text, on_progress, on_rest, w};
    pace_begin(&w->pace, SDL_GetTicks64());
    if (t->chat != w->chat) w->n_left_out = 0;
    w->chat = t->chat;
    pum_status status = PUM_OK;
    if (set_running(w, w->conversation)) status = answer_somewhere(w, t, &callbacks, &report, &err);
    set_running(w, NULL);
    if (status != PUM_OK) tell_failure(w, &err);
    bool more = report.n_turns_left_out > w->n_left_out;
    w->n_left_out = report.n_turns_left_out;
    news done = {.kind = NEWS_DONE, .n_past = conversation_n_past(w->conversation), .n_ctx = conversation_n_ctx(w->conversation)};
    done.failed = status != PUM_OK;
    done.stopped = report.end == ANSWER_STOPPED;
    done.n_rebuilds = report.n_rebuilds;
    done.n_left_out = more ? report.n_turns_left_out : 0;
    done.context_full = report.end == ANSWER_CONTEXT_FULL;
    if (report.answer_ms > 0) done.tokens_per_s = report.n_answer / report.answer_ms * 1e3;
    tell(w, done, NULL, NULL);
}

/* ---- the thread */

static void obey(worker *w, const order *o) {
    switch (o->kind) {
    case ORDER_LOAD:
        load(w, o->text, &o->setup);
        break;
    case ORDER_ANSWER:
        answer(w, o->turns);
        break;
    case ORDER_DEVICES:
        tell_devices(w);
        break;
    }
}

static void free_order(order *o) {
    free(o->text);
    free_setup(&o->setup);
    worker_turns_free(o->turns);
    free(o);
}

static void *work(void *user) {
    worker *w = user;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        while ((!w->orders || w->held) && !w->quit) pthread_cond_wait(&w->wanted, &w->lock);
        order *o = w->quit ? NULL : w->orders;
        if (o && !(w->orders = o->next)) w->last_order = &w->orders;
        pthread_mutex_unlock(&w->lock);
        if (!o) break;
        obey(w, o);
        free_order(o);
    }
    close_model(w);
    pum_device_destroy(&w->device);
    crash_mark_clear(&w->mark);
    return NULL;
}

worker *worker_start(uint32_t wake, const worker_setup *s) {
    worker *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->wake = wake;
    w->last_order = &w->orders;
    w->last_news = &w->news;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wanted, NULL);
    bool ok = copy_setup(&w->wanted_setup, s->device, s->devices, s->n_ctx, s->kv);
    if (ok && pthread_create(&w->thread, NULL, work, w) == 0) return w;
    free_setup(&w->wanted_setup);
    free(w);
    return NULL;
}

void worker_set_up(worker *w, const worker_setup *s) {
    setup fresh;
    if (!copy_setup(&fresh, s->device, s->devices, s->n_ctx, s->kv)) return;
    free_setup(&w->wanted_setup);
    w->wanted_setup = fresh;
}

static void give(worker *w, order_kind kind, const char *text, worker_turns *turns) {
    order *o = calloc(1, sizeof *o);
    const setup *s = &w->wanted_setup;
    if (!o || (kind == ORDER_LOAD && !copy_setup(&o->setup, s->device, s->devices, s->n_ctx, s->kv))) {
        worker_turns_free(turns);
        free(o);
        return;
    }
    o->kind = kind;
    o->text = copy(text);
    o->turns = turns;
    pthread_mutex_lock(&w->lock);
    *w->last_order = o;
    w->last_order = &o->next;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
}

void worker_load(worker *w, const char *path) { give(w, ORDER_LOAD, path, NULL); }
void worker_list_devices(worker *w) { give(w, ORDER_DEVICES, NULL, NULL); }
void worker_answer(worker *w, worker_turns *turns) { give(w, ORDER_ANSWER, NULL, turns); }

void worker_interrupt(worker *w) {
    pthread_mutex_lock(&w->lock);
    if (w->running)
        conversation_stop(w->running);
    else
        for (order *o = w->orders; o; o = o->next) w->cancelled = w->cancelled || o->kind == ORDER_ANSWER;
    pthread_mutex_unlock(&w->lock);
}

void worker_hold(worker *w, bool hold) {
    pthread_mutex_lock(&w->lock);
    w->held = hold;
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
}

void worker_stop(worker **worker_in) {
    worker *w = *worker_in;
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->quit = true;
    if (w->running) conversation_stop(w->running);
    pthread_cond_signal(&w->wanted);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (order *o = w->orders, *next; o; o = next) {
        next = o->next;
        free_order(o);
    }
    for (news *n = worker_take_news(w), *next; n; n = next) {
        next = n->next;
        news_free(n);
    }
    pthread_cond_destroy(&w->wanted);
    pthread_mutex_destroy(&w->lock);
    free_setup(&w->setup);
    free_setup(&w->wanted_setup);
    free(w);
    *worker_in = NULL;
}
