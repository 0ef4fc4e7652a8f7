#!/usr/bin/env python3
"""No kernel forms an index, an address or a branch from what a file's tensors hold.

    check_kernel_flow.py FOLDER      of SPIR-V, one NAME.c.spv for each variant

Robust access is off, and does not cover kernels that read through addresses. So this follows, in the SPIR-V itself, what is
loaded from buffers: through arithmetic, local and shared variables, functions and phis, without regard to order, until nothing
new is reached. What arrives at an index, an address or the condition of a branch must be in ALLOWED, with the reason why it keeps to
its bounds. What else a kernel indexes with comes from its ids, constants and push constants, which the host makes from checked
shapes. A row of ALLOWED that is not found is a failure too: that is what shows that something is seen at all.
"""
import re
import struct
import sys
from pathlib import Path

N_PAST = "the position, which the host (or sample_choose) keeps below n_ctx"
LOGIT = "the order of the logits: of ids below n_vocab"
STATE = "counts of the step: made by the host, and taken modulo their length here"
ARRIVED = "how many workgroups are done: who joins, not what"
VALUE = "one of two values, neither of them a place"
# Of which kernels (a pattern), which binding's content may arrive where, and why it is in bounds.
ALLOWED = {
    ("embed", 1, "branch"): "a token: its row is compared with the rows of this slice before anything is read",
    ("embed", 1, "index"): "the same, behind that comparison",
    ("rope_store", 1, "index"): N_PAST,
    ("rope_store", 1, "branch"): N_PAST,
    ("rope_store", 0, "branch"): VALUE,  # the bits of a half
    ("rope_store", 2, "branch"): VALUE,
    ("attention", 5, "index"): N_PAST,
    ("attention", 5, "branch"): N_PAST,
    ("attention_uniform", 5, "address"): N_PAST,
    ("attention", 4, "branch"): ARRIVED,
    (".*_dot_", 2, "branch"): VALUE,  # a scale that is zero
    ("(swiglu_)?matvec_dot_", 4, "branch"): VALUE,
    ("sample_", 0, "branch"): LOGIT,
    ("sample_", 1, "branch"): STATE,
    ("sample_", 1, "index"): STATE,
}

TYPES = set(range(19, 39)) | {4456, 5281, 5358, 5370, 5371}
LABEL, PHI, LOAD, STORE, VARIABLE, PARAMETER, FUNCTION, CALL = 248, 245, 61, 62, 59, 55, 54, 57
CHAINS = {65, 66, 67, 70}  # access chains: result, base, indices
RESULTLESS = {0, 3, 4, 5, 6, 7, 8, 10, 14, 15, 16, 17, 39, 56, 71, 72, 73, 74, 75, 218, 219, 224, 225, 246, 247, 249, 252, 253, 255, 317,
              330, 331, 332, 5632, 5633}
CONSTANTS = {1, 41, 42, 43, 44, 46, 48, 49, 50, 51, 52}
PUSH, INPUT, UNIFORM, STORAGE, PHYSICAL = 9, 1, 2, 12, 5349
CLASSES = {4, 6, 7}  # shared, private, function: variables of the kernel's own


def instructions(path):
    data = path.read_bytes()
    if len(data) % 4 or len(data) < 20:
        sys.exit(f"check_kernel_flow: error: {path}: expected SPIR-V, got {len(data)} bytes")
    words = struct.unpack(f"<{len(data) // 4}I", data)
    at = 5
    while at < len(words):
        n = words[at] >> 16
        yield words[at] & 0xFFFF, words[at + 1:at + n]
        at += n


def values(op, words):
    """The operands that are values, of an instruction without type and result."""
    if op == 81:  # composite extract: what follows are literals
        return words[:1]
    if op in (79, 82):  # shuffle, insert
        return words[:2]
    if op == 12:  # extended instruction: set, number, values
        return words[2:]
    if op == PHI:
        return words[::2]
    return words


class Kernel:
    def __init__(self, path):
        self.types, self.pointers, self.binding = set(), {}, {}
        self.type_of, self.class_of, self.body = {}, {}, []
        self.parameters, self.returns = {}, {}
        function = None
        for op, words in instructions(path):
            if op in TYPES:
                self.types.add(words[0])
                if op == 32:
                    self.pointers[words[0]] = words[1]
            elif op == 71 and words[1] == 33:
                self.binding[words[0]] = words[2]
            elif op in CONSTANTS or op == LABEL or op in RESULTLESS:
                continue
            elif op == FUNCTION:
                function = words[1]
                self.parameters[function], self.returns[function] = [], []
            elif op == PARAMETER:
                self.parameters[function].append(words[1])
                self.type_of[words[1]] = words[0]
            elif op == VARIABLE:
                self.class_of[words[1]] = words[2]
                self.type_of[words[1]] = words[0]
            elif op == 254:
                self.returns[function].append(words[0])
            elif op in (250, 251):
                self.body.append((op, None, words[:1]))
            elif op in (STORE, 63, 228, 4458, 5368, 5369) or len(words) < 2 or words[0] not in self.types:
                self.body.append((op, None, words))
            else:
                self.type_of[words[1]] = words[0]
                self.body.append((op, words[1], values(op, words[2:])))

    def storage(self, pointer):
        return self.pointers.get(self.type_of.get(pointer))

    def follow(self):
        """What arrives where: {(binding or "address", "index" or "address" or "branch")}."""
        roots = {v: {v} for v in self.class_of}  # of a pointer: the variables that it may point into
        holds = {}  # of a value: the bindings that it depends on
        inside = {v: set() for v in self.class_of}  # of a variable of the kernel's own, the same
        sinks, changed = set(), True

        def add(table, key, what):
            nonlocal changed
            there = table.setdefault(key, set())
            if not what <= there:
                there |= what
                changed = True

        def read(pointer):
            kind = self.storage(pointer)
            if kind == PHYSICAL:
                return {"address"}
            found = set(holds.get(pointer, ()))
            for root in roots.get(pointer, ()):
                if self.class_of[root] in (STORAGE, UNIFORM):
                    found.add(self.binding[root])
                elif self.class_of[root] in CLASSES:
                    found |= inside[root]
            return found

        def write(pointer, what):
            for root in roots.get(pointer, ()):
                if self.class_of[root] in CLASSES:
                    add(inside, root, what)

        def sink(ids, kind):
            for i in ids:
                sinks.update((label, kind) for label in holds.get(i, ()))

        while changed:
            changed = False
            for op, result, words in self.body:
                if op in (250, 251):
                    sink(words, "branch")
                elif op in (STORE, 228):
                    write(words[0], holds.get(words[-1], set()) if op == 228 else holds.get(words[1], set()))
                elif op in (4458, 5369):  # a cooperative matrix, with the pointer first
                    write(words[0], holds.get(words[1], set()))
                elif op == 63:
                    write(words[0], read(words[1]))
                elif result is None:
                    sink(words, "unknown instruction %d" % op)
                elif op == CALL:
                    callee, given = words[0], words[1:]
                    for parameter, value in zip(self.parameters[callee], given):
                        add(holds, parameter, holds.get(value, set()))
                        add(roots, parameter, roots.get(value, set()))
                    for value in self.returns[callee]:
                        add(holds, result, holds.get(value, set()))
                        add(roots, result, roots.get(value, set()))
                elif op in CHAINS:
                    sink(words[1:], "index")
                    add(roots, result, roots.get(words[0], set()))
                    add(holds, result, set().union(*(holds.get(w, set()) for w in words[1:])))
                else:
                    if op in (77, 78):
                        sink(words[-1:], "index")
                    if op == 120 or (op == 124 and self.type_of[result] in self.pointers):
                        sink(words[:1], "address")
                    what = set()
                    for w in words:
                        what |= holds.get(w, set())
                        if w in self.type_of and self.type_of[w] in self.pointers:
                            what |= read(w)  # loads, atomics, matrices: whatever reads through a pointer
                            if self.type_of[result] in self.pointers:
                                add(roots, result, roots.get(w, set()))
                    if 227 <= op <= 242 or op == 6035:  # atomics write, too
                        write(words[0], set().union(*(holds.get(w, set()) for w in words[1:])))
                    add(holds, result, what)
        return sinks


def rows_for(name, label, kind):
    return {row for row in ALLOWED if re.match(row[0], name) and (label, kind) == row[1:]}


def main():
    paths = sorted(Path(sys.argv[1]).glob("*.c.spv"))
    if not paths:
        sys.exit(f"check_kernel_flow: error: {sys.argv[1]}: expected compiled kernels, got none; build first")
    failed, seen = 0, set()
    for path in paths:
        name = path.name[:-len(".c.spv")]
        for label, kind in sorted(Kernel(path).follow(), key=str):
            rows = rows_for(name, label, kind)
            seen |= rows
            if not rows:
                print(f"{name}: what is loaded from {label if label == 'address' else f'binding {label}'} arrives at: {kind}")
                failed += 1
    for row in sorted(set(ALLOWED) - seen, key=str):
        print(f"ALLOWED: {row}: no kernel does that any more; take the row away")
        failed += 1
    print(f"{len(paths)} kernels, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
