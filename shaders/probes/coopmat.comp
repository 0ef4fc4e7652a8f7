// Cooperative matrices of sizes that the device chooses, in shared memory.
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint M = 16;
shared uvec4 tile[64];

void main() {
    coopmat<float16_t, gl_ScopeSubgroup, M, M, gl_MatrixUseA> a;
    coopMatLoad(a, tile, 0, 2, gl_CooperativeMatrixLayoutRowMajor);
    coopMatStore(a, tile, 0, 2, gl_CooperativeMatrixLayoutRowMajor);
}
