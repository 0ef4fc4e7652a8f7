/* A chat that is opened, edited, answered again and gone on with: the text is that of a chat that went that way from the start,
 * and only the tail that changed is computed. On a small model without a template, greedily. */
#include "chat/conversation.h"
#include "chat/devices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static pum_device *device;
static pum_file *file;
static pum_tokenizer *tokenizer;
static pum_model *model;
static pum_error err;
static char heard[4096];

static void ok(pum_status status) {
    if (status != PUM_OK) print_error("%s\n", err.message);
    assert_int_equal(status, PUM_OK);
}

static conversation *start(int n_answer) {
    conversation_params p = {.file = file,
                             .tokenizer = tokenizer,
                             .model = model,
                             .n_ctx = 256,
                             .sampling = pum_sampler_defaults(),
                             .allow_plain = true,
                             .n_answer = n_answer};
    p.sampling.temp = 0;
    conversation *c;
    ok(conversation_create(&p, &c, &err));
    return c;
}

static bool on_text(void *user, const char *text) {
    (void)user;
    strcat(heard, text);
    return true;
}
static const conversation_callbacks callbacks = {.text = on_text};

static answer_report answer(conversation *c, const pum_chat_message *turns, size_t n) {
    answer_report report;
    heard[0] = 0;
    if (turns) ok(conversation_set_turns(c, NULL, turns, n, &err));
    ok(conversation_answer(c, &callbacks, &report, &err));
    return report;
}

static void last_turn_is(const conversation *c, const char *expected) {
    size_t n;
    const pum_chat_message *turns = conversation_turns(c, &n);
    assert_string_equal(turns[n - 1].role, "assistant");
    assert_string_equal(turns[n - 1].content, expected);
}

static void test_branches(void **state) {
    (void)state;
    conversation *c = start(24), *fresh = start(24);
    const pum_chat_message first[] = {{"user", "Once upon a time, there was a little girl named Lily. She"}};
    answer(c, first, 1);
    char one[4096];
    strcpy(one, heard);
    assert_true(strlen(one) > 20);
    last_turn_is(c, one);
    // Again: nothing but the last token of the prompt is computed.
    answer_report again = answer(c, first, 1);
    assert_string_equal(heard, one);
    assert_true(again.n_prompt_reused >= again.n_prompt - 1);
    // A second turn, edited: all before it is there.
    const pum_chat_message second[] = {first[0], {"assistant", one}, {"user", "Then a dog came. It"}};
    const pum_chat_message edited[] = {first[0], {"assistant", one}, {"user", "Then her mother said: \"No"}};
    answer_report report = answer(c, second, 3);
    assert_true(report.n_prompt_reused > again.n_prompt);
    report = answer(c, edited, 3);
    assert_true(report.n_prompt_reused > again.n_prompt && report.n_prompt_reused < report.n_prompt);
    char changed[4096];
    strcpy(changed, heard);
    report = answer(fresh, edited, 3);
    assert_int_equal(report.n_prompt_reused, 0);
    assert_string_equal(heard, changed);
    conversation_destroy(&c);
    conversation_destroy(&fresh);
}

static void test_going_on(void **state) {
    (void)state;
    conversation *whole = start(40), *parts = start(20);
    const pum_chat_message first[] = {{"user", "Once upon a time, there was a little boy. He"}};
    answer(whole, first, 1);
    char all[4096], begun[4096];
    strcpy(all, heard);
    answer(parts, first, 1);
    strcpy(begun, heard);
    assert_true(strlen(begun) > 0 && strlen(begun) < strlen(all));
    assert_memory_equal(begun, all, strlen(begun));
    answer_report report = answer(parts, NULL, 0);
    assert_true(report.n_prompt_reused > 20);
    assert_string_equal(heard, all + strlen(begun));
    last_turn_is(parts, all);
    conversation_destroy(&whole);
    conversation_destroy(&parts);
}

static void test_failures(void **state) {
    (void)state;
    conversation *c = start(8);
    answer_report report;
    size_t n;
    assert_int_equal(conversation_answer(c, &callbacks, &report, &err), PUM_ERR_ARGUMENT);
    char *large = malloc(40001);
    assert_non_null(large);
    for (int i = 0; i < 40000; i++) large[i] = " xq"[i % 3];
    large[40000] = 0;
    ok(conversation_set_turns(c, NULL, &(pum_chat_message){"user", large}, 1, &err));
    assert_int_equal(conversation_answer(c, &callbacks, &report, &err), PUM_ERR_CONTEXT_FULL);
    conversation_turns(c, &n);
    assert_int_equal(n, 1);
    pum_sampler_params wrong = pum_sampler_defaults();
    wrong.temp = -1;
    assert_int_equal(conversation_set_sampling(c, &wrong, &err), PUM_ERR_ARGUMENT);
    // A chat far longer than the context: its end is told.
    pum_chat_message *turns = malloc(2001 * sizeof *turns);
    assert_non_null(turns);
    for (int i = 0; i < 2001; i++)
        turns[i] = (pum_chat_message){i % 2 ? "assistant" : "user", i % 2 ? "It was big and red." : "Lily saw a ball."};
    ok(conversation_set_turns(c, NULL, turns, 2001, &err));
    ok(conversation_answer(c, &callbacks, &report, &err));
    assert_true(report.n_turns_left_out > 1900 && report.n_turns_left_out < 2000);
    assert_true(report.n_prompt > 256 / 3);
    free(turns);
    free(large);
    conversation_destroy(&c);
}

int main(int argc, char **argv) {
    if (argc < 2 || pum_file_open(argv[1], &file, &err) != PUM_OK) {
        printf("skipped: %s is not there\n", argc > 1 ? argv[1] : "a model");
        return 77;
    }
    if (devices_open(&(pum_device_params){0}, &device, &err) != PUM_OK) {
        printf("skipped: no device: %s\n", err.message);
        return 77;
    }
    if (pum_file_tokenizer(file, &tokenizer, &err) != PUM_OK || pum_model_load(device, file, NULL, &model, &err) != PUM_OK) {
        printf("%s\n", err.message);
        return 1;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_branches), cmocka_unit_test(test_going_on),
                                       cmocka_unit_test(test_failures)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pum_model_destroy(&model);
    pum_tokenizer_destroy(&tokenizer);
    pum_file_destroy(&file);
    pum_device_destroy(&device);
    return failed;
}
