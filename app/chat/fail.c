#include "chat/fail.h"

#include <stdarg.h>
#include <stdio.h>

pum_status fail_with(pum_error *err, pum_status status, const char *format, ...) {
    if (!err) return status;
    va_list args;
    va_start(args, format);
    err->status = status;
    vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

pum_status fail_memory(pum_error *err) {
    return fail_with(err, PUM_ERR_MEMORY, "host memory ran out; close other programs and try again");
}
