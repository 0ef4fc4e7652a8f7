#define _DEFAULT_SOURCE // mkstemp
/* What runs under the validation layers (validated.sh):
 *   test_validation text      a small model's text, on the host's path and on the device's, which must agree
 *   test_validation hostile   the same of files whose weights and norms are not finite, or as large as numbers are
 *   test_validation MISTAKE   what a check must complain of: barrier, outside, race, practice */
#include "assert_ok.h"
#include "pumice.h"
#include "vk/commands.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_PROMPT = 20, N_TOKENS = 16, N_VOCAB = 512 };

static pum_error error;

/* ---- a text */

static bool on_token(void *user, int32_t token) {
    int32_t **next = user;
    *(*next)++ = token;
    return true;
}

static void say(const pum_model *model, pum_session_params params, pum_decode_path path, int32_t tokens[N_TOKENS]) {
    int32_t prompt[N_PROMPT];
    for (int i = 0; i < N_PROMPT; i++) prompt[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    pum_sampler_params greedy = pum_sampler_defaults();
    greedy.temp = 0;
    pum_sampler *sampler;
    pum_session *session;
    pum_end end;
    int32_t *next = tokens;
    pum_generate_params generate = {.n_tokens = N_TOKENS, .on_token = on_token, .user = (void *)&next, .path = path};
    MUST(pum_sampler_create(&greedy, &sampler, &error));
    MUST(pum_session_create(model, &params, &session, &error));
    MUST(pum_session_append(session, prompt, N_PROMPT, &error));
    MUST(pum_session_generate(session, sampler, &generate, &end, &error));
    assert_int_equal(next - tokens, N_TOKENS);
    MUST(pum_session_rewind(session, 5, &error));
    MUST(pum_session_append(session, prompt + 5, 3, &error));
    pum_session_destroy(&session);
    pum_sampler_destroy(&sampler);
}

static void say_on_both_paths(const pum_model *model) {
    int32_t on_host[N_TOKENS], on_device[N_TOKENS];
    pum_session_params params = {.n_ctx = 64, .n_chunk = 12};
    say(model, params, PUM_DECODE_HOST, on_host);
    say(model, params, PUM_DECODE_DEVICE, on_device);
    assert_memory_equal(on_host, on_device, sizeof on_host);
}

static pum_device *device;

static void test_text_of_a_file(void **state) {
    (void)state;
    char path[4096];
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(path, sizeof path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    pum_file *file;
    pum_model *model;
    MUST(pum_file_open(path, &file, &error));
    MUST(pum_model_load(device, file, NULL, &model, &error));
    say_on_both_paths(model);
    pum_model_destroy(&model);
    pum_file_destroy(&file);
}

static void test_text_of_blocks(void **state) {
    (void)state;
    pum_model *model;
    MUST(pum_model_random(device, "260k", "Q4_0", 7, NULL, &model, &error));
    say_on_both_paths(model);
    pum_model_destroy(&model);
}

/* ---- hostile weights */

static const float not_a_number[] = {NAN}, infinite[] = {INFINITY, -INFINITY}, largest[] = {FLT_MAX, -FLT_MAX},
                   mixed[] = {0, 1e-40f, NAN, 1, FLT_MAX, -1, -INFINITY, 1e30f, -1e-30f, INFINITY, -FLT_MAX};

/* stories260K with other numbers from byte 65536 on, which is in the rows of the embedding, to its end. */
static void write_hostile(const char *source, const char *path, const float *values, size_t n_values) {
    enum { FIRST = 65536, MOST = 4 << 20 };
    static char bytes[MOST];
    FILE *in = fopen(source, "rb"), *out = fopen(path, "wb");
    assert_true(in && out);
    size_t n = fread(bytes, 1, MOST, in), k = 0;
    assert_true(n > 2 * FIRST && n < MOST);
    for (size_t at = FIRST; at + sizeof *values <= n; at += sizeof *values)
        memcpy(bytes + at, &values[k++ % n_values], sizeof *values);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Whatever becomes of the text: an error is as good. What kernels read and write is the layer's to judge. */
static void babble(const pum_model *model, pum_decode_path path) {
    int32_t prompt[N_PROMPT], tokens[N_TOKENS], *next = tokens;
    for (int i = 0; i < N_PROMPT; i++) prompt[i] = i == 0 ? 1 : 3 + i * 97 % (N_VOCAB - 3);
    pum_sampler_params params = pum_sampler_defaults();
    params.seed = 1;
    pum_sampler *sampler;
    pum_session *session;
    pum_end end;
    pum_generate_params generate = {.n_tokens = 8, .on_token = on_token, .user = (void *)&next, .path = path};
    MUST(pum_sampler_create(&params, &sampler, &error));
    MUST(pum_session_create(model, &(pum_session_params){.n_ctx = 64, .n_chunk = 12}, &session, &error));
    MUST(pum_session_append(session, prompt, N_PROMPT, &error));
    if (pum_session_generate(session, sampler, &generate, &end, &error) != PUM_OK) printf("%s\n", error.message);
    for (const int32_t *t = tokens; t < next; t++) assert_true(*t >= 0 && *t < N_VOCAB);
    pum_session_destroy(&session);
    pum_sampler_destroy(&sampler);
}

static void test_hostile_weights(void **state) {
    (void)state;
#define VALUES(v)                                                                                                                \
    { v, sizeof(v) / sizeof *(v) }
    static const struct {
        const float *values;
        size_t n;
    } fills[] = {VALUES(not_a_number), VALUES(infinite), VALUES(largest), VALUES(mixed)};
    char source[4096], path[] = "/tmp/test_validation.XXXXXX";
    const char *data = getenv("PUMICE_TEST_DATA");
    snprintf(source, sizeof source, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
        pum_file *file;
        pum_model *model;
        write_hostile(source, path, fills[i].values, fills[i].n);
        MUST(pum_file_open(path, &file, &error));
        MUST(pum_model_load(device, file, NULL, &model, &error));
        babble(model, PUM_DECODE_HOST);
        babble(model, PUM_DECODE_DEVICE);
        pum_model_destroy(&model);
        pum_file_destroy(&file);
    }
    unlink(path);
}

static int on_a_device(bool hostile) {
    const struct CMUnitTest texts[] = {cmocka_unit_test(test_text_of_a_file), cmocka_unit_test(test_text_of_blocks)},
                            weights[] = {cmocka_unit_test(test_hostile_weights)};
    pum_status status = pum_device_open(NULL, &device, &error);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) {
        printf("skipped: %s\n", error.message);
        return 77;
    }
    if (status != PUM_OK) {
        printf("cannot begin: %s\n", error.message);
        return 1;
    }
    int n_failed = hostile ? cmocka_run_group_tests(weights, NULL, NULL) : cmocka_run_group_tests(texts, NULL, NULL);
    pum_device_destroy(&device);
    return n_failed ? 1 : 0;
}

/* ---- mistakes */

static vk_device *dev;
static vk_buffer src, dst;
static vk_commands *commands;

static void run_kernel(const uint32_t *words, size_t n_words, uint64_t src_bytes, uint32_t n) {
    vk_pipeline pipeline;
    vk_pipeline_params params = {.name = "mistake", .words = words, .n_words = n_words, .n_bindings = 2, .push_bytes = sizeof n};
    MUST(vk_pipeline_create(dev, &params, &pipeline, &error));
    const vk_span spans[] = {{&src, 0, src_bytes}, {&dst, 0, dst.n_bytes}};
    MUST(vk_commands_begin(commands, &error));
    vk_commands_fill(commands, (vk_span){&src, 0, src.n_bytes}, 0);
    vk_commands_barrier(commands);
    vk_commands_dispatch(commands, &pipeline, spans, &n, 1, 1, 1);
    MUST(vk_commands_submit(commands, &error));
    MUST(vk_commands_wait(commands, NULL, &error));
    vk_pipeline_destroy(dev, &pipeline);
}

extern const uint32_t shader_mistake_outside[], shader_mistake_race[], shader_mistake_practice[];
extern const size_t shader_mistake_outside_words, shader_mistake_race_words, shader_mistake_practice_words;

/* The buffer goes on behind the words that are bound: nothing is read that is not ours. */
static void outside(void) { run_kernel(shader_mistake_outside, shader_mistake_outside_words, 256, 64); }
static void race(void) { run_kernel(shader_mistake_race, shader_mistake_race_words, 256, 0); }

static void barrier(void) {
    MUST(vk_commands_begin(commands, &error));
    vk_commands_fill(commands, (vk_span){&src, 0, src.n_bytes}, 1);
    vk_commands_copy(commands, (vk_span){&src, 0, 256}, (vk_span){&dst, 0, 256});
    MUST(vk_commands_submit(commands, &error));
    MUST(vk_commands_wait(commands, NULL, &error));
}

/* More semaphores than AMD and NVIDIA like, and groups of 30 invocations, which Arm and AMD do not. */
static void practice(void) {
    enum { N = 20 };
    VkSemaphore semaphores[N];
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO};
    for (int i = 0; i < N; i++) assert_int_equal(dev->fn.vkCreateSemaphore(dev->handle, &info, NULL, &semaphores[i]), VK_SUCCESS);
    for (int i = 0; i < N; i++) dev->fn.vkDestroySemaphore(dev->handle, semaphores[i], NULL);
    run_kernel(shader_mistake_practice, shader_mistake_practice_words, 256, 0);
}

static const struct mistake {
    const char *name;
    void (*make)(void);
} mistakes[] = {{"barrier", barrier}, {"outside", outside}, {"race", race}, {"practice", practice}};

static const struct mistake *chosen;

static void test_mistake(void **state) {
    (void)state;
    MUST(vk_device_open(NULL, &dev, &error));
    MUST(vk_buffer_create(dev, 4096, VK_USE_DEVICE, "test", &src, &error));
    MUST(vk_buffer_create(dev, 256, VK_USE_READBACK, "test", &dst, &error));
    MUST(vk_commands_create(dev, &commands, &error));
    chosen->make();
    vk_commands_destroy(&commands);
    vk_buffer_destroy(dev, &dst);
    vk_buffer_destroy(dev, &src);
    vk_device_close(&dev);
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "text") == 0) return on_a_device(false);
    if (argc == 2 && strcmp(argv[1], "hostile") == 0) return on_a_device(true);
    for (size_t i = 0; argc == 2 && i < sizeof mistakes / sizeof *mistakes; i++) {
        if (strcmp(argv[1], mistakes[i].name) != 0) continue;
        chosen = &mistakes[i];
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_mistake)};
        return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
    }
    printf("expected text, hostile or one of barrier, outside, race, practice\n");
    return 2;
}
