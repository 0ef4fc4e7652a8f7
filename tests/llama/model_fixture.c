#include "llama/model_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void skip_program(const char *why) {
    printf("skipped: %s\n", why);
    exit(77);
}

model_fixture model_fixture_open(void) {
    const char *data = getenv("PUMICE_TEST_DATA");
    char path[4096];
    snprintf(path, sizeof path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    FILE *probe = fopen(path, "rb");
    if (!probe) skip_program("stories260K-f32.gguf is not in the test data folder (PUMICE_TEST_DATA)");
    fclose(probe);

    model_fixture f = {0};
    pum_error err = {0};
    pum_status status = pum_device_open(NULL, &f.device, &err);
    if (status == PUM_ERR_NO_VULKAN || status == PUM_ERR_NO_DEVICE) skip_program(err.message);
    assert_ok(status, err);
    pum_device_info info;
    pum_device_get_info(f.device, &info);
    printf("device: %s, %s %s\n", info.name, info.driver, info.driver_version);
    assert_ok(pum_file_open(path, &f.file, &err), err);
    assert_ok(pum_file_tokenizer(f.file, &f.tokenizer, &err), err);
    assert_ok(pum_model_load(f.device, f.file, NULL, &f.model, &err), err);
    return f;
}

void model_fixture_close(model_fixture *f) {
    pum_model_destroy(&f->model);
    pum_tokenizer_destroy(&f->tokenizer);
    pum_file_destroy(&f->file);
    pum_device_destroy(&f->device);
}

static int32_t best_of(const float *logits, int n_vocab, float *margin) {
    int32_t best = 0;
    float second = -INFINITY;
    for (int i = 0; i < n_vocab; i++)
        if (!isfinite(logits[i])) fail_msg("logit %d is not finite", i);
    for (int i = 1; i < n_vocab; i++) {
        if (logits[i] > logits[best]) {
            second = logits[best];
            best = i;
        } else if (logits[i] > second) {
            second = logits[i];
        }
    }
    if (margin) *margin = logits[best] - second;
    return best;
}

void greedy(pum_session *session, const int32_t *prompt, int n_prompt, int n, int32_t *out, float *margins) {
    pum_error err = {0};
    assert_ok(pum_session_append(session, prompt, n_prompt, &err), err);
    // The vocabulary's size is that of the model; sessions of one model share it.
    for (int i = 0; i < n; i++) {
        const float *logits = pum_session_logits(session);
        assert_non_null(logits);
        out[i] = best_of(logits, 512, margins ? &margins[i] : NULL);
        assert_ok(pum_session_append(session, &out[i], 1, &err), err);
    }
}
