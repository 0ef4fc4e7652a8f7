"""Makes damaged copies of a GGUF file: a small reader of the header, kept apart from the program's own."""
import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY, ALIGNMENT = 8, 9, 32


class Tensor:
    def __init__(self, name, dims, type_number, offset):
        self.name, self.dims, self.type, self.offset = name, dims, type_number, offset


class Gguf:
    """Reads versions 1 to 3, writes 3. keys: the bytes of each key by name; tensors: a list to be changed; data: what follows the header."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        self.at = 4
        self.count = "I" if self.take("I") == 1 else "Q"  # how version 1 and the later ones write lengths
        n_tensors, n_keys = self.take(self.count), self.take(self.count)
        self.keys = {}
        for _ in range(n_keys):
            name = self.string()
            kind = self.take("I")
            self.keys[name] = struct.pack("<I", kind) + self.value(kind)
        self.tensors = []
        for _ in range(n_tensors):
            name = self.string()
            dims = [self.take(self.count) for _ in range(self.take("I"))]
            self.tensors.append(Tensor(name, dims, self.take("I"), self.take("Q")))
        self.header_bytes = self.at
        self.data = self.bytes[-(-self.at // ALIGNMENT) * ALIGNMENT:]

    def take(self, form):
        value, = struct.unpack_from("<" + form, self.bytes, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def raw(self, n_bytes):
        self.at += n_bytes
        return self.bytes[self.at - n_bytes:self.at]

    def string(self):
        return self.raw(self.take(self.count)).decode()

    def value(self, kind):
        """The bytes of a value as version 3 has them."""
        if kind == STRING:
            text = self.raw(self.take(self.count))
            return struct.pack("<Q", len(text)) + text
        if kind == ARRAY:
            item, n = self.take("I"), self.take(self.count)
            return struct.pack("<IQ", item, n) + b"".join(self.value(item) for _ in range(n))
        return self.raw(SIZES[kind])

    def tensor(self, name):
        return next(t for t in self.tensors if t.name == name)

    def set_string(self, key, text):
        self.keys[key] = struct.pack("<IQ", STRING, len(text)) + text.encode()

    def set_u32(self, key, value):
        self.keys[key] = struct.pack("<II", 4, value)

    def add_tensor(self, name, dims, n_bytes):
        self.data += bytes(-len(self.data) % ALIGNMENT)
        self.tensors.append(Tensor(name, dims, 0, len(self.data)))
        self.data += bytes(n_bytes)

    def save(self, path):
        text = lambda s: struct.pack("<Q", len(s)) + s.encode()
        out = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.keys))
        for name, value in self.keys.items():
            out += text(name) + value
        for t in self.tensors:
            out += text(t.name) + struct.pack("<I%dQIQ" % len(t.dims), len(t.dims), *t.dims, t.type, t.offset)
        with open(path, "wb") as file:
            file.write(out + bytes(-len(out) % ALIGNMENT) + self.data)
        return path
