/* volk, whose header carries its own implementation: Vulkan is loaded at run time, so that a machine without it gets a sentence.
 */
#ifndef VK_NO_PROTOTYPES
#define VK_NO_PROTOTYPES
#endif
#define VOLK_IMPLEMENTATION
#include <volk.h>
