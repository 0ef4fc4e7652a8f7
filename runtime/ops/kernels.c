#include "ops/kernels.h"

#include "ops/subgroups.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

pum_status op_kernels_create(vk_device *device, op_kernels **kernels, pum_error *err) {
    *kernels = NULL;
    op_kernels *k = calloc(1, sizeof *k);
    made_kernel **made = calloc(n_shader_variants + 1, sizeof *made);
    op_variant_knowledge *known = calloc(n_shader_variants + 1, sizeof *known);
    if (!k || !made || !known) {
        free(k);
        free(made);
        free(known);
        return pum_fail_memory(err, "the table of kernels", sizeof *k + n_shader_variants * (sizeof *made + sizeof *known));
    }
    k->device = device;
    k->made = made;
    k->known = known;
    k->last_wish = &k->wishes;
    pthread_mutex_init(&k->lock, NULL);
    pthread_mutex_init(&k->preparing, NULL);
    pthread_cond_init(&k->done, NULL);
    op_subgroups_verify(device, op_variant_choose(k, "subgroups", OP_ONE, NULL, NULL));
    *kernels = k;
    return PUM_OK;
}

static void free_kernel(op_kernels *kernels, made_kernel *m) {
    vk_pipeline_destroy(kernels->device, &m->kernel.pipeline);
    free(m->error);
    free(m);
}

void op_kernels_forget(op_kernels *k) {
    if (k->preparation) preparation_stop(k->preparation);
    preparation_end(&k->preparation);
    pthread_mutex_lock(&k->lock); // others may be counting
    for (size_t i = 0; i < n_shader_variants; i++) {
        for (made_kernel *m = k->made[i], *next; m; m = next) {
            next = m->next;
            free_kernel(k, m);
        }
        k->made[i] = NULL;
    }
    pthread_mutex_unlock(&k->lock);
}

void op_kernels_destroy(op_kernels **kernels) {
    op_kernels *k = *kernels;
    if (!k) return;
    op_kernels_forget(k);
    for (forced_variant *f = k->forced, *next; f; f = next) {
        next = f->next;
        free(f);
    }
    pthread_cond_destroy(&k->done);
    pthread_mutex_destroy(&k->preparing);
    pthread_mutex_destroy(&k->lock);
    free(k->made);
    free(k->known);
    free(k);
    *kernels = NULL;
}

vk_device *op_kernels_device(const op_kernels *kernels) { return kernels->device; }

uint32_t op_kernels_count(op_kernels *kernels) {
    uint32_t n = 0;
    pthread_mutex_lock(&kernels->lock);
    for (size_t i = 0; i < n_shader_variants; i++)
        for (made_kernel *m = kernels->made[i]; m; m = m->next) n++;
    pthread_mutex_unlock(&kernels->lock);
    return n;
}

/* ---- the list of a row */

static bool same_params(const made_kernel *m, const op_kernel_params *p) {
    return m->params.require_subgroup_size == p->require_subgroup_size && m->params.n_constants == p->n_constants &&
           memcmp(m->constants, p->constants ? p->constants : m->constants, p->n_constants * sizeof *m->constants) == 0;
}

static made_kernel *find(op_kernels *kernels, size_t row, const op_kernel_params *params) {
    made_kernel *m = kernels->made[row];
    while (m && !same_params(m, params)) m = m->next;
    return m;
}

static pum_status add(op_kernels *kernels, size_t row, const op_kernel_params *params, made_kernel **added, pum_error *err) {
    const char *name = shader_variants[row].name;
    *added = NULL;
    if (params->n_constants > VK_MAX_CONSTANTS)
        return pum_fail(err, PUM_ERR_ARGUMENT, "kernel %s: at most %d constants, got %u", name, VK_MAX_CONSTANTS,
                        params->n_constants);
    made_kernel *m = calloc(1, sizeof *m);
    if (!m) return pum_fail_memory(err, name, sizeof *m);
    m->params = *params;
    m->params.constants = m->constants;
    if (params->n_constants) memcpy(m->constants, params->constants, params->n_constants * sizeof *m->constants);
    m->kernel.variant = &shader_variants[row];
    m->next = kernels->made[row];
    kernels->made[row] = *added = m;
    return PUM_OK;
}

static size_t row_of(const made_kernel *m) { return (size_t)(m->kernel.variant - shader_variants); }

static void drop(op_kernels *kernels, made_kernel *m) {
    made_kernel **at = &kernels->made[row_of(m)];
    while (*at != m) at = &(*at)->next;
    *at = m->next;
    free_kernel(kernels, m);
}

/* ---- making */

static pum_status compile(vk_device *device, const shader_variant *variant, const op_kernel_params *params, bool keep_statistics,
                          vk_pipeline *pipeline, pum_error *err) {
    vk_pipeline_params p = {
        .name = variant->name,
        .words = variant->words,
        .n_words = *variant->n_words,
        .n_bindings = params->n_bindings,
        .push_bytes = params->push_bytes,
        .constants = params->constants,
        .n_constants = params->n_constants,
        .require_subgroup_size = params->require_subgroup_size,
        .require_full_subgroups = params->require_subgroup_size != 0,
        .keep_statistics = keep_statistics,
    };
    return vk_pipeline_create(device, &p, pipeline, err);
}

/* Waits for the one that another thread makes, or adds one and makes it. Called and returns with the lock held, which is open
 * while it compiles: others may look for theirs meanwhile. *kernel is set where there is an entry, failed or not. */
static pum_status find_or_make(op_kernels *kernels, size_t row, const op_kernel_params *params, made_kernel **kernel,
                               pum_error *err) {
    made_kernel *m;
    while ((m = find(kernels, row, params)) && m->being_made) pthread_cond_wait(&kernels->done, &kernels->lock);
    *kernel = m;
    if (m) return m->error ? pum_fail(err, m->error->status, "%s", m->error->message) : PUM_OK;
    pum_status status = add(kernels, row, params, kernel, err);
    if (status != PUM_OK) return status;
    m = *kernel;
    m->being_made = true;
    pthread_mutex_unlock(&kernels->lock);
    status = compile(kernels->device, m->kernel.variant, &m->params, false, &m->kernel.pipeline, err);
    pthread_mutex_lock(&kernels->lock);
    m->being_made = false;
    pthread_cond_broadcast(&kernels->done);
    return status;
}

/* A rehearsal only notes what it is asked for. */
static pum_status wish(op_kernels *rehearsal, size_t row, const op_kernel_params *params, pum_error *err) {
    made_kernel *m = find(rehearsal, row, params);
    if (m) return PUM_OK;
    pum_status status = add(rehearsal, row, params, &m, err);
    if (status != PUM_OK) return status;
    *rehearsal->last_wish = m;
    rehearsal->last_wish = &m->next_wish;
    return PUM_OK;
}

pum_status op_kernel_get(op_kernels *kernels, const shader_variant *variant, const op_kernel_params *params,
                         const op_kernel **kernel, pum_error *err) {
    *kernel = NULL;
    if (!variant) return pum_fail(err, PUM_ERR_UNSUPPORTED, "no kernel of this build runs on %s", kernels->device->caps.name);
    size_t row = (size_t)(variant - shader_variants);
    if (kernels->rehearsal_of) return wish(kernels, row, params, err);
    made_kernel *m;
    pthread_mutex_lock(&kernels->lock);
    pum_status status = find_or_make(kernels, row, params, &m, err);
    if (m && status != PUM_OK) drop(kernels, m); // to be tried again the next time
    pthread_mutex_unlock(&kernels->lock);
    if (status == PUM_OK) *kernel = &m->kernel;
    return status;
}

/* ---- ahead of their use */

pum_status op_kernels_rehearse(op_kernels *of, op_kernels **rehearsal, pum_error *err) {
    pum_status status = op_kernels_create(of->device, rehearsal, err);
    if (status == PUM_OK) (*rehearsal)->rehearsal_of = of;
    return status;
}

bool op_kernels_rehearsing(const op_kernels *kernels) { return kernels->rehearsal_of != NULL; }

static void keep_error(made_kernel *m, const pum_error *error) {
    if (!m->error) m->error = malloc(sizeof *m->error);
    if (m->error) *m->error = *error;
}

void op_kernel_make_ahead(op_kernels *kernels, const made_kernel *wished) {
    made_kernel *m;
    pum_error error;
    pthread_mutex_lock(&kernels->lock);
    pum_status status = find_or_make(kernels, row_of(wished), &wished->params, &m, &error);
    if (m && status != PUM_OK) keep_error(m, &error);
    if (m && !m->error && status != PUM_OK) drop(kernels, m);
    pthread_mutex_unlock(&kernels->lock);
}

void op_kernels_prepare(op_kernels *kernels, op_kernels **rehearsal) {
    pthread_mutex_lock(&kernels->preparing);
    preparation_end(&kernels->preparation);
    preparation_start(kernels, rehearsal, &kernels->preparation);
    pthread_mutex_unlock(&kernels->preparing);
}

void op_kernels_prepared(op_kernels *kernels) {
    pthread_mutex_lock(&kernels->preparing);
    preparation_end(&kernels->preparation);
    pthread_mutex_unlock(&kernels->preparing);
}

/* ---- to look at what a driver makes of them */

pum_status op_kernels_noted(const op_kernels *rehearsal, op_kernel_visit visit, void *user, pum_error *err) {
    pum_status status = PUM_OK;
    for (const made_kernel *m = rehearsal->wishes; m && status == PUM_OK; m = m->next_wish)
        status = visit(user, m->kernel.variant, &m->params, err);
    return status;
}

pum_status op_kernel_compile(vk_device *device, const shader_variant *variant, const op_kernel_params *params,
                             vk_pipeline_statistics *statistics, pum_error *err) {
    vk_pipeline pipeline = {0};
    pum_status status = compile(device, variant, params, true, &pipeline, err);
    if (status == PUM_OK) status = vk_pipeline_get_statistics(device, &pipeline, statistics, err);
    vk_pipeline_destroy(device, &pipeline);
    return status;
}
