#include "chat/fail.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

pum_status fail_json(pum_error *err, const char *begin, const json_error_t *why) {
    if (json_error_code(why) == json_error_out_of_memory) return fail_memory(err);
    const char *quoted = strstr(why->text, " near ");
    int n = quoted ? (int)(quoted - why->text) : (int)strlen(why->text);
    return fail_with(err, PUM_ERR_FORMAT, "%sline %d, column %d: %.*s", begin, why->line, why->column, n, why->text);
}

char *fail_got(const json_t *value) {
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    for (char *at = text; at && *at; at++)
        if (*at == 0x7F) *at = '?'; // the one control character that jansson lets through
    return text;
}
