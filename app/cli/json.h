/* Printing JSON, with jansson. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "engine.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/// NULL becomes null; what is not UTF-8 is left out.
static inline json_t *json_text(const char *text) {
    json_t *s = text ? json_string(text) : NULL;
    return s ? s : json_null();
}
/// 0 stands for what a file does not say.
static inline json_t *json_known(long long value) { return value ? json_integer(value) : json_null(); }
/// Not finite becomes null.
static inline json_t *json_number(double value) {
    json_t *n = json_real(value);
    return n ? n : json_null();
}

/// Prints and frees it. Returns an exit status.
static inline int json_print(json_t *value) {
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(value);
    bool ok = text && engine_write(text, strlen(text)) && engine_write("\n", 1);
    free(text);
    return ok ? 0 : 1;
}

#endif
