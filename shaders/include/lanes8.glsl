// Eight values that stand side by side in memory, one for each of eight lanes.
//
// Where a driver loads a value that is the same for all lanes once, as a scalar, choosing one of eight such loads by the lane is all it
// takes: llvmpipe's compiler sees eight scalars side by side in a vector, and makes one 32-byte load of them. Asked for in the plain way,
// as values[lane], it would make a gather, which is a loop over the lanes. The choices are a tree because the compiler looks only a few
// levels deep.

float lanes8(float a, float b, float c, float d, float e, float f, float g, float h) {
    uint lane = gl_SubgroupInvocationID;
    float ab = lane == 0 ? a : b, cd = lane == 2 ? c : d, ef = lane == 4 ? e : f, gh = lane == 6 ? g : h;
    float abcd = lane < 2 ? ab : cd, efgh = lane < 6 ? ef : gh;
    return lane < 4 ? abcd : efgh;
}

uint lanes8(uint a, uint b, uint c, uint d, uint e, uint f, uint g, uint h) {
    uint lane = gl_SubgroupInvocationID;
    uint ab = lane == 0 ? a : b, cd = lane == 2 ? c : d, ef = lane == 4 ? e : f, gh = lane == 6 ? g : h;
    uint abcd = lane < 2 ? ab : cd, efgh = lane < 6 ? ef : gh;
    return lane < 4 ? abcd : efgh;
}

// Of an array's elements first … first + 7.
#define LANES8(v, first) \
    lanes8(v[(first)], v[(first) + 1], v[(first) + 2], v[(first) + 3], v[(first) + 4], v[(first) + 5], v[(first) + 6], v[(first) + 7])
