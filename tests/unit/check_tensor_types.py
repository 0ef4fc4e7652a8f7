"""Compares what expand_blocks makes of random blocks with the `gguf` package's dequantization, another implementation.

check_tensor_types.py EXPAND_BLOCKS
"""
import subprocess
import sys

import numpy as np

try:
    import gguf
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
except ImportError:
    print("skipped: the Python package gguf is missing; tools/test installs it")
    sys.exit(77)

# Where the halves (scales and minima) of a block stand: random bits there would mostly be infinities, NaN and huge numbers.
HALVES = {
    "F32": [], "F16": [0], "BF16": [],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
}
N_BLOCKS = 500


def random_blocks(name, n_bytes, rng):
    blocks = rng.integers(0, 256, (N_BLOCKS, n_bytes), dtype=np.uint8)
    for at in HALVES[name]:
        # Both signs, subnormals too.
        halves = (rng.standard_normal(N_BLOCKS) * 10.0 ** rng.integers(-7, 2, N_BLOCKS)).astype("<f2")
        blocks[:, at:at + 2] = halves.view(np.uint8).reshape(N_BLOCKS, 2)
    if name == "F32":
        blocks = rng.standard_normal((N_BLOCKS, 1)).astype("<f4").view(np.uint8)
    if name == "BF16":
        blocks = rng.standard_normal((N_BLOCKS, 1)).astype("<f4").view(np.uint8)[:, 2:].copy()
    return blocks


def check(program, name, seed):
    kind = GGMLQuantizationType[name]
    n_values, n_bytes = GGML_QUANT_SIZES[kind]
    blocks = random_blocks(name, n_bytes, np.random.default_rng(seed))
    out = subprocess.run([program, name], input=blocks.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    got = np.frombuffer(out, dtype="<f4")
    raw = blocks if n_values > 1 else blocks.reshape(1, -1)
    if name in ("F32", "F16"):  # the package takes these as numbers, not bytes
        raw = raw.view("<f4" if name == "F32" else "<f2")
    expected = gguf.quants.dequantize(raw, kind).astype(np.float32).reshape(-1)
    if got.shape != expected.shape:
        print(f"{name}: expected {expected.size} values, got {got.size}")
        return False
    # One rounding each for two products and a difference, each no larger than the block's largest value.
    scale = np.abs(expected).reshape(N_BLOCKS, -1).max(axis=1).repeat(n_values)
    far = ~(np.abs(got.astype(np.float64) - expected) <= 2.0 ** -22 * scale)  # NaN is far
    if far.any():
        i = int(np.argmax(far))
        print(f"{name}: seed {seed}, {int(far.sum())} of {got.size} differ, first at block {i // n_values} value {i % n_values}: "
              f"expected {expected[i]!r}, got {got[i]!r}")
        return False
    print(f"{name}: {got.size} values, {int((got != expected).sum())} differ in the last bit")
    return True


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: check_tensor_types.py EXPAND_BLOCKS")
    results = [check(sys.argv[1], name, seed=17 + i) for i, name in enumerate(HALVES)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
