/* Recording one pass over the model: ops add dispatches, the frame puts barriers only where ranges conflict, cuts the work into
 * submissions of bounded device time, and keeps the first failure. */
#ifndef OPS_FRAME_H
#define OPS_FRAME_H

#include "ops/variants.h"
#include "vk/commands.h"

#include <stdatomic.h>

/// One thread at a time. After a failure the ops that follow do nothing; op_frame_end reports it.
typedef struct op_frame op_frame;

/// kernels must outlive the frame.
pum_status op_frame_create(op_kernels *kernels, op_frame **frame, pum_error *err);
void op_frame_destroy(op_frame **frame);
/// abort: while it is true nothing further is submitted and op_frame_end gives PUM_ERR_ABORTED; may be NULL.
void op_frame_begin(op_frame *frame, atomic_bool *abort);
/// A pass that is recorded once and submitted again and again. One thread at a time; its kernels must outlive it.
typedef struct op_recording op_recording;
pum_status op_recording_create(op_kernels *kernels, op_recording **recording, pum_error *err);
/// Waits for what is under way.
void op_recording_destroy(op_recording **recording);
/// As op_frame_begin, but what follows up to op_frame_end is kept in the recording, in place of what it held, and nothing is
/// submitted. Its submissions must have been waited for.
void op_frame_begin_recording(op_frame *frame, op_recording *recording);
/// Submits the recording, `times` times over; what was submitted before it is finished and visible to it. At most
/// OP_RECORDING_AHEAD submissions may be under way.
pum_status op_recording_submit(op_recording *recording, uint32_t times, pum_error *err);
/// Blocks until the device is done with the oldest submission that is under way.
pum_status op_recording_wait(op_recording *recording, pum_error *err);
enum { OP_RECORDING_AHEAD = 3 };

/// Submits what is left and blocks until the device is done.
pum_status op_frame_end(op_frame *frame, pum_error *err);

typedef struct op_frame_counts {
    uint32_t dispatches, barriers, submissions;
    double device_ns; ///< time of the submissions on the device, for frames that are not recorded; 0 where it cannot be known
} op_frame_counts;
/// Of the frame that ended last.
op_frame_counts op_frame_get_counts(const op_frame *frame);

/// What the ops of one name take, each of their dispatches (or copies) alone on the device.
typedef struct op_time {
    const char *name;
    uint32_t n_dispatches;
    double ns;          ///< 0 where the device has no clock
    double flop, bytes; ///< as the ops count them: what must be multiplied and moved
} op_time;
enum { OP_MAX_TIMES = 16 };
typedef struct op_times {
    op_time ops[OP_MAX_TIMES];
    uint32_t n;
} op_times;
/// From now on adds up in times; NULL: no more. Every dispatch is a submission of its own then, waited for, so that a pass takes
/// longer than the sum. Not while recording.
void op_frame_measure(op_frame *frame, op_times *times);
/// What follows goes by this name, in such a measurement. The string is borrowed.
void op_frame_name(op_frame *frame, const char *name);

/* For the files of ops/ */

op_kernels *op_frame_kernels(op_frame *frame);
/// Remembers a failure (the first one counts). Returns status.
pum_status op_frame_fail(op_frame *frame, pum_status status, const char *format, ...) BASE_PRINTF(3, 4);

/// One dispatch.
typedef struct op_dispatch {
    const op_kernel *kernel;        ///< NULL: nothing is recorded (op_kernel_get has failed and said so)
    vk_span spans[VK_MAX_BINDINGS]; ///< [kernel's bindings]; n_bytes 0: the binding is not used, and gets any buffer
    uint32_t writes;                ///< bit i: the kernel writes spans[i]; the others it only reads
    const void *push;
    uint32_t push_bytes;
    uint32_t groups[3];           ///< 0 counts as 1 in [1] and [2]; groups[0] == 0 records nothing
    double cost_flop, cost_bytes; ///< estimate, for cutting submissions
} op_dispatch;
void op_frame_dispatch(op_frame *frame, const op_dispatch *dispatch);
/// Operations that one dispatch may have so that it is done within a submission's time, as far as this device's speed is known
/// yet. A dispatch cannot be interrupted: who has more cuts it, in a way that the results do not depend on.
double op_frame_most_flop(const op_frame *frame);
/// Copies src to dst (equal n_bytes, multiple of 4) in order with the dispatches.
void op_frame_copy(op_frame *frame, vk_span src, vk_span dst);
/// Fills dst (n_bytes a multiple of 4) with a word, in order with the dispatches.
void op_frame_fill(op_frame *frame, vk_span dst, uint32_t word);

#endif
