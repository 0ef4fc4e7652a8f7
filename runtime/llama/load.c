#include "llama/load.h"

#include "base/threads.h"
#include "llama/tensors.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    RUN_BYTES = 4 << 20,
    AHEAD_BYTES = 64 << 20, ///< of the file that the system is asked to read before they are needed
};

uint32_t llama_rows_at_once(uint64_t row_bytes) {
    uint64_t n = RUN_BYTES / row_bytes / OP_LAYOUT_ROWS * OP_LAYOUT_ROWS;
    return n ? (uint32_t)n : OP_LAYOUT_ROWS;
}

/* A place among all rows of all slots. */
typedef struct cursor {
    uint32_t slot, row;
    uint64_t n_bytes; ///< of the file, before it
} cursor;

/* Reading, repacking, and taking the device's pages from the system cost about the same: threads that each do all of it for one
 * run of rows after another keep the cores busy, and the disk reads ahead of them. */
typedef struct loader {
    llama_weights *weights;
    const gguf *file;
    pthread_mutex_t lock; ///< of what follows
    cursor next, ahead;   ///< the next run to load, and to ask the system for
    uint64_t done;        ///< bytes
    pum_status status;    ///< of the first failure, which ends all
    pum_error error;
} loader;

typedef struct worker {
    loader *loader;
    int lane;
    pthread_t thread;
    void *bytes; ///< [n_bytes] of the file
    uint64_t n_bytes;
} worker;

/* Rows of one matrix, or a vector. */
typedef struct run {
    llama_tensor_slot slot;
    const gguf_tensor *tensor; ///< of the file
    uint32_t row, n_rows;
    uint64_t offset, n_bytes; ///< in the tensor
} run;

/* The run at a cursor, which goes on behind it. false: none is left, or something has failed. */
static bool advance(loader *l, cursor *at, run *r) {
    const llama_config *config = &l->weights->config;
    bool found = false;
    while (!found && l->status == PUM_OK && at->slot < llama_n_slots(config)) {
        *r = (run){.slot = llama_slot(config, l->weights, at->slot), .row = at->row};
        l->status = llama_slot_source(l->file, l->weights, &r->slot, &r->tensor, &l->error);
        if (l->status != PUM_OK) break;
        found = r->tensor != NULL;
        uint64_t row_bytes = found ? r->tensor->n_bytes / r->slot.n_rows : 0;
        uint32_t step = found ? llama_rows_at_once(row_bytes) : 0, left = r->slot.n_rows - r->row;
        r->n_rows = left < step ? left : step;
        r->offset = r->row * row_bytes;
        r->n_bytes = r->n_rows * row_bytes;
        at->row += r->n_rows;
        at->n_bytes += r->n_bytes;
        if (!found || at->row == r->slot.n_rows) at->slot++, at->row = 0;
    }
    return found;
}

/* Asking does not wait for the disk. */
static void read_ahead(loader *l) {
    run r;
    while (l->ahead.n_bytes < l->next.n_bytes + AHEAD_BYTES && advance(l, &l->ahead, &r))
        gguf_will_need(l->file, r.tensor, r.offset, r.n_bytes);
}

static bool take(loader *l, run *r) {
    pthread_mutex_lock(&l->lock);
    read_ahead(l);
    bool found = advance(l, &l->next, r);
    pthread_mutex_unlock(&l->lock);
    return found;
}

/* The run as it is in the file, in memory that the worker's next run takes again. */
static pum_status read_run(worker *w, const run *r, pum_error *err) {
    if (w->n_bytes < r->n_bytes) {
        free(w->bytes);
        w->bytes = malloc((size_t)r->n_bytes);
        w->n_bytes = w->bytes ? r->n_bytes : 0;
        if (!w->bytes) return pum_fail_memory(err, "a part of the file", r->n_bytes);
    }
    return gguf_read(w->loader->file, r->tensor, r->offset, r->n_bytes, w->bytes, err);
}

/* Norms are a few numbers: whatever their type in the file, they go to the device as F32. */
static pum_status send_vector(const worker *w, const run *r, pum_error *err) {
    float *values = malloc(r->slot.n_cols * sizeof *values);
    if (!values) return pum_fail_memory(err, r->slot.name, r->slot.n_cols * sizeof *values);
    r->tensor->type->expand(w->bytes, r->slot.n_cols / r->tensor->type->block_values, values);
    op_memory *memory = llama_slot_stage(w->loader->weights, &r->slot)->memory;
    pum_status status = op_memory_send(memory, w->lane, r->slot.tensor, 0, 1, values, err);
    free(values);
    return status;
}

static pum_status send_rows(const worker *w, const run *r, pum_error *err) {
    uint32_t first_row;
    const op_tensor *matrix = llama_slot_matrix(&r->slot, &first_row);
    op_memory *memory = llama_slot_stage(w->loader->weights, &r->slot)->memory;
    return op_memory_send(memory, w->lane, matrix, first_row + r->row, r->n_rows, w->bytes, err);
}

static void finish(loader *l, const run *r, pum_status status, const pum_error *err) {
    pthread_mutex_lock(&l->lock);
    l->done += r->n_bytes;
    if (status != PUM_OK && l->status == PUM_OK) l->status = pum_fail(&l->error, status, "%s: %s", r->slot.name, err->message);
    pthread_mutex_unlock(&l->lock);
}

/* Takes one run to the device. false: nothing is left to do. */
static bool step(worker *w) {
    loader *l = w->loader;
    run r;
    if (!take(l, &r)) return false;
    pum_error error;
    pum_status status = read_run(w, &r, &error);
    if (status == PUM_OK) status = (r.slot.is_vector ? send_vector : send_rows)(w, &r, &error);
    finish(l, &r, status, &error);
    return true;
}

static void *work(void *argument) {
    while (step(argument)) {
    }
    return NULL;
}

/* What other threads did counts too. false: the caller wants to stop. */
static bool report(loader *l, const llama_load_params *params, uint64_t total) {
    if (!params || !params->progress) return true;
    pthread_mutex_lock(&l->lock);
    uint64_t done = l->done;
    pthread_mutex_unlock(&l->lock);
    return params->progress(params->progress_user, done, total);
}

static void stop(loader *l) {
    pthread_mutex_lock(&l->lock);
    if (l->status == PUM_OK) l->status = pum_fail(&l->error, PUM_ERR_ABORTED, "loading was stopped on request");
    pthread_mutex_unlock(&l->lock);
}

pum_status llama_load_tensors(llama_weights *weights, const gguf *file, const llama_load_params *params, pum_error *err) {
    uint64_t total = 0;
    const gguf_tensor *t;
    for (uint32_t i = 0; i < llama_n_slots(&weights->config); i++) {
        llama_tensor_slot slot = llama_slot(&weights->config, NULL, i);
        if (llama_slot_source(file, weights, &slot, &t, NULL) == PUM_OK && t) total += t->n_bytes;
    }
    loader l = {.weights = weights, .file = file, .lock = PTHREAD_MUTEX_INITIALIZER};
    worker workers[OP_MEMORY_LANES];
    int n = 0, wanted = threads_wanted(0, OP_MEMORY_LANES);
    for (; n < wanted; n++) {
        workers[n] = (worker){&l, .lane = n};
        // Without a thread the others do its part; the calling thread is the first.
        if (n > 0 && pthread_create(&workers[n].thread, NULL, work, &workers[n]) != 0) break;
    }
    while (step(&workers[0]))
        if (!report(&l, params, total)) stop(&l);
    for (int i = 1; i < n; i++) pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < n; i++) free(workers[i].bytes);
    pthread_mutex_destroy(&l.lock);
    if (l.status != PUM_OK) return pum_fail(err, l.status, "%s", l.error.message);
    if (params && params->progress) params->progress(params->progress_user, total, total);
    return PUM_OK;
}
