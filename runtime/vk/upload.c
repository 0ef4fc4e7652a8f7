#include "vk/upload.h"

#include "vk/commands.h"

#include <inttypes.h>
#include <stdlib.h>

enum { N_STAGES = 3 };

typedef struct stage {
    vk_buffer buffer;
    vk_commands *commands;
} stage;

struct vk_upload {
    vk_device *device;
    uint64_t stage_bytes;
    stage stages[N_STAGES]; ///< made when the first of them is needed
    int next;
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

pum_status vk_upload_begin(vk_upload *u, vk_span dst, void **bytes, pum_error *err) {
    *bytes = NULL;
    // Checked where it would not matter too, so that no device sees what others never did.
    if (dst.n_bytes > u->stage_bytes || dst.n_bytes % 4)
        return pum_fail(err, PUM_ERR_ARGUMENT, "upload: expected at most %" PRIu64 " bytes, a multiple of 4, got %" PRIu64,
                        u->stage_bytes, dst.n_bytes);
    u->dst = dst;
    *bytes = vk_span_mapped(dst);
    u->staged = !*bytes;
    if (!u->staged) return PUM_OK;
    stage *s = &u->stages[u->next];
    pum_status status = make_stage(u, s, err);
    if (status == PUM_OK) status = vk_commands_wait(s->commands, NULL, err);
    *bytes = status == PUM_OK ? s->buffer.mapped : NULL;
    return status;
}

pum_status vk_upload_end(vk_upload *u, pum_error *err) {
    if (!u->staged || u->dst.n_bytes == 0) return PUM_OK;
    stage *s = &u->stages[u->next];
    u->next = (u->next + 1) % N_STAGES;
    pum_status status = vk_commands_begin(s->commands, err);
    if (status != PUM_OK) return status;
    vk_commands_barrier(s->commands); // behind the copies of the other stages, should they meet
    vk_commands_copy(s->commands, (vk_span){&s->buffer, 0, u->dst.n_bytes}, u->dst);
    return vk_commands_submit(s->commands, err);
}

pum_status vk_upload_finish(vk_upload *u, pum_error *err) {
    pum_status status = PUM_OK;
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
