#include "base/threads.h"

#include <unistd.h>

int threads_wanted(int spare, int most) {
    long n = sysconf(_SC_NPROCESSORS_ONLN) - spare;
    return n < 1 ? 1 : n > most ? most : (int)n;
}
