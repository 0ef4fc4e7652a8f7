// Writes down how the subgroups of a workgroup really lie: for each invocation its subgroup, its place in that, the size that subgroups
// have and how many there are. ops/subgroups.c compares it with what the driver has told.
#version 450
#extension GL_KHR_shader_subgroup_basic : require

layout(local_size_x_id = 0) in;
layout(std430, binding = 0) writeonly buffer seen_block { uvec4 seen[]; };

void main() { seen[gl_LocalInvocationID.x] = uvec4(gl_SubgroupID, gl_SubgroupInvocationID, gl_SubgroupSize, gl_NumSubgroups); }
