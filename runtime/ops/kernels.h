/* The kernels of one device, as the files of ops/ share them that choose, make and prepare them. */
#ifndef OPS_KERNELS_H
#define OPS_KERNELS_H

#include "ops/variants.h"

/// A pipeline that was made or is being made, under its variant and constants.
typedef struct made_kernel {
    struct made_kernel *next, *next_wish;
    bool being_made;
    op_kernel_params params; ///< its constants are these:
    uint32_t constants[VK_MAX_CONSTANTS];
    op_kernel kernel;
    pum_error *error; ///< of one that has failed, or NULL
} made_kernel;

typedef struct forced_variant {
    struct forced_variant *next;
    char op[48], variant[48]; ///< no variant: any again
} forced_variant;

typedef struct preparation preparation;

struct op_kernels {
    vk_device *device;
    pthread_mutex_t lock; ///< of what follows
    pthread_cond_t done;  ///< what was being made is made, or has failed
    made_kernel **made;   ///< [n_shader_variants] lists
    forced_variant *forced;
    op_variant_knowledge *known;      ///< [n_shader_variants]
    op_kernels *rehearsal_of;         ///< NULL: kernels are made
    made_kernel *wishes, **last_wish; ///< of a rehearsal, in the order in which they were asked for
    pthread_mutex_t preparing;        ///< of this:
    preparation *preparation;         ///< or NULL
};

/// Makes the kernel of a wish, which is of another table, unless there is one. A failure is kept for the one who needs it.
void op_kernel_make_ahead(op_kernels *kernels, const made_kernel *wish);

/// Begins to make the wishes of a rehearsal on other threads. *rehearsal is taken over. *p is NULL where nothing could begin.
void preparation_start(op_kernels *kernels, op_kernels **rehearsal, preparation **p);
/// What has not begun is left out.
void preparation_stop(preparation *p);
/// Waits for the end of it.
void preparation_end(preparation **p);

#endif
