/* Rests between two pieces of work, so that a hot device stays below the point where the system throttles it. */
#ifndef WINDOW_PACE_H
#define WINDOW_PACE_H

#include <stdint.h>

typedef struct pace {
    uint64_t worked_since_ms, asked_ms;
    float rest; ///< for each unit of work
} pace;

/// What to rest for each unit of work. heat: 1 where severe throttling begins (the headroom of Android's thermal manager), NaN
/// where it is not known: no rest then, and none below 0.85; as long as the work at 1, four times as long at most.
float pace_rest(float heat);
/// Work begins now.
void pace_begin(pace *p, uint64_t now_ms);
/// A piece of work has ended; the next one begins after the rest, of so many ms (at most 400, so that Stop is heard). heat is
/// asked every ten seconds: it costs a call into the system, which refuses to answer more often than once a second.
int pace_rest_ms(pace *p, uint64_t now_ms, float (*heat)(void));

#endif
