// Half precision without 16-bit types.

// float16 bits of a value, to nearest even. Not packHalf2x16, whose rounding Vulkan leaves to the driver (lavapipe 22.3 and 26.2 round like
// this, SwiftShader loses the smallest numbers). Beyond the range the result is +-65504, so that one large value cannot turn a later sum
// into NaN; NaN stays NaN.
uint half_bits(float value) {
    uint bits = floatBitsToUint(value), a = bits & 0x7fffffffu, sign = (bits >> 16) & 0x8000u;
    if (a > 0x7f800000u) return 0x7e00u;
    a = min(a, 0x477fe000u);
    if (a >= 0x38800000u) return sign | (a + 0xfffu + ((a >> 13) & 1u) - 0x38000000u) >> 13;
    // Below 2^-14: the significand in units of 2^-24. Half a unit, 2^-25, and what is smaller is nothing.
    if (a <= 0x33000000u) return sign;
    uint shift = 126u - (a >> 23), significand = (a & 0x7fffffu) | 0x800000u;
    return sign | (significand + (1u << (shift - 1u)) - 1u + ((significand >> shift) & 1u)) >> shift;
}

uint half_pair(vec2 value) { return half_bits(value.x) | half_bits(value.y) << 16; }
