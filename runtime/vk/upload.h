/* Streams bytes from the host to device buffers through a small ring of staging buffers; where device memory is mapped, straight
 * into it. */
#ifndef VK_UPLOAD_H
#define VK_UPLOAD_H

#include "vk/memory.h"

typedef struct vk_upload vk_upload;

/// stage_bytes: of one staging buffer, the most that one vk_upload_begin may ask for. One thread at a time.
pum_status vk_upload_create(vk_device *device, uint64_t stage_bytes, vk_upload **upload, pum_error *err);
/// Waits for what is under way; what was not handed over yet is dropped.
void vk_upload_destroy(vk_upload **upload);
/// Memory of dst.n_bytes, a multiple of 4, for the caller to fill (write only, in order), which goes to dst after vk_upload_end, at
/// the latest with vk_upload_finish. In any order: what overlaps needs a vk_upload_finish between.
pum_status vk_upload_begin(vk_upload *upload, vk_span dst, void **bytes, pum_error *err);
void vk_upload_end(vk_upload *upload);
/// Blocks until all that was sent is on the device.
pum_status vk_upload_finish(vk_upload *upload, pum_error *err);
/// Host memory held for staging; 0 where device memory is mapped.
uint64_t vk_upload_host_bytes(const vk_upload *upload);

#endif
