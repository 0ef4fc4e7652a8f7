#define WIN32_LEAN_AND_MEAN
#include "base/system_memory.h"

#include <windows.h>

uint64_t system_memory_available_bytes(void) {
    MEMORYSTATUSEX status = {.dwLength = sizeof status};
    if (!GlobalMemoryStatusEx(&status)) return UINT64_MAX;
    // What a program asks for comes out of the commit limit, whatever of that is RAM; what the GPU reads has to be in RAM.
    return status.ullAvailPhys < status.ullAvailPageFile ? status.ullAvailPhys : status.ullAvailPageFile;
}
