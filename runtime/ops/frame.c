#include "ops/frame.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    N_COMMANDS = 2,   ///< submissions in flight at most: one that runs and one behind it, all that an abort has to wait for
    MAX_RANGES = 128, ///< touched since the last barrier; more than that just costs a barrier
};

/* A submission should take about half of the 100 ms that a desktop tolerates, so that a misjudged one still passes. */
static const double TARGET_NS = 50e6;
/* Before anything was measured: a slow device, so that the first submissions are rather too short. */
static const double FIRST_NS_PER_FLOP = 0.5;
static const double FLOP_PER_BYTE = 4; ///< what reading a byte counts as, in the estimate

typedef struct range {
    VkBuffer buffer;
    uint64_t begin, end;
    bool written;
} range;

typedef struct flight {
    vk_commands *commands;
    double cost; ///< estimated operations
} flight;

struct op_recording {
    vk_device *device;
    vk_commands **commands; ///< [n_made], the first n of them are the recording
    uint32_t n, n_made;
    vk_batch *batches[OP_RECORDING_AHEAD]; ///< submission i goes with batch i % OP_RECORDING_AHEAD
    uint32_t n_submitted, n_waited;
};

struct op_frame {
    op_kernels *kernels;
    vk_buffer unused; ///< stands in for bindings that a kernel does not use
    flight flights[N_COMMANDS];
    int current;
    op_recording *into;    ///< where the pass is kept; NULL: it is submitted as it comes
    vk_commands *commands; ///< that are being recorded, or NULL
    range ranges[MAX_RANGES];
    int n_ranges;
    double cost;        ///< estimated operations of what is being recorded
    double ns_per_flop; ///< measured, slowly moving
    atomic_bool *abort;
    op_frame_counts counts;
    op_times *times; ///< being measured, or NULL
    const char *name;
    pum_status status;
    pum_error error;
};

pum_status op_frame_create(op_kernels *kernels, op_frame **frame, pum_error *err) {
    *frame = NULL;
    op_frame *f = calloc(1, sizeof *f);
    if (!f) return pum_fail_memory(err, "a frame", sizeof *f);
    f->kernels = kernels;
    f->ns_per_flop = FIRST_NS_PER_FLOP;
    vk_device *device = op_kernels_device(kernels);
    bool records = !op_kernels_rehearsing(kernels);
    pum_status status = PUM_OK;
    if (records) status = vk_buffer_create(device, 256, VK_USE_DEVICE, "an unused binding", &f->unused, err);
    for (int i = 0; i < N_COMMANDS && records && status == PUM_OK; i++)
        status = vk_commands_create(device, &f->flights[i].commands, err);
    if (status != PUM_OK) {
        op_frame_destroy(&f);
        return status;
    }
    *frame = f;
    return PUM_OK;
}

void op_frame_destroy(op_frame **frame) {
    op_frame *f = *frame;
    if (!f) return;
    for (int i = 0; i < N_COMMANDS; i++) vk_commands_destroy(&f->flights[i].commands);
    vk_buffer_destroy(op_kernels_device(f->kernels), &f->unused);
    free(f);
    *frame = NULL;
}

op_kernels *op_frame_kernels(op_frame *frame) { return frame->kernels; }
op_frame_counts op_frame_get_counts(const op_frame *frame) { return frame->counts; }

pum_status op_frame_fail(op_frame *f, pum_status status, const char *format, ...) {
    if (f->status != PUM_OK) return f->status;
    va_list args;
    va_start(args, format);
    f->status = f->error.status = status;
    vsnprintf(f->error.message, sizeof f->error.message, format, args);
    va_end(args);
    return status;
}

static void keep(op_frame *f, pum_status status, const pum_error *error) {
    if (status != PUM_OK) op_frame_fail(f, status, "%s", error->message);
}

void op_frame_begin(op_frame *f, atomic_bool *abort) {
    f->status = PUM_OK;
    f->counts = (op_frame_counts){0};
    f->abort = abort;
    f->n_ranges = 0;
    f->into = NULL;
    f->commands = NULL;
}

void op_frame_begin_recording(op_frame *f, op_recording *recording) {
    op_frame_begin(f, NULL);
    f->into = recording;
    recording->n = 0;
}

/* Waits for one submission and learns from its time what an operation costs. */
static void land(op_frame *f, flight *fl) {
    if (!fl->commands || !vk_commands_pending(fl->commands)) return; // a rehearsal has none
    pum_error error;
    uint64_t ns = 0;
    pum_status status = vk_commands_wait(fl->commands, &ns, &error);
    keep(f, status, &error);
    f->counts.device_ns += (double)ns;
    // A driver may compile at the first dispatch: such a time is an outlier, and the average forgets it soon.
    if (status == PUM_OK && ns > 0 && fl->cost > 0 && !f->times) { // what is measured alone is mostly its submission
        double measured = (double)ns / fl->cost;
        f->ns_per_flop = measured < f->ns_per_flop ? measured : fmin(f->ns_per_flop * 1.5, 0.7 * f->ns_per_flop + 0.3 * measured);
    }
    fl->cost = 0;
}

static vk_commands *next_of_recording(op_frame *f, op_recording *r) {
    pum_error error;
    if (r->n == r->n_made) {
        vk_commands **more = realloc(r->commands, (r->n_made + 1) * sizeof *more);
        if (more) r->commands = more;
        pum_status status = more ? vk_commands_create(r->device, &r->commands[r->n_made], &error)
                                 : pum_fail_memory(&error, "a recording", (r->n_made + 1) * sizeof *more);
        keep(f, status, &error);
        if (status != PUM_OK) return NULL;
        r->n_made++;
    }
    vk_commands *commands = r->commands[r->n++];
    keep(f, vk_commands_begin_again(commands, &error), &error);
    return commands;
}

static bool is_aborted(op_frame *f) {
    if (f->status == PUM_OK && f->abort && atomic_load(f->abort)) op_frame_fail(f, PUM_ERR_ABORTED, "stopped on request");
    return f->status != PUM_OK;
}

static vk_commands *next_of_frame(op_frame *f) {
    if (is_aborted(f)) return NULL;
    flight *fl = &f->flights[f->current];
    land(f, fl);
    if (is_aborted(f)) return NULL; // while it was waited for
    pum_error error;
    keep(f, vk_commands_begin(fl->commands, &error), &error);
    return fl->commands;
}

static bool start_recording(op_frame *f) {
    if (f->status != PUM_OK || op_kernels_rehearsing(f->kernels)) return false;
    if (f->commands) return true;
    vk_commands *commands = f->into ? next_of_recording(f, f->into) : next_of_frame(f);
    if (f->status != PUM_OK) return false;
    f->commands = commands;
    f->cost = 0;
    if (f->into || f->counts.submissions > 0) {
        // Submissions of a queue start in order but may overlap: what the one before wrote must be seen.
        vk_commands_barrier(commands);
        f->counts.barriers++;
        f->n_ranges = 0;
    }
    return true;
}

static void submit(op_frame *f) {
    if (!f->commands || (!f->into && is_aborted(f))) return; // what is recorded already is recorded in vain
    pum_error error;
    keep(f, f->into ? vk_commands_end(f->commands, &error) : vk_commands_submit(f->commands, &error), &error);
    f->commands = NULL;
    f->counts.submissions++;
    if (f->into) return;
    f->flights[f->current].cost = f->cost;
    f->current = (f->current + 1) % N_COMMANDS;
}

pum_status op_frame_end(op_frame *f, pum_error *err) {
    if (f->status == PUM_OK) submit(f);
    for (int i = 0; i < N_COMMANDS && !f->into; i++) land(f, &f->flights[(f->current + i) % N_COMMANDS]);
    f->commands = NULL;
    if (f->status != PUM_OK) return pum_fail(err, f->status, "%s", f->error.message);
    return PUM_OK;
}

/* ---- measuring */

void op_frame_measure(op_frame *f, op_times *times) { f->times = times; }
void op_frame_name(op_frame *f, const char *name) { f->name = name; }

static op_time *find_time(op_times *times, const char *name) {
    for (uint32_t i = 0; i < times->n; i++)
        if (strcmp(times->ops[i].name, name) == 0) return &times->ops[i];
    assert(times->n < OP_MAX_TIMES);
    times->ops[times->n] = (op_time){.name = name};
    return &times->ops[times->n++];
}

static void measure(op_frame *f, const char *name, double flop, double bytes) {
    assert(!f->into && name);
    flight *fl = &f->flights[f->current];
    double before = f->counts.device_ns;
    submit(f);
    land(f, fl);
    op_time *t = find_time(f->times, name);
    t->n_dispatches++;
    t->ns += f->counts.device_ns - before;
    t->flop += flop;
    t->bytes += bytes;
}

/* ---- barriers: only where a write meets a read or write of the same bytes */

static bool conflicts(const op_frame *f, vk_span span, bool writes) {
    for (int i = 0; i < f->n_ranges; i++) {
        const range *r = &f->ranges[i];
        if (r->buffer == span.buffer->handle && (writes || r->written) && r->begin < span.offset + span.n_bytes &&
            span.offset < r->end)
            return true;
    }
    return false;
}

static void note(op_frame *f, vk_span span, bool writes) {
    f->ranges[f->n_ranges++] = (range){span.buffer->handle, span.offset, span.offset + span.n_bytes, writes};
}

static void barrier_if(op_frame *f, bool needed, int n_more) {
    if (!needed && f->n_ranges + n_more <= MAX_RANGES) return;
    vk_commands_barrier(f->commands);
    f->counts.barriers++;
    f->n_ranges = 0;
}

/* What would make the submission too long begins another one. */
static void cut_before(op_frame *f, double flop, double bytes) {
    double cost = f->cost + flop + FLOP_PER_BYTE * bytes;
    if (f->commands && !f->times && f->cost > 0 && cost * f->ns_per_flop > TARGET_NS) submit(f);
}

static void add_cost(op_frame *f, const char *name, double flop, double bytes) {
    f->cost += flop + FLOP_PER_BYTE * bytes;
    if (f->times)
        measure(f, name, flop, bytes);
    else if (f->cost * f->ns_per_flop > TARGET_NS)
        submit(f);
}

double op_frame_most_flop(const op_frame *f) { return TARGET_NS / f->ns_per_flop; }

static const char MOVED[] = "copies, fills"; ///< the name of what no op does

void op_frame_dispatch(op_frame *f, const op_dispatch *d) {
    if (!d->kernel || d->groups[0] == 0) return;
    cut_before(f, d->cost_flop, d->cost_bytes);
    if (!start_recording(f)) return;
    const vk_pipeline *p = &d->kernel->pipeline;
    bool needed = false;
    vk_span spans[VK_MAX_BINDINGS];
    for (uint32_t i = 0; i < p->n_bindings; i++) {
        bool used = d->spans[i].n_bytes > 0;
        spans[i] = used ? d->spans[i] : (vk_span){&f->unused, 0, f->unused.n_bytes};
        if (used) needed = needed || conflicts(f, spans[i], d->writes >> i & 1);
    }
    barrier_if(f, needed, (int)p->n_bindings);
    for (uint32_t i = 0; i < p->n_bindings; i++)
        if (d->spans[i].n_bytes > 0) note(f, spans[i], d->writes >> i & 1);
    vk_commands_dispatch(f->commands, p, spans, d->push, d->groups[0], d->groups[1] ? d->groups[1] : 1,
                         d->groups[2] ? d->groups[2] : 1);
    f->counts.dispatches++;
    add_cost(f, f->name, d->cost_flop, d->cost_bytes);
}

void op_frame_copy(op_frame *f, vk_span src, vk_span dst) {
    if (src.n_bytes == 0 || !start_recording(f)) return;
    barrier_if(f, conflicts(f, src, false) || conflicts(f, dst, true), 2);
    note(f, src, false);
    note(f, dst, true);
    vk_commands_copy(f->commands, src, dst);
    add_cost(f, MOVED, 0, 2 * (double)src.n_bytes);
}

void op_frame_fill(op_frame *f, vk_span dst, uint32_t word) {
    if (dst.n_bytes == 0 || !start_recording(f)) return;
    barrier_if(f, conflicts(f, dst, true), 1);
    note(f, dst, true);
    vk_commands_fill(f->commands, dst, word);
    add_cost(f, MOVED, 0, (double)dst.n_bytes);
}

/* ---- recordings */

pum_status op_recording_create(op_kernels *kernels, op_recording **recording, pum_error *err) {
    op_recording *r = *recording = calloc(1, sizeof *r);
    if (!r) return pum_fail_memory(err, "a recording", sizeof *r);
    r->device = op_kernels_device(kernels);
    pum_status status = PUM_OK;
    for (int i = 0; i < OP_RECORDING_AHEAD && status == PUM_OK; i++) status = vk_batch_create(r->device, &r->batches[i], err);
    if (status != PUM_OK) op_recording_destroy(recording);
    return status;
}

void op_recording_destroy(op_recording **recording) {
    op_recording *r = *recording;
    if (!r) return;
    for (int i = 0; i < OP_RECORDING_AHEAD; i++) vk_batch_destroy(&r->batches[i]);
    for (uint32_t i = 0; i < r->n_made; i++) vk_commands_destroy(&r->commands[i]);
    free(r->commands);
    free(r);
    *recording = NULL;
}

pum_status op_recording_submit(op_recording *r, uint32_t times, pum_error *err) {
    assert(r->n_submitted - r->n_waited < OP_RECORDING_AHEAD);
    if (r->n_submitted == r->n_waited)
        for (uint32_t i = 0; i < r->n; i++) vk_commands_forget(r->commands[i]);
    pum_status status = vk_batch_submit(r->batches[r->n_submitted % OP_RECORDING_AHEAD], r->commands, r->n, times, err);
    if (status == PUM_OK) r->n_submitted++;
    return status;
}

pum_status op_recording_wait(op_recording *r, pum_error *err) {
    if (r->n_waited == r->n_submitted) return PUM_OK;
    pum_status status = vk_batch_wait(r->batches[r->n_waited++ % OP_RECORDING_AHEAD], err);
    for (uint32_t i = 0; i < r->n && status == PUM_OK; i++) status = vk_commands_written(r->commands[i], err);
    return status;
}
