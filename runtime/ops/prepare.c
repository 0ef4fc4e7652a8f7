/* Making kernels on threads of their own, while weights are loaded. */
#include "base/threads.h"
#include "ops/kernels.h"
#include "vk/pipeline_cache.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { MOST_THREADS = 4 };

struct preparation {
    op_kernels *kernels, *rehearsal;
    pthread_mutex_t lock;
    made_kernel *next; ///< wish that no thread has taken yet
    atomic_int n_left; ///< threads that have not ended
    pthread_t threads[MOST_THREADS];
    int n_threads;
};

static made_kernel *take(preparation *p) {
    pthread_mutex_lock(&p->lock);
    made_kernel *wish = p->next;
    if (wish) p->next = wish->next_wish;
    pthread_mutex_unlock(&p->lock);
    return wish;
}

static void *work(void *argument) {
    preparation *p = argument;
    for (made_kernel *wish; (wish = take(p));) op_kernel_make_ahead(p->kernels, wish);
    if (atomic_fetch_sub(&p->n_left, 1) == 1) vk_pipeline_cache_save(p->kernels->device);
    return NULL;
}

void preparation_start(op_kernels *kernels, op_kernels **rehearsal, preparation **started) {
    *started = NULL;
    preparation *p = (*rehearsal)->wishes ? calloc(1, sizeof *p) : NULL;
    if (!p) {
        op_kernels_destroy(rehearsal);
        return;
    }
    p->kernels = kernels;
    p->rehearsal = *rehearsal;
    p->next = p->rehearsal->wishes;
    pthread_mutex_init(&p->lock, NULL);
    int wanted = threads_wanted(1, MOST_THREADS); // one core is left to who loads the weights
    atomic_store(&p->n_left, wanted);
    while (p->n_threads < wanted && pthread_create(&p->threads[p->n_threads], NULL, work, p) == 0) p->n_threads++;
    atomic_fetch_sub(&p->n_left, wanted - p->n_threads);
    *rehearsal = NULL;
    *started = p;
}

void preparation_stop(preparation *p) {
    pthread_mutex_lock(&p->lock);
    p->next = NULL;
    pthread_mutex_unlock(&p->lock);
}

void preparation_end(preparation **ending) {
    preparation *p = *ending;
    if (!p) return;
    for (int i = 0; i < p->n_threads; i++) pthread_join(p->threads[i], NULL);
    pthread_mutex_destroy(&p->lock);
    op_kernels_destroy(&p->rehearsal);
    free(p);
    *ending = NULL;
}
