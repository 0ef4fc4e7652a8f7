#include "llama/decode.h"

#include "llama/context.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

static vk_span part_of_state(const llama_context *c, size_t offset) {
    return (vk_span){c->state.span.buffer, c->state.span.offset + offset, sizeof(uint32_t)};
}

static vk_span ring(const llama_context *c) { return op_host_span(&c->ring, 0, LLAMA_RING * sizeof(uint32_t)); }

pum_status llama_decode_begin(llama_context *c, const op_step_start *start, pum_error *err) {
    assert(start->n_past < start->n_end && start->n_end <= c->n_ctx);
    llama_decode_run *run = &c->run;
    bool same = run->recorded && op_sample_same(&run->params, start->params);
    run->params = *start->params;
    run->n_past = start->n_past;
    run->n_steps = start->n_end - start->n_past;
    run->n_submitted = run->n_read = 0;
    run->recorded = true;
    if (!same)
        for (int i = 0; i < LLAMA_STEPS_AHEAD; i++) run->most[i] = 0;
    op_step_fill(c->pass.buffer.mapped, start);
    memset(c->ring.buffer.mapped, 0xFF, LLAMA_RING * sizeof(uint32_t));
    op_frame_begin(c->frame, NULL);
    op_frame_copy(c->frame, op_host_span(&c->pass, 0, sizeof(struct step_state)), c->state.span);
    return op_frame_end(c->frame, err);
}

static pum_status record(llama_context *c, int slot, uint32_t most, pum_error *err) {
    llama_decode_run *run = &c->run;
    run->most[slot] = 0;
    op_frame_begin_recording(c->frame, run->steps[slot]);
    llama_record_layers(c, part_of_state(c, offsetof(struct step_state, token)), 1, (op_position){llama_n_past_span(c), most});
    llama_record_output(c, 0, 1);
    op_sample(c->frame, &run->params, op_rows_view(c->logits, 0, 1), c->state.span, ring(c), c->candidates);
    pum_status status = op_frame_end(c->frame, err);
    run->counts = op_frame_get_counts(c->frame);
    if (status == PUM_OK) run->most[slot] = most;
    return status;
}

static pum_status submit(llama_context *c, pum_error *err) {
    llama_decode_run *run = &c->run;
    int slot = (int)(run->n_submitted % LLAMA_STEPS_AHEAD);
    uint32_t most = llama_step_most(c, run->n_past + run->n_submitted);
    pum_status status = run->most[slot] == most ? PUM_OK : record(c, slot, most, err);
    if (status != PUM_OK) return status;
    run->n_submitted++; // what was submitted of it in part must be waited for, too
    return op_recording_submit(run->steps[slot], err);
}

pum_status llama_decode_next(llama_context *c, atomic_bool *abort, op_step_record *record, pum_error *err) {
    llama_decode_run *run = &c->run;
    assert(run->n_read < run->n_steps);
    pum_status status = PUM_OK;
    if (abort && atomic_load(abort)) return pum_fail(err, PUM_ERR_ABORTED, "stopped on request");
    while (status == PUM_OK && run->n_submitted < run->n_steps && run->n_submitted < run->n_read + LLAMA_STEPS_AHEAD)
        status = submit(c, err);
    if (status == PUM_OK) status = op_recording_wait(run->steps[run->n_read % LLAMA_STEPS_AHEAD], err);
    if (status != PUM_OK) return status;
    c->counts = run->counts;
    if (!op_step_read(c->ring.buffer.mapped, LLAMA_RING, run->n_read, record)) {
        if (!op_kernels_device(c->kernels)->unchecked)
            return pum_fail(
                err, PUM_ERR_DEVICE,
                "%s: expected a token from step %u, got none: the driver dropped the work without an error; try again, or "
                "choose another --device",
                op_kernels_device(c->kernels)->caps.name, run->n_read);
        *record = (op_step_record){STEP_RUNS, 0};
    }
    run->n_read++;
    return PUM_OK;
}

pum_status llama_decode_end(llama_context *c, pum_error *err) {
    llama_decode_run *run = &c->run;
    pum_status status = PUM_OK;
    for (; run->n_read < run->n_submitted; run->n_read++) {
        pum_status one = op_recording_wait(run->steps[run->n_read % LLAMA_STEPS_AHEAD], status == PUM_OK ? err : NULL);
        if (status == PUM_OK) status = one;
    }
    return status;
}
