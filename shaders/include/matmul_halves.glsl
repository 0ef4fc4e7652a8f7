// A tile of weights and x as float16 in shared memory, for kernels with cooperative matrices.
//
// Each of its two halves holds 32 columns: a line for each of SLOTS rows of weights, then one for each of TOKENS tokens. 8 columns are a
// uvec4. Needs half8.glsl, matmul.glsl, SLOTS, TOKENS, THREADS, and what a slot holds: mat_of(slot), row_of(slot), of a row that is there.

const uint LINE = 32 / 8 + 1, HALF = (SLOTS + TOKENS) * LINE; // the step of one more keeps the lines apart in the banks
shared uvec4 tile[2 * HALF];

// group: of 32 columns. to: where the half begins.
void load_weights(uint group, uint to) {
    [[unroll]] for (uint i = 0; i < 2 * SLOTS; i += THREADS) {
        uint unit = i + gl_LocalInvocationID.x, slot = unit % SLOTS, half16 = unit / SLOTS;
        if (half16 < 2) {
            vec4 v[4];
            load16(mat_of(slot), row_of(slot), 2 * group + half16, v);
            tile[to + slot * LINE + 2 * half16] = half8(v[0], v[1]);
            tile[to + slot * LINE + 2 * half16 + 1] = half8(v[2], v[3]);
        }
    }
}

void load_x(uint group, uint to) {
    uint token0 = gl_WorkGroupID.y * TOKENS;
    bool fours = p.n_cols % 4 == 0 && p.x_offset % 4 == 0;
    [[unroll]] for (uint i = 0; i < 4 * TOKENS; i += THREADS) {
        uint unit = i + gl_LocalInvocationID.x, line = unit / 4, col = group * 32 + unit % 4 * 8;
        if (line < TOKENS) {
            uint at = p.x_offset + min(token0 + line, p.n_tokens - 1) * p.n_cols + col;
            vec4 a = vec4(0), b = vec4(0);
            if (fours) {
                if (col < p.n_cols) a = x4[at / 4];
                if (col + 4 < p.n_cols) b = x4[at / 4 + 1];
            } else {
                [[unroll]] for (uint c = 0; c < 4; c++) {
                    if (col + c < p.n_cols) a[c] = x[at + c];
                    if (col + 4 + c < p.n_cols) b[c] = x[at + 4 + c];
                }
            }
            tile[to + (SLOTS + line) * LINE + unit % 4] = half8(a, b);
        }
    }
}
