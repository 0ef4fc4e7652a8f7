// Eight float16 in a uvec4, where the device has them. Beyond float16's range a value counts as +-65504, so that one large value does not
// turn sums into infinities; NaN stays NaN.
uint half2(vec2 v) {
    vec2 most = sign(v) * 65504;
    return packFloat2x16(f16vec2(mix(v, most, greaterThan(abs(v), vec2(65504)))));
}

uvec4 half8(vec4 a, vec4 b) { return uvec4(half2(a.xy), half2(a.zw), half2(b.xy), half2(b.zw)); }
