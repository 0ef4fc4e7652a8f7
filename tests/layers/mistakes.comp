// What the validation layers are there for, one mistake for each define; test_validation.c makes them.
//   OUTSIDE   dst[i] = src[i + n], with src of fewer words
//   RACE      dst[i] = the neighbour's word in shared memory, without a barrier between writing and reading
//   PRACTICE  dst[i] = src[i], in a group of an odd size
#version 450
#ifdef PRACTICE
layout(local_size_x = 30) in;
#else
layout(local_size_x = 64) in;
#endif
layout(set = 0, binding = 0) readonly buffer Src { uint src[]; };
layout(set = 0, binding = 1) writeonly buffer Dst { uint dst[]; };
layout(push_constant) uniform Push { uint n; };
#ifdef RACE
shared uint words[64];
#endif

void main() {
    uint i = gl_LocalInvocationID.x;
#ifdef RACE
    words[i] = src[i] + n;
    dst[i] = words[(i + 1) % 64];
#else
    dst[i] = src[i + n];
#endif
}
