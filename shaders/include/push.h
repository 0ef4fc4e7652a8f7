/* Push constants are written once, in headers that are valid C and GLSL: a struct of 4-byte scalars, then PUSH_BYTES with its size. */
#ifndef SHADERS_PUSH_H
#define SHADERS_PUSH_H

// An address of the device, 64 bits in two scalars.
#define PUSH_ADDRESS(name) PUSH_UINT name##_low, name##_high;

#ifdef VULKAN
#define PUSH_UINT uint
#define PUSH_FLOAT float
#define PUSH_BYTES(type, bytes)
#else
#include <stdint.h>
#define PUSH_UINT uint32_t
#define PUSH_FLOAT float
#define PUSH_BYTES(type, bytes) _Static_assert(sizeof(struct type) == (bytes) && (bytes) <= 128, "push constants of at most 128 bytes");
#endif

#endif
