"""The LLaMA forward pass in float64, independent of the C code: its own GGUF reader, its own dequantization, plain numpy.

reference.py logits  MODEL IDS.txt OUT.f64 [--cache DIR]
    Raw little-endian float64 [n_tokens][n_vocab]: the logits after each token.
reference.py greedy  MODEL IDS.txt -n N -o OUT.json [--cache DIR]
    IDS.txt holds one prompt a line. Writes {"prompts": [{"prompt", "tokens", "margins", "text"}]}: the N best tokens of each, one
    after the other and past any stop token, and by how much the best logit led the second at each step.
reference.py compare REF.f64 GOT.f32 N_VOCAB [--max-kl X]
    Prints mean KL(ref || got) in nats, top-1 agreement and the largest difference. Fails on NaN, on infinity and over X.
reference.py text    MODEL IDS.txt
    The bytes that the ids stand for.

Ids are separated by white space. With --cache, results are kept in DIR under a name made of the checksums of the model, the ids and
this file, and are copied from there the next time.

The model is that of arXiv:2302.13971: x += Wo attn(rope(Wq n), rope(Wk n), Wv n), then x += Wdown (silu(Wgate n) * (Wup n)), with
n = rmsnorm(x) each time.
"""
import argparse
import glob
import hashlib
import json
import math
import mmap
import os
import shutil
import struct
import sys

# One thread: with more, OpenBLAS's threads wait for each other by spinning, and on a busy machine of two cores the same work took
# 259 s where one thread takes 20 s.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

# ---------------------------------------------------------------------------------------------------------------- tensor types


def u8(blocks, start, end):
    return blocks[:, start:end]


def half(blocks, at):
    """The half at a byte of each block, [n_blocks, 1]."""
    return blocks[:, at:at + 2].copy().view("<f2").astype(np.float64)


def nibbles(b):
    """[n, k] bytes to [n, 2k]: all low halves, then all high halves."""
    return np.concatenate([b & 15, b >> 4], axis=1)


def q4_0(b):
    return half(b, 0) * (nibbles(u8(b, 2, 18)).astype(np.float64) - 8)


def q4_1(b):
    return half(b, 0) * nibbles(u8(b, 4, 20)) + half(b, 2)


def q8_0(b):
    return half(b, 0) * u8(b, 2, 34).view(np.int8)


def q4_k(b):
    # Eight parts of 32, each with a scale and a minimum of six bits. The twelve bytes are three groups of four: low six bits of
    # the first are scales 0-3, of the second minima 0-3; the third has four bits of scales 4-7 and of minima 4-7, whose two
    # high bits top the first and second group.
    s = u8(b, 4, 16).astype(np.int64).reshape(-1, 3, 4)
    scales = np.concatenate([s[:, 0] & 63, (s[:, 2] & 15) + (s[:, 0] >> 6) * 16], axis=1)
    minima = np.concatenate([s[:, 1] & 63, (s[:, 2] >> 4) + (s[:, 1] >> 6) * 16], axis=1)
    q = u8(b, 16, 144).reshape(-1, 4, 32)
    q = np.stack([q & 15, q >> 4], axis=2).reshape(-1, 8, 32)
    return ((half(b, 0) * scales)[:, :, None] * q - (half(b, 2) * minima)[:, :, None]).reshape(-1, 256)


def q6_k(b):
    # Two halves of 128; each has four rows of 32. Low bits: 64 bytes, rows 0 and 1 in low nibbles, 2 and 3 in high ones.
    # High bits: 32 bytes, two bits for each row. A scale for each 16 values.
    low = u8(b, 0, 128).reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    high = u8(b, 128, 192).reshape(-1, 2, 1, 32) >> np.array([0, 2, 4, 6], dtype=np.uint8).reshape(1, 1, 4, 1) & 3
    q = (low + 16 * high).astype(np.float64).reshape(-1, 16, 16) - 32
    scales = u8(b, 192, 208).view(np.int8).astype(np.float64)
    return ((half(b, 208) * scales)[:, :, None] * q).reshape(-1, 256)


def f32(b):
    return b.copy().view("<f4").astype(np.float64)


def f16(b):
    return b.copy().view("<f2").astype(np.float64)


def bf16(b):
    return (b.copy().view("<u2").astype(np.uint32) << 16).view(np.float32).astype(np.float64)


# number in the file: name, values in a block, bytes of a block, expansion
TYPES = {
    0: ("F32", 1, 4, f32), 1: ("F16", 1, 2, f16), 30: ("BF16", 1, 2, bf16),
    2: ("Q4_0", 32, 18, q4_0), 3: ("Q4_1", 32, 20, q4_1), 8: ("Q8_0", 32, 34, q8_0),
    12: ("Q4_K", 256, 144, q4_k), 14: ("Q6_K", 256, 210, q6_k),
}

# ---------------------------------------------------------------------------------------------------------------- GGUF

SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9


class Gguf:
    """keys: name to value (strings as bytes, arrays as lists); tensors: name to float64 array on request."""

    def __init__(self, path):
        with open(path, "rb") as f:
            self.bytes = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.at = 0
        if self.take(4) != b"GGUF":
            sys.exit(f"{path}: expected a GGUF file")
        self.version = self.number("I")
        if self.version not in (1, 2, 3):
            sys.exit(f"{path}: expected GGUF version 1, 2 or 3, got {self.version}")
        self.count = "I" if self.version == 1 else "Q"
        n_tensors, n_keys = self.number(self.count), self.number(self.count)
        self.keys = {}
        for _ in range(n_keys):
            name = self.string().decode()
            self.keys[name] = self.value(self.number("I"))
        self.places = {}
        for _ in range(n_tensors):
            name = self.string().decode()
            dims = [self.number(self.count) for _ in range(self.number("I"))]
            kind = self.number("I")
            self.places[name] = (kind, dims, self.number("Q"))
        alignment = self.keys.get("general.alignment", 32)
        self.data = -(-self.at // alignment) * alignment

    def take(self, n):
        if self.at + n > len(self.bytes):
            sys.exit("GGUF file ends too soon")
        self.at += n
        return self.bytes[self.at - n:self.at]

    def number(self, code):
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self):
        return self.take(self.number(self.count))

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, n = self.number("I"), self.number(self.count)
            if item in SCALARS:
                return list(struct.unpack(f"<{n}{SCALARS[item]}", self.take(n * struct.calcsize(SCALARS[item]))))
            return [self.value(item) for _ in range(n)]
        return self.number(SCALARS[kind])

    def tensor(self, name):
        """Rows first, as numpy has them: the file's [n_in, n_out] becomes [n_out, n_in]."""
        kind, dims, offset = self.places[name]
        type_name, block_values, block_bytes, expand = TYPES[kind]
        n_blocks = math.prod(dims) // block_values
        raw = np.frombuffer(self.bytes, np.uint8, n_blocks * block_bytes, self.data + offset)
        values = expand(raw.reshape(n_blocks, block_bytes))
        if not np.isfinite(values).all():
            sys.exit(f"{name} ({type_name}): weights are not finite")
        return values.reshape(dims[::-1])


# ---------------------------------------------------------------------------------------------------------------- the model


def rmsnorm(x, weight, eps):
    return x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + eps) * weight


def silu(x):
    return x / (1 + np.exp(-x))


class Sequence:
    """One timeline: how many tokens are in it, and K and V of each layer, [n_head_kv, n_past, head_dim]."""

    def __init__(self, n_layer):
        self.n_past = 0
        self.k, self.v = [None] * n_layer, [None] * n_layer

    def append(self, il, k, v):
        self.k[il] = k if self.k[il] is None else np.concatenate([self.k[il], k], axis=1)
        self.v[il] = v if self.v[il] is None else np.concatenate([self.v[il], v], axis=1)
        return self.k[il], self.v[il]


class Model:
    def __init__(self, path):
        g = self.file = Gguf(path)
        arch = g.keys["general.architecture"].decode()
        if arch != "llama":
            sys.exit(f"{path}: expected architecture llama, got {arch}")

        def key(name, default=None):
            value = g.keys.get(f"llama.{name}", default)
            if value is None:
                sys.exit(f"{path}: llama.{name} is missing")
            return value

        self.n_layer, self.n_embd, self.n_head = key("block_count"), key("embedding_length"), key("attention.head_count")
        self.n_head_kv = key("attention.head_count_kv", self.n_head)
        self.head_dim = key("attention.key_length", self.n_embd // self.n_head)
        self.eps = key("attention.layer_norm_rms_epsilon")
        scaling = g.keys.get("llama.rope.scaling.type", b"none").decode()
        if scaling not in ("none", "linear"):
            sys.exit(f"{path}: rotary scaling '{scaling}' is not in this reference")
        n_rot = key("rope.dimension_count", self.head_dim)
        self.freq = float(key("rope.freq_base", 10000.0)) ** (-np.arange(0, n_rot, 2) / n_rot)
        if scaling == "linear":
            self.freq /= key("rope.scaling.factor")

        left = set(g.places)

        def tensor(name):
            left.discard(name)
            return g.tensor(name)

        self.embd = tensor("token_embd.weight")
        self.output = tensor("output.weight") if "output.weight" in left else self.embd
        self.output_norm = tensor("output_norm.weight")
        if "rope_freqs.weight" in left:
            self.freq = self.freq / tensor("rope_freqs.weight").reshape(-1)
        names = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down".split()
        self.layers = [{n: tensor(f"blk.{il}.{n}.weight") for n in names} for il in range(self.n_layer)]
        if left:
            sys.exit(f"{path}: tensors that this reference does not use: {', '.join(sorted(left)[:5])}")

    def rope(self, x, positions):
        """x [n_tokens, n_head, head_dim]; turns the neighbours (2i, 2i+1) by position * freq[i]."""
        angle = positions[:, None] * self.freq[None, :]
        cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]
        n_rot = 2 * len(self.freq)
        a, b = x[..., 0:n_rot:2], x[..., 1:n_rot:2]
        out = x.copy()
        out[..., 0:n_rot:2] = a * cos - b * sin
        out[..., 1:n_rot:2] = a * sin + b * cos
        return out

    def attention(self, q, k, v):
        """Causal: q [n_tokens, n_head, head_dim] are the last tokens of k, v [n_head_kv, n_all, head_dim]. Softmax is exact."""
        n_tokens, n_all, group = q.shape[0], k.shape[1], self.n_head // self.n_head_kv
        q = q.transpose(1, 0, 2).reshape(self.n_head_kv, group * n_tokens, self.head_dim)
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(self.head_dim)
        hidden = np.arange(n_all)[None, :] > np.arange(n_all - n_tokens, n_all)[:, None]
        scores = scores.reshape(self.n_head_kv, group, n_tokens, n_all)
        scores[:, :, hidden] = -np.inf
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        out = scores.reshape(self.n_head_kv, group * n_tokens, n_all) @ v
        return out.reshape(self.n_head, n_tokens, self.head_dim).transpose(1, 0, 2).reshape(n_tokens, -1)

    def forward(self, batch):
        """batch: (sequence, new tokens) pairs, multiplied together. Returns the last hidden states [all new tokens, n_embd]."""
        tokens = np.concatenate([np.asarray(t, dtype=np.int64) for _, t in batch])
        if tokens.min() < 0 or tokens.max() >= len(self.embd):
            sys.exit(f"expected ids from 0 to {len(self.embd) - 1}, got {tokens.min()} to {tokens.max()}")
        positions = np.concatenate([np.arange(s.n_past, s.n_past + len(t)) for s, t in batch])
        x = self.embd[tokens]
        for il, w in enumerate(self.layers):
            n = rmsnorm(x, w["attn_norm"], self.eps)
            q = self.rope((n @ w["attn_q"].T).reshape(len(x), self.n_head, -1), positions)
            k = self.rope((n @ w["attn_k"].T).reshape(len(x), self.n_head_kv, -1), positions)
            v = (n @ w["attn_v"].T).reshape(len(x), self.n_head_kv, -1)
            parts, at = [], 0
            for s, t in batch:
                own = slice(at, at + len(t))
                at += len(t)
                ks, vs = s.append(il, k[own].transpose(1, 0, 2), v[own].transpose(1, 0, 2))
                parts.append(self.attention(q[own], ks, vs))
            x = x + np.concatenate(parts) @ w["attn_output"].T
            n = rmsnorm(x, w["ffn_norm"], self.eps)
            x = x + (silu(n @ w["ffn_gate"].T) * (n @ w["ffn_up"].T)) @ w["ffn_down"].T
        for s, t in batch:
            s.n_past += len(t)
        return rmsnorm(x, self.output_norm, self.eps)

    def logits(self, hidden):
        values = hidden @ self.output.T
        if not np.isfinite(values).all():
            sys.exit("the reference's logits are not finite")
        return values


# ---------------------------------------------------------------------------------------------------------------- text


def byte_alphabet():
    """The characters by which byte-level BPE writes bytes: printable ones stand for themselves, the rest from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in plain]
    return {chr(b): b for b in plain} | {chr(256 + i): b for i, b in enumerate(rest)}


def detokenize(g, ids):
    tokens = g.keys["tokenizer.ggml.tokens"]
    kinds = g.keys.get("tokenizer.ggml.token_type", [1] * len(tokens))
    spm = g.keys["tokenizer.ggml.model"] == b"llama"
    alphabet = byte_alphabet()
    out = b""
    for i in ids:
        text = tokens[i].decode()
        if spm and len(text) == 6 and text.startswith("<0x"):
            out += bytes([int(text[3:5], 16)])
        elif spm:
            out += text.replace("\u2581", " ").encode()
        elif kinds[i] == 1:
            out += bytes(alphabet[c] for c in text)
        else:
            out += text.encode()
    return out


# ---------------------------------------------------------------------------------------------------------------- commands

PREFILL_CHUNK = 256  # bounds the memory of attention weights


def read_ids(path):
    with open(path) as f:
        return [int(word) for word in f.read().split()]


def prefill(model, tokens):
    sequence = Sequence(model.n_layer)
    hidden = [model.forward([(sequence, tokens[i:i + PREFILL_CHUNK])]) for i in range(0, len(tokens), PREFILL_CHUNK)]
    return sequence, np.concatenate(hidden)


def command_logits(args, out):
    model, tokens = Model(args.model), read_ids(args.ids)
    _, hidden = prefill(model, tokens)
    with open(out, "wb") as f:
        for i in range(0, len(tokens), 64):
            f.write(model.logits(hidden[i:i + 64]).astype("<f8").tobytes())


def command_greedy(args, out):
    model = Model(args.model)
    with open(args.ids) as f:
        prompts = [[int(word) for word in line.split()] for line in f if line.strip()]
    started = [prefill(model, p) for p in prompts]
    sequences, last = [s for s, _ in started], np.stack([h[-1] for _, h in started])
    tokens, margins = [[] for _ in prompts], [[] for _ in prompts]
    for step in range(args.n):
        for i, row in enumerate(model.logits(last)):
            second, best = np.partition(row, -2)[-2:]
            tokens[i].append(int(row.argmax()))
            margins[i].append(float(best - second))
        if step + 1 < args.n:  # all prompts go together, so that each weight is read once a step
            last = model.forward([(s, [t[-1]]) for s, t in zip(sequences, tokens)])
    with open(out, "w") as f:
        json.dump({"prompts": [
            {"prompt": p, "tokens": t, "margins": m, "text": detokenize(model.file, t).decode(errors="replace")}
            for p, t, m in zip(prompts, tokens, margins)]}, f)


def command_text(args):
    sys.stdout.buffer.write(detokenize(Gguf(args.model), read_ids(args.ids)))


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def command_compare(args):
    ref = np.memmap(args.ref, "<f8", "r").reshape(-1, args.n_vocab)
    got = np.fromfile(args.got, "<f4")
    if got.size != ref.size:
        sys.exit(f"{args.got}: expected {ref.size} logits ({len(ref)} tokens), got {got.size}")
    got = got.reshape(ref.shape)
    kl, same, far = [], 0, 0.0
    for i in range(0, len(ref), 64):
        r, g = np.asarray(ref[i:i + 64]), got[i:i + 64].astype(np.float64)
        if not (np.isfinite(r).all() and np.isfinite(g).all()):
            sys.exit(f"tokens {i} to {i + len(r) - 1}: logits are not finite")
        p, q = log_softmax(r), log_softmax(g)
        kl.append((np.exp(p) * (p - q)).sum(axis=1))
        same += int((r.argmax(axis=1) == g.argmax(axis=1)).sum())
        far = max(far, float(np.abs(r - g).max()))
    kl = np.concatenate(kl)
    print(json.dumps({"n_tokens": len(ref), "mean_kl": float(kl.mean()), "max_kl": float(kl.max()), "top1": same / len(ref),
                      "max_abs": far}))
    if not kl.mean() <= args.max_kl:
        sys.exit(f"mean KL: expected at most {args.max_kl}, got {kl.mean()}")


# ---------------------------------------------------------------------------------------------------------------- results kept


def checksum(path):
    with open(path, "rb") as f:
        digest = hashlib.sha256()
        while piece := f.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()


def run_cached(args, command, out):
    """Writes through a temporary file, so that nothing half-written is ever used or kept."""
    kept = None
    if args.cache:
        what = f"{checksum(args.model)} {checksum(args.ids)} {getattr(args, 'n', 0)}"
        stem = os.path.join(args.cache, f"{args.command}-{hashlib.sha256(what.encode()).hexdigest()[:16]}-")
        kept = stem + checksum(os.path.abspath(__file__))[:16] + os.path.splitext(out)[1]
        os.makedirs(args.cache, exist_ok=True)
        if os.path.exists(kept):
            shutil.copyfile(kept, out)
            return
        for older in glob.glob(glob.escape(stem) + "*"):  # of an earlier version of this file
            if not older.endswith(".part"):  # that of another run
                os.unlink(older)
    temporary = f"{kept or out}.{os.getpid()}.part"
    try:
        command(args, temporary)
        os.replace(temporary, kept or out)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
    if kept:
        shutil.copyfile(kept, out)


def main():
    parser = argparse.ArgumentParser(description="The LLaMA forward pass in float64.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("logits", "greedy", "text"):
        p = commands.add_parser(name)
        p.add_argument("model")
        p.add_argument("ids")
        if name == "logits":
            p.add_argument("out")
        if name == "greedy":
            p.add_argument("-n", type=int, default=128)
            p.add_argument("-o", dest="out", required=True)
        p.add_argument("--cache")
    p = commands.add_parser("compare")
    p.add_argument("ref")
    p.add_argument("got")
    p.add_argument("n_vocab", type=int)
    p.add_argument("--max-kl", type=float, default=math.inf)
    args = parser.parse_args()
    if args.command == "logits":
        run_cached(args, command_logits, args.out)
    elif args.command == "greedy":
        run_cached(args, command_greedy, args.out)
    elif args.command == "text":
        command_text(args)
    else:
        command_compare(args)


if __name__ == "__main__":
    main()
