#define WIN32_LEAN_AND_MEAN
#include "base/threads.h"

#include <windows.h>

int threads_wanted(int spare, int most) {
    int n = (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS) - spare;
    return n < 1 ? 1 : n > most ? most : n;
}
