/* As Linux tells it; where /proc is not, nothing is known. */
#include "base/system_memory.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t system_memory_available_bytes(void) {
    FILE *file = fopen("/proc/meminfo", "r");
    if (!file) return UINT64_MAX;
    uint64_t kib = UINT64_MAX / 1024;
    for (char line[128]; fgets(line, sizeof line, file);)
        if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1) break;
    fclose(file);
    return kib * 1024;
}
