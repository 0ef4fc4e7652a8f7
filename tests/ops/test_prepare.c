/* Kernels made ahead of their use: that a rehearsal foresees what a model needs, that each is made once whoever asks, that what
 * fails is told to the one who needs it. The driver's function is counted, slowed down and made to fail. */
#include "assert_ok.h"
#include "device.h"
#include "llama/forward.h"
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MOST_FOR_A_MODEL = 40, N_THREADS = 4 };

static pum_device *device;
static pum_error error;

/* ---- a driver that counts */

static PFN_vkCreateComputePipelines create;
static atomic_int n_created, n_to_fail; ///< how many were asked for; how many of the next ones fail
static atomic_int delay_ms;

static VKAPI_ATTR VkResult VKAPI_CALL count(VkDevice d, VkPipelineCache cache, uint32_t n,
                                            const VkComputePipelineCreateInfo *infos, const VkAllocationCallbacks *allocator,
                                            VkPipeline *pipelines) {
    atomic_fetch_add(&n_created, 1);
    if (atomic_load(&delay_ms)) nanosleep(&(struct timespec){.tv_nsec = atomic_load(&delay_ms) * 1000000L}, NULL);
    if (atomic_load(&n_to_fail) > 0) {
        atomic_fetch_sub(&n_to_fail, 1);
        return VK_ERROR_INITIALIZATION_FAILED;
    }
    return create(d, cache, n, infos, allocator, pipelines);
}

static int setup(void **state) {
    (void)state;
    MUST(pum_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error));
    create = device->vk->fn.vkCreateComputePipelines;
    device->vk->fn.vkCreateComputePipelines = count;
    atomic_store(&n_created, 0);
    atomic_store(&n_to_fail, 0);
    atomic_store(&delay_ms, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    pum_device_destroy(&device);
    return 0;
}

static const shader_variant *swiglu(void) { return op_variant_choose(device->kernels, "swiglu", OP_ONE, NULL, NULL); }
static const op_kernel_params swiglu_params = {.n_bindings = 2, .push_bytes = 12};

static op_kernels *rehearse_swiglu(void) {
    op_kernels *rehearsal;
    const op_kernel *kernel;
    MUST(op_kernels_rehearse(device->kernels, &rehearsal, &error));
    for (int i = 0; i < 3; i++) {
        MUST(op_kernel_get(rehearsal, swiglu(), &swiglu_params, &kernel, &error));
        assert_null(kernel);
    }
    assert_int_equal(op_kernels_count(rehearsal), 1);
    assert_int_equal(n_created, 0);
    return rehearsal;
}

/* ---- tests */

static void test_made_ahead(void **state) {
    (void)state;
    op_kernels *rehearsal = rehearse_swiglu();
    op_kernels_prepare(device->kernels, &rehearsal);
    assert_null(rehearsal);
    op_kernels_prepared(device->kernels);
    assert_int_equal(n_created, 1);
    const op_kernel *kernel;
    MUST(op_kernel_get(device->kernels, swiglu(), &swiglu_params, &kernel, &error));
    assert_non_null(kernel->pipeline.handle);
    assert_int_equal(n_created, 1);
}

static void *get_swiglu(void *kernel) {
    pum_error e;
    op_kernel_get(device->kernels, swiglu(), &swiglu_params, kernel, &e);
    return NULL;
}

/* Who asks while it is being made waits for it. */
static void test_made_once(void **state) {
    (void)state;
    atomic_store(&delay_ms, 100);
    op_kernels *rehearsal = rehearse_swiglu();
    op_kernels_prepare(device->kernels, &rehearsal);
    pthread_t threads[N_THREADS];
    const op_kernel *kernels[N_THREADS] = {0};
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, get_swiglu, &kernels[i]), 0);
    for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    assert_int_equal(n_created, 1);
    for (int i = 0; i < N_THREADS; i++) assert_true(kernels[i] && kernels[i] == kernels[0]);
}

static void test_failure_is_kept(void **state) {
    (void)state;
    atomic_store(&n_to_fail, 1);
    op_kernels *rehearsal = rehearse_swiglu();
    op_kernels_prepare(device->kernels, &rehearsal);
    op_kernels_prepared(device->kernels);
    assert_int_equal(n_created, 1);
    const op_kernel *kernel;
    assert_int_equal(op_kernel_get(device->kernels, swiglu(), &swiglu_params, &kernel, &error), PUM_ERR_DEVICE);
    assert_null(kernel);
    assert_non_null(strstr(error.message, "kernel swiglu"));
    assert_int_equal(n_created, 1);
    MUST(op_kernel_get(device->kernels, swiglu(), &swiglu_params, &kernel, &error)); // and then tried again
    assert_non_null(kernel);
    assert_int_equal(n_created, 2);
}

/* Those who wait for one that fails make it themselves. */
static void test_failure_under_way(void **state) {
    (void)state;
    atomic_store(&delay_ms, 50);
    atomic_store(&n_to_fail, 1);
    pthread_t threads[N_THREADS];
    const op_kernel *kernels[N_THREADS] = {0};
    for (int i = 0; i < N_THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, get_swiglu, &kernels[i]), 0);
    int n_got = 0;
    for (int i = 0; i < N_THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < N_THREADS; i++) n_got += kernels[i] != NULL;
    assert_int_equal(n_got, N_THREADS - 1);
    assert_int_equal(n_created, 2);
}

static void test_destroyed_under_way(void **state) {
    (void)state;
    pum_model *model;
    atomic_store(&delay_ms, 20);
    MUST(pum_model_random(device, "260k", "Q8_0", 1, NULL, &model, &error));
    pum_model_destroy(&model);
    pum_device_destroy(&device);
    assert_in_range(n_created, 0, 12);
}

/* What passes of a short prompt, of a whole chunk and of one token need was made while the model was loaded, and all of it is not
 * much. */
static void model_case(const char *type) {
    pum_model *model;
    pum_session *session;
    enum { N_SHORT = 16, N_CHUNK = 512 };
    int32_t tokens[N_CHUNK] = {0};
    MUST(pum_model_random(device, "260k", type, 1, NULL, &model, &error));
    op_kernels_prepared(device->kernels);
    int n_ahead = n_created;
    MUST(pum_session_create(model, &(pum_session_params){.n_ctx = N_CHUNK + N_SHORT + 2}, &session, &error));
    MUST(pum_session_append(session, tokens, N_SHORT, &error));
    MUST(pum_session_append(session, tokens, N_CHUNK, &error));
    for (int i = 0; i < 2; i++) MUST(pum_session_append(session, tokens, 1, &error));
    printf("    %s: %d kernels ahead, %d more in use\n", type, n_ahead, n_created - n_ahead);
    assert_int_equal(n_created, n_ahead);
    pum_session_destroy(&session);
    MUST(pum_session_create(model, &(pum_session_params){.n_ctx = 1000}, &session, &error));
    for (int n = 1; n <= 100; n++) {
        MUST(pum_session_rewind(session, 0, &error));
        MUST(pum_session_append(session, tokens, n, &error));
    }
    printf("    %s: %d with every number of tokens up to 100\n", type, n_created);
    assert_in_range(op_kernels_count(device->kernels), 5, MOST_FOR_A_MODEL);
    pum_session_destroy(&session);
    pum_model_destroy(&model);
}

static void test_model(void **state) {
    (void)state;
    device->vk->caps.type = PUM_DEVICE_DISCRETE; // with the kernels of those
    model_case("Q4_0");
}

static bool is_named(const shader_variant *variant, const void *name) { return strcmp(variant->name, name) == 0; }

/* A forced kernel that cannot do a shape: a failure where it is used, the next best where models are rehearsed. */
static void test_forced_that_cannot(void **state) {
    (void)state;
    op_kernels *rehearsal;
    const char *name = swiglu()->name;
    MUST(op_kernels_rehearse(device->kernels, &rehearsal, &error));
    op_variant_force(device->kernels, "swiglu", "a form that cannot");
    assert_null(op_variant_choose(device->kernels, "swiglu", OP_ONE, NULL, NULL));
    assert_string_equal(op_variant_choose(rehearsal, "swiglu", OP_ONE, NULL, NULL)->name, name);
    op_variant_force(device->kernels, "swiglu", name);
    assert_null(op_variant_choose(rehearsal, "swiglu", OP_ONE, is_named, "none"));
    op_kernels_destroy(&rehearsal);
}

/* Whose results nobody looks at is not asked to compute any. */
static void test_results_ignored(void **state) {
    (void)state;
    assert_true(device->vk->caps.subgroups_verified);
    pum_device *ignored;
    const pum_device_params params = {.which = getenv("PUMICE_TEST_DEVICE"), .ignore_results = true};
    MUST(pum_device_open_with(&params, &ignored, &error));
    assert_false(ignored->vk->caps.subgroups_verified);
    pum_device_destroy(&ignored);
}

#define WITH_DEVICE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    pum_status status = pum_device_open(getenv("PUMICE_TEST_DEVICE"), &device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    pum_device_destroy(&device);
    const struct CMUnitTest tests[] = {
        WITH_DEVICE(test_made_ahead),          WITH_DEVICE(test_made_once),
        WITH_DEVICE(test_failure_is_kept),     WITH_DEVICE(test_failure_under_way),
        WITH_DEVICE(test_destroyed_under_way), WITH_DEVICE(test_forced_that_cannot),
        WITH_DEVICE(test_results_ignored),     WITH_DEVICE(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
