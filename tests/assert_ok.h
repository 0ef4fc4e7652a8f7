/* Calls that a test needs to succeed: where one does not, the test fails with the error's own sentence. */
#ifndef TESTS_ASSERT_OK_H
#define TESTS_ASSERT_OK_H

#include "pumice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_ok(call, err)                                                                                                     \
    do {                                                                                                                         \
        pum_status assert_ok_status = (call);                                                                                    \
        if (assert_ok_status != PUM_OK) fail_msg("%s: %s: %s", #call, pum_status_name(assert_ok_status), (err).message);         \
    } while (0)
/// The same with a pum_error of the test's named error.
#define MUST(call) assert_ok(call, error)

#endif
