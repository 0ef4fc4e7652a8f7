#include "llama/decode.h"

#include "base/clock.h"
#include "llama/context.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* Each call to a driver costs the host some microseconds, so short steps are submitted several at a time; longer than this nobody
 * should wait for a token that is there already. */
enum { MOST_STEPS_AT_ONCE = 4 };
static const uint64_t SUBMISSION_NS = 8000000;

static vk_span part_of_state(const llama_context *c, size_t offset) {
    return (vk_span){c->state.span.buffer, c->state.span.offset + offset, sizeof(uint32_t)};
}

static vk_span ring(const llama_context *c) { return op_host_span(&c->ring, 0, LLAMA_RING * sizeof(uint32_t)); }

pum_status llama_decode_begin(llama_context *c, const op_step_start *start, pum_error *err) {
    assert(start->n_past < start->n_end && start->n_end <= c->n_ctx);
    llama_decode_run *run = &c->run;
    if (!op_sample_same(&run->params, start->params)) run->most = 0;
    run->params = *start->params;
    run->n_past = start->n_past;
    run->n_steps = start->n_end - start->n_past;
    run->n_submitted = run->n_done = run->n_read = 0;
    run->n_in_flight = 0;
    op_step_fill(c->pass.buffer.mapped, start);
    memset(c->ring.buffer.mapped, 0xFF, LLAMA_RING * sizeof(uint32_t));
    op_frame_begin(c->frame, NULL);
    op_frame_copy(c->frame, op_host_span(&c->pass, 0, sizeof(struct step_state)), c->state.span);
    return op_frame_end(c->frame, err);
}

static pum_status record(llama_context *c, uint32_t most, pum_error *err) {
    llama_decode_run *run = &c->run;
    run->most = 0;
    op_frame_begin_recording(c->frame, run->step);
    llama_record_layers(c, part_of_state(c, offsetof(struct step_state, token)), 1,
                        (op_position){llama_n_past_span(c), most, most});
    llama_record_output(c, 0, 1);
    op_sample(c->frame, &run->params, op_rows_view(c->logits, 0, 1), c->state.span, ring(c), c->candidates);
    pum_status status = op_frame_end(c->frame, err);
    run->counts = op_frame_get_counts(c->frame);
    if (status == PUM_OK) run->most = most;
    return status;
}

static pum_status wait_for_oldest(llama_decode_run *run, pum_error *err) {
    uint32_t n = run->in_flight[0];
    memmove(run->in_flight, run->in_flight + 1, sizeof run->in_flight - sizeof *run->in_flight);
    run->n_in_flight--;
    run->n_done += n;
    pum_status status = op_recording_wait(run->step, err);
    uint64_t now = clock_now_ns();
    if (run->waited_ns) run->step_ns = (now - run->waited_ns) / n;
    run->waited_ns = now;
    return status;
}

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* Submits the next steps; *none: there are none, or the recording they need cannot be made while others are under way. */
static pum_status submit(llama_context *c, bool *none, pum_error *err) {
    llama_decode_run *run = &c->run;
    uint32_t n_past = run->n_past + run->n_submitted, most = llama_step_most(c, n_past);
    *none = run->n_submitted == run->n_steps || (run->most != most && run->n_in_flight > 0);
    if (*none) return PUM_OK;
    pum_status status = run->most == most ? PUM_OK : record(c, most, err);
    uint32_t n = run->step_ns ? min_u32((uint32_t)(SUBMISSION_NS / (run->step_ns + 1)), MOST_STEPS_AT_ONCE) : 1;
    n = min_u32(min_u32(n ? n : 1, run->n_steps - run->n_submitted), most + 1 - n_past);
    if (status == PUM_OK) status = op_recording_submit(run->step, n, err);
    if (status != PUM_OK) return status;
    run->in_flight[run->n_in_flight++] = n;
    run->n_submitted += n;
    return PUM_OK;
}

pum_status llama_decode_next(llama_context *c, atomic_bool *abort, op_step_record *chosen, pum_error *err) {
    llama_decode_run *run = &c->run;
    assert(run->n_read < run->n_steps);
    if (abort && atomic_load(abort)) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    pum_status status = PUM_OK;
    while (status == PUM_OK && run->n_read == run->n_done) {
        for (bool none = false; status == PUM_OK && !none && run->n_in_flight < OP_RECORDING_AHEAD;)
            status = submit(c, &none, err);
        if (status == PUM_OK) status = wait_for_oldest(run, err);
    }
    if (status != PUM_OK) return status;
    c->counts = run->counts;
    bool there = op_step_read(c->ring.buffer.mapped, LLAMA_RING, run->n_read, chosen);
    if (!there && op_kernels_device(c->kernels)->unchecked)
        *chosen = (op_step_record){STEP_RUNS, 0};
    else if (!there)
        return pum_fail(
            err, PUM_ERR_DEVICE_LOST,
            "%s: expected a token from step %u, got none: the driver dropped the work without an error; try again, or "
            "choose another --device",
            op_kernels_device(c->kernels)->caps.name, run->n_read);
    run->n_read++;
    return PUM_OK;
}

pum_status llama_decode_end(llama_context *c, pum_error *err) {
    llama_decode_run *run = &c->run;
    pum_status status = PUM_OK;
    while (run->n_in_flight > 0) {
        pum_status one = wait_for_oldest(run, status == PUM_OK ? err : NULL);
        if (status == PUM_OK) status = one;
    }
    run->waited_ns = 0; // what comes before the next run is no step
    if (status != PUM_OK) run->most = 0;
    return status;
}
