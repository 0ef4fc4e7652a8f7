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
/// The same for what will be submitted more than once, in batches.
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
/// Hands it to the queue; what the host reads afterwards (VK_USE_READBACK, mapped memory) is made visible.
pum_status vk_commands_submit(vk_commands *commands, pum_error *err);
/// Blocks until it is done. *device_ns: time on the device, 0 where it cannot be known; may be NULL.
/// Errors: PUM_ERR_DEVICE_LOST, also after a minute without an end (ten on a CPU driver; device->hung then), or if the sequence
/// number was not written. The device is lost then: device->lost.
pum_status vk_commands_wait(vk_commands *commands, uint64_t *device_ns, pum_error *err);
/// Whether something is submitted and not yet waited for.
bool vk_commands_pending(const vk_commands *commands);

/// Recordings that go to the queue together, because each call to a driver costs the host some microseconds. One thread at a
/// time.
typedef struct vk_batch vk_batch;
pum_status vk_batch_create(vk_device *device, vk_batch **batch, pum_error *err);
/// Waits for what is under way.
void vk_batch_destroy(vk_batch **batch);
/// Submits recordings [n] (vk_commands_begin_again, vk_commands_end), one after the other, `times` times over. They may be under
/// way in other batches as well; what was submitted before is visible to them if they begin with a barrier. The batch's own
/// submission before must have been waited for.
pum_status vk_batch_submit(vk_batch *batch, vk_commands *const *recordings, uint32_t n, uint32_t times, pum_error *err);
/// Blocks until it is done. Errors as vk_commands_wait, the sequence numbers of its recordings apart.
pum_status vk_batch_wait(vk_batch *batch, pum_error *err);
/// The sequence number of a recording is taken back, so that vk_commands_written tells whether the next submission has come to
/// its end.
void vk_commands_forget(vk_commands *commands);
pum_status vk_commands_written(const vk_commands *commands, pum_error *err);

#endif
