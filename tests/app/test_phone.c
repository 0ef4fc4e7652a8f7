/* What the window does for phones, without one: a finger that scrolls or taps, and rests for a hot device. */
#include "pace.h"
#include "touch.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { WIDTH = 400, HEIGHT = 800, SLOP = 8 };

static touch_kind finger(touch *t, uint32_t type, SDL_FingerID id, float x, float y, int *at_x, int *at_y) {
    SDL_TouchFingerEvent event = {.type = type, .fingerId = id, .x = x / WIDTH, .y = y / HEIGHT};
    return touch_event(t, &event, WIDTH, HEIGHT, SLOP, at_x, at_y);
}

static void test_tap(void **state) {
    (void)state;
    touch t = {0};
    int x, y;
    assert_int_equal(finger(&t, SDL_FINGERDOWN, 1, 100, 500, &x, &y), TOUCH_NOTHING);
    assert_int_equal(finger(&t, SDL_FINGERMOTION, 1, 102, 505, &x, &y), TOUCH_NOTHING); // fingers tremble
    assert_int_equal(finger(&t, SDL_FINGERUP, 1, 102, 505, &x, &y), TOUCH_TAP);
    assert_in_range(x, 101, 102);
    assert_in_range(y, 504, 505);
    assert_int_equal(finger(&t, SDL_FINGERUP, 1, 102, 505, &x, &y), TOUCH_NOTHING);
}

static void test_scroll(void **state) {
    (void)state;
    touch t = {0};
    int x, y, sum = 0;
    finger(&t, SDL_FINGERDOWN, 1, 100, 500, &x, &y);
    for (int i = 1; i <= 300; i++) // a third of a pixel at a time: none is lost
        if (finger(&t, SDL_FINGERMOTION, 1, 100, 500 - (float)i / 3, &x, &y) == TOUCH_SCROLL) sum += y;
    assert_in_range(-sum, 99, 101);
    assert_int_equal(finger(&t, SDL_FINGERUP, 1, 100, 400, &x, &y), TOUCH_NOTHING);
}

static void test_second_finger(void **state) {
    (void)state;
    touch t = {0};
    int x, y;
    finger(&t, SDL_FINGERDOWN, 1, 100, 500, &x, &y);
    finger(&t, SDL_FINGERDOWN, 2, 300, 100, &x, &y);
    assert_int_equal(finger(&t, SDL_FINGERMOTION, 2, 300, 300, &x, &y), TOUCH_NOTHING);
    assert_int_equal(finger(&t, SDL_FINGERUP, 2, 300, 300, &x, &y), TOUCH_NOTHING);
    assert_int_equal(finger(&t, SDL_FINGERUP, 1, 100, 500, &x, &y), TOUCH_TAP);
}

static void test_rest(void **state) {
    (void)state;
    assert_true(pace_rest(NAN) == 0 && pace_rest(0) == 0 && pace_rest(0.85f) == 0);
    assert_true(pace_rest(0.9f) > 0.2f && pace_rest(0.9f) < 0.5f);
    assert_true(fabsf(pace_rest(1) - 1) < 1e-5f);
    assert_true(pace_rest(3) == 4 && pace_rest(INFINITY) == 4);
}

static float heat;
static int n_asked;
static float ask_heat(void) {
    n_asked++;
    return heat;
}

static void test_pace(void **state) {
    (void)state;
    pace p = {0};
    heat = 1;
    n_asked = 0;
    pace_begin(&p, 1000);
    assert_in_range(pace_rest_ms(&p, 1050, ask_heat), 49, 50); // as long as it worked
    assert_in_range(pace_rest_ms(&p, 1120, ask_heat), 19, 21); // the rest is no work
    assert_int_equal(n_asked, 1);
    assert_int_equal(pace_rest_ms(&p, 9000, ask_heat), 400); // Stop has to be heard
    heat = NAN;
    pace_begin(&p, 12000);
    assert_true(pace_rest_ms(&p, 12010, ask_heat) > 0); // asked again, but nothing is known: as before
    assert_int_equal(n_asked, 2);
    heat = 0.5f;
    pace_begin(&p, 23000);
    assert_int_equal(pace_rest_ms(&p, 23050, ask_heat), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tap),  cmocka_unit_test(test_scroll), cmocka_unit_test(test_second_finger),
        cmocka_unit_test(test_rest), cmocka_unit_test(test_pace),
    };
    return cmocka_run_group_tests_name("phone", tests, NULL, NULL);
}
