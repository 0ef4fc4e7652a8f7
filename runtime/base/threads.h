/* How many threads a task may use. */
#ifndef BASE_THREADS_H
#define BASE_THREADS_H

/// Cores that are online, but for spare of them; between 1 and most.
int threads_wanted(int spare, int most);

#endif
