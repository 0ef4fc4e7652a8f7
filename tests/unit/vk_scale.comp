// dst[i] = src[i] * factor + add: the smallest kernel with bindings, push constants and a specialization constant, for test_vk.c.
#version 450
layout(local_size_x = 64) in;
layout(constant_id = 0) const uint factor = 1;
layout(set = 0, binding = 0) readonly buffer Src { uint src[]; };
layout(set = 0, binding = 1) writeonly buffer Dst { uint dst[]; };
layout(push_constant) uniform Push {
    uint n;
    uint add;
};

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i < n) dst[i] = src[i] * factor + add;
}
