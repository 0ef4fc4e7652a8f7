/* Monotonic time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/// Nanoseconds of wall time since some fixed moment. Of CLOCK_MONOTONIC: nobody sets it, and on Linux it stands still while the
/// machine sleeps, so that neither a new date nor a night makes a step or a wait seem long.
uint64_t clock_now_ns(void);
/// Nanoseconds of CPU time that the calling thread has used.
uint64_t clock_thread_cpu_ns(void);

/// Lets so much time go by, at least.
void clock_sleep_ms(int ms);

#endif
