// Cooperative matrices whose scope the device chooses, and a function of each element.
#version 450
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_NV_cooperative_matrix2 : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const int SCOPE = gl_ScopeSubgroup;
layout(binding = 0) buffer y_block { float y[]; };

float store(const in uint row, const in uint col, const in float value, const in float other) {
    y[row] = value * other;
    return value;
}

void main() {
    coopmat<float, SCOPE, 64, 64, gl_MatrixUseAccumulator> a;
    a = coopmat<float, SCOPE, 64, 64, gl_MatrixUseAccumulator>(0);
    coopMatPerElementNV(a, a, store, a);
}
