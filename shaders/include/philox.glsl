// Philox 4x32-10, a random number as a function of counter and key. Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as
// 1, 2, 3", SC11. runtime/base/random.c is the same.
uvec4 philox(uvec4 c, uvec2 key) {
    for (uint round = 0; round < 10; round++) {
        uvec2 a, b; // low, high
        umulExtended(c.x, 0xD2511F53u, a.y, a.x);
        umulExtended(c.z, 0xCD9E8D57u, b.y, b.x);
        c = uvec4(b.y ^ c.y ^ key.x, b.x, a.y ^ c.w ^ key.y, a.x);
        key += uvec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

// The draw with this number, in [0, 1), on a grid of 2^-24.
float random_uniform(uvec2 seed, uvec2 number) { return float(philox(uvec4(number, 0, 0), seed).x >> 8) / 16777216.0; }
