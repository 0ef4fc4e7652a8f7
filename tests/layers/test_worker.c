/* What a person at the window meets when the device is lost: the answer goes on and says so, a device that is gone leaves the
 * chat as it is, and the next question goes to it or to another one. */
#include "control.h"
#include "window/worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SECONDS = 300 };

static layer_control layer;
static char model_path[4096];
static const char *devices; ///< that the model is divided among, or NULL
static worker *w;

/* What came until an answer was done, or a model ready. */
typedef struct heard {
    char text[8192], failure[1024], device[512];
    int n_rebuilds;
} heard;

static void keep(char *to, size_t n_bytes, const char *text) {
    size_t n = strlen(to);
    if (text) snprintf(to + n, n_bytes - n, "%s", text);
}

static heard listen_until(news_kind end) {
    heard h = {0};
    bool ended = false;
    for (int i = 0; i < SECONDS * 100 && !ended; i++, SDL_Delay(10))
        for (news *n = worker_take_news(w), *next; n; n = next) {
            next = n->next;
            ended = ended || n->kind == end || (end == NEWS_READY && n->kind == NEWS_FAILED);
            if (n->kind == NEWS_TEXT) keep(h.text, sizeof h.text, n->text);
            if (n->kind == NEWS_FAILED) keep(h.failure, sizeof h.failure, n->text);
            if (n->kind == NEWS_DONE) h.n_rebuilds = n->n_rebuilds;
            if (n->kind == NEWS_DEVICE || n->kind == NEWS_READY) keep(h.device, sizeof h.device, n->detail);
            news_free(n);
        }
    if (!ended) fail_msg("nothing came in %d s", SECONDS);
    return h;
}

static heard ask(const char *text) {
    worker_turns *t = worker_turns_create();
    assert_non_null(t);
    assert_true(worker_turns_add(t, "user", text));
    worker_answer(w, t);
    return listen_until(NEWS_DONE);
}

static void assert_answered(const heard *h) {
    if (h->failure[0]) fail_msg("%s", h->failure);
    assert_true(h->text[0]);
}

static int open_window(void **state) {
    (void)state;
    layer.begin("");
    w = worker_start(SDL_RegisterEvents(1), &(worker_setup){.devices = devices, .n_ctx = 128});
    assert_non_null(w);
    worker_load(w, model_path);
    heard h = listen_until(NEWS_READY);
    if (h.failure[0]) fail_msg("%s", h.failure);
    assert_int_equal(strstr(h.device, " + ") != NULL, devices && strchr(devices, ','));
    return 0;
}

static int close_window(void **state) {
    (void)state;
    worker_stop(&w);
    assert_int_equal(layer.handles(), 0);
    return 0;
}

static void test_an_answer_goes_on(void **state) {
    (void)state;
    layer.begin("lost=12");
    heard h = ask("Once upon a time");
    assert_answered(&h);
    assert_true(h.n_rebuilds > 0);
    h = ask("Lily");
    assert_answered(&h);
    assert_int_equal(h.n_rebuilds, 0);
}

static void test_a_device_that_comes_back(void **state) {
    (void)state;
    layer.begin("vanish=6");
    heard h = ask("Once upon a time");
    assert_non_null(strstr(h.failure, "not there any more"));
    h = ask("Lily"); // neither this one nor another
    assert_non_null(strstr(h.failure, "not there any more"));
    layer.begin("");
    h = ask("Tim");
    assert_answered(&h);
    assert_string_equal(h.device, "");
}

static void test_another_device_will_do(void **state) {
    (void)state;
    layer.begin("vanish=6,absent=2"); // found again by whoever looks for any device
    heard h = ask("Once upon a time");
    assert_non_null(strstr(h.failure, "not there any more"));
    h = ask("Lily");
    assert_answered(&h);
    assert_true(h.device[0]);
    assert_null(strstr(h.device, " + ")); // one, and the fastest
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_window, close_window)

/* LIST: of devices, as --devices has it. */
int main(int argc, char **argv) {
    static const struct CMUnitTest tests[] = {CASE(test_an_answer_goes_on), CASE(test_a_device_that_comes_back),
                                              CASE(test_another_device_will_do)};
    const char *data = getenv("PUMICE_TEST_DATA");
    if (argc > 1) devices = argv[1];
    snprintf(model_path, sizeof model_path, "%s/models/stories260K/stories260K-f32.gguf", data ? data : ".");
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); // a time-out must be able to end it
    if (!layer_control_open(&layer) || SDL_Init(SDL_INIT_EVENTS) != 0) return 1;
    layer.begin("");
    FILE *file = fopen(model_path, "rb");
    int n = 0;
    if (!file || pum_devices(NULL, 0, &n, NULL) != PUM_OK || n == 0) {
        printf("skipped: there is no device or no model\n");
        return 77;
    }
    fclose(file);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
