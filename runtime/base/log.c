#include "base/log.h"

#include "base/utf8.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static pum_log_fn log_fn;
static void *log_user;

void pum_set_log(pum_log_fn fn, void *user) {
    pthread_mutex_lock(&log_lock);
    log_fn = fn;
    log_user = user;
    pthread_mutex_unlock(&log_lock);
}

void base_log(pum_log_level level, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    utf8_make_clean(line); // words of a driver's or a child's may be in it
    pthread_mutex_lock(&log_lock);
    if (log_fn) log_fn(log_user, level, line);
    pthread_mutex_unlock(&log_lock);
}
