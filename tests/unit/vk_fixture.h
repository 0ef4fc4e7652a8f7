/* What the tests of vk/ share: the device under test, and what a call is expected to do. */
#ifndef TESTS_UNIT_VK_FIXTURE_H
#define TESTS_UNIT_VK_FIXTURE_H

#include "assert_ok.h"
#include "vk/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_DEVICES = 16 };

extern pum_error error;
extern char device_index[16]; ///< of the device that open_device opens: cmocka runs each test once for each
extern vk_device *dev;
extern uint64_t taken_before; ///< its allocated_bytes when the test began

/// That a call failed in this way, with a sentence that has these words.
void assert_fails(pum_status got, pum_status expected, const char *words);

/// Before and behind each test on a device: nothing that was taken is left.
int open_device(void **state);
int close_device(void **state);
#define ON_DEVICE(f) cmocka_unit_test_setup_teardown(f, open_device, close_device)

/// Lists the devices of this machine, MAX_DEVICES at most, and returns how many; without one says why and ends the program: with
/// 77 where there is none, with 1 where they cannot be listed.
int need_devices(pum_device_info infos[MAX_DEVICES]);

#endif
