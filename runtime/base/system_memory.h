/* The computer's own memory. */
#ifndef BASE_SYSTEM_MEMORY_H
#define BASE_SYSTEM_MEMORY_H

#include <stdint.h>

/// Bytes that the system could still give to a program, or UINT64_MAX where it does not tell. Any thread.
uint64_t system_memory_available_bytes(void);

#endif
