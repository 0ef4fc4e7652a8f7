/* One submission: record dispatches and copies, submit, wait; a recording may be submitted again. Its last command writes a
 * sequence number that the host checks after the wait, because some drivers drop work without an error. */
#ifndef VK_COMMANDS_H
#define VK_COMMANDS_H

#include "vk/memory.h"
#include "vk/pipeline.h"

/// One thread at a time. What fails while recording is remembered and reported by vk_commands_submit.
typedef struct vk_commands vk_commands;

pum_status vk_commands_create(vk_device *device, vk_commands **commands, pum_error *err);
/// Waits for what is under way (a lost device does not hang it).
void vk_commands_destroy(vk_commands **commands);

/// Begins recording; the earlier submission of this object must have been waited for.
pum_status vk_commands_begin(vk_commands *commands, pum_error *err);
/// The same for what will be submitted more than once.
pum_status vk_commands_begin_again(vk_commands *commands, pum_error *err);
/// spans [pipeline->n_bindings]; push [pipeline->push_bytes].
void vk_commands_dispatch(vk_commands *commands, const vk_pipeline *pipeline, const vk_span *spans, const void *push,
                          uint32_t groups_x, uint32_t groups_y, uint32_t groups_z);
/// Everything recorded before is finished and visible to everything recorded after (dispatches and copies).
void vk_commands_barrier(vk_commands *commands);
/// n_bytes of both are equal and a multiple of 4.
void vk_commands_copy(vk_commands *commands, vk_span src, vk_span dst);
void vk_commands_fill(vk_commands *commands, vk_span dst, uint32_t word);

/// Ends the recording, so that it can be kept until it is submitted. Reports what failed while it was made.
pum_status vk_commands_end(vk_commands *commands, pum_error *err);
/// Hands it to the queue, ended if it was not; what the host reads afterwards (VK_USE_READBACK, mapped memory) is made visible.
/// What vk_commands_begin_again began can be submitted again as soon as it was waited for.
pum_status vk_commands_submit(vk_commands *commands, pum_error *err);
/// Blocks until it is done. *device_ns: time on the device, 0 where it cannot be known; may be NULL.
/// Errors: PUM_ERR_DEVICE_LOST; PUM_ERR_DEVICE after 60 s without an end (the device is given up: device->hung), or if the
/// sequence number was not written.
pum_status vk_commands_wait(vk_commands *commands, uint64_t *device_ns, pum_error *err);
/// Whether something is submitted and not yet waited for.
bool vk_commands_pending(const vk_commands *commands);

#endif
