#include "base/error.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *pum_status_name(pum_status status) {
    switch (status) {
    case PUM_OK:
        return "PUM_OK";
    case PUM_ERR_ARGUMENT:
        return "PUM_ERR_ARGUMENT";
    case PUM_ERR_MEMORY:
        return "PUM_ERR_MEMORY";
    case PUM_ERR_IO:
        return "PUM_ERR_IO";
    case PUM_ERR_FORMAT:
        return "PUM_ERR_FORMAT";
    case PUM_ERR_UNSUPPORTED:
        return "PUM_ERR_UNSUPPORTED";
    case PUM_ERR_NO_VULKAN:
        return "PUM_ERR_NO_VULKAN";
    case PUM_ERR_NO_DEVICE:
        return "PUM_ERR_NO_DEVICE";
    case PUM_ERR_DEVICE:
        return "PUM_ERR_DEVICE";
    case PUM_ERR_DEVICE_LOST:
        return "PUM_ERR_DEVICE_LOST";
    case PUM_ERR_DEVICE_MEMORY:
        return "PUM_ERR_DEVICE_MEMORY";
    case PUM_ERR_CONTEXT_FULL:
        return "PUM_ERR_CONTEXT_FULL";
    case PUM_ERR_ABORTED:
        return "PUM_ERR_ABORTED";
    }
    return "PUM_ERR_?";
}

pum_status pum_fail(pum_error *err, pum_status status, const char *format, ...) {
    if (err) {
        va_list args;
        va_start(args, format);
        err->status = status;
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        utf8_make_clean(err->message); // words of a file's or a driver's may be in it
    }
    return status;
}

pum_status pum_fail_memory(pum_error *err, const char *what, uint64_t n_bytes) {
    return pum_fail(err, PUM_ERR_MEMORY,
                    "%s: needed %" PRIu64 " bytes of host memory, got none; close other programs and try again", what, n_bytes);
}

pum_status pum_fail_in(pum_error *err, pum_status status, const char *format, ...) {
    if (err) {
        char deeper[sizeof err->message];
        memcpy(deeper, err->message, sizeof deeper);
        va_list args;
        va_start(args, format);
        int n = vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
        if (n >= 0 && (size_t)n < sizeof err->message)
            snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", deeper);
        utf8_make_clean(err->message);
        err->status = status;
    }
    return status;
}
