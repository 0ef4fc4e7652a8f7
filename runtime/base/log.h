/* Notices for the program's log callback; see pum_set_log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

/// Formats one line and hands it to the callback, if there is one. Any thread.
void base_log(pum_log_level level, const char *format, ...) BASE_PRINTF(2, 3);

#endif
