#include "vk/upload.h"

#include "vk/commands.h"

#include <inttypes.h>
#include <stdlib.h>

enum { N_STAGES = 2 };

typedef struct stage {
    vk_buffer buffer;
    vk_commands *commands;
    uint64_t used; ///< bytes that copies were recorded for, since its last submission
} stage;

struct vk_upload {
    vk_device *device;
    uint64_t stage_bytes;
    stage stages[N_STAGES]; ///< made when the first of them is needed
    int current;
    vk_span dst; ///< of the upload that has begun
    bool staged; ///< whether that goes through a stage
};

pum_status vk_upload_create(vk_device *device, uint64_t stage_bytes, vk_upload **upload, pum_error *err) {
    vk_upload *u = *upload = calloc(1, sizeof *u);
    if (!u) return pum_fail_memory(err, "an upload", sizeof *u);
    u->device = device;
    u->stage_bytes = stage_bytes;
    return PUM_OK;
}

void vk_upload_destroy(vk_upload **upload) {
    if (!upload || !*upload) return;
    vk_upload *u = *upload;
    for (int i = 0; i < N_STAGES; i++) {
        vk_commands_destroy(&u->stages[i].commands);
        vk_buffer_destroy(u->device, &u->stages[i].buffer);
    }
    free(u);
    *upload = NULL;
}

static pum_status make_stage(vk_upload *u, stage *s, pum_error *err) {
    if (s->commands) return PUM_OK;
    pum_status status = PUM_OK;
    if (!s->buffer.handle)
        status = vk_buffer_create(u->device, u->stage_bytes, VK_USE_UPLOAD, "a staging buffer", &s->buffer, err);
    return status == PUM_OK ? vk_commands_create(u->device, &s->commands, err) : status;
}

static pum_status submit(vk_upload *u, pum_error *err) {
    stage *s = &u->stages[u->current];
    if (s->used == 0) return PUM_OK;
    s->used = 0;
    u->current = (u->current + 1) % N_STAGES;
    return vk_commands_submit(s->commands, err);
}

/* Many small uploads share a stage and its submission, which costs the host some ten microseconds. */
static pum_status find_room(vk_upload *u, uint64_t n_bytes, void **bytes, pum_error *err) {
    pum_status status = PUM_OK;
    if (u->stages[u->current].used + n_bytes > u->stage_bytes) status = submit(u, err);
    stage *s = &u->stages[u->current];
    if (status == PUM_OK && s->used == 0) {
        status = make_stage(u, s, err);
        if (status == PUM_OK) status = vk_commands_wait(s->commands, NULL, err);
        if (status == PUM_OK) status = vk_commands_begin(s->commands, err);
    }
    if (status == PUM_OK) *bytes = (uint8_t *)s->buffer.mapped + s->used;
    return status;
}

pum_status vk_upload_begin(vk_upload *u, vk_span dst, void **bytes, pum_error *err) {
    *bytes = NULL;
    // Checked where it would not matter too, so that no device sees what others never did.
    if (dst.n_bytes > u->stage_bytes || dst.n_bytes % 4)
        return pum_fail(err, PUM_ERR_ARGUMENT, "upload: expected at most %" PRIu64 " bytes, a multiple of 4, got %" PRIu64,
                        u->stage_bytes, dst.n_bytes);
    u->dst = dst;
    *bytes = vk_span_mapped(dst);
    u->staged = !*bytes;
    return u->staged ? find_room(u, dst.n_bytes, bytes, err) : PUM_OK;
}

void vk_upload_end(vk_upload *u) {
    if (!u->staged || u->dst.n_bytes == 0) return;
    stage *s = &u->stages[u->current];
    vk_commands_copy(s->commands, (vk_span){&s->buffer, s->used, u->dst.n_bytes}, u->dst);
    s->used += u->dst.n_bytes;
}

pum_status vk_upload_finish(vk_upload *u, pum_error *err) {
    pum_status status = submit(u, err);
    for (int i = 0; i < N_STAGES; i++) {
        if (!u->stages[i].commands) continue;
        pum_status waited = vk_commands_wait(u->stages[i].commands, NULL, status == PUM_OK ? err : NULL);
        if (status == PUM_OK) status = waited;
    }
    return status;
}

uint64_t vk_upload_host_bytes(const vk_upload *u) {
    uint64_t n = 0;
    for (int i = 0; i < N_STAGES; i++) n += u->stages[i].buffer.n_bytes;
    return n;
}
